"""What a runtime lock's answer means for a build, where it is not the same for every target."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

import pytest
from packaging.markers import Environment, Marker
from packaging.pylock import Package, PackageWheel
from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing, Release
from buildlock.errors import RuntimeLockError
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.reporting import Event, Warned
from buildlock.runtime.model import RuntimeFile, RuntimePackage
from buildlock.targets import current_target
from buildlock.variants import Variant
from buildlock.workflows.runtime import RuntimeMatches, find_matches

TORCH = NormalizedName("torch")
ARM = Marker("python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'aarch64'")
X86 = Marker("python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'")
INPUTS = BuildInputs(
    variant=Variant(name="cu124", extra="cu124"),
    requires=(BuildRequirement(requirement=Requirement("torch"), origin="pyproject.toml"),),
    match_runtime=frozenset({TORCH}),
)
DIGEST = "ab" * 32


@dataclass(frozen=True)
class ByMachine:
    """A runtime lock that has a version of torch for each machine: `ByMachine({"aarch64": "2.5.1"})`."""

    versions: Mapping[str, str]
    files: tuple[RuntimeFile, ...] = ()
    label: str = "uv.lock"
    place: str = "uv.lock"

    def find(self, name: NormalizedName, variant: Variant, environment: Environment) -> RuntimePackage | None:  # noqa: ARG002 - the protocol's
        version = self.versions.get(environment["platform_machine"])
        return RuntimePackage(name=name, version=Version(version), files=self.files) if version else None


def match(lock: ByMachine, *targets: Marker) -> RuntimeMatches:
    return find_matches(INPUTS, lock, targets)


def bound(matches: RuntimeMatches) -> list[str]:
    return [str(each.requirement) for each in matches.bind().constraints]


def lock_torch(version: str, marker: Marker | None = None, *, sha256: str = DIGEST, build: str = "") -> Package:
    filename = f"torch-{version}{build}-py3-none-any.whl"
    wheel = PackageWheel(name=filename, url=f"https://a.example/{filename}", hashes={"sha256": sha256})
    return Package(name=TORCH, version=Version(version), marker=marker, wheels=[wheel])


def test_one_version_for_all_targets_is_one_constraint() -> None:
    assert bound(match(ByMachine({"aarch64": "2.5.1+cu124", "x86_64": "2.5.1+cu124"}), ARM, X86)) == [
        "torch==2.5.1+cu124"
    ]


def test_versions_that_differ_hold_for_their_targets_alone() -> None:
    matches = match(ByMachine({"aarch64": "2.5.1", "x86_64": "2.5.1+cu124"}), ARM, X86)
    # `==2.5.1` would take 2.5.1+cu124 as well.
    arm, x86 = matches.bind().constraints
    assert (str(arm.requirement.specifier), arm.requirement.marker) == ("===2.5.1", ARM)
    assert (str(x86.requirement.specifier), x86.requirement.marker) == ("==2.5.1+cu124", X86)
    assert matches.record(["torch"]) == {"uv.lock": (str(arm.requirement), str(x86.requirement))}
    assert matches.record(["numpy"]) == {"uv.lock": ()}


def test_a_target_without_it() -> None:
    with pytest.raises(RuntimeLockError, match=r"does not install `torch` for extra cu124, .* == 'aarch64'\)"):
        match(ByMachine({"x86_64": "2.5.1+cu124"}), ARM, X86).bind()


def test_what_may_not_be_needed_is_looked_for_when_it_is_locked() -> None:
    required = BuildRequirement(requirement=Requirement("torch; os_name == 'nt'"), origin="pyproject.toml")
    matches = find_matches(replace(INPUTS, requires=(required,)), ByMachine({}), [X86])
    assert matches.bind().constraints == ()
    with pytest.raises(RuntimeLockError, match="does not install `torch`"):
        matches.verify([(current_target(), [lock_torch("2.4.0")])], lambda _: None)


def test_drift_is_told_for_each_target_that_has_it() -> None:
    packages = (lock_torch("2.4.0", ARM), lock_torch("2.4.0+cu124", X86))
    environment = LockedEnvironment(environments=(ARM, X86), inputs=LockedInputs(), packages=packages)
    now = "uv.lock now installs"
    for versions, drift in (
        ({"aarch64": "2.4.0", "x86_64": "2.4.0+cu124"}, []),
        ({"aarch64": "2.4.0"}, [f"build has torch 2.4.0+cu124, {now} none for extra cu124"]),
        (
            {"aarch64": "2.5.1", "x86_64": "2.5.1+cu124"},
            [
                f"build has torch 2.4.0, {now} 2.5.1 for extra cu124",
                f"build has torch 2.4.0+cu124, {now} 2.5.1+cu124 for extra cu124",
            ],
        ),
    ):
        assert list(match(ByMachine(versions), ARM, X86).describe_drift(environment)) == drift


def test_what_is_matched_in_the_build_of_one_package() -> None:
    kernels = NormalizedName("kernels")
    inputs = replace(INPUTS, match_runtime=frozenset(), extra_matches={kernels: frozenset({TORCH})})
    matches = find_matches(inputs, ByMachine({"aarch64": "2.5.1", "x86_64": "2.5.1"}), [ARM, X86])
    assert matches.bind().constraints == ()
    assert [str(each.requirement) for each in matches.constrain((), kernels)] == ["torch===2.5.1"]
    assert matches.record(["torch"]) == {"uv.lock": ()}
    assert matches.record(["torch"], kernels) == {"uv.lock": ("torch===2.5.1",)}
    built = LockedEnvironment(environments=(X86,), inputs=LockedInputs(), packages=(lock_torch("2.4.0"),))
    environment = LockedEnvironment(
        environments=(ARM, X86),
        inputs=LockedInputs(),
        packages=(lock_torch("2.2.0"),),
        builds={"kernels==0.3": built, "other==1.0": built},
    )
    assert list(matches.describe_drift(environment)) == [
        "kernels's build has torch 2.4.0, uv.lock now installs 2.5.1 for extra cu124"
    ]


@dataclass(frozen=True)
class OneRelease:
    """A universe of one release of torch, with these files."""

    filenames: tuple[str, ...]

    def listing(self, name: NormalizedName) -> Listing:
        artifacts = tuple(
            Artifact(name=name, version=Version("2.4.0"), kind="wheel", filename=each, url=f"https://a.example/{each}")
            for each in self.filenames
        )
        release = Release(name=name, version=Version("2.4.0"), index="https://a.example", artifacts=artifacts)
        return Listing(name=name, releases=(release,), asked=())

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        raise NotImplementedError

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        raise NotImplementedError

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata] | None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("installed", "seen"),
    [
        # Of two builds of one version, that which runs.
        ("torch-2.4.0-1-py3-none-any.whl", ["torch-2.4.0-1-py3-none-any.whl"]),
        # It is for no target of ours, or not to be had: what there is, is seen, and compared later.
        ("torch-2.4.0-cp30-cp30-win32.whl", ["torch-2.4.0-1-py3-none-any.whl", "torch-2.4.0-2-py3-none-any.whl"]),
        ("torch-2.4.0-3-py3-none-any.whl", ["torch-2.4.0-1-py3-none-any.whl", "torch-2.4.0-2-py3-none-any.whl"]),
        ("../torch", ["torch-2.4.0-1-py3-none-any.whl", "torch-2.4.0-2-py3-none-any.whl"]),
    ],
)
def test_the_very_file_is_preferred(installed: str, seen: list[str]) -> None:
    file = RuntimeFile(filename=installed, url=None, sha256=None)
    universe = OneRelease(("torch-2.4.0-1-py3-none-any.whl", "torch-2.4.0-2-py3-none-any.whl"))
    narrowed = match(ByMachine({"x86_64": "2.4.0"}, (file,)), X86).narrow(universe, current_target())
    (release,) = narrowed.listing(TORCH).releases
    assert [artifact.filename for artifact in release.artifacts] == seen


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (RuntimeFile(filename="torch-2.4.0-py3-none-any.whl", url=None, sha256=DIGEST), None),
        (RuntimeFile(filename="torch-2.4.0-py3-none-any.whl", url=None, sha256="cd" * 32), "with sha256 cdcdcd"),
        (RuntimeFile(filename="torch-2.4.0-1-py3-none-any.whl", url=None, sha256=DIGEST), "from `torch-2.4.0-1-py3"),
        (RuntimeFile(filename="torch-2.4.0-cp30-cp30-win32.whl", url=None, sha256="cd" * 32), None),
    ],
)
def test_another_file_is_refused(file: RuntimeFile, said: str | None) -> None:
    matches = match(ByMachine({"x86_64": "2.4.0"}, (file,)), X86)
    if said is None:
        matches.verify([(current_target(), [lock_torch("2.4.0")])], lambda _: None)
        return
    with pytest.raises(RuntimeLockError) as caught:
        matches.verify([(current_target(), [lock_torch("2.4.0")])], lambda _: None)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("url", "warned"), [("https://a.example/torch-2.4.0-py3-none%2Dany.whl", False), ("https://b.example/torch", True)]
)
def test_without_a_hash_the_url_tells(url: str, warned: bool) -> None:  # noqa: FBT001 - a parameter of the test
    events: list[Event] = []
    file = RuntimeFile(filename="torch-2.4.0-py3-none-any.whl", url=url, sha256=None)
    match(ByMachine({"x86_64": "2.4.0"}, (file,)), X86).verify(
        [(current_target(), [lock_torch("2.4.0")])], events.append
    )
    assert any(isinstance(event, Warned) and "without a hash" in event.message for event in events) is warned
