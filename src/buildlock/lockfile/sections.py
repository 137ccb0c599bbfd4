"""The text of a lockfile as its sections, and back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from buildlock.errors import InvalidLockError
from buildlock.lockfile.model import FILENAME, LockedEnvironment
from buildlock.lockfile.reader import parse_lockfile
from buildlock.patterns import compile_pattern
from buildlock.values import dataclass

SectionKey: TypeAlias = tuple[str, ...]
"""`("variants", NAME)` or `("packages", NAME, VARIANT)`."""

_NAME = r"""[ \t]*\.[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))"""
_HEADER = compile_pattern(rf"^\[\[?[ \t]*(?:(variants){_NAME}|(packages)[ \t]*{_NAME}[ \t]*{_NAME})", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """An environment's part of the text, without the blank lines around it."""

    key: SectionKey
    comment: str
    """The lines right above the first header."""
    body: str

    @property
    def text(self) -> str:
        return self.comment + self.body


def parse_sections(content: bytes, where: str = FILENAME) -> Mapping[SectionKey, LockedEnvironment]:
    """What each section of a lockfile says; `where` it is from is for messages.

    Raises:
        InvalidLockError: It is not a lockfile.
    """
    lockfile = parse_lockfile(content, where)
    sections: dict[SectionKey, LockedEnvironment] = {
        ("variants", name): each for name, each in lockfile.variants.items()
    }
    for name, variants in lockfile.packages.items():
        sections.update({("packages", name, variant): each for variant, each in variants.items()})
    return sections


def split_sections(text: str) -> tuple[str, Sequence[Section]]:
    """What stands before the first section, and the sections in the order of the file."""
    text = text.replace("\r\n", "\n")
    starts: list[tuple[int, int, SectionKey]] = []
    for header in _HEADER.finditer(text):
        key = tuple(part for part in header.groups() if part is not None)
        if not starts or starts[-1][2] != key:
            starts.append((_find_comment(text, header.start()), header.start(), key))
    if not starts:
        return text.strip("\n"), ()
    ends = [*(start for start, _, _ in starts[1:]), len(text)]
    sections = [
        Section(key=key, comment=text[start:header], body=text[header:end].strip("\n"))
        for (start, header, key), end in zip(starts, ends, strict=True)
    ]
    return text[: starts[0][0]].strip("\n"), sections


def place_section(sections: Sequence[Section], section: Section) -> Sequence[Section]:
    """The sections with this one in place of the one of its key, or where the order of keys puts a new one."""
    kept = [each for each in sections if each.key != section.key]
    position = next((i for i, each in enumerate(kept) if _order(each.key) > _order(section.key)), len(kept))
    return [*kept[:position], section, *kept[position:]]


def join_sections(
    old: str | None, preamble: str, sections: Iterable[Section], expected: Mapping[SectionKey, LockedEnvironment]
) -> str:
    """The text of a lockfile, with the line ends of the one that it was.

    Args:
        old: The text so far; `None` where there was none.
        preamble: What stands before the first section.
        sections: In the order of the file.
        expected: What they are to say.

    Raises:
        InvalidLockError: `old` is laid out so that the sections are not what was cut out of it.
    """
    text = "\n\n".join([preamble, *(section.text for section in sections)]) + "\n"
    text = text.replace("\n", "\r\n") if old is not None and "\r\n" in old else text
    if old is not None and not _holds(text, expected):
        raise InvalidLockError(
            FILENAME,
            ["it is not laid out as buildlock writes it: a variant cannot be replaced alone"],
            hint=f"delete `{FILENAME}` and lock every variant again",
        )
    return text


def _find_comment(text: str, header: int) -> int:
    """Where the comment lines right above a header begin; the header's own place if there are none."""
    start = header
    while start and text[(line := text.rfind("\n", 0, start - 1) + 1) : start].startswith("#"):
        start = line
    return start


def _order(key: SectionKey) -> tuple[int, SectionKey]:
    """Packages from elsewhere come after the project's variants."""
    return len(key), key


def _holds(text: str, expected: Mapping[SectionKey, LockedEnvironment]) -> bool:
    try:
        return parse_sections(text.encode()) == expected
    except InvalidLockError:
        return False
