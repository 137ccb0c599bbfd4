"""The PEP 751 export is a lock that `packaging.pylock` reads as the same environment."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from buildlock.export.pylock import export_pylock
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import select
from support.locks import LINUX_311, LOCKS, make_environment, make_package, make_target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("path", sorted((LOCKS / "valid").glob("*.toml")), ids=lambda path: path.stem)
def test_read_back(path: Path) -> None:
    for environment in read_lockfile(path).variants.values():
        lock = Pylock.from_dict(tomllib.loads(export_pylock(environment)))
        read_back = LockedEnvironment(
            environments=tuple(lock.environments or ()), inputs=environment.inputs, packages=tuple(lock.packages)
        )
        # What sources are built in has no place in a PEP 751 lock.
        assert read_back == replace(environment, builds={})


def test_selects_the_same_files() -> None:
    environment = read_lockfile(LOCKS / "valid" / "cuda-variants.toml").environment("cu124")
    target = make_target()
    lock = Pylock.from_dict(tomllib.loads(export_pylock(environment)))
    chosen = {wheel.hashes["sha256"] for _, wheel in lock.select(environment=target.environment, tags=target.tags)}  # type: ignore[union-attr]
    assert chosen == {artifact.sha256 for artifact in select(environment, target)}


def test_layout() -> None:
    environment = make_environment(make_package("ninja", base="wheels", size=5))
    sha256 = next(iter(environment.packages[0].wheels or ())).hashes["sha256"]
    assert export_pylock(environment) == (
        'lock-version = "1.0"\n'
        'created-by = "buildlock"\n'
        f'environments = ["{LINUX_311}"]\n'
        "\n"
        "[[packages]]\n"
        'name = "ninja"\n'
        'version = "1.0"\n'
        "wheels = [\n"
        f'  {{ path = "wheels/ninja-1.0-py3-none-any.whl", size = 5, hashes = {{ sha256 = "{sha256}" }} }},\n'
        "]\n"
    )


def test_nothing_is_locked() -> None:
    assert tomllib.loads(export_pylock(make_environment()))["packages"] == []
