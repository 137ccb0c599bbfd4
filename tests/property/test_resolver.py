"""What the resolver promises of every small universe: it agrees with trying everything."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.errors import NoSolutionError
from buildlock.resolver.outlook import Outlook
from buildlock.resolver.request import Resolution, ResolutionRequest
from buildlock.resolver.resolve import resolve
from support.small_universe import SmallUniverse, describe_sdist, make_target, written

INDEX = "https://index.example/simple"
NAMES = ("a", "b", "c", "d")
TARGET = make_target()
TAGS = (
    "py3-none-any",
    "1-py3-none-any",
    "2-py3-none-any",
    "py2.py3-none-any",
    "cp38-abi3-linux_x86_64",
    "cp311-cp311-linux_x86_64",
    "cp311-cp311-manylinux_2_17_x86_64.linux_x86_64",
)
Packages = Mapping[str, Mapping[str, Mapping[str, Any]]]

versions = st.sampled_from(["1.0", "1.0+local", "1.1", "2.0", "2.1rc1", "3.0"])
specifiers = st.sampled_from(["", "==1.0", "==1.*", ">=1.1", ">=2", "<2", "<1.1", "!=2.0", ">=2.1rc1", "~=1.0"])
extras = st.sampled_from(["", "", "[x]"])
markers = st.sampled_from(["", "", "", "; sys_platform == 'win32'"])
requirements = st.builds("{}{}{}{}".format, st.sampled_from((*NAMES, "nowhere")), extras, specifiers, markers)
entries = st.fixed_dictionaries(
    {"requires": st.lists(requirements, max_size=2)},
    optional={
        "extras": st.fixed_dictionaries({"x": st.lists(requirements, min_size=1, max_size=1)}),
        "yanked": st.just("broken"),
        "requires-python": st.sampled_from([">=3.8", ">=3.12"]),
        "wheels": st.sampled_from([[], ["cp311-cp311-win_amd64"], ["cp311-abi3-win32", "py3-none-any"]]),
        "sdist": st.sampled_from([True, {"requires-python": ">=3.12"}, {"formats": ["zip"], "requires-python": ""}]),
    },
)
universes = st.fixed_dictionaries({name: st.dictionaries(versions, entries, min_size=1, max_size=4) for name in NAMES})
roots = st.lists(
    st.builds("{}{}{}".format, st.sampled_from(NAMES), extras, specifiers), min_size=1, max_size=3, unique=True
)
constraints = st.lists(st.builds("{}{}".format, st.sampled_from(NAMES), specifiers), max_size=1)


def ask(packages: Packages, roots: Sequence[str], constraints: Sequence[str] = (), **changes: Any) -> Resolution | None:
    request = ResolutionRequest(
        requirements=written(*roots), constraints=written(*constraints), target=TARGET, **changes
    )
    try:
        return resolve(request, SmallUniverse({INDEX: packages}))
    except NoSolutionError:
        return None


def satisfies(packages: Packages, pins: Mapping[str, str], roots: Sequence[str], constraints: Sequence[str]) -> bool:
    """Whether `pins` hold all that is needed and nothing against it, checked as a reader of the PEPs would."""
    pending = [Requirement(root) for root in roots]
    seen = set()
    bounds = [Requirement(constraint) for constraint in constraints]
    user = [*pending, *bounds]
    while pending:
        requirement = pending.pop()
        name = requirement.name
        if name not in pins or not requirement.specifier.contains(pins[name], prereleases=True):
            return False
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            entry = packages[name][pins[name]]
            found = entry["requires"] if extra == "" else entry.get("extras", {}).get(extra, [])
            wanted = [Requirement(text) for text in found]
            pending += [each for each in wanted if each.marker is None or each.marker.evaluate()]
    used = {name for name, _ in seen}
    return all(is_usable(packages, name, pins[name], user, bounds) for name in used)


def is_usable(
    packages: Packages, name: str, version: str, user: Sequence[Requirement], bounds: Sequence[Requirement]
) -> bool:
    entry = packages[name][version]
    if find_kind(entry) is None:
        return False
    if not all(bound.specifier.contains(version, prereleases=True) for bound in bounds if bound.name == name):
        return False
    pinned = any(each.name == name and str(each.specifier) == "==1.0" and "1.0" in version for each in user)
    return "yanked" not in entry or pinned


def find_kind(entry: Mapping[str, Any]) -> str | None:
    """What is to be taken of a release on the target: a wheel if one fits, else its sdist, if it runs there."""
    files = {"wheel": entry if "py3-none-any" in entry.get("wheels", ["py3-none-any"]) else None}
    files["sdist"] = describe_sdist(entry) if entry.get("sdist") else None
    return next((kind for kind, of in files.items() if of and of.get("requires-python") != ">=3.12"), None)


def try_everything(packages: Packages, roots: Sequence[str], constraints: Sequence[str]) -> Iterator[dict[str, str]]:
    for chosen in product(*(packages[name] for name in NAMES)):
        pins = dict(zip(NAMES, chosen, strict=True))
        if satisfies(packages, pins, roots, constraints):
            yield pins


@settings(max_examples=150, deadline=None)
@given(packages=universes, roots=roots, constraints=constraints)
def test_agrees_with_trying_everything(packages: Packages, roots: list[str], constraints: list[str]) -> None:
    resolution = ask(packages, roots, constraints)
    if resolution is None:
        assert next(try_everything(packages, roots, constraints), None) is None
    else:
        pins = {str(package.name): str(package.version) for package in resolution.packages}
        assert satisfies(packages, pins, roots, constraints)
        for package in resolution.packages:
            assert package.artifact.kind == find_kind(packages[package.name][str(package.version)])


@settings(max_examples=60, deadline=None)
@given(packages=universes, roots=roots)
def test_holds_nothing_that_is_not_needed(packages: Packages, roots: list[str]) -> None:
    resolution = ask(packages, roots)
    if resolution is None:
        return
    needed = {Requirement(root).name for root in roots}.union(*(package.requires for package in resolution.packages))
    assert {package.name for package in resolution.packages} == needed


@settings(max_examples=60, deadline=None)
@given(packages=universes, roots=roots, constraints=constraints, seed=st.integers(0, 1000))
def test_does_not_depend_on_the_order_of_requirements(
    packages: Packages, roots: list[str], constraints: list[str], seed: int
) -> None:
    shuffled = random.Random(seed).sample(roots, len(roots))
    assert ask(packages, roots, constraints) == ask(packages, shuffled, constraints)


@settings(max_examples=60, deadline=None)
@given(tags=st.lists(st.sampled_from(TAGS), min_size=1, unique=True), seed=st.integers(0, 1000))
def test_does_not_depend_on_the_order_of_files(tags: list[str], seed: int) -> None:
    shuffled = random.Random(seed).sample(tags, len(tags))
    first, second = (ask({"a": {"1.0": {"requires": [], "wheels": wheels}}}, ["a"]) for wheels in (tags, shuffled))
    assert first is not None
    assert first == second


@settings(max_examples=60, deadline=None)
@given(packages=universes, roots=roots)
def test_keeps_every_pin_of_its_own_result(packages: Packages, roots: list[str]) -> None:
    resolution = ask(packages, roots)
    if resolution is not None:
        pins = {package.name: package.version for package in resolution.packages}
        assert ask(packages, roots, preferences=pins) == resolution


@settings(max_examples=60, deadline=None)
@given(packages=universes, name=st.sampled_from(NAMES), data=st.data())
def test_keeps_a_pin_that_fits(packages: Packages, name: str, data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(sorted(packages[name])))
    alone = {**packages, name: {each: {**entry, "requires": []} for each, entry in packages[name].items()}}
    if not is_usable(alone, name, version, [Requirement(f"{name}=={version}")], []):
        return
    resolution = ask(alone, [name], preferences={canonicalize_name(name): Version(version)})
    assert resolution is not None
    assert str(resolution.packages[0].version) == version


@settings(max_examples=150, deadline=None)
@given(packages=universes, roots=roots, constraints=constraints)
def test_what_holds_a_newer_version_back_does(packages: Packages, roots: list[str], constraints: list[str]) -> None:
    universe = SmallUniverse({INDEX: packages})
    request = ResolutionRequest(requirements=written(*roots), constraints=written(*constraints), target=TARGET)
    try:
        resolution = resolve(request, universe)
    except NoSolutionError:
        return
    outlook = Outlook([(request, universe)], [resolution])
    pins = {str(package.name): str(package.version) for package in resolution.packages}
    for package in resolution.packages:
        for held in outlook.list_held(package.name, package.version, [0]):
            assert held.version > package.version
            assert held.obstacles
            kinds = {obstacle.kind for obstacle in held.obstacles}
            raised = {**pins, str(package.name): str(held.version)}
            if kinds == {"requirement"}:
                assert not satisfies(packages, raised, roots, constraints)
            if kinds == {"conflict"}:
                others = [*roots, f"{package.name}=={held.version}"]
                found = next(try_everything(packages, others, constraints), None)
                costs = any("it would take" in obstacle.text for obstacle in held.obstacles)
                assert costs == (found is not None)
