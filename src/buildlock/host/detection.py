"""Which accelerators this machine has: everything that is asked, in which order, and what was not found where."""

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from buildlock.errors import UsageError
from buildlock.host import amd, nvidia
from buildlock.host.accelerators import Accelerator, parse_flavour
from buildlock.host.site import Site
from buildlock.text import excerpt
from buildlock.values import dataclass

OVERRIDE = "BUILDLOCK_ACCELERATOR"
"""The environment variable that stands in for everything that could be found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """What was looked for in vain."""

    what: str
    reasons: tuple[str, ...]
    """For each place where it was looked for, what was there instead."""

    def __str__(self) -> str:
        return f"found no {self.what}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What was found, and what was not."""

    accelerators: tuple[Accelerator, ...]
    """The weightiest first."""
    missing: tuple[Missing, ...]


def detect_accelerators(environ: Mapping[str, str], *, root: Path = Path("/")) -> Machine:
    """Find the machine's accelerators. What crashes, or does not answer in time, counts as not there.

    Args:
        environ: `BUILDLOCK_ACCELERATOR`, and what leads to drivers: PATH, ROCM_PATH and the loader's variables.
        root: Where the files of drivers are looked for.

    Raises:
        UsageError: `BUILDLOCK_ACCELERATOR` names no accelerator.
    """
    if override := environ.get(OVERRIDE):
        return Machine(accelerators=(_parse_override(override),), missing=())
    site = Site(environ=environ, root=root)
    found, missing = [], []
    for label, probes in _PROBES:
        accelerator, reasons = _try(probes, site)
        if accelerator:
            found.append(accelerator)
        else:
            missing.append(Missing(what=label, reasons=reasons))
    return Machine(accelerators=tuple(found), missing=tuple(missing))


def _parse_override(value: str) -> Accelerator:
    flavour = parse_flavour(value)
    if flavour is None:
        raise UsageError(
            f"`{OVERRIDE}` is `{excerpt(value)}`, which names no accelerator",
            hint="write `cpu`, `xpu`, `mps`, or the newest CUDA or ROCm to use, such as `cu124` or `rocm6.1`",
        )
    return Accelerator(kind=flavour.kind, limit=flavour.version, what=str(flavour), where=f"`{OVERRIDE}`")


_Probe: TypeAlias = Callable[[Site], Accelerator | str]
"""Finds an accelerator, or says what is there instead."""


def _try(probes: Sequence[_Probe], site: Site) -> tuple[Accelerator | None, tuple[str, ...]]:
    """What the first probe that finds something finds, and what those before it said."""
    reasons: list[str] = []
    for probe in probes:
        result = probe(site)
        if isinstance(result, Accelerator):
            return result, tuple(reasons)
        reasons.append(result)
    return None, tuple(reasons)


def _ask_level_zero(site: Site) -> Accelerator | str:
    answer = site.ask_library("level-zero")
    return f"Level Zero: {answer.failure}" if answer.failure else _intel_gpu("Level Zero")


def _ask_sycl(site: Site) -> Accelerator | str:
    answer = site.ask_command("sycl-ls")
    if answer.failure:
        return answer.failure
    has_gpu = any(line.startswith("[level_zero:gpu]") for line in answer.lines)
    return _intel_gpu("`sycl-ls`") if has_gpu else "`sycl-ls` lists no GPU"


def _intel_gpu(where: str) -> Accelerator:
    return Accelerator(kind="xpu", what="an Intel GPU", where=where)


def _find_apple(_site: Site) -> Accelerator | str:
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Accelerator(kind="mps", what="an Apple GPU", where="the platform")
    return f"this is {platform.system()} on {platform.machine()}"


_PROBES: Sequence[tuple[str, Sequence[_Probe]]] = (
    ("NVIDIA driver", (nvidia.ask_nvml, nvidia.read_module, nvidia.ask_smi, nvidia.ask_cuda)),
    ("ROCm", (amd.read_installation, amd.ask_rocminfo, amd.read_driver)),
    ("Intel GPU", (_ask_level_zero, _ask_sycl)),
    ("Apple GPU", (_find_apple,)),
)
