"""A package as a runtime lock installs it, and what every kind of runtime lock answers."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import unquote, urlsplit

from packaging.markers import Environment
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import RuntimeLockError
from buildlock.values import dataclass
from buildlock.variants import Variant


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeFile:
    """One wheel that may be installed, or an sdist."""

    filename: str
    url: str | None
    """None for a local file."""
    sha256: str | None
    """Lower-case hexadecimal; None where the lock has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimePackage:
    """One package that is installed at run time."""

    name: NormalizedName
    version: Version
    files: tuple[RuntimeFile, ...] = ()
    """The wheels, for every target that the runtime lock serves; none where it does not say."""
    sdist: RuntimeFile | None = None
    """What a target builds that can use none of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeInstallation:
    """All that is installed for a variant in one environment, but for the project itself."""

    packages: tuple[RuntimePackage, ...]
    """What comes from an index."""
    elsewhere: Mapping[NormalizedName, str]
    """What does not, with the kind of its source: `git`, `directory`."""


class RuntimeLock(Protocol):
    """What says which packages the project runs with."""

    @property
    def label(self) -> str:
        """What messages and the lock call it: `uv.lock`. The same on every machine."""

    @property
    def place(self) -> str:
        """Where it is, for messages of this machine."""

    def find(self, name: NormalizedName, variant: Variant, environment: Environment) -> RuntimePackage | None:
        """The package of that name that is installed for a variant; `None` where none is.

        Raises:
            InvalidProjectError: The runtime lock is invalid.
            RuntimeLockError: It installs two of them, or one that comes from no index.
        """


class ListedRuntimeLock(RuntimeLock, Protocol):
    """A runtime lock that is a file: it says of all that is installed where it comes from."""

    def list_installed(self, variant: Variant, environment: Environment) -> RuntimeInstallation:
        """All that is installed for a variant.

        Raises:
            InvalidProjectError: The runtime lock is invalid.
            RuntimeLockError: It installs two versions of a package.
        """


def describe_runtime(variant: Variant) -> str:
    """What a user asks for to run a variant, for the end of a sentence.

    >>> describe_runtime(Variant(name="cu124", extra="cu124"))
    ' for extra cu124'
    """
    asked = [f"{kind} {name}" for kind, name in (("extra", variant.extra), ("group", variant.group)) if name]
    return f" for {' and '.join(asked)}" if asked else ""


def refuse_two(found: Sequence[str], name: str, label: str, variant: Variant) -> None:
    """Do nothing where there is one, or none.

    Raises:
        RuntimeLockError: There are several.
    """
    if len(found) > 1:
        raise RuntimeLockError(
            f"`{label}` installs {len(found)} versions of `{name}`{describe_runtime(variant)}: {', '.join(found)}",
            hint=f"take `{name}` out of `match-runtime`, or lock the runtime again so that there is one",
        )


def filename_of(url: str) -> str:
    """The name of the file that a URL or a path with forward slashes names."""
    return unquote(urlsplit(url).path).rpartition("/")[2]
