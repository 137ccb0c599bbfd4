"""Writing `build-lock.toml`. The writer owns every byte.

The file is a comment, `lock-version`, a section per variant in sorted order, then one per package from elsewhere and
variant, a blank line between them. A section begins at its first `[variants.NAME]` or `[packages.NAME.VARIANT]` header
and ends before the next one's; comment lines right above its first header belong to it.

- Unchanged means untouched: writing the environment that a section holds already returns the very same text, hand-made
  comments and layout included.
- Otherwise the whole section is laid out anew: the comment above it is kept, comments inside are not.
- Every other section keeps its bytes. Only blank lines between sections are evened out.
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
from typing import TypeAlias

from packaging.utils import NormalizedName

from buildlock.errors import InvalidLockError, LockfileError
from buildlock.lockfile.layout import format_section
from buildlock.lockfile.model import FILENAME, LockedEnvironment
from buildlock.lockfile.reader import LOCK_VERSION, parse_lockfile

PREAMBLE = f"""\
# The locked build environments of this project: exact files, with their hashes.
# Written by `buildlock lock`, which is also the way to change it.
lock-version = "{LOCK_VERSION}"
"""

_NAME = r"""[ \t]*\.[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))"""
_HEADER = re.compile(rf"^\[\[?[ \t]*(?:(variants){_NAME}|(packages)[ \t]*{_NAME}[ \t]*{_NAME})", re.MULTILINE)

_Key: TypeAlias = tuple[str, ...]
"""Of a section: `("variants", NAME)` or `("packages", NAME, VARIANT)`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """An environment's part of the text, without the blank lines around it."""

    key: _Key
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
    return _write(old, ("variants", name), environment)


def write_package(old: str | None, name: NormalizedName, variant: str, environment: LockedEnvironment) -> str:
    """The text of the lockfile with this environment for a package from elsewhere, in place of the one it had.

    Args:
        old: The text so far; `None` where there is no lockfile.
        name: The package.
        variant: The variant of the project that it is built for.
        environment: What to lock for it; its `source` is the package.

    Raises:
        InvalidLockError: As of `write_variant`.
    """
    return _write(old, ("packages", name, variant), environment)


def drop_variant(old: str, name: str) -> str:
    """The text of the lockfile without a variant.

    Raises:
        InvalidLockError: `old` is invalid, or is laid out so that a variant cannot be taken out of it.
    """
    return _drop(old, ("variants", name))


def drop_package(old: str, name: NormalizedName, variant: str) -> str:
    """The text of the lockfile without a variant of a package from elsewhere.

    Raises:
        InvalidLockError: As of `drop_variant`.
    """
    return _drop(old, ("packages", name, variant))


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


def _write(old: str | None, key: _Key, environment: LockedEnvironment) -> str:
    known = _parse(old) if old is not None else {}
    if old is not None and known.get(key) == environment:
        return old
    preamble, sections = _split(old) if old is not None else (PREAMBLE.strip("\n"), ())
    comment = next((section.comment for section in sections if section.key == key), "")
    section = _Section(key=key, comment=comment, body=format_section(key, environment))
    _check_readable(section)
    kept = [section for section in sections if section.key != key]
    position = next((i for i, section in enumerate(kept) if _order(section.key) > _order(key)), len(kept))
    return _join(old, preamble, [*kept[:position], section, *kept[position:]], {**known, key: environment})


def _drop(old: str, key: _Key) -> str:
    known = dict(_parse(old))
    if known.pop(key, None) is None:
        return old
    preamble, sections = _split(old)
    return _join(old, preamble, [section for section in sections if section.key != key], known)


def _order(key: _Key) -> tuple[int, _Key]:
    """Packages from elsewhere come after the project's variants."""
    return len(key), key


def _check_readable(section: _Section) -> None:
    subject = f"the new lock of {' for '.join(section.key[1:])}"
    try:
        parse_lockfile(f"{PREAMBLE}\n{section.body}\n".encode(), subject)
    except InvalidLockError as error:
        raise InvalidLockError(subject, error.faults) from error


def _parse(text: str) -> Mapping[_Key, LockedEnvironment]:
    """What each section of a lockfile says."""
    lockfile = parse_lockfile(text.encode(), FILENAME)
    sections: dict[_Key, LockedEnvironment] = {("variants", name): each for name, each in lockfile.variants.items()}
    for name, variants in lockfile.packages.items():
        sections.update({("packages", name, variant): each for variant, each in variants.items()})
    return sections


def _split(text: str) -> tuple[str, Sequence[_Section]]:
    """What stands before the first section, and the sections in the order of the file."""
    text = text.replace("\r\n", "\n")
    starts: list[tuple[int, int, _Key]] = []
    for header in _HEADER.finditer(text):
        key = tuple(part for part in header.groups() if part is not None)
        if not starts or starts[-1][2] != key:
            starts.append((_find_comment(text, header.start()), header.start(), key))
    if not starts:
        return text.strip("\n"), ()
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    sections = [
        _Section(key=key, comment=text[start:header], body=text[header:end].strip("\n"))
        for (start, header, key), end in zip(starts, ends, strict=True)
    ]
    return text[: starts[0][0]].strip("\n"), sections


def _find_comment(text: str, header: int) -> int:
    """Where the comment lines right above a header begin; the header's own place if there are none."""
    start = header
    while start and text[(line := text.rfind("\n", 0, start - 1) + 1) : start].startswith("#"):
        start = line
    return start


def _join(
    old: str | None, preamble: str, sections: Sequence[_Section], expected: Mapping[_Key, LockedEnvironment]
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


def _holds(text: str, expected: Mapping[_Key, LockedEnvironment]) -> bool:
    try:
        return _parse(text) == expected
    except InvalidLockError:
        return False
