"""What git runs to merge two locks: variant by variant, and where both sides changed one, by locking it anew.

git runs it before it touches the work tree, so the project is there as our side has it, whatever the merge makes of it.
A variant is locked anew only where that is what it will be locked from: where their side changed pins alone. All else
is left in conflict, both sides whole, to `buildlock lock`. No code of the repository is run.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from buildlock.errors import BuildlockError, LockfileError
from buildlock.lockfile.conflicts import split_conflicts
from buildlock.lockfile.model import FILENAME, LockedEnvironment
from buildlock.lockfile.pins import unite_pins
from buildlock.lockfile.reader import read_content
from buildlock.lockfile.sections import SectionKey, parse_sections
from buildlock.lockfile.three_way import EMPTY, Versions, mark_conflicts, mark_text, merge_locks
from buildlock.lockfile.writer import write_variant
from buildlock.project.model import BuildRequirement, Project
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.values import dataclass, replace
from buildlock.workflows.locking import lock_variant
from buildlock.workflows.staleness import stale_inputs
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class GitMerge:
    """What a merge came to."""

    content: bytes
    """A lock; or, where something is in conflict, both sides of it between conflict markers."""
    relocked: tuple[str, ...] = ()
    """The variants that were locked anew."""
    conflicts: tuple[str, ...] = ()
    """What is in conflict, in words."""
    reason: str | None = None
    """Why."""


def merge_files(workspace: Workspace, base: Path, ours: Path, theirs: Path, *, labels: tuple[str, str]) -> GitMerge:
    """Merge two locks that come from one.

    Args:
        workspace: The project, as our side has it.
        base: What both come from.
        ours: Our side.
        theirs: Their side.
        labels: What conflict markers call the two sides.

    Raises:
        LockfileError: A file cannot be read.
    """
    try:
        # All of each, however large: what is no lock is kept too.
        before, first, second = (path.read_bytes() for path in (base, ours, theirs))
    except OSError as error:
        raise LockfileError(f"`{error.filename}` cannot be read: {error.strerror or error}") from error
    try:
        merge = merge_locks(_read_base(before), first, second)
    except BuildlockError as error:
        mine, other = (content.decode("utf-8", "surrogateescape").rstrip("\n") for content in (first, second))
        marked = f"{mark_text(mine, other, *labels)}\n".encode("utf-8", "surrogateescape")
        return GitMerge(content=marked, conflicts=("all of it",), reason=error.message)
    if not merge.conflicts:
        return GitMerge(content=merge.text.encode())
    try:
        text, relocked = _relock(workspace, first, merge.text, merge.conflicts)
    except BuildlockError as error:
        return GitMerge(
            content=mark_conflicts(merge, *labels).encode(),
            conflicts=tuple(map(_name, merge.conflicts)),
            reason=error.message,
        )
    return GitMerge(content=text.encode(), relocked=relocked)


def _read_base(content: bytes) -> bytes:
    """What both sides come from, if it is a lock: where it is none, all is new on both sides."""
    try:
        if split_conflicts(content, FILENAME) is None:
            parse_sections(content)
            return content
    except BuildlockError:
        pass
    return EMPTY


def _relock(
    workspace: Workspace, ours: bytes, text: str, conflicts: Mapping[SectionKey, Versions]
) -> tuple[str, tuple[str, ...]]:
    if parse_sections(read_content(workspace.lock_path)) != parse_sections(ours):
        raise LockfileError("the project is not there as our side has it")
    project = workspace.read_project()
    variants = []
    for key, versions in conflicts.items():
        text = write_variant(text, key[-1], _relock_section(workspace, project, key, versions))
        variants.append(key[-1])
    return text, tuple(variants)


def _relock_section(workspace: Workspace, project: Project, key: SectionKey, versions: Versions) -> LockedEnvironment:
    name, ours, theirs = _name(key), versions.ours, versions.theirs
    if ours is None or theirs is None:
        raise LockfileError(f"one side has taken {name} out, and the other has changed it")
    if key[0] != "variants" or ours.builds or theirs.builds:
        raise LockfileError(f"to lock {name}, the code of what it builds from source may have to run")
    if theirs.inputs != ours.inputs and (versions.base is None or theirs.inputs != versions.base.inputs):
        raise LockfileError(f"their side has changed what {name} is locked from, which is not merged yet")
    if key[-1] not in project.variants:
        raise LockfileError(f"the project on our side has no variant {name}")
    if moved := stale_inputs(project, key[-1], ours, RuntimeLocks(project.root)):
        raise LockfileError(f"the lock of {name} on our side no longer answers the project: {moved[0]}")
    # Both have the same; asking the backend would run code.
    recorded = {
        product: tuple(BuildRequirement(requirement=Requirement(text), origin=f"`{FILENAME}`") for text in texts)
        for product, texts in ours.inputs.dynamic.items()
    }
    relocked = lock_variant(workspace, replace(project, dynamic=recorded), key[-1], unite_pins(versions))
    if not relocked.environments == ours.environments == theirs.environments:
        raise LockfileError(f"{name} is locked for other targets than those of this machine")
    if relocked.builds:
        raise LockfileError(f"{name} would have to build something from source")
    _check_hashes(ours, theirs, relocked)
    return relocked


def _check_hashes(*environments: LockedEnvironment) -> None:
    """Leave it to a person to decide where a file is not the same everywhere."""
    known: dict[str, str] = {}
    for environment in environments:
        for url, sha256 in _list_files(environment):
            if known.setdefault(url, sha256) != sha256:
                raise LockfileError(f"`{url}` has two hashes: the two sides, or its index, do not agree")


def _list_files(environment: LockedEnvironment) -> Iterator[tuple[str, str]]:
    for package in environment.packages:
        for file in (*(package.wheels or ()), package.sdist, package.archive):
            if file is not None:
                yield file.url or file.path or "", file.hashes["sha256"]


def _name(key: SectionKey) -> str:
    return " for ".join(f"`{part}`" for part in key[1:])
