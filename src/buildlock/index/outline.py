"""What is kept of a page in JSON beside it: its versions, each with where its files are, to be read when looked at."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from packaging.version import Version

from buildlock.index.links import LinkCollector, stem_of
from buildlock.index.page_json import FILE_KEYS, JsonPage
from buildlock.lazy import LazyList
from buildlock.text import printable
from buildlock.values import dataclass

KIND = "outline"
"""What it is called in the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileGroup:
    """The files of one version."""

    version: Version
    yanked: bool
    """Whether all of them are."""
    requires_python: str | None
    """As all of them say it; `None` where they do not agree, or say nothing."""
    read: Callable[[], Sequence[Mapping[str, Any]]]
    """The files, each as the page has it. `ValueError` where what was kept of it is damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """A page before its files are looked at."""

    status: Mapping[str, Any]
    """`project-status`, whatever is in it."""
    groups: Sequence[FileGroup]
    """The newest version first. `ValueError` where what was kept of one is damaged."""
    refused: Sequence[str]
    """The names of files that are in no group, for their names."""


def outline_page(page: JsonPage, links: LinkCollector) -> Outline | None:
    """The files of a page by version; `None` where all have to be looked at together.

    Those of a version are read when they are looked at: best first, a resolver looks at few of thousands.
    """
    if len({file["filename"] for file in page.files}) < len(page.files):
        # Which of two files of one name counts, and whether they contradict each other, is to be told of all.
        return None
    stems: dict[str, list[Mapping[str, Any]]] = {}
    for file in page.files:
        stems.setdefault(stem_of(file["filename"]), []).append(file)
    versions: dict[Version, list[Mapping[str, Any]]] = {}
    refused: list[str] = []
    for stem, group in stems.items():
        names = [file["filename"] for file in group]
        version = links.find_version(stem, names)
        if version is None:
            refused += names
        else:
            versions.setdefault(version, []).extend(group)
    groups = [_group(version, versions[version]) for version in sorted(versions, reverse=True)]
    return Outline(status=page.status, groups=groups, refused=tuple(refused))


def _group(version: Version, files: Sequence[Mapping[str, Any]]) -> FileGroup:
    pythons = {file.get("requires-python") for file in files}
    (python,) = pythons if len(pythons) == 1 else (None,)
    return FileGroup(
        version=version,
        yanked=all(file.get("yanked") for file in files),
        requires_python=printable(python) if python else None,
        read=partial(tuple, files),
    )


def write_outline(outline: Outline, sha256: str) -> bytes:
    """An outline as it is kept; `sha256` is that of the page."""
    groups: list[tuple[str, bool, str | None, int]] = []
    parts: list[bytes] = []
    for group in outline.groups:
        part = json.dumps([_pack(file) for file in group.read()], separators=(",", ":")).encode()
        groups.append((str(group.version), group.yanked, group.requires_python, len(part)))
        parts.append(part)
    head = {"sha256": sha256, "status": outline.status, "refused": outline.refused, "groups": groups}
    return b"".join([json.dumps(head, separators=(",", ":")).encode(), b"\n", *parts])


def read_outline(content: bytes, sha256: str) -> Outline | None:
    """What `write_outline` has made of the page with this sha256; `None` where it is of another, or damaged."""
    end = content.find(b"\n")
    try:
        known = json.loads(content[:end])
        if known["sha256"] != sha256 or not isinstance(known["status"], dict):
            return None
        rows = []
        start = end + 1
        for version, yanked, python, size in known["groups"]:
            rows.append((str(version), bool(yanked), None if python is None else str(python), start, start + size))
            start += size
        groups = LazyList(
            FileGroup(
                version=Version(version),
                yanked=yanked,
                requires_python=python,
                read=partial(_unpack, content, start, end),
            )
            for version, yanked, python, start, end in rows
        )
        return Outline(status=known["status"], groups=groups, refused=[str(name) for name in known["refused"]])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _pack(file: Mapping[str, Any]) -> list[Any]:
    values = [file.get(key) for key in FILE_KEYS]
    while values[-1] is None:
        values.pop()
    return values


def _unpack(content: bytes, start: int, end: int) -> Sequence[Mapping[str, Any]]:
    return [dict(zip(FILE_KEYS, values, strict=False)) for values in json.loads(content[start:end])]
