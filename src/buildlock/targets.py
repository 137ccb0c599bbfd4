"""A target: one Python and one platform that the lock must serve."""

import platform
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import cast

from packaging.markers import Environment, Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, generic_tags, platform_tags
from packaging.version import Version

from buildlock.patterns import compile_pattern
from buildlock.platforms import Platform
from buildlock.values import dataclass, field, identity

OLDEST = (3, 8)
"""The oldest Python that is locked for, and that `venv` and the backends of today are run with."""
_OLDEST_THREADED = (3, 13)
_PYTHON = compile_pattern(r"(?P<release>3\.[0-9]{1,2}(\.[0-9]{1,3})?)(?P<threaded>t?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Python and one platform.

    `abi` is the ABI tag that extension modules for this interpreter carry: `cp311`, `cp313t`, `pypy310_pp73`.
    """

    environment: Environment = field(hash=False)
    """The values of the environment markers (dependency specifiers specification)."""
    abi: str
    platforms: tuple[str, ...] = field(repr=False)
    """Platform tags, best first."""

    @cached_property
    def python(self) -> Version:
        return Version(self.environment["python_full_version"])

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """Compatible tags, best first (platform compatibility tags specification)."""
        return tuple(self._generate_tags())

    @cached_property
    def tag_ranks(self) -> Mapping[Tag, int]:
        """The place of each compatible tag among them, lower for better."""
        return {tag: rank for rank, tag in reversed(list(enumerate(self.tags)))}

    def _generate_tags(self) -> Iterator[Tag]:
        release = self.python.release[:2]
        if self.environment["implementation_name"] == "cpython":
            interpreter = f"cp{release[0]}{release[1]}"
            yield from cpython_tags(release, [self.abi], self.platforms)
        else:
            short = {"pypy": "pp"}.get(self.environment["implementation_name"])
            interpreter = f"{short or self.environment['implementation_name']}{release[0]}{release[1]}"
            yield from generic_tags(interpreter, [self.abi], self.platforms)
        yield from compatible_tags(release, interpreter, self.platforms)

    @property
    def marker(self) -> Marker:
        """The target as a lock's `environments` says it (PEP 751)."""
        values = cast("Mapping[str, str]", self.environment)
        keys = ("python_version", "sys_platform", "platform_machine")
        clauses = [f"{key} == '{values[key]}'" for key in keys]
        if self.environment["implementation_name"] != "cpython":
            clauses.insert(0, f"implementation_name == '{self.environment['implementation_name']}'")
        return Marker(" and ".join(clauses))

    def satisfies(self, marker: Marker, extra: str = "") -> bool:
        """Whether a marker holds, with an extra that is asked for; found out once for each value.

        Raises:
            UndefinedEnvironmentName, ValueError, RecursionError: As evaluating it raises them.
        """
        key = identity(marker), extra
        if key not in self._satisfied:
            # Kept, so that no other gets its identity.
            self._satisfied[key] = marker, marker.evaluate({**cast("dict[str, str]", self.environment), "extra": extra})
        return self._satisfied[key][1]

    @cached_property
    def _satisfied(self) -> dict[tuple[int, str], tuple[Marker, bool]]:
        return {}

    def accepts_python(self, requires_python: SpecifierSet) -> bool:
        """Whether `Requires-Python` admits this target; a pre-release interpreter counts as one."""
        return requires_python.contains(self.python, prereleases=True)

    def __str__(self) -> str:
        implementation = self.environment["platform_python_implementation"]
        threaded = " (free-threaded)" if self.abi.endswith("t") else ""
        return f"{implementation} {self.python}{threaded} on {self.platforms[0]}"


def current_target() -> Target:
    """The interpreter that runs this, on this platform."""
    return Target(
        environment=cast("Environment", dict(default_environment())),
        abi=abi_tag(platform.python_implementation().lower(), sysconfig.get_config_vars()),
        platforms=tuple(platform_tags()),
    )


def abi_tag(implementation: str, config: Mapping[str, object]) -> str:
    """The ABI tag of an interpreter from its `sysconfig` variables.

    >>> abi_tag("cpython", {"py_version_nodot": "313", "Py_GIL_DISABLED": 1})
    'cp313t'
    """
    if implementation == "cpython":
        threaded = "t" if config.get("Py_GIL_DISABLED") else ""
        debug = "d" if config.get("Py_DEBUG") else ""
        return f"cp{config['py_version_nodot']}{threaded}{debug}"
    soabi = str(config.get("SOABI") or "none")
    # PyPy's SOABI is `pypy310-pp73-x86_64-linux-gnu`; the tag is its first two parts.
    return "_".join(soabi.split("-")[:2]) if soabi.startswith("pypy") else soabi.replace("-", "_").replace(".", "_")


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonName:
    """A CPython as the user names it: `3.12`, `3.12.4`, `3.13t` for the free-threaded one."""

    release: tuple[int, int, int]
    """Without a patch level it stands for its first release."""
    threaded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetName:
    """A target as the user names it; `None` for what this interpreter, or this platform, is."""

    python: str | None = None
    platform: str | None = None

    def __str__(self) -> str:
        return " ".join(part for part in (self.python, self.platform) if part is not None)


def choose_names(
    declared: Sequence[TargetName], *, pythons: Sequence[str], platforms: Sequence[str]
) -> tuple[TargetName, ...]:
    """The targets that are declared, but for what is said of their Pythons or platforms with more weight."""
    if not pythons and not platforms:
        return tuple(declared)
    chosen: Sequence[str | None] = pythons or [name.python for name in declared] or [None]
    on: Sequence[str | None] = platforms or [name.platform for name in declared] or [None]
    names = (TargetName(python=python, platform=platform) for python in chosen for platform in on)
    return tuple(dict.fromkeys(names))


def parse_python(text: str) -> PythonName:
    """Read the name of a CPython.

    Raises:
        ValueError: It is none; the message is the end of a sentence that begins with the text.
    """
    match = _PYTHON.fullmatch(text)
    if match is None:
        raise ValueError("is no version of Python such as `3.12`, `3.12.4` or `3.13t`")
    parts = [*map(int, match["release"].split(".")), 0]
    name = PythonName(release=(parts[0], parts[1], parts[2]), threaded=bool(match["threaded"]))
    if name.release[:2] < OLDEST:
        raise ValueError(f"is too old: {'.'.join(map(str, OLDEST))} is the oldest")
    if name.threaded and name.release[:2] < _OLDEST_THREADED:
        raise ValueError(f"does not exist: {'.'.join(map(str, _OLDEST_THREADED))}t is the first free-threaded one")
    return name


def make_target(python: PythonName, platform: Platform) -> Target:
    """A target for which neither interpreter nor machine need be there."""
    return Target(
        environment=cast("Environment", {**platform.markers, **_mark_python(python)}),
        abi=_find_abi(python),
        platforms=platform.tags,
    )


def with_python(target: Target, python: PythonName) -> Target:
    """`target` with another CPython, for which no interpreter need be there."""
    return Target(
        environment=cast("Environment", {**target.environment, **_mark_python(python)}),
        abi=_find_abi(python),
        platforms=target.platforms,
    )


def _mark_python(python: PythonName) -> Mapping[str, str]:
    full = ".".join(map(str, python.release))
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "python_full_version": full,
        "python_version": ".".join(map(str, python.release[:2])),
    }


def _find_abi(python: PythonName) -> str:
    return "cp{}{}".format(*python.release) + ("t" if python.threaded else "")
