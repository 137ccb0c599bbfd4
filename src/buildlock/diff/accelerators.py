"""What a version says of the accelerator that it was built for, in words."""

import re

from packaging.version import Version

_CUDA = re.compile(r"cu(\d{2,3})")
_ROCM = re.compile(r"rocm(\d+(?:\.\d+)*)")
_OTHERS = {"cpu": "CPU only", "xpu": "Intel GPUs"}


def name_accelerator(version: Version) -> str | None:
    """What a local version such as `+cu124` stands for; `None` where it says nothing.

    >>> name_accelerator(Version("2.4.0+cu124"))
    'CUDA 12.4'
    """
    for part in (version.local or "").split("."):
        if match := _CUDA.fullmatch(part):
            return f"CUDA {match[1][:-1]}.{match[1][-1]}"
        if part in _OTHERS:
            return _OTHERS[part]
    match = _ROCM.fullmatch(version.local or "")
    return f"ROCm {match[1]}" if match else None


def describe_accelerators(before: Version, after: Version) -> str | None:
    """What became of the accelerator when a version moved.

    >>> describe_accelerators(Version("2.4.0+cu124"), Version("2.5.1+cu124"))
    'its CUDA stays 12.4'
    >>> describe_accelerators(Version("2.4.0+cu121"), Version("2.4.0+cu124"))
    'its CUDA moves from 12.1 to 12.4'
    """
    old, new = name_accelerator(before), name_accelerator(after)
    if old is None and new is None:
        return None
    if old is None or new is None:
        return (
            f"it was built for {old or 'nothing that its version names'}, and is for {new or 'nothing that it names'}"
        )
    (kind, _, level), (new_kind, _, new_level) = old.partition(" "), new.partition(" ")
    if kind in {"CUDA", "ROCm"} and kind == new_kind:
        return f"its {kind} stays {level}" if level == new_level else f"its {kind} moves from {level} to {new_level}"
    return f"it stays for {old}" if old == new else f"it was for {old}, and is for {new}"
