"""Whether the machine has the tools that a variant is built with, asked before anything is compiled."""

import re
from collections.abc import Mapping, Sequence

from buildlock.errors import HostError
from buildlock.host.tools import MissingTool, Tool, find_tool
from buildlock.lockfile.select import Locked
from buildlock.reporting import Noted, Reporter, Warned
from buildlock.variants import Variant

_CUDA_BUILD = re.compile(r"cu(?P<major>[0-9]{1,3})(?P<minor>[0-9])", re.ASCII)


def check_tools(variant: Variant, packages: Sequence[Locked], environ: Mapping[str, str], report: Reporter) -> None:
    """Check the tools that the variant's `host` names; without a word about nvcc, compare it with the locked torch.

    Args:
        variant: Says which versions will do.
        packages: What it is built with.
        environ: The environment variables of the build: they lead to the tools.
        report: Warned of an nvcc that does not go with torch.

    Raises:
        HostError: With every tool that is not found, or has another version.
    """
    faults = []
    for name, specifier in variant.host.items():
        tool = find_tool(name, environ)
        if isinstance(tool, MissingTool):
            faults.append(f"`{name}` {tool.reason}")
        elif not specifier.contains(tool.version, prereleases=True):
            faults.append(f"`{name}` is {tool.version} (`{tool.path}`), and `{specifier}` is asked for")
        else:
            report(Noted(f"{name} is {tool.version} ({tool.path}), as `{specifier}` asks for"))
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        raise HostError(
            f"this machine does not have what `[tool.buildlock.variants.{variant.name}.host]` asks for:\n{lines}",
            hint="install it, or lead to it by an environment variable of the variant: "
            "PATH, CC and CXX for compilers, CUDA_HOME for nvcc",
        )
    if "nvcc" not in variant.host:
        _compare_with_torch(variant, packages, environ, report)


def _compare_with_torch(
    variant: Variant, packages: Sequence[Locked], environ: Mapping[str, str], report: Reporter
) -> None:
    torch = next((package for package in packages if package.name == "torch"), None)
    build = _CUDA_BUILD.fullmatch(torch.version.local or "") if torch else None
    if torch is None or build is None:
        return
    nvcc = find_tool("nvcc", environ)
    # torch's own rule: another minor version is fine.
    if isinstance(nvcc, Tool) and nvcc.version.major != int(build["major"]):
        report(
            Warned(
                f"the locked torch {torch.version} is built for CUDA {build['major']}.{build['minor']}, and nvcc is "
                f"{nvcc.version} (`{nvcc.path}`): torch refuses to compile CUDA code with another major version",
                hint=f"set CUDA_HOME, in `environment` of `[tool.buildlock.variants.{variant.name}]`, to the folder "
                f"of a CUDA {build['major']} toolkit",
            )
        )
