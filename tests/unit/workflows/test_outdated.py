"""What is looked at for newer versions, and what is not."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import MissingLockError, UncoveredTargetError
from buildlock.project.model import BuildRequirement
from buildlock.reporting import Event, Warned
from buildlock.workflows.graphs import Scope
from buildlock.workflows.lock import lock
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.outdated import OutdatedOptions, outdated
from buildlock.workflows.workspace import Workspace
from index.offer import OfferedFile, offer_sdist, offer_wheel
from index.server import serve

PROJECT = """
[build-system]
requires = ["helper<2", "tool"]

[tool.buildlock]
default-variant = "one"

[tool.buildlock.variants.one]
[tool.buildlock.variants.two]
"""
LINUX = LockOptions(all_variants=True, pythons=("3.12",), platforms=("x86_64-manylinux_2_28",), dynamic=False)
TARGET = OutdatedOptions(pythons=LINUX.pythons, platforms=LINUX.platforms, dynamic=False)


@dataclass
class Project:
    workspace: Workspace
    events: list[Event] = field(default_factory=list)

    def write(self, text: str) -> None:
        (self.workspace.root / "pyproject.toml").write_text(text, encoding="utf-8")


def offer_source(version: str) -> OfferedFile:
    """An sdist that says all that it needs."""
    pyproject = '[build-system]\nrequires = ["helper<2"]\nbuild-backend = "helper"\n'
    return offer_sdist(name="source", version=version, files={"pyproject.toml": pyproject}, metadata_version="2.2")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Locked for two variants that have the same."""
    offered = [offer_wheel(name=name, version=version) for name in ("helper", "tool") for version in ("1.0", "2.0")]
    offered += [offer_source("1.0"), offer_source("1.1")]
    with serve({"simple": offered}) as server:
        root = tmp_path / "project"
        root.mkdir()
        events: list[Event] = []
        workspace = Workspace(root=root, cache_dir=tmp_path / "cache", environ=server.environment, report=events.append)
        made = Project(workspace, events)
        made.write(PROJECT)
        lock(workspace, LINUX)
        yield made


def test_all_that_is_locked_is_looked_at(project: Project) -> None:
    found = outdated(project.workspace, TARGET)
    assert found.sections == ("one", "two")
    assert [(each.name, str(each.latest), sections) for each, sections in found.standings.items()] == [
        ("helper", "2.0", ("one", "two"))
    ]
    assert not found.upgradable


def test_what_the_inputs_allow_now(project: Project) -> None:
    project.write(PROJECT.replace("<2", ""))
    assert outdated(project.workspace, TARGET).upgradable


def test_a_variant_that_the_project_has_no_more(project: Project) -> None:
    project.write(PROJECT.replace("[tool.buildlock.variants.two]", ""))
    assert outdated(project.workspace, TARGET).sections == ("one",)
    assert [event.message for event in project.events if isinstance(event, Warned)] == [
        "`two` is locked, and the project has no such variant any more: it was not looked at"
    ]


def test_the_build_of_a_source_that_would_move_itself(project: Project) -> None:
    bounded = PROJECT.replace('"helper<2"', '"source"') + 'constraints = ["source<1.1"]\n'
    project.write(bounded)
    lock(project.workspace, replace(LINUX, all_variants=False, variants=("two",)))
    project.write(bounded.replace("<1.1", ""))
    found = outdated(project.workspace, replace(TARGET, scope=Scope(variants=("two",))))
    assert [(each.name, str(each.allowed), str(each.latest), each.build) for each in found.standings] == [
        ("source", "1.1", "1.1", None),
        ("helper", "1.0", "2.0", "source==1.0"),
    ]
    (held,) = [each.held for each in found.standings if each.build]
    assert held[0].obstacles[0].text.endswith("[build-system].requires of `source`)")


@pytest.mark.parametrize(("configured", "allowed"), [("", "1.0"), ('[tool.buildlock.packages]\nsource = ""\n', "1.1")])
def test_a_package_from_elsewhere(project: Project, configured: str, allowed: str) -> None:
    """What nobody configured is asked for as it is locked."""
    wanted = BuildRequirement(requirement=Requirement("source==1.0"), origin="--package")
    lock(project.workspace, replace(LINUX, all_variants=False, variants=("one",), packages=(wanted,)))
    project.write(PROJECT + configured)
    found = outdated(project.workspace, TARGET)
    assert found.sections == ("one", "source 1.0 for one", "two")
    section = ("source 1.0 for one",)
    standings = [each for each, sections in found.standings.items() if sections == section]
    assert [(each.name, str(each.locked), str(each.allowed), str(each.latest)) for each in standings] == [
        ("source", "1.0", allowed, "1.1"),
        ("helper", "1.0", "1.0", "2.0"),
    ]
    alone = outdated(project.workspace, replace(TARGET, scope=Scope(package=NormalizedName("source"))))
    assert alone.sections == section


def test_targets_that_are_not_locked(project: Project) -> None:
    other = OutdatedOptions(pythons=("3.13",), platforms=LINUX.platforms)
    with pytest.raises(UncoveredTargetError, match=r"the lock does not cover CPython 3\.13") as caught:
        outdated(project.workspace, other)
    assert caught.value.hint == "name the targets with `--python` and `--platform`, as when it was locked"


@pytest.mark.parametrize("scope", [Scope(variants=("three",)), Scope(package=NormalizedName("foo"))])
def test_what_is_not_locked(project: Project, scope: Scope) -> None:
    with pytest.raises(MissingLockError):
        outdated(project.workspace, OutdatedOptions(scope=scope))
