"""A target: one Python and one platform that the lock must serve."""

import platform
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from packaging.markers import Environment, Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, generic_tags, platform_tags
from packaging.version import Version


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

    @property
    def python(self) -> Version:
        return Version(self.environment["python_full_version"])

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """Compatible tags, best first (platform compatibility tags specification)."""
        return tuple(self._generate_tags())

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


def with_python(target: Target, version: Version) -> Target:
    """`target` with another version of CPython, for which no interpreter need be there.

    A version without a patch level stands for its first release.
    """
    release = (*version.release, 0, 0)[:3]
    short, full = f"{release[0]}.{release[1]}", ".".join(map(str, release))
    environment = dict(target.environment)
    environment |= {
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "python_full_version": full,
        "python_version": short,
    }
    return Target(
        environment=cast("Environment", environment),
        abi=f"cp{release[0]}{release[1]}",
        platforms=target.platforms,
    )
