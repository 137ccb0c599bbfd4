"""The targets that a lock serves, by name, and what each of them gets."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from packaging.markers import Environment
from packaging.utils import parse_wheel_filename

from buildlock.errors import UncoveredTargetError, UsageError
from buildlock.lockfile.markers import list_targets
from buildlock.lockfile.model import LockedEnvironment, format_marker
from buildlock.lockfile.select import Locked, LockedArtifact, is_for, select
from buildlock.platforms import Platform, UnknownPlatformError, parse_platform
from buildlock.targets import PythonName, Target, make_target, parse_python
from buildlock.values import dataclass, replace

_NEWEST: Mapping[str, Mapping[str, str]] = {
    "linux": {"unknown-linux-gnu": "manylinux_2_99", "unknown-linux-musl": "musllinux_1_99"},
    "darwin": {"apple-darwin": "macosx_99_0"},
    "win32": {"pc-windows-msvc": "pc-windows-msvc"},
}
"""By `sys_platform`, uv's names of what it may be, and a level of it that every wheel fits."""
_MACHINES = {"arm64": "aarch64", "AMD64": "x86_64", "ARM64": "aarch64", "x86": "i686"}
"""uv's names for machines whose `platform_machine` is another."""
_FIRST_THREADED = (3, 13)
_CLAUSE = re.compile(r"(\w+) == '([^']*)'")


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A target of a lock, and what it gets."""

    python: str
    """`3.12`, `3.13t`."""
    platform: str
    """By uv's name: as the lock names it, else without a level, `x86_64-unknown-linux-gnu`."""
    target: Target
    packages: tuple[Locked, ...]
    """Sorted by name."""

    def __str__(self) -> str:
        return f"{self.python} {self.platform}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    python: str
    platform: str
    target: Target
    certain: bool
    """Whether the lock, or whoever asks, names it."""


def list_served(
    environment: LockedEnvironment, *, pythons: Sequence[str] = (), platforms: Sequence[str] = ()
) -> tuple[Served, ...]:
    """The targets of a lock with what each gets.

    A lock whose targets the project names has just those. The markers of another do not say how old a system is,
    whether it has glibc or musl, and whether a Python is free-threaded: then there is a target for each of these that
    all the locked files fit, and that gets something of its own.

    Args:
        environment: What is locked.
        pythons: These alone, `3.12` or `3.13t`.
        platforms: These alone, by uv's names.

    Raises:
        UsageError: No Python or platform has this name.
        UncoveredTargetError: The lock does not serve what is asked for.
        InvalidLockError: Two versions of one package are locked for a target.
    """
    served: list[Served] = []
    missed: UncoveredTargetError | None = None
    for candidate in _list_candidates(environment, pythons, platforms):
        if not any(is_for(marker, candidate.target) for marker in environment.environments):
            continue
        try:
            packages = select(environment, candidate.target)
        except UncoveredTargetError as error:
            missed = missed or error
            continue
        each = Served(python=candidate.python, platform=candidate.platform, target=candidate.target, packages=packages)
        if candidate.certain or not any(_adds_nothing(each, other) for other in served):
            served.append(each)
    if not served:
        covered = "\n".join(f"  {format_marker(marker)}" for marker in environment.environments)
        asked = " ".join((*pythons, *platforms)) or "anything that buildlock knows"
        raise missed or UncoveredTargetError(f"the lock does not cover {asked}; it covers\n{covered}")
    return tuple(served)


def _adds_nothing(new: Served, known: Served) -> bool:
    """Whether a target that may be meant is not told apart by what it gets, or merely builds what has a wheel."""
    if new.target.marker != known.target.marker:
        return False
    wheels = {package.name for package in known.packages if isinstance(package, LockedArtifact)}
    built = {package.name for package in new.packages if not isinstance(package, LockedArtifact)}
    return new.packages == known.packages or not wheels.isdisjoint(built)


def _list_candidates(
    environment: LockedEnvironment, pythons: Sequence[str], platforms: Sequence[str]
) -> Iterator[_Candidate]:
    wanted = [_parse_python(text) for text in pythons]
    asked = [_parse_platform(text) for text in platforms]
    named = [_read_name(text) for text in environment.inputs.targets] or [(None, None)]
    seen = set()
    for marker in list_targets(environment.environments):
        values = dict(_CLAUSE.findall(format_marker(marker)))
        for python, platform in named:
            for chosen in [python] if python else _guess_pythons(values):
                if wanted and (chosen.release[:2], chosen.threaded) not in wanted:
                    continue
                for name, place in _choose_platforms(asked, platform, values):
                    target = _with_implementation(make_target(chosen, place), values, environment)
                    key = (_format_python(chosen), name)
                    if key not in seen and is_for(marker, target):
                        seen.add(key)
                        certain = bool(asked) or (python is not None and platform is not None)
                        yield _Candidate(python=key[0], platform=name, target=target, certain=certain)


def _parse_python(text: str) -> tuple[tuple[int, ...], bool]:
    try:
        python = parse_python(text)
    except ValueError as error:
        raise UsageError(f"`--python {text}` {error}") from error
    return python.release[:2], python.threaded


def _parse_platform(text: str) -> tuple[str, Platform]:
    try:
        return text, parse_platform(text)
    except UnknownPlatformError as error:
        raise UsageError(f"`--platform {text}` {error}") from error


def _read_name(text: str) -> tuple[PythonName | None, Platform | None]:
    """A target as the lock's inputs name it; `None` for what was left to the machine that locked."""
    words = text.split()
    try:
        python = parse_python(words[0]) if words else None
    except ValueError:
        python = None
    try:
        platform = parse_platform(words[-1]) if words else None
    except UnknownPlatformError:
        platform = None
    return python, platform


def _guess_pythons(values: Mapping[str, str]) -> Iterator[PythonName]:
    try:
        python = parse_python(values.get("python_version", ""))
    except ValueError:
        return
    yield python
    if python.release[:2] >= _FIRST_THREADED:
        yield replace(python, threaded=True)


def _choose_platforms(
    asked: Sequence[tuple[str, Platform]], named: Platform | None, values: Mapping[str, str]
) -> Iterator[tuple[str, Platform]]:
    if asked:
        yield from asked
    elif named:
        yield named.name, named
    else:
        machine = values.get("platform_machine", "")
        machine = _MACHINES.get(machine, machine)
        for system, level in _NEWEST.get(values.get("sys_platform", ""), {}).items():
            with suppress(UnknownPlatformError):
                yield f"{machine}-{system}", parse_platform(f"{machine}-{level}")


def _with_implementation(target: Target, values: Mapping[str, str], environment: LockedEnvironment) -> Target:
    """The target with another Python than CPython, where the marker says so; its ABI is that of its wheels."""
    implementation = values.get("implementation_name", "cpython")
    if implementation == "cpython":
        return target
    filenames = (wheel.filename for package in environment.packages for wheel in package.wheels or ())
    abis = {tag.abi for filename in filenames for tag in parse_wheel_filename(filename)[3]}
    own = sorted(abi for abi in abis if abi.startswith(implementation))
    named = {"implementation_name": implementation, "platform_python_implementation": implementation}
    return replace(
        target, environment=cast("Environment", {**target.environment, **named}), abi=own[0] if own else "none"
    )


def _format_python(python: PythonName) -> str:
    return "{}.{}".format(*python.release) + ("t" if python.threaded else "")
