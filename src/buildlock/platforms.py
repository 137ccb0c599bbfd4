"""Platforms by the names that uv's `--python-platform` gives them: their tags and markers, on whatever machine."""

from collections.abc import Iterator, Mapping

from packaging.tags import mac_platforms

from buildlock.patterns import compile_pattern
from buildlock.values import dataclass, field

ALIASES: Mapping[str, str] = {
    "linux": "x86_64-unknown-linux-gnu",
    "macos": "aarch64-apple-darwin",
    "windows": "x86_64-pc-windows-msvc",
}
GLIBC = (2, 28)
"""What `unknown-linux-gnu` stands for, as in uv."""
MUSL = (1, 2)
"""What `unknown-linux-musl` stands for, as in uv."""
MACOS = (13, 0)
"""What `apple-darwin` stands for, as in uv."""

_LINUX_MACHINES = ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64")
_WINDOWS_MACHINES = {"x86_64": ("AMD64", "win_amd64"), "aarch64": ("ARM64", "win_arm64"), "i686": ("x86", "win32")}
_MAC_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64"}
_OLDEST_GLIBC = {"x86_64": 5, "i686": 5}
_OLDEST_GLIBC_ELSEWHERE = 17
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""What the level of a glibc was called before PEP 600."""

_NAME = compile_pattern(r"(?P<machine>[a-z0-9]+(?:_64)?)-(?P<system>[a-z0-9_-]+)")
_LEVEL = compile_pattern(r"(?P<kind>manylinux|musllinux|macosx)_(?P<major>\d{1,2})_(?P<minor>\d{1,2})")


class UnknownPlatformError(ValueError):
    """Not the name of a platform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """An operating system on a machine, of a certain age."""

    name: str
    """As it was written."""
    markers: Mapping[str, str] = field(hash=False)
    """The environment markers that it decides."""
    tags: tuple[str, ...] = field(repr=False)
    """Platform tags, best first (platform compatibility tags specification)."""


def parse_platform(name: str) -> Platform:
    """The platform of a name: uv's, and `MACHINE-musllinux_X_Y` and `MACHINE-macosx_X_Y` for other levels.

    >>> parse_platform("x86_64-manylinux_2_17").tags[:3]
    ('manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux_2_16_x86_64')

    Raises:
        UnknownPlatformError: There is none of this name.
    """
    match = _NAME.fullmatch(ALIASES.get(name, name))
    if match is not None:
        machine, system = match["machine"], match["system"]
        if system == "pc-windows-msvc" and machine in _WINDOWS_MACHINES:
            marker, tag = _WINDOWS_MACHINES[machine]
            return Platform(name=name, markers=_mark("nt", "win32", "Windows", marker), tags=(tag,))
        kind, level = _read_system(system)
        if kind == "macosx" and machine in _MAC_MACHINES and level >= (10, 4):
            marker = _MAC_MACHINES[machine]
            tags = tuple(mac_platforms(level, marker))
            return Platform(name=name, markers=_mark("posix", "darwin", "Darwin", marker), tags=tags)
        if kind in {"manylinux", "musllinux"} and machine in _LINUX_MACHINES:
            tags = (*_list_linux(kind, level, machine), f"linux_{machine}")
            if len(tags) > 1:
                return Platform(name=name, markers=_mark("posix", "linux", "Linux", machine), tags=tags)
    raise UnknownPlatformError(
        "names no platform: `linux`, `macos` and `windows` do, and what uv's `--python-platform` takes, such as "
        "`x86_64-manylinux_2_28`, `aarch64-unknown-linux-musl` or `aarch64-apple-darwin`"
    )


def _mark(os_name: str, sys_platform: str, system: str, machine: str) -> Mapping[str, str]:
    return {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        # What nobody knows of a machine that is not here.
        "platform_release": "",
        "platform_version": "",
    }


def _read_system(system: str) -> tuple[str, tuple[int, int]]:
    named = {
        "unknown-linux-gnu": ("manylinux", GLIBC),
        "unknown-linux": ("manylinux", GLIBC),
        "unknown-linux-musl": ("musllinux", MUSL),
        "apple-darwin": ("macosx", MACOS),
        **{legacy: ("manylinux", (2, minor)) for minor, legacy in _LEGACY.items()},
    }
    if match := _LEVEL.fullmatch(system):
        return match["kind"], (int(match["major"]), int(match["minor"]))
    return named.get(system, ("", (0, 0)))


def _list_linux(kind: str, level: tuple[int, int], machine: str) -> Iterator[str]:
    major, minor = level
    if kind == "musllinux" and major == MUSL[0]:
        for each in range(minor, -1, -1):
            yield f"musllinux_{major}_{each}_{machine}"
    elif kind == "manylinux" and major == GLIBC[0]:
        for each in range(minor, _OLDEST_GLIBC.get(machine, _OLDEST_GLIBC_ELSEWHERE) - 1, -1):
            yield f"manylinux_{major}_{each}_{machine}"
            if each in _LEGACY:
                yield f"{_LEGACY[each]}_{machine}"
