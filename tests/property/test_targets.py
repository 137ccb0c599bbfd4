"""What a resolution for several targets promises of every small universe: each is solved, and they agree."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, cast
from unittest.mock import patch

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.pylock import PackageSdist, PackageWheel
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from buildlock.artifacts import wheel_tags
from buildlock.errors import NoSolutionError
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.resolver.provider import Choice, Identifier, Provider
from buildlock.resolver.request import Resolution, ResolutionRequest
from buildlock.resolver.resolve import resolve_all
from buildlock.resolver.settle import settle
from buildlock.targets import Target
from buildlock.workflows.merging import merge_resolutions
from support.small_universe import SmallUniverse, describe_sdist, make_target, written

INDEX = "https://index.example/simple"
NAMES = ("a", "b", "c")
TARGETS = (
    make_target("3.10.0"),
    make_target("3.12.0"),
    make_target("3.12.0", ["win_amd64"], {"sys_platform": "win32", "platform_machine": "AMD64"}),
    # A lock cannot tell it from the second.
    make_target("3.12.0", ["musllinux_1_1_x86_64", "linux_x86_64"]),
)
Packages = Mapping[str, Mapping[str, Mapping[str, Any]]]
Pins = Mapping[str, str]

versions = st.sampled_from(["1.0", "1.0+local", "2.0", "3.0"])
specifiers = st.sampled_from(["", "", "==1.0", ">=2", "<2", "!=2.0"])
markers = st.sampled_from(
    ["", "", "; sys_platform == 'win32'", "; sys_platform == 'linux'", "; python_version < '3.12'"]
)
requirements = st.builds("{}{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(["", "[x]"]), specifiers, markers)
wheels = st.sampled_from(
    [
        ["py3-none-any"],
        ["cp310-cp310-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-musllinux_1_1_x86_64"],
        ["cp312-cp312-win_amd64"],
        ["cp310-abi3-manylinux_2_5_x86_64", "cp310-abi3-win_amd64"],
        ["py3-none-any", "cp312-cp312-win_amd64"],
    ]
)
entries = st.fixed_dictionaries(
    {"requires": st.lists(requirements, max_size=2), "wheels": wheels},
    optional={
        "extras": st.fixed_dictionaries({"x": st.lists(requirements, min_size=1, max_size=1)}),
        "requires-python": st.sampled_from([">=3.8", ">=3.12", "<3.12"]),
        "sdist": st.just(True) | st.fixed_dictionaries({"requires": st.lists(requirements, max_size=1)}),
    },
)
universes = st.fixed_dictionaries({name: st.dictionaries(versions, entries, min_size=1, max_size=4) for name in NAMES})
roots = st.lists(
    st.builds("{}{}{}".format, st.sampled_from(NAMES), specifiers, markers), min_size=1, max_size=3, unique=True
)
several = st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4, unique_by=str)


def ask(
    packages: Packages,
    roots: Sequence[str],
    targets: Sequence[Target],
    pinned: Sequence[Resolution] | None = None,
) -> tuple[Resolution, ...] | None:
    universe = SmallUniverse({INDEX: packages})
    preferences = [{package.name: package.version for package in each.packages} for each in pinned or ()]
    requests = [
        (
            ResolutionRequest(
                requirements=written(*roots), target=target, preferences=preferences[position] if pinned else {}
            ),
            universe,
        )
        for position, target in enumerate(targets)
    ]
    try:
        return resolve_all(requests)
    except NoSolutionError:
        return None


def holds(requirement: Requirement, target: Target) -> bool:
    environment = cast("dict[str, str]", target.environment)
    return requirement.marker is None or requirement.marker.evaluate(environment)


def find_file(entry: Mapping[str, Any], name: str, version: str, target: Target) -> Mapping[str, Any] | None:
    """What is said of the file that the target gets: a wheel if one fits, else the sdist."""
    if not SpecifierSet(entry.get("requires-python", "")).contains(target.python):
        return None
    if any(fits_target(f"{name}-{version}", tag, target) for tag in entry["wheels"]):
        return entry
    return describe_sdist(entry) if entry.get("sdist") else None


def fits_target(stem: str, tag: str, target: Target) -> bool:
    return not wheel_tags(f"{stem}-{tag}.whl")[1].isdisjoint(target.tags)


def find_needed(
    packages: Packages, pins: Pins, roots: Sequence[str], target: Target, targets: Sequence[Target]
) -> frozenset[str] | None:
    """What is needed, if `pins` satisfy it all in a target of these; as a reader of the PEPs would see it.

    What one target needs, all have that a lock cannot tell from it: of those, some may get a wheel and some the sdist.
    """
    alike = list_alike(target, targets)
    pending = [Requirement(root) for root in roots]
    seen = set()
    while pending:
        requirement = pending.pop()
        if not holds(requirement, target):
            continue
        name = requirement.name
        if name not in pins or not requirement.specifier.contains(pins[name], prereleases=True):
            return None
        for twin in alike:
            file = find_file(packages[name][pins[name]], name, pins[name], twin)
            if file is None:
                return None
            for extra in ("", *requirement.extras):
                if (name, extra, str(twin)) not in seen:
                    seen.add((name, extra, str(twin)))
                    found = file["requires"] if extra == "" else file.get("extras", {}).get(extra, [])
                    pending += map(Requirement, found)
    return frozenset(name for name, _, _ in seen)


def list_alike(target: Target, targets: Sequence[Target]) -> Sequence[Target]:
    """The targets that no marker of a lock tells from one of them, itself included."""
    return [each for each in targets if str(each.marker) == str(target.marker)]


def try_everything(packages: Packages) -> Iterator[Pins]:
    for chosen in product(*(packages[name] for name in NAMES)):
        yield dict(zip(NAMES, chosen, strict=True))


def read_pins(resolution: Resolution) -> Pins:
    return {package.name: str(package.version) for package in resolution.packages}


@settings(max_examples=200, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_what_needs_no_search_is_what_a_search_finds(
    packages: Packages, roots: list[str], targets: Sequence[Target]
) -> None:
    answers = []

    def note(provider: Provider) -> Mapping[Identifier, Choice] | None:
        answers.append(settle(provider))
        return answers[-1]

    with patch("buildlock.resolver.search.settle", note):
        resolutions = ask(packages, roots, targets)
    assume(answers[0] is not None)
    with patch("buildlock.resolver.search.settle", return_value=None):
        assert ask(packages, roots, targets) == resolutions


@settings(max_examples=200, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_solves_each_target_as_if_it_were_alone(
    packages: Packages, roots: list[str], targets: Sequence[Target]
) -> None:
    resolutions = ask(packages, roots, targets)
    if resolutions is None:
        assert any(
            all(find_needed(packages, pins, roots, target, targets) is None for pins in try_everything(packages))
            for target in targets
        )
        return
    for target, resolution in zip(targets, resolutions, strict=True):
        pins = read_pins(resolution)
        assert find_needed(packages, pins, roots, target, targets) == frozenset(pins)
        for package in resolution.packages:
            stem = f"{package.name}-{package.version}"
            fits = {
                tag for tag in packages[package.name][str(package.version)]["wheels"] if fits_target(stem, tag, target)
            }
            assert package.artifact.kind == ("wheel" if fits else "sdist")
            assert not package.artifact.tags or package.artifact.tags & set(target.tags)


@settings(max_examples=200, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_the_targets_agree_where_they_can(packages: Packages, roots: list[str], targets: Sequence[Target]) -> None:
    resolutions = ask(packages, roots, targets)
    if resolutions is None:
        return
    possible = any(
        all(find_needed(packages, pins, roots, target, targets) is not None for target in targets)
        for pins in try_everything(packages)
    )
    chosen: dict[str, set[str]] = {}
    for resolution in resolutions:
        for name, version in read_pins(resolution).items():
            chosen.setdefault(name, set()).add(version)
    assert possible == all(len(each) == 1 for each in chosen.values())


@settings(max_examples=100, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_only_those_packages_differ_that_must(packages: Packages, roots: list[str], targets: Sequence[Target]) -> None:
    """No package could have one version everywhere while every other keeps the versions that it has."""
    resolutions = ask(packages, roots, targets)
    if resolutions is None:
        return
    solutions = [read_pins(resolution) for resolution in resolutions]
    for name in NAMES:
        if len({pins[name] for pins in solutions if name in pins}) < 2:
            continue
        for version in packages[name]:
            changed = [{**pins, name: version} if name in pins else pins for pins in solutions]
            assert not all(
                find_needed(packages, pins, roots, target, targets) == frozenset(pins)
                for pins, target in zip(changed, targets, strict=True)
            )


@settings(max_examples=100, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_one_target_is_resolved_as_ever(packages: Packages, roots: list[str], targets: Sequence[Target]) -> None:
    resolutions = ask(packages, roots, targets)
    if resolutions is not None:
        for target in targets:
            assert ask(packages, roots, [target]) is not None


@settings(max_examples=150, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_the_lock_selects_in_each_target_what_was_resolved_for_it(
    packages: Packages, roots: list[str], targets: Sequence[Target]
) -> None:
    resolutions = ask(packages, roots, targets)
    if resolutions is None:
        return
    artifacts = {package.artifact.url: package.artifact for each in resolutions for package in each.packages}
    files = {
        url: (PackageWheel if artifact.kind == "wheel" else PackageSdist)(
            url=f"{INDEX}/{artifact.filename.replace('+', '%2B')}", hashes={"sha256": "0" * 64}
        )
        for url, artifact in artifacts.items()
    }
    environment = LockedEnvironment(
        environments=MarkerWriter(targets).environments(),
        inputs=LockedInputs(),
        packages=merge_resolutions(resolutions, targets, files, {INDEX}),
    )
    keys = [(package.name, package.version) for package in environment.packages]
    assert len(set(keys)) == len(keys)
    assert all(package.marker is None for package in environment.packages) or len(targets) > 1
    for target, resolution in zip(targets, resolutions, strict=True):
        selected = environment.pylock().select(environment=target.environment, tags=target.tags)
        assert [getattr(file, "filename", None) for _, file in selected] == [
            package.artifact.filename for package in resolution.packages
        ]
    used = {artifact.filename for artifact in artifacts.values()}
    wheels = {wheel.filename for package in environment.packages for wheel in package.wheels or ()}
    assert used == wheels | {package.sdist.filename for package in environment.packages if package.sdist is not None}


@settings(max_examples=100, deadline=None)
@given(packages=universes, roots=roots, targets=several)
def test_keeps_every_pin_of_its_own_result(packages: Packages, roots: list[str], targets: Sequence[Target]) -> None:
    resolutions = ask(packages, roots, targets)
    if resolutions is not None:
        assert ask(packages, roots, targets, pinned=resolutions) == resolutions
