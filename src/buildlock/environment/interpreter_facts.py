"""Prints what buildlock asks of another interpreter: run by it as text, never imported; Python 3.6 can run it."""

import json
import os
import platform
import struct
import sys
import sysconfig
from typing import Any


def format_version(info: Any) -> str:
    text = ".".join(map(str, info[:3]))
    return text if info.releaselevel == "final" else text + info.releaselevel[0] + str(info.serial)


config = sysconfig.get_config_vars()
base = getattr(sys, "_base_executable", None) or sys.executable
print(  # noqa: T201 - how it answers
    "buildlock:"
    + json.dumps(
        {
            "executable": base,
            "bits": struct.calcsize("P") * 8,
            "config": {name: config.get(name) for name in ("py_version_nodot", "Py_GIL_DISABLED", "Py_DEBUG", "SOABI")},
            "environment": {
                "implementation_name": sys.implementation.name,
                "implementation_version": format_version(sys.implementation.version),
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
    )
)
