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

from collections.abc import Mapping

from packaging.utils import NormalizedName

from buildlock.errors import InvalidLockError
from buildlock.lockfile.layout import format_section
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import LOCK_VERSION, parse_lockfile
from buildlock.lockfile.sections import (
    Section,
    SectionKey,
    join_sections,
    parse_sections,
    place_section,
    split_sections,
)

PREAMBLE = f"""\
# The locked build environments of this project: exact files, with their hashes.
# Written by `buildlock lock`, which is also the way to change it.
lock-version = "{LOCK_VERSION}"
"""


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
    return write_sections(old, {("variants", name): environment})


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
    return write_sections(old, {("packages", name, variant): environment})


def write_sections(old: str | None, environments: Mapping[SectionKey, LockedEnvironment]) -> str:
    """The text of the lockfile with all of these environments, each in place of the one that its section had.

    The file is read once and checked once, however many there are.

    Args:
        old: The text so far; `None` where there is no lockfile.
        environments: What to lock, one at least.

    Raises:
        InvalidLockError: As of `write_variant`.
    """
    known = parse_sections(old.encode()) if old is not None else {}
    changed = {key: environment for key, environment in environments.items() if known.get(key) != environment}
    if old is not None and not changed:
        return old
    preamble, sections = split_sections(old) if old is not None else (PREAMBLE.strip("\n"), ())
    comments = {section.key: section.comment for section in sections}
    for key, environment in changed.items():
        section = Section(key=key, comment=comments.get(key, ""), body=format_section(key, environment))
        _check_readable(section)
        sections = place_section(sections, section)
    return join_sections(old, preamble, sections, {**known, **changed})


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


def _drop(old: str, key: SectionKey) -> str:
    known = dict(parse_sections(old.encode()))
    if known.pop(key, None) is None:
        return old
    preamble, sections = split_sections(old)
    return join_sections(old, preamble, [section for section in sections if section.key != key], known)


def _check_readable(section: Section) -> None:
    subject = f"the new lock of {' for '.join(section.key[1:])}"
    try:
        parse_lockfile(f"{PREAMBLE}\n{section.body}\n".encode(), subject)
    except InvalidLockError as error:
        raise InvalidLockError(subject, error.faults) from error
