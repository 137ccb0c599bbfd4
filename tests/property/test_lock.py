"""What a lock promises of every small universe: each target gets what it needs, down to what its sources need."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hypothesis import event, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from buildlock.artifacts import wheel_tags
from buildlock.errors import BuildCycleError, NoSolutionError
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import Locked, LockedSource, select
from buildlock.platforms import parse_platform
from buildlock.targets import Target, make_target, parse_python
from buildlock.workflows.lock import lock
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.workspace import Workspace
from index.offer import OfferedFile, offer_sdist, offer_wheel
from index.server import serve

PYTHONS = ("3.10", "3.12")
PLATFORMS = ("x86_64-manylinux_2_28", "x86_64-unknown-linux-musl", "x86_64-pc-windows-msvc")
Packages = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By package and version: `requires`, `wheels` (tags), and `builds`: what its sdist is built with, `None` without."""

versions = st.sampled_from(["1.0", "2.0", "3.0"])
markers = st.sampled_from(["", "", "", "; sys_platform == 'win32'", "; python_version < '3.12'"])


def require(*names: str) -> st.SearchStrategy[str]:
    specifiers = st.sampled_from(["", "", "==1.0", ">=2", "<2", "!=2.0"])
    return st.builds("{}{}{}".format, st.sampled_from(names), specifiers, markers)


def release(*, needs: Sequence[str], built_with: Sequence[str]) -> st.SearchStrategy[Mapping[str, Any]]:
    wheels = [
        ["py3-none-any"],
        ["cp310-abi3-manylinux_2_17_x86_64", "cp310-abi3-win_amd64"],
        ["cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-musllinux_1_1_x86_64"],
    ]
    builds = st.lists(require(*built_with), max_size=2)
    return st.fixed_dictionaries(
        {
            "requires": st.lists(require(*needs), max_size=2) if needs else st.just([]),
            "wheels": st.just([]) | st.sampled_from(wheels),
            "builds": builds if built_with else st.none(),
        }
    )


def releases(*, needs: Sequence[str] = (), built_with: Sequence[str] = ()) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.dictionaries(versions, release(needs=needs, built_with=built_with), min_size=1, max_size=3)


universes = st.fixed_dictionaries(
    {
        "a": releases(needs=["b", "c"], built_with=["c", "d"]),
        "b": releases(needs=["c"], built_with=["d"]),
        "c": releases(built_with=["d"]),
        # The backend: built with another one, or with one of what it builds.
        "d": releases(needs=["e"], built_with=["c", "e"]),
        "e": st.just({"1.0": {"requires": [], "wheels": ["py3-none-any"], "builds": None}}),
    }
)
roots = st.lists(require("a", "b", "c"), min_size=1, max_size=2, unique=True)
subsets = st.tuples(
    st.lists(st.sampled_from(PYTHONS), min_size=1, unique=True),
    st.lists(st.sampled_from(PLATFORMS), min_size=1, unique=True),
)


@settings(max_examples=40, deadline=None)
@given(packages=universes, roots=roots, names=subsets)
def test_each_target_gets_what_it_needs(
    packages: Packages, roots: list[str], names: tuple[Sequence[str], Sequence[str]]
) -> None:
    environment = lock_universe(packages, roots, *names)
    if environment is None:
        return
    used = set()
    for python in names[0]:
        for platform in names[1]:
            target = make_target(parse_python(python), parse_platform(platform))
            locked = select(environment, target)
            assert_sufficient(packages, roots, locked, target)
            used |= set(list_sources(locked))
    event(f"{len(used)} packages are built")
    assert used == environment.builds.keys()


def lock_universe(
    packages: Packages, roots: Sequence[str], pythons: Sequence[str], platforms: Sequence[str]
) -> LockedEnvironment | None:
    """The lock as it is read again; `None` where there is no solution."""
    with serve({"simple": list(offer(packages))}) as server, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(root=Path(folder), cache_dir=Path(folder, "cache"), environ=server.environment)
        (workspace.root / "pyproject.toml").write_text(
            f'[build-system]\nrequires = {roots}\nbuild-backend = "none"\n'
            f"[tool.buildlock]\npython = {pythons}\nplatforms = {platforms}\n",
            encoding="utf-8",
        )
        try:
            lock(workspace, LockOptions(dynamic=False))
        except (NoSolutionError, BuildCycleError) as error:
            event(type(error).__name__)
            return None
        return read_lockfile(workspace.lock_path).variants["default"]


def offer(packages: Packages) -> Iterator[OfferedFile]:
    for name, entries in packages.items():
        for version, entry in entries.items():
            said = {"name": name, "version": version, "requires": entry["requires"]}
            for tag in entry["wheels"]:
                yield offer_wheel(**said, tag=tag)
            if entry["builds"] is not None:
                pyproject = f'[build-system]\nrequires = {entry["builds"]}\nbuild-backend = "none"\n'
                yield offer_sdist(**said, files={"pyproject.toml": pyproject})


def assert_sufficient(packages: Packages, roots: Sequence[str], locked: Sequence[Locked], target: Target) -> None:
    """Exactly what is needed, one of each; a source only where no wheel fits; and so what each is built with."""
    pins = {each.name: each for each in locked}
    assert len(pins) == len(locked)
    pending = [Requirement(root) for root in roots]
    seen = set[str]()
    while pending:
        requirement = pending.pop()
        environment = cast("dict[str, str]", target.environment)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        chosen = pins[requirement.name]  # type: ignore[index]
        assert requirement.specifier.contains(chosen.version)
        if chosen.name in seen:
            continue
        seen.add(chosen.name)
        entry = packages[chosen.name][str(chosen.version)]
        pending += map(Requirement, entry["requires"])
        stem = f"{chosen.name}-{chosen.version}"
        fitting = {f"{stem}-{tag}.whl" for tag in entry["wheels"]}
        fitting = {filename for filename in fitting if not wheel_tags(filename)[1].isdisjoint(target.tags)}
        if isinstance(chosen, LockedSource):
            assert not fitting
            assert_sufficient(packages, entry["builds"], chosen.requires, target)
        else:
            assert chosen.filename in fitting
    assert seen == pins.keys()


def list_sources(locked: Sequence[Locked]) -> Iterator[str]:
    """The keys of all that has to be built."""
    for each in locked:
        if isinstance(each, LockedSource):
            yield each.key
            yield from list_sources(each.requires)
