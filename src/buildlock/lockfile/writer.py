"""Writing `build-lock.toml`. The writer owns every byte.

The file is a comment, `lock-version`, and a section per variant in sorted order, a blank line between them. A section
begins at the first `[variants.NAME]` header and ends before the next variant's; comment lines right above its first
header belong to it.

- Unchanged means untouched: writing the environment that a section holds already returns the very same text, hand-made
  comments and layout included.
- Otherwise the whole section is laid out anew: the comment above it is kept, comments inside are not.
- Every other variant keeps its bytes. Only blank lines between sections are evened out.
- A file with Windows line ends keeps them.
- What is written is read back before it is returned: a lock that could not be read is never written.
"""

import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildlock.errors import InvalidLockError, LockfileError
from buildlock.lockfile.layout import format_variant
from buildlock.lockfile.model import FILENAME, LockedEnvironment, Lockfile
from buildlock.lockfile.reader import LOCK_VERSION, parse_lockfile

PREAMBLE = f"""\
# The locked build environments of this project: exact files, with their hashes.
# Written by `buildlock lock`, which is also the way to change it.
lock-version = "{LOCK_VERSION}"
"""

_HEADER = re.compile(
    r"""^\[\[?[ \t]*variants[ \t]*\.[ \t]*(?:"(?P<basic>[^"\n]*)"|'(?P<literal>[^'\n]*)'|(?P<bare>[A-Za-z0-9_-]+))""",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """A variant's part of the text, without the blank lines around it."""

    variant: str
    comment: str
    """The lines right above the first header."""
    body: str


def write_variant(old: str | None, name: str, environment: LockedEnvironment) -> str:
    """The text of the lockfile with this environment for a variant, in place of the one it had.

    Args:
        old: The text so far; `None` where there is no lockfile.
        name: The variant.
        environment: What to lock for it.

    Raises:
        InvalidLockError: `old` is invalid, or is laid out so that a variant cannot be replaced in it; or the new
            lock would be invalid.
    """
    known = _parse(old) if old is not None else {}
    if old is not None and known.get(name) == environment:
        return old
    preamble, sections = _split(old) if old is not None else (PREAMBLE.strip("\n"), ())
    comment = next((section.comment for section in sections if section.variant == name), "")
    section = _Section(variant=name, comment=comment, body=format_variant(name, environment))
    _check_readable(section)
    kept = [section for section in sections if section.variant != name]
    position = next((i for i, section in enumerate(kept) if section.variant > name), len(kept))
    return _join(old, preamble, [*kept[:position], section, *kept[position:]], {**known, name: environment})


def drop_variant(old: str, name: str) -> str:
    """The text of the lockfile without a variant.

    Raises:
        InvalidLockError: `old` is invalid, or is laid out so that a variant cannot be taken out of it.
    """
    known = dict(_parse(old))
    if known.pop(name, None) is None:
        return old
    preamble, sections = _split(old)
    return _join(old, preamble, [section for section in sections if section.variant != name], known)


def save(path: Path, text: str) -> bool:
    """Write a lockfile atomically: at every moment the old one is there, or the new one. Returns whether it differed.

    Raises:
        LockfileError: It cannot be written; the old one is untouched.
    """
    content = text.encode()
    path = path.resolve()  # a link to the lockfile stays one
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        if path.exists() and path.read_bytes() == content:
            return False
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise LockfileError(f"`{path}` cannot be written: {error.strerror or error}") from error
    return True


def _check_readable(section: _Section) -> None:
    subject = f"the new lock of {section.variant}"
    try:
        parse_lockfile(f"{PREAMBLE}\n{section.body}\n".encode(), subject)
    except InvalidLockError as error:
        raise InvalidLockError(subject, error.faults) from error


def _parse(text: str) -> Mapping[str, LockedEnvironment]:
    return parse_lockfile(text.encode(), FILENAME).variants


def _split(text: str) -> tuple[str, Sequence[_Section]]:
    """What stands before the first section, and the sections in the order of the file."""
    text = text.replace("\r\n", "\n")
    starts: list[tuple[int, int, str]] = []
    for header in _HEADER.finditer(text):
        variant = header["basic"] or header["literal"] or header["bare"] or ""
        if not starts or starts[-1][2] != variant:
            starts.append((_find_comment(text, header.start()), header.start(), variant))
    if not starts:
        return text.strip("\n"), ()
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    sections = [
        _Section(variant=variant, comment=text[start:header], body=text[header:end].strip("\n"))
        for (start, header, variant), end in zip(starts, ends, strict=True)
    ]
    return text[: starts[0][0]].strip("\n"), sections


def _find_comment(text: str, header: int) -> int:
    """Where the comment lines right above a header begin; the header's own place if there are none."""
    start = header
    while start and text[(line := text.rfind("\n", 0, start - 1) + 1) : start].startswith("#"):
        start = line
    return start


def _join(
    old: str | None, preamble: str, sections: Sequence[_Section], expected: Mapping[str, LockedEnvironment]
) -> str:
    text = "\n\n".join([preamble, *(section.comment + section.body for section in sections)]) + "\n"
    text = text.replace("\n", "\r\n") if old is not None and "\r\n" in old else text
    if old is not None and not _holds(text, expected):
        raise InvalidLockError(
            FILENAME,
            ["it is not laid out as buildlock writes it: a variant cannot be replaced alone"],
            hint=f"delete `{FILENAME}` and lock every variant again",
        )
    return text


def _holds(text: str, expected: Mapping[str, LockedEnvironment]) -> bool:
    try:
        return parse_lockfile(text.encode(), FILENAME) == Lockfile(variants=expected)
    except InvalidLockError:
        return False
