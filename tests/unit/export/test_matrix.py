"""The CI matrix: a job for each variant and target, and keys that change exactly with what is locked for it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Package
from packaging.version import Version

from buildlock.export.matrix import Job, format_github, format_gitlab, format_json, make_job
from buildlock.export.served import list_served
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from support.locks import make_environment, make_package, make_source

PYTHONS = ("3.10", "3.11", "3.12")
PLATFORMS = {
    "linux": ("x86_64-manylinux_2_28", "linux", "x86_64"),
    "mac": ("aarch64-apple-darwin", "darwin", "arm64"),
}
TARGETS = [(python, platform) for python in PYTHONS for platform in PLATFORMS]


def mark(python: str, platform: str) -> str:
    _, system, machine = PLATFORMS[platform]
    return f"python_version == '{python}' and sys_platform == '{system}' and platform_machine == '{machine}'"


MARKERS = [mark(*target) for target in TARGETS]
NAMES = [f"{python} {PLATFORMS[platform][0]}" for python, platform in TARGETS]


def lock(packages: list[Package], builds: dict[str, LockedEnvironment] | None = None) -> LockedEnvironment:
    inputs = LockedInputs(targets=tuple(NAMES))
    return make_environment(*packages, inputs=inputs, environments=MARKERS, builds=builds)


def keys(environment: LockedEnvironment, variant: str = "cpu") -> dict[str, str]:
    return {str(served): make_job(variant, served).key for served in list_served(environment)}


# Which targets each of three packages is for: none of them is for none.
SHARES = st.lists(st.sets(st.sampled_from(range(len(TARGETS))), min_size=1), min_size=3, max_size=3)


def name_packages(shares: list[set[int]], version: str = "1.0", changed: int | None = None) -> list[Package]:
    return [
        make_package(
            f"package{number}",
            version if number == changed else "1.0",
            marker=" or ".join(f"({MARKERS[target]})" for target in sorted(share)),
        )
        for number, share in enumerate(shares)
    ]


@given(shares=SHARES, changed=st.integers(0, 2))
def test_a_key_changes_exactly_with_what_its_target_gets(shares: list[set[int]], changed: int) -> None:
    before, after = keys(lock(name_packages(shares))), keys(lock(name_packages(shares, "2.0", changed)))
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {NAMES[target] for target in shares[changed]}


@given(shares=SHARES, changed=st.integers(0, 2))
def test_a_key_changes_with_what_sources_are_built_in(shares: list[set[int]], changed: int) -> None:
    def nest(version: str) -> LockedEnvironment:
        inner = make_environment(*name_packages(shares, version, changed), environments=MARKERS)
        outer = make_environment(make_source("inner"), environments=MARKERS)
        return lock([make_source("outer")], {"outer==1.0": outer, "inner==1.0": inner})

    before, after = keys(nest("1.0")), keys(nest("2.0"))
    assert {name for name in before if before[name] != after[name]} == {NAMES[target] for target in shares[changed]}


@pytest.mark.parametrize("field", ["url", "path", "hashes", "size"])
def test_a_key_changes_with_the_file(field: str) -> None:
    package = make_package("wheel")
    (wheel,) = package.wheels or ()
    places = {"url": {"url": "https://mirror.example/wheel-1.0-py3-none-any.whl"}, "size": {"size": 5}}
    other = {
        **places,
        "path": {"url": None, "path": "wheel-1.0-py3-none-any.whl"},
        "hashes": {"hashes": {"sha256": "0" * 64}},
    }
    changed = replace(package, wheels=[replace(wheel, **other[field])])  # type: ignore[arg-type]
    before, after = keys(lock([package])), keys(lock([changed]))
    assert all(before[name] != after[name] for name in before)


def test_a_key_does_not_change_with_inputs_or_other_targets() -> None:
    environment = lock([make_package("wheel")])
    fewer = make_environment(
        make_package("wheel"),
        inputs=LockedInputs(targets=tuple(NAMES[:1]), requires=("wheel>0",), settings={"no-index": True}),
        environments=MARKERS[:1],
    )
    ((name, key),) = keys(fewer).items()
    assert keys(environment)[name] == key
    assert keys(environment, "gpu")[name] != key


def test_jobs() -> None:
    machines = {
        "3.11 x86_64-manylinux_2_28": "ubuntu-latest",
        "3.12 aarch64-apple-darwin": "macos-latest",
        "3.12 aarch64-unknown-linux-gnu": "ubuntu-24.04-arm",
        "3.12 x86_64-pc-windows-msvc": "windows-latest",
        "3.12 x86_64-unknown-linux-musl": None,
        "3.13t x86_64-apple-darwin": "macos-15-intel",
    }
    markers = [
        f"python_version == '{python}' and sys_platform == '{system}' and platform_machine == '{machine}'"
        for python, system, machine in (
            ("3.11", "linux", "x86_64"),
            ("3.12", "darwin", "arm64"),
            ("3.12", "linux", "aarch64"),
            ("3.12", "win32", "AMD64"),
            ("3.12", "linux", "x86_64"),
            ("3.13", "darwin", "x86_64"),
        )
    ]
    environment = make_environment(
        make_package("wheel"), inputs=LockedInputs(targets=tuple(machines)), environments=markers
    )
    jobs = [make_job("cpu", served) for served in list_served(environment)]
    assert {f"{job.python} {job.platform}": job.runner for job in jobs} == machines
    assert all(job.key.startswith(f"buildlock-cpu-{job.python}-{job.platform}-") for job in jobs)


def test_versions_are_compared_as_they_are_locked() -> None:
    first = lock([make_package("wheel", "1.0")])
    second = lock([replace(make_package("wheel", "1.0"), version=Version("1.0.0"))])
    assert keys(first) != keys(second)


JOBS = (
    Job(variant="cpu", python="3.12", platform="linux", key="buildlock-a", runner="ubuntu-latest"),
    Job(variant="cu124", python="3.13t", platform="x86_64-unknown-linux-musl", key="buildlock-b", runner=None),
)


def test_github() -> None:
    text = format_github(JOBS)
    assert text.count("\n") == 1
    first = {"variant": "cpu", "python": "3.12", "platform": "linux", "key": "buildlock-a", "runner": "ubuntu-latest"}
    second = {
        "variant": "cu124",
        "python": "3.13t",
        "platform": "x86_64-unknown-linux-musl",
        "key": "buildlock-b",
    }
    assert json.loads(text) == {"include": [first, second]}


def test_gitlab() -> None:
    yaml = pytest.importorskip("yaml")
    matrix = yaml.safe_load(format_gitlab(JOBS))[".buildlock-matrix"]["parallel"]["matrix"]
    assert matrix[0] == {
        "BUILDLOCK_VARIANT": "cpu",
        "BUILDLOCK_PYTHON": "3.12",
        "BUILDLOCK_PLATFORM": "linux",
        "BUILDLOCK_KEY": "buildlock-a",
    }
    assert matrix[1]["BUILDLOCK_PYTHON"] == "3.13t"


def test_json() -> None:
    jobs = json.loads(format_json(JOBS))
    assert [job["runner"] for job in jobs] == ["ubuntu-latest", None]
