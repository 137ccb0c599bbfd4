"""What a lock records of the project, and what it says when the project moved."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.artifacts import Origin
from buildlock.lockfile.freshness import compare_inputs, format_requirement, inputs_of
from buildlock.lockfile.model import LockedInputs
from buildlock.lockfile.values import parse_requirement, parse_source
from buildlock.project.model import BuildInputs, BuildRequirement, Index, Settings, SourceRule
from buildlock.project.network import Network, parse_insecure_host
from buildlock.project.requirements import direct_rule
from buildlock.variants import Variant

ROOT = Path("/home/someone/project")
PROJECT = "pyproject.toml: [tool.uv].constraint-dependencies"
TORCH, NUMPY = NormalizedName("torch"), NormalizedName("numpy")


def require(*texts: str, origin: str = PROJECT) -> tuple[BuildRequirement, ...]:
    return tuple(BuildRequirement(requirement=Requirement(text), origin=origin) for text in texts)


def make_index(url: str, *, origin: str = "pyproject.toml: [[tool.uv.index]]", explicit: bool = False) -> Index:
    return Index(url=url, location=url, origin=origin, explicit=explicit)


def make_inputs(
    *requires: str,
    constraints: tuple[BuildRequirement, ...] = (),
    overrides: tuple[BuildRequirement, ...] = (),
    sources: dict[NormalizedName, tuple[SourceRule, ...]] | None = None,
    settings: Settings | None = None,
) -> BuildInputs:
    return BuildInputs(
        variant=Variant(name="cu124"),
        requires=require(*requires),
        constraints=constraints,
        overrides=overrides,
        sources=sources or {},
        declared=settings or Settings(),
    )


def record(inputs: BuildInputs, packages: tuple[str, ...] = ("torch", "numpy"), root: Path = ROOT) -> LockedInputs:
    return inputs_of(inputs, backend="setuptools.build_meta", dynamic={}, packages=packages, root=root)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch==2.4.0", "Torch == 2.4.0"),
        ("torch>=2,<3", "torch<3, >=2"),
        ("torch==2.4", "torch==2.4.0"),
        ("setuptools_scm[toml,b]", "setuptools-scm[B, TOML]"),
        ("tomli; python_version<'3.11'", 'tomli ;python_version < "3.11"'),
    ],
)
def test_two_ways_to_write_one_requirement(one: str, other: str) -> None:
    assert compare_inputs(record(make_inputs(one)), record(make_inputs(other))) == ()


def test_order_is_no_input() -> None:
    assert record(make_inputs("numpy", "torch")) == record(make_inputs("torch", "numpy", "torch"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Foo.Bar", "foo-bar"),
        ("Foo@https://x.example/a ; os_name == 'nt'", "foo @ https://x.example/a ; os_name == 'nt'"),
        ("foo [B, a] >= 1 , < 2", "foo[a,b]<2,>=1"),
        ('foo ; os_name == "nt" and extra == "A_b"', "foo; os_name == 'nt' and extra == 'a-b'"),
        ('foo ; os_name == "it\'s"', 'foo; os_name == "it\'s"'),
    ],
)
def test_requirements_are_written_one_way(text: str, expected: str) -> None:
    assert format_requirement(Requirement(text)) == expected


def test_requirements_of_no_file_count() -> None:
    inputs = BuildInputs(variant=Variant(name="default"), requires=require("setuptools", origin="PEP 517's default"))
    assert record(inputs).requires == ("setuptools",)


def test_only_the_project_counts() -> None:
    ambient = "environment variable UV_CONSTRAINT"
    inputs = make_inputs(
        "torch",
        constraints=(*require("torch<3"), *require("numpy<2", origin=ambient)),
        overrides=require("numpy==1", origin=ambient),
        sources={TORCH: (SourceRule(index=make_index("https://mine.example", origin="UV_INDEX"), origin=PROJECT),)},
    )
    recorded = record(inputs)
    assert recorded.constraints == ("torch<3",)
    assert recorded.overrides == ()
    assert recorded.indexes == {}


def test_what_concerns_no_locked_package_is_left_out() -> None:
    rule = SourceRule(index=make_index("https://index.example", explicit=True), origin="pyproject.toml")
    inputs = make_inputs(
        "torch",
        constraints=require("torch<3", "Django<5"),
        overrides=require("unused; python_version < '3'"),
        sources={TORCH: (rule,), canonicalize_name("torchaudio"): (rule,)},
        settings=Settings(no_build_package=frozenset({TORCH, canonicalize_name("django")})),
    )
    recorded = record(inputs)
    assert recorded.constraints == ("torch<3",)
    assert list(recorded.indexes) == ["torch"]
    assert recorded.settings == {"no-build-package": ("torch",)}
    assert recorded.overrides == ("unused; python_version < '3'",)


def test_rules_with_markers_are_recorded_not_evaluated() -> None:
    rules = (
        SourceRule(index=make_index("https://b.example"), marker=Marker('sys_platform == "linux"'), origin="x"),
        SourceRule(index=make_index("https://a.example"), marker=Marker("sys_platform != 'linux'"), origin="x"),
    )
    assert record(make_inputs("torch", sources={TORCH: rules})).indexes == {
        "torch": ("https://a.example ; sys_platform != 'linux'", "https://b.example ; sys_platform == 'linux'")
    }


def test_local_places_are_relative_to_the_project(tmp_path: Path) -> None:
    root = tmp_path / "project"
    rule = SourceRule(index=make_index((tmp_path / "my wheels").as_uri(), explicit=True), origin="x")
    settings = Settings(
        indexes=(make_index((root / "index").as_uri()),),
        find_links=(str(root / "wheels"), (tmp_path / "vendor").as_uri(), "https://me:secret@files.example/links"),
    )
    recorded = record(make_inputs("torch", sources={TORCH: (rule,)}, settings=settings), root=root)
    assert recorded.indexes == {"torch": ("../my wheels",)}
    assert recorded.settings == {
        "index": ("index",),
        "find-links": ("wheels", "../vendor", "https://files.example/links"),
    }


def test_settings() -> None:
    moment = datetime(2024, 11, 25, 1, tzinfo=timezone(timedelta(hours=1)))
    settings = Settings(
        index_strategy="unsafe-best-match",
        prerelease="allow",
        exclude_newer=moment,
        exclude_newer_package={TORCH: None, NUMPY: moment},
        no_binary=True,
        no_build=True,
        no_binary_package=frozenset({NUMPY}),
        network=Network(insecure_hosts=tuple(map(parse_insecure_host, ("b.example:8443", "a.example"))), retries=9),
    )
    assert record(make_inputs(settings=settings)).settings == {
        "allow-insecure-host": ("a.example", "b.example:8443"),
        "exclude-newer": "2024-11-25T00:00:00Z",
        "exclude-newer-package": ("numpy=2024-11-25T00:00:00Z", "torch=false"),
        "index-strategy": "unsafe-best-match",
        "no-binary": True,
        "no-binary-package": ("numpy",),
        "no-build": True,
        "prerelease": "allow",
    }
    assert record(make_inputs()).settings == {}


def test_a_relative_date_is_the_same_tomorrow() -> None:
    def on(day: int) -> Settings:
        moment = datetime(2024, 11, day, tzinfo=timezone.utc)
        return Settings(
            exclude_newer=moment,
            exclude_newer_span="7 days",
            exclude_newer_package={NUMPY: moment},
            exclude_newer_package_spans={NUMPY: "2 days"},
        )

    recorded = record(make_inputs(settings=on(25)))
    assert recorded == record(make_inputs(settings=on(26)))
    assert recorded.settings == {"exclude-newer": "7 days", "exclude-newer-package": ("numpy=2 days",)}


@pytest.mark.parametrize(
    ("locked", "current", "moved"),
    [
        (
            LockedInputs(requires=("numpy", "torch==2.4.0", "wheel")),
            LockedInputs(requires=("cmake>=3.28", "numpy", "torch==2.5.1")),
            [
                "the build requirement `cmake>=3.28` was added",
                "the build requirement `torch==2.4.0` is now `torch==2.5.1`",
                "the build requirement `wheel` was removed",
            ],
        ),
        (
            LockedInputs(requires=("numpy<2; python_version < '3.12'",)),
            LockedInputs(requires=("numpy", "numpy<2; python_version < '3.11'")),
            [
                "the build requirement `numpy<2; python_version < '3.12'` was removed",
                "the build requirement `numpy` was added",
                "the build requirement `numpy<2; python_version < '3.11'` was added",
            ],
        ),
        (
            LockedInputs(constraints=("numpy<2",), overrides=("wheel==0.45",)),
            LockedInputs(constraints=("numpy<3",)),
            ["the constraint `numpy<2` is now `numpy<3`", "the override `wheel==0.45` was removed"],
        ),
        (
            LockedInputs(indexes={"torch": ("https://a.example",), "numpy": ("https://a.example",)}),
            LockedInputs(indexes={"torch": ("https://b.example",), "ninja": ("https://b.example",)}),
            [
                "`ninja` has a source now: `https://b.example`",
                "`numpy` has no source any more: it was `https://a.example`",
                "the source of `torch` moved from `https://a.example` to `https://b.example`",
            ],
        ),
        (
            LockedInputs(settings={"prerelease": "allow", "no-build": True}),
            LockedInputs(settings={"prerelease": "disallow", "find-links": ("a", "b")}),
            [
                "the setting `find-links` is now `a`, `b`",
                "the setting `no-build` is the default again: it was `true`",
                "the setting `prerelease` is now `disallow`: it was `allow`",
            ],
        ),
        (
            LockedInputs(match_runtime={"uv.lock": ("numpy==2.1.3", "torch==2.4.0+cu124")}),
            # What is installed is not compared here, nor what says so.
            LockedInputs(match_runtime={"pylock.toml": ("ninja", "torch==2.5.1+cu124")}),
            [
                "`ninja` is matched with the runtime now, with pylock.toml",
                "`numpy` is no longer matched with the runtime: it was, with uv.lock",
            ],
        ),
        (
            LockedInputs(backend="flit_core.buildapi"),
            LockedInputs(backend="hatchling.build"),
            ["the build backend is now `hatchling.build`: it was `flit_core.buildapi`"],
        ),
        (
            LockedInputs(targets=("3.11 linux", "3.12 linux")),
            LockedInputs(targets=("3.12 linux", "3.13 linux")),
            ["the target `3.11 linux` was removed", "the target `3.13 linux` was added"],
        ),
        (LockedInputs(targets=("3.11 linux",)), LockedInputs(), ["the project names no targets any more"]),
        (
            LockedInputs(dynamic={"wheel": ("ninja",), "sdist": ("numpy<2",)}),
            LockedInputs(dynamic={"sdist": ("numpy<3",)}),
            [
                "the dynamic requirement of the sdist `numpy<2` is now `numpy<3`",
                "the dynamic requirement of the wheel `ninja` was removed",
            ],
        ),
    ],
    ids=[
        *("requires", "requires-with-markers", "constraints", "indexes", "settings", "match-runtime", "backend"),
        *("targets", "no-targets", "dynamic"),
    ],
)
def test_each_input_that_moved_is_said(locked: LockedInputs, current: LockedInputs, moved: list[str]) -> None:
    assert list(compare_inputs(locked, current)) == moved
    assert compare_inputs(locked, locked) == ()


def test_dynamic_requirements_are_normalised() -> None:
    locked = inputs_of(make_inputs(), backend=None, dynamic={"wheel": ["Ninja >=1"]}, packages=(), root=ROOT)
    assert locked.dynamic == {"wheel": ("ninja>=1",)}


class TestOrigins:
    def test_are_recorded_as_direct_references(self) -> None:
        origins = {
            "git+https://git.example/torch@main#subdirectory=py": Origin(
                kind="vcs", url="https://me:secret@git.example/torch", revision="main", subdirectory="py"
            ),
            "git+ssh://git@git.example/torch": Origin(kind="vcs", url="ssh://git@git.example/torch"),
            "git+../torch@a%40b": Origin(kind="vcs", url=(ROOT.parent / "torch").as_uri(), revision="a@b"),
            "libs/torch": Origin(kind="directory", url=(ROOT / "libs/torch").as_uri()),
            f"https://a.example/torch.zip#sha256={'ab' * 32}": Origin(
                kind="archive", url="https://a.example/torch.zip", hashes={"sha256": "ab" * 32}
            ),
        }
        for text, origin in origins.items():
            rule = SourceRule(direct=origin, origin="pyproject.toml: [tool.uv.sources.torch]")
            assert record(make_inputs("torch", sources={TORCH: (rule,)})).indexes == {"torch": (text,)}
            assert parse_source(text) == text

    def test_of_a_requirement_are_recorded_with_it_alone(self) -> None:
        (requirement,) = require("torch @ https://me:secret@a.example/torch.zip ; os_name == 'nt'")
        inputs = make_inputs(sources={TORCH: (direct_rule(requirement),)})
        recorded = record(replace(inputs, requires=(requirement,)))
        assert recorded.requires == ("torch @ https://a.example/torch.zip ; os_name == 'nt'",)
        assert recorded.indexes == {}
        assert parse_requirement(recorded.requires[0])

    def test_that_moved(self) -> None:
        before, after = ("git+https://git.example/torch@main",), ("git+https://git.example/torch@next",)
        moved = compare_inputs(LockedInputs(indexes={"torch": before}), LockedInputs(indexes={"torch": after}))
        assert moved == (f"the source of `torch` moved from `{before[0]}` to `{after[0]}`",)

    @pytest.mark.parametrize(
        "text",
        [
            "git+ssh://git:secret@git.example/torch",
            "git+https://me@git.example/torch",
            "ssh://git@git.example/torch",
            "git+/srv/torch",
            "https://a.example/torch.zip#\x1b",
        ],
    )
    def test_that_a_lock_cannot_have(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"credentials|not relative|neither|control"):
            parse_source(text)

    def test_of_an_extra_is_recorded_when_the_backend_asks_for_the_package(self) -> None:
        (pin,) = require("numpy @ https://a.example/numpy.zip", origin="pyproject.toml: [project].gpu")
        inputs = replace(make_inputs("torch"), runtime=(pin,))
        dynamic = {"wheel": ("numpy", "torch @ https://a.example/torch.zip")}
        recorded = inputs_of(inputs, backend=None, dynamic=dynamic, packages=("torch", "numpy"), root=ROOT)
        assert recorded.indexes == {"numpy": ("https://a.example/numpy.zip",)}
