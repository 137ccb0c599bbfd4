"""A backend that does what PEP 517 and PEP 660 say. The tests' other backends start from it, and lie.

```
from honest_backend import *

def build_wheel(wheel_directory, *_):
    return write_wheel(wheel_directory, name="impostor")
```
"""

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def build_wheel(wheel_directory: str, *_: object) -> str:
    return write_wheel(wheel_directory)


def build_editable(wheel_directory: str, *_: object) -> str:
    return write_wheel(wheel_directory)


def build_sdist(sdist_directory: str, *_: object) -> str:
    return write_sdist(sdist_directory)


def write_wheel(
    directory: str,
    *,
    name: str = "demo",
    version: str = "1.0",
    tag: str = "py3-none-any",
    filename: str | None = None,
    metadata: str | None = None,
) -> str:
    """Write a wheel whose filename and content are what is asked for, and return its filename."""
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{info}/METADATA": metadata or describe(name, version),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: honest\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    lines = []
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}\n")
    contents[f"{info}/RECORD"] = "".join(lines) + f"{info}/RECORD,,\n"
    filename = filename or f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(Path(directory, filename), "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    return filename


def write_sdist(
    directory: str,
    *,
    name: str = "demo",
    version: str = "1.0",
    filename: str | None = None,
    contents: Mapping[str, str] | None = None,
) -> str:
    """Write an sdist whose filename and content are what is asked for, and return its filename."""
    filename = filename or f"{name}-{version}.tar.gz"
    with tarfile.open(Path(directory, filename), "w:gz") as archive:
        for path, text in (contents or {f"{name}-{version}/PKG-INFO": describe(name, version)}).items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return filename


def describe(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
