"""Whether what was built from source requires no more than is locked beside it."""

from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.environment.stored import StoredWheel
from buildlock.errors import BackendError, EnvironmentPreparationError
from buildlock.lockfile.select import Locked, LockedSource
from buildlock.metadata.core import MAX_METADATA_SIZE, MetadataFile
from buildlock.project.requirements import name_of
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.requirements import list_unlocked


def check_closed(conditions: Conditions, locked: Sequence[Locked], wheels: Sequence[StoredWheel]) -> None:
    """Do nothing if an environment has what the wheels require that were built for it.

    What a wheel of an index requires was resolved. What one requires that was built may be something else than its
    source said when it was locked. What the user says of it goes before both.

    Args:
        conditions: The variant and the machine.
        locked: What the environment holds.
        wheels: As many, in the same order.

    Raises:
        BackendError: Something is missing, or has another version.
        InvalidMetadataError: What a wheel requires cannot be read.
        EnvironmentPreparationError: The store cannot be read.
    """
    inputs = conditions.inputs
    overridden = {name_of(override) for override in inputs.overrides}
    for source, wheel in zip(locked, wheels, strict=True):
        if not isinstance(source, LockedSource) or source.name in inputs.metadata:
            continue
        asked = [each for each in _read_requirements(wheel) if canonicalize_name(each.name) not in overridden]
        if missing := list_unlocked(asked, locked, conditions.interpreter.target.environment):
            lines = "\n".join(f"  - {line}" for line in missing)
            raise BackendError(
                f"the wheel that was built of `{source.key}` requires what the lock does not hold:\n{lines}",
                hint="its source said something else, or nothing, when it was locked: lock again on this machine, or "
                "declare what it requires: `[[tool.uv.dependency-metadata]]`",
            )


def _read_requirements(wheel: StoredWheel) -> Sequence[Requirement]:
    path = wheel.tree / wheel.facts.dist_info / "METADATA"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_METADATA_SIZE + 1)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{path}` cannot be read: {error.strerror or error}") from error
    return MetadataFile(content, subject=wheel.filename, url=wheel.filename).read().requires_dist
