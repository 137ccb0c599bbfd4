"""Targets from the build identifiers that `[tool.cibuildwheel]` selects."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from buildlock.patterns import compile_pattern
from buildlock.platforms import UnknownPlatformError, parse_platform
from buildlock.project.document import Table
from buildlock.project.known_targets import PYTHONS, supports
from buildlock.reporting import Reporter, Warned
from buildlock.targets import TargetName

_KEYS = ("build", "skip", "archs")
_SYSTEMS = ("linux", "macos", "windows")
_THREADED = {"3.13t": frozenset({"cpython-freethreading"}), "3.14t": frozenset[str]()}
"""The free-threaded Pythons, each with what has to enable it."""
_MACHINES: Mapping[str, Mapping[str, str]] = {
    "linux": {machine: machine for machine in ("x86_64", "i686", "aarch64", "ppc64le", "s390x", "armv7l", "riscv64")},
    "macos": {"x86_64": "x86_64", "arm64": "aarch64", "universal2": "aarch64"},
    "windows": {"AMD64": "x86_64", "x86": "i686", "ARM64": "aarch64"},
}
"""By system, what `archs` may name, and the machine that it is built on."""
_USUAL = {"linux": "x86_64", "macos": "arm64", "windows": "AMD64"}
_WINDOWS_TAGS = {"AMD64": "win_amd64", "x86": "win32", "ARM64": "win_arm64"}
_DEFAULT_IMAGES = {"manylinux": "manylinux_2_28", "musllinux": "musllinux_1_2"}
_MAX_PATTERNS = 1000
_BRACES = compile_pattern(r"\{([^{}]*)\}")
_RANGE = compile_pattern(r"(\d{1,4})\.\.(\d{1,4})")


def derive_from_cibuildwheel(table: Table, requires_python: str | None, report: Reporter) -> tuple[TargetName, ...]:
    """The targets of the identifiers that `build`, `skip` and `archs` select, none where none of them is there.

    The machines that `archs` leaves to whoever runs cibuildwheel are the usual ones of the three systems.
    """
    systems = {system: table.table(system) for system in _SYSTEMS}
    if not any(key in table for key in _KEYS) and not any("archs" in each for each in systems.values()):
        return ()
    build = [pattern for word in _words(table, "build") or ["*"] for pattern in _expand(word)]
    skip = [pattern for word in _words(table, "skip") for pattern in _expand(word)]
    enabled = _words(table, "enable")
    pythons = [*PYTHONS, *(python for python, groups in _THREADED.items() if groups <= {*enabled})]
    names: dict[TargetName, None] = {}
    for python in pythons:
        if not supports(requires_python, python.removesuffix("t")):
            continue
        for identifier, platform in _list_platforms(python, table, systems):
            if any(fnmatchcase(identifier, each) for each in build) and not any(
                fnmatchcase(identifier, each) for each in skip
            ):
                names[TargetName(python=python, platform=platform)] = None
    if not names:
        report(Warned("`[tool.cibuildwheel]` selects no build that buildlock knows: it locks for this interpreter"))
    if others := [group for group in enabled if group.startswith(("pypy", "graalpy"))]:
        report(Warned(f"`[tool.cibuildwheel] enable` has {_quote(others)}: buildlock locks for CPython alone"))
    return tuple(names)


def _list_platforms(python: str, table: Table, systems: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    """Every identifier of a Python, and the platform that it is built on."""
    tag = f"cp{python.replace('.', '')}"
    for system, own in systems.items():
        for arch in _choose_archs(system, _words(own, "archs") or _words(table, "archs")):
            machine = _MACHINES[system][arch]
            match system:
                case "windows":
                    yield f"{tag}-{_WINDOWS_TAGS[arch]}", f"{machine}-pc-windows-msvc"
                case "macos":
                    yield f"{tag}-macosx_{arch}", f"{machine}-apple-darwin"
                case _:
                    for kind in _DEFAULT_IMAGES:
                        yield f"{tag}-{kind}_{arch}", f"{machine}-{_find_level(kind, arch, own, table)}"


def _choose_archs(system: str, words: list[str]) -> list[str]:
    chosen = []
    for word in words or ["auto"]:
        if word in _MACHINES[system]:
            chosen.append(word)
        elif word == "all":
            chosen += _MACHINES[system]
        elif word in {"auto", "auto64", "native"}:
            chosen.append(_USUAL[system])
    return list(dict.fromkeys(chosen))


def _find_level(kind: str, arch: str, own: Table, table: Table) -> str:
    """The level of the image that is built in, which has to be a named one: `manylinux_2_28`."""
    key = f"{kind}-{arch}-image"
    image = own.get(key) or table.get(key)
    try:
        parse_platform(f"{arch}-{image}")
    except UnknownPlatformError:
        return _DEFAULT_IMAGES[kind]
    return str(image)


def _words(table: Table, key: str) -> list[str]:
    """A list, or a string of words, as cibuildwheel reads either."""
    value = table.get(key)
    texts = (value,) if isinstance(value, str) else table.strings(key)
    return [word for text in texts for word in text.replace(",", " " if key == "archs" else ",").split()]


def _expand(pattern: str) -> list[str]:
    """The patterns that one with braces stands for.

    >>> _expand("cp3{10,12..13}-*")
    ['cp310-*', 'cp312-*', 'cp313-*']
    """
    waiting, expanded = [pattern], list[str]()
    while waiting and len(expanded) + len(waiting) <= _MAX_PATTERNS:
        current = waiting.pop(0)
        braces = _BRACES.search(current)
        if braces is None:
            expanded.append(current)
            continue
        for choice in braces[1].split(","):
            span = _RANGE.fullmatch(choice)
            values = map(str, range(int(span[1]), int(span[2]) + 1)) if span else [choice]
            waiting += [current[: braces.start()] + value + current[braces.end() :] for value in values]
    return expanded


def _quote(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
