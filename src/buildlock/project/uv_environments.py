"""Targets from the markers of `[tool.uv] environments` and `required-environments`."""

from collections.abc import Iterator
from itertools import product

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

from buildlock.platforms import ALIASES, parse_platform
from buildlock.project.document import Table
from buildlock.project.known_targets import PYTHONS, supports
from buildlock.project.uv_settings import TARGET_KEYS
from buildlock.reporting import Reporter, Warned
from buildlock.targets import TargetName, make_target, parse_python

_PYTHON_KEYS = ("python_version", "python_full_version", "implementation_version")
_SYSTEM_KEYS = ("sys_platform", "platform_system", "os_name")
_MACHINE = "platform_machine"
_PLATFORMS = (
    *("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-apple-darwin"),
    *("x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc", "i686-pc-windows-msvc", "i686-unknown-linux-gnu"),
    *("armv7l-unknown-linux-gnu", "ppc64le-unknown-linux-gnu", "s390x-unknown-linux-gnu", "riscv64-unknown-linux"),
)


def derive_from_uv(table: Table, requires_python: str | None, report: Reporter) -> tuple[TargetName, ...]:
    """The targets that the markers describe.

    Where they say nothing of Python it is this interpreter's, nothing of the machine uv's default one of the system,
    nothing of either this platform.
    """
    names: dict[TargetName, None] = {}
    for key in TARGET_KEYS:
        texts = (text,) if isinstance(text := table.get(key), str) else table.strings(key)
        for text in texts:
            marker = _read_marker(table, key, text)
            if marker is None:
                continue
            found = list(_derive(marker, requires_python))
            names.update(dict.fromkeys(found))
            if not found:
                report(
                    Warned(
                        f"`{table.place(key)}` has `{text}`, which describes no Python and platform known to buildlock",
                        hint="name the targets with `python` and `platforms` under `[tool.buildlock]`",
                    )
                )
    return tuple(names)


def _read_marker(table: Table, key: str, text: str) -> Marker | None:
    try:
        marker = Marker(text)
        marker.evaluate(context="requirement")
    except (ValueError, RecursionError, UndefinedComparison, UndefinedEnvironmentName):
        table.fault(key, f"has `{text}`, which is no marker of an environment")
        return None
    return marker


def _derive(marker: Marker, requires_python: str | None) -> Iterator[TargetName]:
    text = str(marker)
    pythons = [python for python in PYTHONS if supports(requires_python, python)]
    names_python = any(key in text for key in _PYTHON_KEYS)
    names_machine = _MACHINE in text
    platforms = _PLATFORMS if names_machine else tuple(ALIASES)
    names_platform = names_machine or any(key in text for key in _SYSTEM_KEYS)
    if not names_python and not names_platform:
        return
    for python, platform in product(pythons, platforms):
        target = make_target(parse_python(python), parse_platform(platform))
        if marker.evaluate({key: str(value) for key, value in target.environment.items()}):
            yield TargetName(python=python if names_python else None, platform=platform if names_platform else None)
