"""What a driver's library says, for a process of its own: a library may crash or hang the process that loads it.

Run as text by an interpreter, with the name of what to ask: it imports the standard library alone.
"""

import ctypes
import sys

_LIBRARIES = {
    "nvml": ("libnvidia-ml.so.1", "nvml.dll"),
    "cuda": ("libcuda.so.1", "nvcuda.dll"),
    "level-zero": ("libze_loader.so.1", "ze_loader.dll"),
}
_GPUS_ONLY = 1  # ZE_INIT_FLAG_GPU_ONLY


def load_library(subject: str) -> ctypes.CDLL:
    linux, windows = _LIBRARIES[subject]
    return ctypes.CDLL(windows if sys.platform == "win32" else linux)


def ask_nvml(library: ctypes.CDLL) -> str:
    """The version of the driver (NVML API reference, System Queries)."""
    _succeed("nvmlInit_v2", library.nvmlInit_v2())
    version = ctypes.create_string_buffer(80)
    _succeed("nvmlSystemGetDriverVersion", library.nvmlSystemGetDriverVersion(version, ctypes.c_uint(len(version))))
    return version.value.decode("ascii", "replace")


def ask_cuda(library: ctypes.CDLL) -> str:
    """The newest version of CUDA that the driver supports (CUDA driver API, Version Management)."""
    _succeed("cuInit", library.cuInit(ctypes.c_uint(0)))
    version = ctypes.c_int()
    _succeed("cuDriverGetVersion", library.cuDriverGetVersion(ctypes.byref(version)))
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def ask_level_zero(library: ctypes.CDLL) -> str:
    """Whether there is a driver for a GPU (oneAPI Level Zero, zeInit)."""
    _succeed("zeInit", library.zeInit(ctypes.c_uint32(_GPUS_ONLY)))
    return "GPU"


def _succeed(function: str, status: int) -> None:
    if status != 0:
        raise OSError(f"`{function}` failed with status {status}")


if __name__ == "__main__":
    try:
        loaded = load_library(sys.argv[1])
        answer = {"nvml": ask_nvml, "cuda": ask_cuda, "level-zero": ask_level_zero}[sys.argv[1]](loaded)
        print("buildlock answer:" + answer)  # noqa: T201 - how it answers
    except (OSError, AttributeError) as error:
        print("buildlock failure:" + " ".join(str(error).split()))  # noqa: T201 - how it answers
