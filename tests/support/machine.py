"""A machine with other drivers and tools than this one: real commands and libraries that answer as they are told.

drivers = compile_drivers(folder)
environ = {**drivers, "PATH": str(tools), "FAKE_NVIDIA_DRIVER": "550.54.14"}
make_command(tools, "nvcc", "echo 'Cuda compilation tools, release 12.4, V12.4.131'")
"""

import os
import shutil
import subprocess
from pathlib import Path

# The libraries of three makers in one: each function fails unless its variable says what there is.
_SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>

static int found(const char *variable) { return getenv(variable) != NULL; }

int nvmlInit_v2(void) { return found("FAKE_NVIDIA_DRIVER") ? 0 : 9; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    if (getenv("FAKE_NVIDIA_DRIVER")[0] == '!') abort();
    puts("the library prints, too");
    fflush(stdout);
    snprintf(version, length, "%s", getenv("FAKE_NVIDIA_DRIVER"));
    return 0;
}
int cuInit(unsigned flags) { return flags == 0 && found("FAKE_CUDA") ? 0 : 100; }
int cuDriverGetVersion(int *version) { *version = atoi(getenv("FAKE_CUDA")); return 0; }
int zeInit(unsigned flags) { return flags == 1 && found("FAKE_INTEL_GPU") ? 0 : 0x78000001; }
"""


def compile_drivers(folder: Path) -> dict[str, str]:
    """The libraries of drivers in `folder`, and the variable that puts them before those of this machine."""
    source = folder / "drivers.c"
    source.write_text(_SOURCE, encoding="utf-8")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    for name in ("libcuda.so.1", "libze_loader.so.1"):
        shutil.copy(library, folder / name)
    return {"LD_LIBRARY_PATH": str(folder)}


def make_command(folder: Path, name: str, script: str) -> Path:
    """A command that is a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def make_nvcc(folder: Path, version: str) -> Path:
    """An nvcc of this version, such as `12.4.131`."""
    release = version.rpartition(".")[0]
    return make_command(folder, "nvcc", f"echo 'Cuda compilation tools, release {release}, V{version}'")


def make_gcc(folder: Path, version: str, *, name: str = "gcc") -> Path:
    """A GNU compiler of this version."""
    return make_command(
        folder, name, f"echo '{name} (Distribution 1.2.3-4) {version}'; echo 'Free Software Foundation'"
    )


def prepend_path(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
