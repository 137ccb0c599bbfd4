"""Requirements as the user wrote them, in TOML and in requirements files."""

import os
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.project.document import Table, read_text
from buildlock.project.faults import Faults
from buildlock.project.model import BuildRequirement, SourceRule
from buildlock.project.origins import reference_origin

_LONGEST = 4000
"""Characters: what is longer has no meaning, but can exhaust the parser or the conversion of integers."""


def parse_requirement(text: str, *, origin: str, line: int | None = None, faults: Faults) -> BuildRequirement | None:
    """Read a dependency specifier (PEP 508); `None`, with the fault noted, where it is none."""
    if len(text) > _LONGEST:
        faults.add(origin, f"has a requirement of {len(text)} characters")
        return None
    try:
        requirement = Requirement(text)
    except RecursionError:
        faults.add(origin, "has a requirement whose marker is nested too deeply")
    except InvalidRequirement as error:
        # The message goes on with the text and a caret below it, which only a terminal of the same width shows well.
        reason = str(error).splitlines()[0] if str(error) else "it is no dependency specifier"
        faults.add(origin, f"has `{text}`, which is not a requirement: {reason}")
    else:
        return BuildRequirement(requirement=requirement, origin=origin, line=line)
    return None


def read_requirements(table: Table, key: str) -> tuple[BuildRequirement, ...]:
    """Read the list of requirements under `key`."""
    found = (
        parse_requirement(
            text,
            origin=table.place(key),
            line=table.document.find_line(table.name, key, text),
            faults=table.faults,
        )
        for text in table.strings(key)
    )
    return tuple(requirement for requirement in found if requirement is not None)


def read_requirements_file(path: Path, *, faults: Faults) -> tuple[tuple[BuildRequirement, ...], tuple[str, ...]]:
    """Read a file of constraints or overrides in pip's format, and the files that it includes.

    Returns:
        The requirements, and what the file says beyond them that is not supported (`--hash in constraints.txt`).
    """
    requirements: list[BuildRequirement] = []
    unsupported: dict[str, None] = {}
    waiting, seen = [path], set[Path]()
    while waiting:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        text = read_text(current, label=str(current), faults=faults)
        for number, line in _logical_lines(text or ""):
            origin = f"{current}: line {number}"
            option, _, value = line.replace("=", " ", 1).partition(" ")
            if option in {"-c", "--constraint", "-r", "--requirement"}:
                if "://" in value:
                    faults.add(origin, f"includes `{value.strip()}`, and URLs are not supported yet")
                else:
                    waiting.append(Path(os.path.normpath(current.parent / value.strip())))
            elif line.startswith("-"):
                unsupported[f"{option} in {current}"] = None
            else:
                specifier, *options = line.split(" --")
                unsupported.update(
                    {f"--{each.split('=')[0].split()[0]} in {current}": None for each in options if each}
                )
                found = parse_requirement(specifier.strip(), origin=origin, line=number, faults=faults)
                requirements += [found] if found else []
    return tuple(requirements), tuple(unsupported)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """The lines of a requirements file that say something, joined where one ends in a backslash, with their numbers."""
    lines: list[tuple[int, str]] = []
    begun, joined = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        begun = begun if joined else number
        line = "" if raw.lstrip().startswith("#") else raw.partition(" #")[0]
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        if statement := (joined + line).strip():
            lines.append((begun, statement))
        joined = ""
    return lines


def direct_rule(requirement: BuildRequirement) -> SourceRule:
    """What the URL of a requirement says: its package comes from there and from no other place.

    Raises:
        ValueError: The URL leads to nothing that could be; the message is the end of a sentence.
    """
    origin = reference_origin(requirement.requirement.url or "")
    return SourceRule(direct=origin, marker=requirement.requirement.marker, origin=requirement.origin)


def keep_valid(requirements: Iterable[BuildRequirement], faults: Faults) -> tuple[BuildRequirement, ...]:
    """The requirements without those whose URL leads to nothing that could be: a fault for each."""
    kept = []
    for each in requirements:
        try:
            if each.requirement.url is not None:
                direct_rule(each)
        except ValueError as error:  # noqa: PERF203 - each has its fault
            faults.add(each.origin, f"has `{each.requirement.name}` from a URL that {error}")
        else:
            kept.append(each)
    return tuple(kept)


def name_of(requirement: BuildRequirement) -> NormalizedName:
    return canonicalize_name(requirement.requirement.name)
