"""What one backend is held to: where it runs, and what it finds there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildlock.environment.working_copy import copy_project
from buildlock.errors import EnvironmentPreparationError
from buildlock.frontend.confinement import Confinement, Mount
from buildlock.values import dataclass, field
from buildlock.workflows.limits import Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one backend is held to."""

    timeout: float | None
    confinement: Confinement | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """Say where its temporary folder is."""


def hold_project(limits: Limits, root: Path, scratch: Path, aside: Sequence[Path]) -> Held:
    """What the backend of the project is held to: in a sandbox it sees a copy of the project in its place.

    Args:
        limits: What the user asked for.
        root: The project's folder.
        scratch: A folder of this backend alone.
        aside: What need not be copied: folders of ours and of the user's that may be in the project's.

    Raises:
        ProjectError: The project cannot be copied.
        EnvironmentPreparationError: The scratch folder cannot be written.
    """
    if not limits.sandbox:
        return _hold(limits)
    copy = scratch / "source"
    seen = copy_project(root, copy, aside)
    return _hold_in_sandbox(
        limits,
        scratch,
        Mount(place=root, source=copy, writable=True),
        *(Mount(place=folder, source=folder, writable=False) for folder in seen),
    )


def hold_source(limits: Limits, tree: Path, scratch: Path) -> Held:
    """What the backend of another package is held to, whose source is a copy already.

    Raises:
        EnvironmentPreparationError: The scratch folder cannot be written.
    """
    if not limits.sandbox:
        return _hold(limits)
    return _hold_in_sandbox(limits, scratch, Mount(place=tree, source=tree, writable=True))


def _hold(limits: Limits) -> Held:
    return Held(timeout=limits.timeout, confinement=None if limits.network else Confinement())


def _hold_in_sandbox(limits: Limits, scratch: Path, *mounts: Mount) -> Held:
    temporary = scratch / "temporary"
    try:
        temporary.mkdir(mode=0o700)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{temporary}` cannot be made: {error.strerror or error}") from error
    return Held(
        timeout=limits.timeout,
        confinement=Confinement(mounts=mounts).allow(temporary),
        variables=dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
    )
