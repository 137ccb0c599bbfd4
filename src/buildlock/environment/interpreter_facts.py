"""What buildlock asks of an interpreter. Others run this file as text: it imports the standard library of 3.6 alone."""

import json
import os
import platform
import struct
import sys
import sysconfig
from pathlib import Path
from typing import Any


def find_base_executable() -> str:
    """The Python below a virtual environment, and otherwise itself; empty where it does not know."""
    executable: str = getattr(sys, "_base_executable", None) or sys.executable
    path = Path(executable)
    if not any((folder / "pyvenv.cfg").exists() for folder in (path.parent, path.parent.parent)):
        return executable
    # Before 3.11, `_base_executable` is that of the virtual environment, except on Windows.
    real = path.resolve()
    if real.parent != path.parent.resolve():
        return str(real)
    # A copy, not a link.
    return str(Path(sys.base_exec_prefix) / "bin" / "python{}.{}".format(*sys.version_info[:2]))


def describe_interpreter() -> "dict[str, Any]":
    """Everything that a target is made of."""
    config = sysconfig.get_config_vars()
    return {
        "executable": find_base_executable(),
        "bits": struct.calcsize("P") * 8,
        "config": {name: config.get(name) for name in ("py_version_nodot", "Py_GIL_DISABLED", "Py_DEBUG", "SOABI")},
        "environment": {
            "implementation_name": sys.implementation.name,
            "implementation_version": _format_version(sys.implementation.version),
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": platform.python_version(),
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


def _format_version(info: Any) -> str:
    text = ".".join(map(str, info[:3]))
    return text if info.releaselevel == "final" else text + info.releaselevel[0] + str(info.serial)


if __name__ == "__main__":
    print("buildlock:" + json.dumps(describe_interpreter()))  # noqa: T201 - how it answers
