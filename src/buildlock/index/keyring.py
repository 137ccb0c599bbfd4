"""Passwords from the command `keyring`, asked for as uv and pip do."""

import subprocess
from contextlib import suppress
from threading import Thread
from typing import IO

from buildlock.groups import kill_group
from buildlock.reporting import Noted, Reporter, Warned

_PATIENCE = 120.0
"""Seconds: it may have a person unlock it."""
_LARGEST = 1 << 16
"""Bytes that it may say."""


class UnusableKeyringError(Exception):
    """The command is not there, or does not answer: it need not be asked again."""


def ask_keyring(service: str, username: str | None, report: Reporter) -> tuple[str, str] | None:
    """The name and the password that the user's keyring has for a URL or a host; `None` where it has none.

    Args:
        service: What it is asked for, without credentials.
        username: Whose password; `None`: it knows the name too.
        report: Told of answers that cannot be used. What it says is told to nobody.

    Raises:
        UnusableKeyringError: It does not answer.
    """
    if any(word is not None and word.startswith("-") for word in (service, username)):
        return None  # it would be an option, of which there are some that run code
    command = ["keyring", "get", service, *([username] if username is not None else ["--mode", "creds"])]
    try:
        code, output = _run(command)
    except FileNotFoundError as error:
        raise UnusableKeyringError("there is no such command on PATH") from error
    except (OSError, ValueError) as error:
        raise UnusableKeyringError(f"it cannot be run: {error}") from error
    if code is None:
        raise UnusableKeyringError(f"it has not answered in {_PATIENCE:.0f} seconds")
    if code != 0:
        report(Noted(f"`keyring` has nothing for `{service}`: it ended with {code}"))
        return None
    lines = _read_lines(output)
    wanted = 1 if username is not None else 2
    if lines is None or len(lines) != wanted:
        report(Warned(f"what `keyring` says for `{service}` is not used: it is not {_FORMS[wanted]}"))
        return None
    return (username, lines[0]) if username is not None else (lines[0], lines[1])


_FORMS = {1: "a password in one line", 2: "a name and a password, each in a line"}


def _read_lines(output: bytes) -> list[str] | None:
    """The lines of what it said; `None` where no header could hold them."""
    try:
        lines = output.decode().splitlines()
    except UnicodeDecodeError:
        return None
    while lines and not lines[-1]:
        lines.pop()
    return lines if len(output) < _LARGEST and all(line and line.isprintable() for line in lines) else None


def _run(command: list[str]) -> tuple[int | None, bytes]:
    """How it ended, `None` where it did not, and what it said, as far as `_LARGEST`."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = bytearray()
    reader = Thread(target=_drain, args=(process.stdout, output), name="buildlock-keyring", daemon=True)
    code = None
    try:
        reader.start()
        # It has said all it has to say when it ends, or closes its output; what it left running may hold that open.
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(_PATIENCE)
            reader.join(1.0)
    finally:
        if process.poll() is None:
            kill_group(process)
            process.wait()
    return code, bytes(output[:_LARGEST])


def _drain(stream: IO[bytes], output: bytearray) -> None:
    with stream:
        while chunk := stream.read(4096):
            if len(output) < _LARGEST:
                output += chunk
