"""Made indexes that grow along one line: many packages, a large page, a large wheel, a graph that misleads."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from index.archives import make_metadata, make_wheel, wheel_filename

_SYSTEMS = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_arm64", "win_amd64")
_FOREIGN = [f"cp3{minor}-cp3{minor}-{system}" for minor in (7, 8, 9) for system in _SYSTEMS][:9]
"""With the wheel for every platform these make ten files of a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A release. `foreign` wheels are listed beside its own, and are not there."""

    version: str
    requires: Sequence[str] = ()
    files: Mapping[str, str | bytes] | None = None
    foreign: Sequence[str] = field(default=())


def write_universe(folder: Path, packages: Mapping[str, Sequence[Made]]) -> None:
    """Write an index into a folder, where the mirror finds it; what is there already stays."""
    for name, releases in packages.items():
        own = folder / "simple" / name
        own.mkdir(parents=True, exist_ok=True)
        files = [file for made in releases for file in _write_release(own, name, made)]
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": files, "versions": [m.version for m in releases]}
        (own / "index.json").write_text(json.dumps(page), encoding="utf-8")


def _write_release(folder: Path, name: str, made: Made) -> Iterator[Mapping[str, object]]:
    for tag in made.foreign:
        filename = wheel_filename(name, made.version, tag=tag)
        yield {"filename": filename, "url": filename, "hashes": {"sha256": _digest(filename.encode())}, "size": 1000}
    filename = wheel_filename(name, made.version)
    path, metadata = folder / filename, make_metadata(name=name, version=made.version, requires=made.requires)
    content = make_wheel(name=name, version=made.version, requires=made.requires, files=made.files)
    path.write_bytes(content)
    path.with_name(f"{filename}.metadata").write_text(metadata, encoding="utf-8", newline="\n")
    yield {
        "filename": filename,
        "url": filename,
        "hashes": {"sha256": _digest(content)},
        "size": len(content),
        "core-metadata": {"sha256": _digest(metadata.encode())},
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def many_packages(count: int) -> dict[str, list[Made]]:
    """Each of three versions, and each needs the one with half its number."""
    return {
        f"p{number}": [
            Made(version=f"{version}.0", requires=[f"p{number // 2}>=2"] if number else []) for version in (1, 2, 3)
        ]
        for number in range(count)
    }


def large_page(count: int) -> dict[str, list[Made]]:
    """One package of `count` files, ten of each version."""
    return {"paged": [Made(version=f"1.{number}", foreign=_FOREIGN) for number in range(count // 10)]}


def large_wheel(count: int) -> dict[str, list[Made]]:
    """One wheel of `count` modules of about 2 kB, a hundred in a folder."""
    body = "".join(f"def function_{number}():\n    return {number}\n" for number in range(50))
    files = {f"large/part{number // 100}/module{number}.py": f"NUMBER = {number}\n{body}" for number in range(count)}
    return {"large": [Made(version="1.0", files=files)]}


def misleading_graph(depth: int) -> dict[str, list[Made]]:
    """`first` needs the `second` of its own version, that the `third`, and only the oldest `third` will do."""
    numbers = range(1, depth + 1)
    return {
        "first": [Made(version=f"{number}.0", requires=[f"second=={number}.0"]) for number in numbers],
        "second": [Made(version=f"{number}.0", requires=[f"third=={number}.0"]) for number in numbers],
        "third": [Made(version=f"{number}.0") for number in numbers],
    }
