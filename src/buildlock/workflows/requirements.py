"""What a backend asks for when it is about to build, against what was locked for it."""

from collections.abc import Sequence
from typing import cast

from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.errors import UnlockedRequirementError
from buildlock.lockfile.select import Locked


def check_locked(
    asked: Sequence[Requirement],
    locked: Sequence[Locked],
    environment: Environment,
    *,
    subject: str,
    variant: str,
) -> None:
    """Refuse what the backend asks for and its environment does not have.

    Args:
        asked: What the backend returned.
        locked: What its environment has.
        environment: The marker values of the interpreter.
        subject: What it is about to build, for the message.
        variant: The variant, for the hint.

    Raises:
        UnlockedRequirementError: A requirement has no package in the environment, or one of another version.
    """
    missing = list_unlocked(asked, locked, environment)
    if missing:
        lines = "\n".join(f"  - {line}" for line in missing)
        raise UnlockedRequirementError(
            f"to build {subject} the backend requires what the lock does not hold:\n{lines}",
            hint=f"run `buildlock lock --variant {variant}`, which asks the backend and locks its answer",
        )


def list_unlocked(asked: Sequence[Requirement], locked: Sequence[Locked], environment: Environment) -> tuple[str, ...]:
    """What an environment does not have of what is asked for: the end of a sentence each."""
    versions = {package.name: package.version for package in locked}
    missing = []
    for requirement in asked:
        try:
            if requirement.marker is not None and not requirement.marker.evaluate(cast("dict[str, str]", environment)):
                continue
        except (ValueError, RecursionError):
            missing.append(f"`{requirement}`: its marker has no meaning here")
            continue
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            missing.append(f"`{requirement}`: not in the lock")
        elif requirement.url is not None:
            missing.append(f"`{requirement}`: a direct reference, and the lock has {version}")
        elif not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"`{requirement}`: the lock has {version}")
    return tuple(missing)
