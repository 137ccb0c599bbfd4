"""What of the user's environment variables reaches the build of a package that is not the user's own.

Such a build runs somebody else's code, and what comes out of it is kept and used again. So it sees what says where
things are on this machine and which compilers to use, and nothing else: no tokens, no proxy's password, and nothing
that could make it come out differently without being part of the key under which it is kept.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

_PLACES = frozenset(
    {
        *("HOME", "LOGNAME", "USER", "SHELL", "TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LANGUAGE", "TERM"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        # How fast, not what.
        *(
            "MAX_JOBS",
            "MAKEFLAGS",
            "CMAKE_BUILD_PARALLEL_LEVEL",
            "NVCC_THREADS",
            "CARGO_BUILD_JOBS",
            "SOURCE_DATE_EPOCH",
        ),
        # Windows.
        *("ALLUSERSPROFILE", "APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS"),
        *(
            "OS",
            "PATHEXT",
            "PROCESSOR_ARCHITECTURE",
            "PROGRAMDATA",
            "PROGRAMFILES",
            "PROGRAMFILES(X86)",
            "PROGRAMW6432",
        ),
        *("SYSTEMDRIVE", "SYSTEMROOT", "USERNAME", "USERPROFILE", "WINDIR"),
    }
)
_PLACE_PREFIXES = ("LC_", "XDG_", "CCACHE_", "SCCACHE_")
_TOOLS = frozenset(
    {
        *("PATH", "AR", "AS", "CC", "CPP", "CXX", "F77", "F90", "FC", "LD", "NM", "NVCC", "OBJC", "RANLIB", "STRIP"),
        *("ARCHFLAGS", "ASFLAGS", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS", "LDFLAGS", "LIBS"),
        *(
            "CPATH",
            "C_INCLUDE_PATH",
            "CPLUS_INCLUDE_PATH",
            "INCLUDE",
            "LIB",
            "LIBPATH",
            "LIBRARY_PATH",
            "LD_LIBRARY_PATH",
        ),
        *("LDSHARED", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DEVELOPER_DIR", "SDKROOT", "SOURCE_DATE_EPOCH"),
        *("MACOSX_DEPLOYMENT_TARGET", "ACLOCAL_PATH", "RUSTFLAGS"),
        *("FORCE_CUDA", "FORCE_ROCM", "HIPCC", "HIPFLAGS", "HCC_AMDGPU_TARGET", "GPU_ARCHS", "PYTORCH_ROCM_ARCH"),
        *("CUDAHOSTCXX", "CUDAARCHS", "CUDACXX", "CUDAFLAGS", "CONDA_PREFIX", "_PYTHON_HOST_PLATFORM"),
    }
)
_TOOL_PREFIXES = (
    *("CMAKE_", "SKBUILD_", "MESON_", "NINJA_", "PKG_CONFIG", "SETUPTOOLS_", "DISTUTILS_", "CARGO_", "RUST", "CYTHON"),
    *("CUDA_", "CUDNN_", "NCCL_", "NVCC_", "NVTX", "TORCH_", "ROCM_", "HIP_", "AMDGPU_", "ONEAPI_", "MKL", "SYCL_"),
    *("BLAS", "LAPACK", "OPENBLAS", "NPY_", "VSINSTALL", "VCINSTALL", "VCTOOLS", "VSCMD_", "WINDOWSSDK", "UCRT"),
)


def select_inherited(environ: Mapping[str, str], passed: Sequence[str] = ()) -> dict[str, str]:
    """The variables that a package's build sees of the user's.

    Args:
        environ: The user's.
        passed: Names and patterns (`FLASH_ATTENTION_*`) of further ones.
    """
    return {key: value for key, value in environ.items() if _is_place(key) or _is_input(key, passed)}


def select_inputs(environ: Mapping[str, str], passed: Sequence[str] = ()) -> dict[str, str]:
    """Those of them that what comes out can depend on."""
    return {key: value for key, value in environ.items() if _is_input(key, passed)}


def _is_place(key: str) -> bool:
    upper = key.upper()
    return upper in _PLACES or upper.startswith(_PLACE_PREFIXES)


def _is_input(key: str, passed: Sequence[str]) -> bool:
    if any(fnmatchcase(key, pattern) for pattern in passed):
        return True
    upper = key.upper()
    return upper not in _PLACES and (upper in _TOOLS or upper.startswith(_TOOL_PREFIXES))
