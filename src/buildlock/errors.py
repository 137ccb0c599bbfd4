"""The error tree. An error holds facts; the command line alone decides how it looks.

```
BuildlockError
├── UsageError                  wrong command line, exit 2
│   ├── UnknownVariantError
│   └── InterpreterNotFoundError
├── ProjectError                what the user wrote cannot be used
│   ├── InvalidProjectError     one or more faults in pyproject.toml or a configuration file
│   ├── ContradictionError      the build and the variant's extra pin different versions
│   └── RuntimeLockError        what the project runs with cannot be matched
├── IndexError_                 what an index answered cannot be used
│   ├── UnavailableError        no answer: network, HTTP status, offline
│   │   └── RefusedError        an answer that says no
│   ├── InvalidPageError        an answer that is not a simple page
│   └── IntegrityError          a file that is not the promised one: size, hash, name, version
├── AdvisoryError               a database or service of advisories cannot be used
├── InvalidArchiveError         a wheel or sdist that is refused
├── InvalidMetadataError        core metadata that is refused
├── NoSolutionError             the requirements contradict each other, or nothing on the index fits
├── LockfileError
│   ├── MissingLockError        there is no lock, or none for this variant
│   ├── InvalidLockError        one or more faults in the lockfile
│   ├── StaleLockError          the lock no longer answers the project, exit 3
│   └── UncoveredTargetError    this interpreter or platform is not one the lock serves
├── BuildRefusedError           a package would have to be built from source, which the user excludes
├── BuildCycleError             a package is needed to build itself
├── HostError                   the machine lacks a tool that the variant's build needs
├── ConfinementError            this machine cannot keep a build from its network and files
├── EnvironmentPreparationError the store or the environment cannot be written
├── ForgeError                  a code host refuses to be commented on, or cannot be understood
├── CommandError                the command that `run` was given cannot be run, exit 127
└── BackendError                the build backend failed, or broke its protocol
    └── UnlockedRequirementError  it asks for what the lock does not hold
```
"""

from collections.abc import Sequence
from typing import ClassVar


class BuildlockError(Exception):
    """Anything that is not our bug.

    Args:
        message: What was found and where (file and key, or URL), one sentence or a few lines; names in backticks.
        hint: What the user can do about it, if we know.
    """

    code: ClassVar[str] = "error"
    """Stable, kebab-case; what `--json` and a policy name."""
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BuildlockError):
    code = "usage"
    exit_code = 2


class UnknownVariantError(UsageError):
    code = "unknown-variant"


class InterpreterNotFoundError(UsageError):
    code = "interpreter-not-found"


class ProjectError(BuildlockError):
    code = "project"


class InvalidProjectError(ProjectError):
    """One or more faults that the user will fix together.

    Args:
        faults: Each says where (`pyproject.toml`, key) and what; the first line of the message counts them.
        hint: As of any error.
        subject: What has them.
    """

    code = "invalid-project"

    def __init__(
        self, faults: Sequence[str], *, hint: str | None = None, subject: str = "the project's configuration"
    ) -> None:
        super().__init__(describe_faults(subject, faults), hint=hint)
        self.faults = tuple(faults)


class ContradictionError(ProjectError):
    code = "contradicting-pins"


class RuntimeLockError(ProjectError):
    code = "runtime-lock"


class IndexError_(BuildlockError):  # noqa: N801, N818 - `IndexError` is Python's
    code = "index"


class UnavailableError(IndexError_):
    code = "unavailable"


class RefusedError(UnavailableError):
    """The server answers, and not what it was asked for.

    Args:
        message: As of any error.
        status: The HTTP status.
        hint: As of any error.
    """

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class InvalidPageError(IndexError_):
    code = "invalid-page"


class IntegrityError(IndexError_):
    code = "integrity"


class AdvisoryError(BuildlockError):
    code = "advisories"


class InvalidArchiveError(BuildlockError):
    code = "invalid-archive"


class InvalidMetadataError(BuildlockError):
    code = "invalid-metadata"


class NoSolutionError(BuildlockError):
    code = "no-solution"


class LockfileError(BuildlockError):
    code = "lockfile"


class MissingLockError(LockfileError):
    code = "missing-lock"


class InvalidLockError(LockfileError):
    """One or more faults in a lockfile, each with the path of its key."""

    code = "invalid-lock"

    def __init__(self, where: str, faults: Sequence[str], *, hint: str | None = None) -> None:
        super().__init__(describe_faults(f"`{where}`", faults), hint=hint)
        self.faults = tuple(faults)


class StaleLockError(LockfileError):
    code = "stale-lock"
    exit_code = 3


class UncoveredTargetError(LockfileError):
    code = "uncovered-target"


class BuildRefusedError(BuildlockError):
    code = "build-refused"


class BuildCycleError(BuildlockError):
    code = "build-cycle"


class HostError(BuildlockError):
    code = "host"


class ConfinementError(BuildlockError):
    code = "confinement"


class EnvironmentPreparationError(BuildlockError):
    code = "environment"


class ForgeError(BuildlockError):
    code = "forge"


class CommandError(BuildlockError):
    code = "command"
    exit_code = 127


class BackendError(BuildlockError):
    """The build backend's fault.

    Args:
        message: As of any error; what the backend printed is added to it.
        hint: As of any error.
        printed: The end of what the backend printed.
    """

    code = "backend-failed"

    def __init__(self, message: str, *, hint: str | None = None, printed: Sequence[str] = ()) -> None:
        lines = "".join(f"\n  {line}".rstrip(" ") for line in printed)
        super().__init__(f"{message}\n\nthe end of its output:{lines}" if printed else message, hint=hint)
        self.brief = message
        """The message for whoever has seen what the backend printed."""

    def blame_package(self, name: str) -> None:
        """Say in the message which package could not be built."""
        self.message = f"`{name}` could not be built: {self.message}"
        self.brief = f"`{name}` could not be built: {self.brief}"
        self.args = (self.message,)


class UnlockedRequirementError(BackendError):
    code = "unlocked-requirement"


def describe_faults(subject: str, faults: Sequence[str]) -> str:
    """One fault in a line, several as a list.

    >>> describe_faults("`x.toml`", ["a is missing"])
    '`x.toml` is invalid: a is missing'
    """
    if len(faults) == 1:
        return f"{subject} is invalid: {faults[0]}"
    return "\n".join([f"{subject} has {len(faults)} faults:", *(f"  - {fault}" for fault in faults)])
