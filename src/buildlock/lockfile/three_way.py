"""Two locks that come from one, merged section by section: each is whole from one side, or in conflict."""

from collections.abc import Mapping, Sequence

from buildlock.errors import InvalidLockError
from buildlock.lockfile.model import FILENAME, LockedEnvironment
from buildlock.lockfile.reader import LOCK_VERSION
from buildlock.lockfile.sections import (
    Section,
    SectionKey,
    join_sections,
    parse_sections,
    place_section,
    split_sections,
)
from buildlock.values import dataclass

EMPTY = f'lock-version = "{LOCK_VERSION}"\n'.encode()
"""A lock that locks nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Versions:
    """A section as the three locks have it; `None` where it is not there."""

    base: LockedEnvironment | None
    ours: LockedEnvironment | None
    theirs: LockedEnvironment | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    """What came of it."""

    text: str
    """A lock: what both have, and what one side alone has changed. Where both have, it is as ours."""
    conflicts: Mapping[SectionKey, Versions]
    """The sections that both sides have changed, each in its own way."""
    other: Mapping[SectionKey, Section]
    """Those sections as their text has them; those that theirs no longer has are missing."""


def merge_locks(base: bytes | None, ours: bytes, theirs: bytes) -> Merge:
    """Merge two locks; a section keeps the bytes of the side that it is from.

    Args:
        base: What both come from; `None` where that is not known: then they agree on what is the same in both alone.
        ours: The one side.
        theirs: The other.

    Raises:
        InvalidLockError: One of them is invalid, or laid out so that its sections cannot be told apart.
    """
    labels = (f"{FILENAME} of the common ancestor", f"{FILENAME} of our side", f"{FILENAME} of their side")
    contents = (base or EMPTY, ours, theirs)
    said = [parse_sections(content, label) for content, label in zip(contents, labels, strict=True)]
    cut = [split_sections(content.decode()) for content in contents]
    second = {section.key: section for section in cut[2][1]}
    sections, expected = cut[1][1], dict(said[1])
    conflicts, other = {}, {}
    for key in {key: None for each in said[1:] for key in each}:
        versions = Versions(base=said[0].get(key), ours=said[1].get(key), theirs=said[2].get(key))
        if versions.theirs in (versions.ours, versions.base):
            continue
        if versions.ours != versions.base:
            conflicts[key] = versions
            _check_cut([section for section in sections if section.key == key], key, versions.ours, labels[1])
            _check_cut([second[key]] if key in second else [], key, versions.theirs, labels[2])
            other.update({key: second[key]} if key in second else {})
        elif versions.theirs is None:
            del expected[key]
            sections = [section for section in sections if section.key != key]
        else:
            _check_cut([second[key]] if key in second else [], key, versions.theirs, labels[2])
            expected[key] = versions.theirs
            sections = place_section(sections, second[key])
    preamble = cut[2][0] if cut[1][0] == cut[0][0] else cut[1][0]
    return Merge(text=join_sections(ours.decode(), preamble, sections, expected), conflicts=conflicts, other=other)


def _check_cut(cut: Sequence[Section], key: SectionKey, said: LockedEnvironment | None, where: str) -> None:
    """Refuse a layout in which what a lock says of a section is not all in the one place that was cut out of it."""
    text = "\n\n".join([EMPTY.decode(), *(section.text for section in cut)])
    try:
        if len(cut) <= 1 and parse_sections(text.encode()) == ({} if said is None else {key: said}):
            return
    except InvalidLockError:
        pass
    name = " for ".join(f"`{part}`" for part in key[1:])
    raise InvalidLockError(where, [f"it is not laid out as buildlock writes it: {name} cannot be taken out alone"])


def mark_conflicts(merge: Merge, ours: str, theirs: str) -> str:
    """The merged lock with conflict markers around each section in conflict: both sides, whole, for `split_conflicts`.

    Args:
        merge: What was merged.
        ours: What the markers call our side.
        theirs: What they call the other one.
    """
    preamble, sections = split_sections(merge.text)
    present = {section.key for section in sections}
    for key, section in merge.other.items():
        if key not in present:
            sections = place_section(sections, section)
    blocks = [preamble]
    for section in sections:
        if section.key not in merge.conflicts:
            blocks.append(section.text)
            continue
        second = merge.other.get(section.key)
        blocks.append(
            mark_text(
                section.text if section.key in present else None,
                second.text if second is not None else None,
                ours,
                theirs,
            )
        )
    text = "\n\n".join(blocks) + "\n"
    return text.replace("\n", "\r\n") if "\r\n" in merge.text else text


def mark_text(first: str | None, second: str | None, ours: str, theirs: str) -> str:
    """Two texts between conflict markers, as git writes them; `None` is nothing."""
    lines = [f"<<<<<<< {ours}", first, "=======", second, f">>>>>>> {theirs}"]
    return "\n".join(line for line in lines if line is not None)
