"""What differs between two locks."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.pylock import Package, PackageVcs
from packaging.utils import NormalizedName

from buildlock.diff.compute import compare_locks
from buildlock.diff.model import Diff, Finding
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile
from buildlock.lockfile.reader import parse_lockfile
from render_diffs import STORIES, list_stories, render_all
from support.locks import LOCKS, make_direct, make_environment, make_package, make_source, make_wheel

LINUX = "sys_platform == 'linux' and platform_machine == 'x86_64'"


def compare(old: Lockfile | LockedEnvironment | None, new: Lockfile | LockedEnvironment | None) -> Diff:
    locks = [Lockfile(variants={"cpu": each}) if isinstance(each, LockedEnvironment) else each for each in (old, new)]
    return compare_locks(locks[0], locks[1], old_label="old", new_label="new")


def find(diff: Diff, code: str) -> list[Finding]:
    return [finding for finding in diff.findings if finding.code == code]


def codes(diff: Diff) -> set[str]:
    return {finding.code for finding in diff.findings}


def test_nothing_differs_between_a_lock_and_itself() -> None:
    for path in [*LOCKS.glob("valid/*.toml"), *STORIES.glob("*/old.toml"), *STORIES.glob("*/new.toml")]:
        lockfile = parse_lockfile(path.read_bytes(), path.name)
        assert compare(lockfile, lockfile).findings == ()


def test_no_lock_before_and_none_after() -> None:
    environment = make_environment(make_package("wheel"))
    assert codes(compare(None, environment)) == {"variant-added"}
    assert codes(compare(environment, None)) == {"variant-dropped"}


versions = st.sampled_from(["1.0", "2.0"])
packages = st.builds(
    make_package,
    st.sampled_from(["foo", "bar"]),
    versions,
    tags=st.lists(st.sampled_from(["py3-none-any", "cp311-cp311-linux_x86_64"]), min_size=1, unique=True),
    base=st.sampled_from(["https://a.example", "https://b.example", "http://a.example", "wheels"]),
    index=st.sampled_from(["https://a.example/simple", "https://b.example/simple", None]),
    size=st.sampled_from([None, 1000, 2000]),
    requires=st.lists(st.just("bar"), max_size=1),
)
inputs = st.builds(
    LockedInputs,
    requires=st.lists(st.sampled_from(["foo", "bar>=1", "bar>=1.0"])).map(tuple),
    backend=st.sampled_from([None, "hatchling.build"]),
    dynamic=st.dictionaries(st.just("wheel"), st.sampled_from([("bar",), ("foo",)])),
    constraints=st.sampled_from([(), ("foo<3",)]),
    match_runtime=st.dictionaries(st.just("uv.lock"), st.sampled_from([("foo==1.0",), ("foo==2.0",)])),
)
environments = st.builds(
    lambda chosen, given, targets: make_environment(
        *{package.name: package for package in chosen}.values(), inputs=given, environments=targets
    ),
    st.lists(packages, max_size=2),
    inputs,
    st.lists(
        st.sampled_from([f"python_version == '3.{minor}' and {LINUX}" for minor in (11, 12)]), min_size=1, unique=True
    ),
)


@given(old=environments, new=environments)
def test_something_is_said_exactly_where_something_differs(old: LockedEnvironment, new: LockedEnvironment) -> None:
    diff = compare(old, new)
    assert bool(diff.findings) == (old != new)
    assert diff.findings == tuple(sorted(diff.findings, key=lambda f: ["high", "medium", "low"].index(f.risk)))
    render_all(diff)


@given(old=environments, new=environments)
def test_what_is_the_same_in_two_variants_is_said_once(old: LockedEnvironment, new: LockedEnvironment) -> None:
    one = compare(old, new)
    two = compare(Lockfile(variants={"cpu": old, "gpu": old}), Lockfile(variants={"cpu": new, "gpu": new}))
    assert [replace(f, places=()) for f in two.findings] == [replace(f, places=()) for f in one.findings]
    assert all({place.variant for place in finding.places} == {"cpu", "gpu"} for finding in two.findings)
    assert len(two.only_variants(["gpu"]).findings) == len(one.findings)
    assert two.only_variants(["rocm"]).findings == ()


class TestTargets:
    def environment(self, entries: Sequence[tuple[str, str]]) -> LockedEnvironment:
        return make_environment(
            *(make_package("numpy", version, marker=f"python_version == '{python}'") for python, version in entries),
            environments=[f"python_version >= '3.9' and python_version <= '3.10' and {LINUX}"],
        )

    def test_a_version_that_moved_for_one_target_alone(self) -> None:
        diff = compare(
            self.environment([("3.9", "2.0"), ("3.10", "2.1")]), self.environment([("3.9", "2.0"), ("3.10", "2.2")])
        )
        assert [(f.before, f.after, f.places[0].targets) for f in diff.findings] == [
            ("2.1", "2.2", ("3.10 linux x86_64",))
        ]

    def test_an_entry_that_is_split_goes_down_for_one(self) -> None:
        whole = make_environment(
            make_package("numpy", "2.1"),
            environments=[f"python_version >= '3.9' and python_version <= '3.10' and {LINUX}"],
        )
        diff = compare(whole, self.environment([("3.9", "2.0"), ("3.10", "2.1")]))
        [lowered] = find(diff, "pin-lowered")
        assert lowered.places[0].targets == ("3.9 linux x86_64",)
        [details] = find(diff, "details-changed")
        assert details.places[0].targets == ("3.10 linux x86_64",)


class TestChains:
    def test_a_new_package_names_the_way_to_it(self) -> None:
        old = make_environment(make_package("torch"), inputs=LockedInputs(requires=("torch==1.0",)))
        new = make_environment(
            make_package("torch", requires=["jinja2"]),
            make_package("jinja2", requires=["markupsafe"]),
            make_package("markupsafe"),
            inputs=LockedInputs(requires=("torch==1.0",)),
        )
        chains = {f.packages[0]: f.chain for f in find(compare(old, new), "new-package")}
        assert chains[NormalizedName("markupsafe")] == ("torch==1.0", "jinja2", "markupsafe")

    def test_what_is_asked_for_by_name_is_no_surprise(self) -> None:
        new = make_environment(make_package("wheel"), inputs=LockedInputs(requires=("wheel",)))
        diff = compare(make_environment(inputs=LockedInputs()), new)
        assert codes(diff) == {"package-added", "inputs-changed"}

    def test_a_circle_has_an_end(self) -> None:
        circle = [make_package("foo", requires=["bar"]), make_package("bar", requires=["foo"])]
        assert len(find(compare(make_environment(), make_environment(*circle)), "new-package")) == 2


class TestBuilds:
    def environment(self, *build: Package, version: str = "1.0") -> LockedEnvironment:
        return make_environment(
            make_source("foo", version), builds={f"foo=={version}": make_environment(*build)}, inputs=LockedInputs()
        )

    def test_what_a_package_is_built_in_is_compared_too(self) -> None:
        [finding] = compare(
            self.environment(make_package("setuptools", "75.0")), self.environment(make_package("setuptools", "76.0"))
        ).findings
        assert (finding.code, finding.places[0].build) == ("version-raised", "foo==1.0")

    def test_also_of_its_next_version(self) -> None:
        diff = compare(
            self.environment(make_package("setuptools", "75.0")),
            self.environment(make_package("setuptools", "74.0"), version="2.0"),
        )
        assert [(f.code, f.packages) for f in diff.findings] == [
            ("pin-lowered", ("setuptools",)),
            ("version-raised", ("foo",)),
        ]

    def test_a_build_that_is_new_tells_what_was_not_locked_so_before(self) -> None:
        old = make_environment(make_package("foo"), make_package("setuptools", "75.0"))
        new = replace(
            self.environment(make_package("setuptools", "75.0"), make_package("evil")),
            packages=(make_source("foo"), make_package("setuptools", "75.0")),
        )
        diff = compare(old, new)
        assert codes(diff) == {"wheel-became-sdist", "new-package"}
        assert find(diff, "new-package")[0].packages == ("evil",)

    def test_one_target_that_builds_what_another_has_a_wheel_of(self) -> None:
        targets = [f"python_version == '3.{minor}' and {LINUX}" for minor in (11, 12)]
        old = make_environment(make_package("foo", sdist=True), environments=targets)
        both = make_package("foo", sdist=True)
        build = make_environment(make_package("setuptools"), environments=targets[1:])
        new = make_environment(both, environments=targets, builds={"foo==1.0": build})
        [finding] = find(compare(replace(old, packages=(make_package("foo"),)), new), "wheel-became-sdist")
        assert finding.places[0].targets == ("3.12 linux x86_64",)


class TestOutside:
    def lock(self, version: str) -> Lockfile:
        environment = make_environment(make_package("ninja"), source=make_source("flash-attn", version))
        return Lockfile(variants={}, packages={NormalizedName("flash-attn"): {"cu124": environment}})

    def test_the_package_itself(self) -> None:
        [finding] = compare(self.lock("2.8.2"), self.lock("2.8.3")).findings
        assert (finding.code, finding.packages) == ("version-raised", ("flash-attn",))
        assert str(finding.places[0]) == "flash-attn for cu124"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        pytest.param(
            make_package("foo", base="https://a.example/x"),
            make_package("foo", base="https://a.example/y"),
            "details-changed",
            id="path",
        ),
        pytest.param(make_package("foo", size=None), make_package("foo"), "details-changed", id="size-known"),
        pytest.param(make_package("foo", size=1), make_package("foo", size=2), "hash-changed", id="size"),
        pytest.param(make_package("foo"), make_package("foo", base="wheels"), "source-moved", id="to-a-file"),
        pytest.param(
            make_package("foo", index=None),
            make_package("foo", index="https://a.example"),
            "index-moved",
            id="no-index",
        ),
        pytest.param(
            make_package("foo", base="http://127.0.0.1:1", index="https://a.example"),
            make_package("foo", base="http://a.example", index="https://a.example"),
            "insecure-index",
            id="files-in-the-clear",
        ),
        pytest.param(make_package("foo"), make_package("foo", requires=["foo"]), "details-changed", id="dependency"),
    ],
)
def test_one_package_that_changed(old: Package, new: Package, code: str) -> None:
    assert code in codes(compare(make_environment(old), make_environment(new)))


def test_an_index_that_moved_is_said_once_of_all_its_packages() -> None:
    names = ["foo", "bar", "baz"]
    old, new = (
        make_environment(*(make_package(name, index=f"https://{host}.example/simple") for name in names))
        for host in "ab"
    )
    [finding] = compare(old, new).findings
    assert (finding.code, finding.packages) == ("index-moved", ("bar", "baz", "foo"))


def test_a_repository_that_moved_and_a_commit() -> None:
    def git(url: str, commit: str) -> LockedEnvironment:
        vcs = PackageVcs(type="git", url=url, path=None, requested_revision="main", commit_id=commit, subdirectory=None)
        package = make_direct("foo", vcs=vcs)
        return make_environment(package, builds={"foo==1.0": make_environment()})

    old, new = git("https://git.example/foo", "a" * 40), git("https://git.example/fork", "b" * 40)
    assert codes(compare(old, new)) == {"source-moved", "commit-moved"}


def test_a_lock_of_thousands_of_packages_is_compared_in_passing() -> None:
    many = 3000
    old, new = (make_environment(*(make_package(f"p{i}", version) for i in range(many))) for version in ("1.0", "2.0"))
    diff = compare(old, new)
    assert len(diff.findings) == many
    assert len(render_all(diff)["md"].encode()) <= 65_536


def test_a_story_is_there_for_each_way_to_go() -> None:
    assert len(list_stories()) >= 20


class TestWhatIsNewInOnePlaceAndKnownFromAnother:
    """A file that was locked anywhere is held against what was locked, wherever the new lock puts it."""

    FOO = make_package("foo")
    OTHER = replace(FOO, wheels=[replace(make_wheel("foo-1.0-py3-none-any.whl"), hashes={"sha256": "0" * 64})])

    def test_a_variant_under_another_name(self) -> None:
        old = Lockfile(variants={"cpu": make_environment(self.FOO)})
        diff = compare(old, Lockfile(variants={"gpu": make_environment(self.OTHER)}))
        [finding] = find(diff, "hash-changed")
        assert finding.packages == ("foo",)
        assert finding.after == "0" * 64
        assert not find(compare(old, Lockfile(variants={"gpu": make_environment(self.FOO)})), "hash-changed")

    def test_a_package_that_a_build_has_now(self) -> None:
        source = make_source("bar")
        old = make_environment(self.FOO)
        new = make_environment(self.FOO, source, builds={"bar==1.0": make_environment(self.OTHER)})
        assert find(compare(old, new), "hash-changed")

    def test_a_package_that_a_build_has_now_from_another_index(self) -> None:
        other, source = make_package("foo", "2.0", index="https://other.example/simple"), make_source("bar")
        old = make_environment(self.FOO)
        new = make_environment(self.FOO, source, builds={"bar==1.0": make_environment(other)})
        [finding] = find(compare(old, new), "index-moved")
        assert (finding.before, finding.after) == ("https://index.example/simple", "https://other.example/simple")

    def test_a_version_that_another_variant_has(self) -> None:
        old = {"cpu": make_environment(make_package("foo", "0.9")), "gpu": make_environment(self.FOO)}
        new = {**old, "cpu": make_environment(self.OTHER)}
        assert codes(compare(Lockfile(variants=old), Lockfile(variants=new))) == {"version-raised", "hash-changed"}

    def test_a_file_that_another_variant_has(self) -> None:
        one = make_package("foo", tags=["cp311-cp311-linux_x86_64"])
        assert one.wheels is not None
        assert self.OTHER.wheels is not None
        old = {"cpu": make_environment(one), "gpu": make_environment(self.FOO)}
        new = {**old, "cpu": make_environment(replace(one, wheels=[*one.wheels, *self.OTHER.wheels]))}
        assert codes(compare(Lockfile(variants=old), Lockfile(variants=new))) == {"artifact-added", "hash-changed"}

    def test_the_file_of_another_index_is_another_file(self) -> None:
        other = replace(self.OTHER, index="https://other.example/simple")
        old, new = {"cpu": make_environment(self.FOO)}, {"gpu": make_environment(other)}
        diff = compare(Lockfile(variants=old), Lockfile(variants={**old, **new}))
        assert codes(diff) == {"variant-added"}

    def test_a_new_package_of_an_index_whose_files_are_elsewhere(self) -> None:
        elsewhere = make_package("new", base="https://elsewhere.example")
        diff = compare(make_environment(self.FOO), make_environment(self.FOO, elsewhere))
        [finding] = find(diff, "host-changed")
        assert (finding.packages, finding.before, finding.after) == (
            ("new",),
            "index.example",
            "elsewhere.example",
        )
        assert not find(compare(make_environment(), make_environment(elsewhere)), "host-changed")


@pytest.mark.parametrize(
    "inputs",
    [
        LockedInputs(requires=("foo; python_version != '` is gone `'",)),
        LockedInputs(dynamic={"wheel": ("foo; os_name != '`'",)}),
    ],
)
def test_no_requirement_ends_its_own_quotes(inputs: LockedInputs) -> None:
    foo = make_environment(make_package("foo"))
    sentences = [finding.message for finding in compare(foo, replace(foo, inputs=inputs)).findings]
    assert sentences
    assert all(sentence.count("`") == 2 for sentence in sentences), sentences
