"""The lock that is locked anew: its text, and the pins to keep; where a merge left conflict markers, of both sides."""

from collections.abc import Mapping

from buildlock.errors import HostError, LockfileError, MissingLockError
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.reader import MAX_SIZE, parse_lockfile, read_content
from buildlock.lockfile.sections import SectionKey
from buildlock.reporting import Noted
from buildlock.values import dataclass, field
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class LockSoFar:
    """The lock before anything is locked."""

    text: str | None = None
    """A lock: where the sides of a merge differ, it is as ours. `None` where there is none."""
    lockfile: Lockfile = field(default_factory=lambda: Lockfile(variants={}))
    """What it says."""
    conflicts: Mapping[SectionKey, LockedEnvironment] = field(default_factory=dict)
    """The sections that both sides of a merge have changed, with the pins of both, to be locked anew."""
    marked: bool = False
    """Whether the file has conflict markers."""

    def pins(self, key: SectionKey, known: LockedEnvironment | None) -> LockedEnvironment | None:
        """What to prefer where a section is locked anew that is `known` so far."""
        return self.conflicts.get(key, known)


def read_lock_so_far(workspace: Workspace) -> LockSoFar:
    """Read the project's lock.

    Raises:
        InvalidLockError: It is invalid, or a side of it is.
        LockfileError: It cannot be read.
    """
    try:
        content = read_content(workspace.lock_path)
    except MissingLockError:
        return LockSoFar()
    from buildlock.lockfile.conflicts import split_conflicts  # noqa: PLC0415 - there may be no lock yet

    where = str(workspace.lock_path)
    sides = split_conflicts(content, where) if len(content) <= MAX_SIZE else None
    if sides is None:
        lockfile = parse_lockfile(content, where)
        return LockSoFar(text=content.decode(), lockfile=lockfile)
    from buildlock.lockfile.pins import unite_pins  # noqa: PLC0415 - few locks come out of a merge that conflicts
    from buildlock.lockfile.three_way import merge_locks  # noqa: PLC0415

    merge = merge_locks(*(_read_index(workspace) or (None, sides[0].content, sides[1].content)))
    return LockSoFar(
        text=merge.text,
        lockfile=parse_lockfile(merge.text.encode(), where),
        conflicts={key: pins for key, versions in merge.conflicts.items() if (pins := unite_pins(versions))},
        marked=True,
    )


def _read_index(workspace: Workspace) -> tuple[bytes | None, bytes, bytes] | None:
    """What the lock was merged from, where git knows: line by line, a merge leaves sides that never were."""
    from buildlock.workflows.revisions import Revisions  # noqa: PLC0415 - as above

    revisions = Revisions(root=workspace.root, environ=workspace.environ)
    try:
        base, ours, theirs = (revisions.read_stage(stage) for stage in (1, 2, 3))
    except (LockfileError, HostError) as error:
        workspace.report(Noted(f"the sides of the merge are read from the file: {error.message}"))
        return None
    return (base, ours, theirs) if ours is not None and theirs is not None else None
