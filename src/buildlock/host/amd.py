"""AMD's ROCm: which version is installed, or whether there is a GPU that it could run on."""

import re
from pathlib import Path

from buildlock.host.accelerators import Accelerator
from buildlock.host.site import Site

_VERSION = re.compile(r"\s*(?P<major>[0-9]{1,2})\.(?P<minor>[0-9]{1,2})(?![0-9])", re.ASCII)
_GPU_AGENT = re.compile(r"\s*Device Type:\s*GPU\s*")
# A node of the compute driver's topology that is no CPU: `gfx_target_version 90010`.
_GPU_NODE = re.compile(r"^gfx_target_version [1-9]", re.MULTILINE)


def read_installation(site: Site) -> Accelerator | str:
    """Read the version of the installed ROCm, at ROCM_PATH or where its packages put it."""
    chosen = site.environ.get("ROCM_PATH")
    path = (Path(chosen) if chosen else site.root / "opt/rocm") / ".info/version"
    text = site.read(path)
    if text is None:
        return f"there is no `{path}`"
    match = _VERSION.match(text)
    if match is None:
        return f"`{path}` says no version"
    limit = int(match["major"]), int(match["minor"])
    return Accelerator(kind="rocm", limit=limit, what="ROCm {}.{}".format(*limit), where=f"`{path}`")


def ask_rocminfo(site: Site) -> Accelerator | str:
    """Ask ROCm's own command for GPUs."""
    answer = site.ask_command("rocminfo")
    if answer.failure:
        return answer.failure
    if any(map(_GPU_AGENT.fullmatch, answer.lines)):
        return _of_unknown_version("`rocminfo`")
    return "`rocminfo` lists no GPU"


def read_driver(site: Site) -> Accelerator | str:
    """Look for a GPU that the kernel's driver offers for computing; one for a screen alone does not count."""
    module, topology = site.root / "sys/module/amdgpu", site.root / "sys/class/kfd/kfd/topology/nodes"
    if not module.is_dir():
        return f"there is no `{module}`"
    if any(_GPU_NODE.search(site.read(path) or "") for path in topology.glob("*/properties")):
        return _of_unknown_version(f"`{topology}`")
    return f"`{topology}` has no GPU"


def _of_unknown_version(where: str) -> Accelerator:
    return Accelerator(kind="rocm", what="an AMD GPU without a ROCm whose version is known", where=where)
