"""NVIDIA's driver: which one there is, and which versions of CUDA it runs."""

import re
import sys

from packaging.version import Version

from buildlock.host.accelerators import Accelerator, format_version
from buildlock.host.site import Site

# CUDA release notes, "CUDA Toolkit and Corresponding Driver Versions" and "Minimum Required Driver Version for CUDA
# Minor Version Compatibility": since CUDA 11 a driver runs every minor version of a major version that it knows.
# CUDA's version, then the oldest driver that runs it on Linux and on Windows.
_DRIVERS = (
    ((13,), "580", "580"),
    ((12,), "525.60.13", "527.41"),
    ((11,), "450.80.02", "452.39"),
    ((11, 0), "450.36.06", "451.22"),
    ((10, 2), "440.33", "441.22"),
    ((10, 1), "418.39", "418.96"),
    ((10, 0), "410.48", "411.31"),
    ((9, 2), "396.26", "397.44"),
    ((9, 1), "390.46", "391.29"),
    ((9, 0), "384.81", "385.54"),
    ((8, 0), "367.48", "369.30"),
)
_MINOR_COMPATIBLE = 11
_VERSION = r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}"
_ANSWER = re.compile(rf"\s*(?P<version>{_VERSION})\s*", re.ASCII)
_MODULE = re.compile(rf"Kernel Module(?: for \S+)?\s+(?P<version>{_VERSION})", re.ASCII)


def runs_cuda(driver: Version, *, windows: bool) -> tuple[int, ...] | None:
    """The newest CUDA that a driver runs: (12,) is every 12.x.

    >>> runs_cuda(Version("550.54.14"), windows=False)
    (12,)
    """
    return next((cuda for cuda, *oldest in _DRIVERS if driver >= Version(oldest[windows])), None)


def ask_nvml(site: Site) -> Accelerator | str:
    """Ask the driver's management library."""
    answer = site.ask_library("nvml")
    return f"NVML: {answer.failure}" if answer.failure else _find_driver(answer.lines, "NVML")


def read_module(site: Site) -> Accelerator | str:
    """Read what the kernel module says of itself."""
    path = site.root / "proc/driver/nvidia/version"
    text = site.read(path)
    if text is None:
        return f"there is no `{path}`"
    match = _MODULE.search(text)
    return _judge_driver(match["version"], f"`{path}`") if match else f"`{path}` says no version"


def ask_smi(site: Site) -> Accelerator | str:
    """Ask the command that comes with the driver."""
    answer = site.ask_command("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return answer.failure or _find_driver(answer.lines, "`nvidia-smi`")


def ask_cuda(site: Site) -> Accelerator | str:
    """Ask the library that CUDA programs call: it knows CUDA's version, not the driver's."""
    where = "the CUDA driver library"
    answer = site.ask_library("cuda")
    if answer.failure:
        return f"{where}: {answer.failure}"
    match = next(filter(None, map(_ANSWER.fullmatch, answer.lines)), None)
    if match is None:
        return f"{where} says no version"
    version = Version(match["version"]).release
    limit = version[:1] if version[0] >= _MINOR_COMPATIBLE else version[:2]
    return Accelerator(
        kind="cuda", limit=limit, what=_describe(f"an NVIDIA driver for CUDA {match['version']}", limit), where=where
    )


def _find_driver(lines: tuple[str, ...], where: str) -> Accelerator | str:
    match = next(filter(None, map(_ANSWER.fullmatch, lines)), None)
    return _judge_driver(match["version"], where) if match else f"{where} says no version"


def _judge_driver(version: str, where: str) -> Accelerator | str:
    limit = runs_cuda(Version(version), windows=sys.platform == "win32")
    if limit is None:
        return f"the NVIDIA driver {version} ({where}) is too old for CUDA {format_version(_DRIVERS[-1][0])}"
    return Accelerator(kind="cuda", limit=limit, what=_describe(f"NVIDIA driver {version}", limit), where=where)


def _describe(driver: str, limit: tuple[int, ...]) -> str:
    return f"{driver}, which runs CUDA up to {format_version(limit)}{'.x' if len(limit) == 1 else ''}"
