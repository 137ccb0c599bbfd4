"""The targets of a lock, seen from its markers alone: enough to tell which entry of a package is for which."""

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import cast

from packaging.markers import Marker
from packaging.tags import Tag

from buildlock.lockfile.markers import list_targets
from buildlock.lockfile.model import LockedEnvironment, format_marker
from buildlock.patterns import compile_pattern
from buildlock.platforms import UnknownPlatformError, parse_platform
from buildlock.targets import make_target, parse_python
from buildlock.values import dataclass, field

MAX_TARGETS = 128
"""Of one lock that are told apart; far more than anybody serves. The rest is compared with them, not one by one."""

_CLAUSE = compile_pattern(r"(implementation_name|python_version|sys_platform|platform_machine) == '([^']*)'")
_PLATFORMS = {
    "linux": "{machine}-manylinux_2_40",
    "darwin": "{machine}-macosx_26_0",
    "win32": "{machine}-pc-windows-msvc",
}
_WINDOWS_MACHINES = {"AMD64": "x86_64", "ARM64": "aarch64", "x86": "i686"}
_OS_NAMES = {"win32": ("nt", "Windows"), "darwin": ("posix", "Darwin")}


@dataclass(frozen=True, kw_only=True)
class SeenTarget:
    """One target of a lock.

    >>> text = "python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'"
    >>> SeenTarget(marker=text).label
    '3.11 linux x86_64'
    """

    marker: str
    """As `environments` says it, one Python at a time."""
    _values: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_values", dict(_CLAUSE.findall(self.marker)))

    @property
    def label(self) -> str:
        implementation = self._values.get("implementation_name", "cpython")
        parts = [self._values.get(key) for key in ("python_version", "sys_platform", "platform_machine")]
        if None in parts:
            return self.marker
        return " ".join([*([implementation] if implementation != "cpython" else []), *filter(None, parts)])

    def answers(self, word: str) -> bool:
        """Whether a word describes it: a part of its label, or the name of a platform as uv spells it."""
        if word.lower() in self.label.lower().split():
            return True
        try:
            platform = parse_platform(word)
        except UnknownPlatformError:
            return False
        return all(platform.markers.get(key) == self._values.get(key) for key in ("sys_platform", "platform_machine"))

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The values of the environment markers: the lock's, and the same on every machine where it has none."""
        python = self._values.get("python_version", "3.12")
        system = self._values.get("sys_platform", "linux")
        implementation = self._values.get("implementation_name", "cpython")
        os_name, platform_system = _OS_NAMES.get(system, ("posix", "Linux"))
        return {
            "implementation_name": implementation,
            "implementation_version": f"{python}.0",
            "os_name": os_name,
            "platform_machine": self._values.get("platform_machine", "x86_64"),
            "platform_python_implementation": "CPython" if implementation == "cpython" else "PyPy",
            "platform_release": "",
            "platform_system": platform_system,
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": system,
        }

    @property
    def ranks(self) -> Mapping[Tag, int]:
        """The tags of the wheels that a machine of its kind takes, best first; none if it is of none that we know."""
        values = self.environment
        return _rank_tags(values["python_version"], values["sys_platform"], values["platform_machine"])

    def needs(self, marker: Marker | None) -> bool:
        """Whether a marker of the lock is true of it."""
        return marker is None or marker.evaluate(cast("dict[str, str]", self.environment), context="requirement")


@lru_cache(maxsize=MAX_TARGETS)
def _rank_tags(python: str, system: str, machine: str) -> Mapping[Tag, int]:
    # The same for all variants of both locks, and thousands of tags.
    name = _PLATFORMS.get(system, "").format(machine=_WINDOWS_MACHINES.get(machine, machine))
    try:
        target = make_target(parse_python(python), parse_platform(name))
    except (UnknownPlatformError, ValueError):
        return {}
    return {tag: rank for rank, tag in enumerate(target.tags)}


def see_targets(environments: Iterable[Marker]) -> tuple[SeenTarget, ...]:
    """The targets that a lock's `environments` name, each once."""
    markers = dict.fromkeys(format_marker(marker) for marker in list_targets(environments))
    return tuple(SeenTarget(marker=marker) for marker in list(markers)[:MAX_TARGETS])


def choose_targets(targets: Iterable[SeenTarget], text: str) -> tuple[SeenTarget, ...]:
    """Those that a description fits, such as `3.12`, `linux`, `3.12 x86_64-manylinux_2_28`: each of its words.

    >>> text = "python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'"
    >>> [target.label for target in choose_targets([SeenTarget(marker=text)], "3.11 linux")]
    ['3.11 linux x86_64']
    """
    words = text.split()
    return tuple(target for target in targets if all(target.answers(word) for word in words))


def label_targets(environment: LockedEnvironment) -> tuple[str, ...]:
    return tuple(target.label for target in see_targets(environment.environments))
