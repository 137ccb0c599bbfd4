"""Locked environments for tests, written as sentences.

>>> cu124 = make_environment(make_package("torch", "2.4.0+cu124", requires=["numpy"]), make_package("numpy", "2.0"))
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from packaging.markers import Environment, Marker
from packaging.pylock import Package, PackageArchive, PackageDirectory, PackageSdist, PackageVcs, PackageWheel
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.targets import Target

FILES = "https://index.example/files"
LOCKS = Path(__file__).parents[2] / "fixtures" / "locks"
LINUX_311 = "python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'"


def make_wheel(filename: str, *, base: str = FILES, size: int | None = 1000) -> PackageWheel:
    """A wheel at a URL, or at a path where `base` is a folder."""
    url, path = _place(filename, base)
    return PackageWheel(url=url, path=path, size=size, hashes={"sha256": _digest(filename)})


def make_sdist(filename: str, *, base: str = FILES, size: int | None = 1000) -> PackageSdist:
    """An sdist, as `make_wheel` makes a wheel."""
    url, path = _place(filename, base)
    return PackageSdist(url=url, path=path, size=size, hashes={"sha256": _digest(filename)})


def make_archive(filename: str, *, base: str = FILES, subdirectory: str | None = None) -> PackageArchive:
    """A file of no index, as `make_wheel` makes a wheel."""
    url, path = _place(filename, base)
    return PackageArchive(url=url, path=path, hashes={"sha256": _digest(filename)}, subdirectory=subdirectory)


def _place(filename: str, base: str) -> tuple[str | None, str | None]:
    if "://" in base:
        return f"{base}/{filename.replace('+', '%2B')}", None
    return None, f"{base}/{filename}".lstrip("/")


def _digest(filename: str) -> str:
    return hashlib.sha256(filename.encode()).hexdigest()


def make_package(
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    tags: Sequence[str] = ("py3-none-any",),
    base: str = FILES,
    index: str | None = "https://index.example/simple",
    size: int | None = 1000,
    marker: str | None = None,
    sdist: bool = False,
) -> Package:
    """A package with a wheel for each of the tags, and an sdist if wanted."""
    return Package(
        name=canonicalize_name(name),
        version=Version(version),
        marker=Marker(marker) if marker else None,
        index=index if "://" in base else None,
        dependencies=[{"name": required} for required in requires],
        sdist=make_sdist(f"{name.replace('-', '_')}-{version}.tar.gz", base=base, size=size) if sdist else None,
        wheels=[make_wheel(f"{name.replace('-', '_')}-{version}-{tag}.whl", base=base, size=size) for tag in tags],
    )


def make_source(name: str, version: str = "1.0") -> Package:
    """A package of an index that has nothing but an sdist."""
    return replace(make_package(name, version, sdist=True), wheels=None)


def make_direct(
    name: str,
    version: str = "1.0",
    *,
    archive: PackageArchive | None = None,
    vcs: PackageVcs | None = None,
    directory: PackageDirectory | None = None,
) -> Package:
    """A package that comes from no index; of a folder the hash is made up."""
    tool = {"buildlock": {"sha256": hashlib.sha256(directory.path.encode()).hexdigest()}} if directory else None
    return Package(
        name=canonicalize_name(name), version=Version(version), archive=archive, vcs=vcs, directory=directory, tool=tool
    )


def make_environment(
    *packages: Package,
    inputs: LockedInputs | None = None,
    environments: Sequence[str] = (LINUX_311,),
    builds: Mapping[str, LockedEnvironment] | None = None,
    source: Package | None = None,
) -> LockedEnvironment:
    return LockedEnvironment(
        environments=tuple(map(Marker, environments)),
        inputs=inputs or LockedInputs(),
        packages=packages,
        builds=builds or {},
        source=source,
    )


MANYLINUX = (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)), "manylinux2014_x86_64")


def make_target(python: str = "3.11.4", *, abi: str | None = None, platforms: Sequence[str] = MANYLINUX) -> Target:
    """CPython on Linux x86-64."""
    major, minor, _ = python.split(".")
    values: Mapping[str, str] = {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_release": "6.1.0",
        "platform_system": "Linux",
        "platform_version": "#1 SMP",
        "python_full_version": python,
        "platform_python_implementation": "CPython",
        "python_version": f"{major}.{minor}",
        "sys_platform": "linux",
    }
    return Target(
        environment=cast("Environment", values),
        abi=abi or f"cp{major}{minor}",
        platforms=(*platforms, "linux_x86_64"),
    )


def make_cuda_environment(variant: str, torch: str) -> LockedEnvironment:
    """The build environment of a CUDA extension: torch from its own index, the rest from another."""
    accelerator = f"https://download.pytorch.org/whl/{variant}"
    nvidia = [f"nvidia-{part}-cu12" for part in ("cublas", "cuda-cupti", "cuda-runtime", "cudnn", "cufft", "nccl")]
    required = ["filelock", "typing-extensions", *(nvidia if variant == "cu124" else [])]
    packages = [
        make_package(
            "torch",
            f"{torch}+{variant}",
            requires=required,
            tags=["cp311-cp311-linux_x86_64"],
            base=accelerator,
            index=accelerator,
            size=797269532,
        ),
        make_package("filelock", "3.16.1", size=16163),
        make_package("typing-extensions", "4.12.2", size=37438),
        make_package("ninja", "1.11.1.3", tags=["py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64"], size=422580),
        make_package("numpy", "2.1.3", tags=["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"], size=16321297),
        make_package("setuptools", "75.6.0", size=1224032),
        make_package("wheel", "0.45.1", size=72494),
    ]
    if variant == "cu124":
        packages += [make_package(name, "12.4.5.8", tags=["py3-none-manylinux2014_x86_64"]) for name in nvidia]
    return make_environment(
        *packages,
        inputs=LockedInputs(
            requires=("setuptools>=69.0.3", "wheel", f"torch=={torch}", "numpy", "ninja"),
            backend="setuptools.build_meta:__legacy__",
            constraints=(f"torch=={torch}",),
            indexes={"torch": (accelerator,)},
        ),
    )
