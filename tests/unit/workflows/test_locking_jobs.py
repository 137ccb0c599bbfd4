"""What is locked where both sides of a merge have changed the lock."""

from pathlib import Path
from typing import TypeAlias

import pytest
from packaging.pylock import PackageVcs
from packaging.requirements import Requirement

from buildlock.errors import LockfileError
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.sections import SectionKey
from buildlock.project.model import BuildRequirement
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locking_jobs import choose_variants, list_jobs
from buildlock.workflows.workspace import Workspace
from support.locks import make_direct, make_environment, make_source

PYPROJECT = """\
[build-system]
requires = ["foo"]

[tool.buildlock.variants.cpu]

[tool.buildlock.variants.cu124]

[tool.buildlock.packages.kernels]
version = "==1.0"
requires = ["torch"]
variants = ["cu124"]
"""
CONFIGURED = make_environment(source=make_source("kernels"))
OTHER = make_environment(source=make_source("other", "2.0"))
Conflicts: TypeAlias = dict[SectionKey, LockedEnvironment]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return Workspace(root=tmp_path, cache_dir=tmp_path / "cache", environ={})


def list_sections(
    workspace: Workspace, conflicts: Conflicts, options: LockOptions | None = None
) -> list[tuple[str, str | None]]:
    """Variants, and what is locked for each: the requirement of a package, or `None` for the project."""
    project, options = workspace.read_project(), options or LockOptions()
    names = choose_variants(workspace, project, options, marked=True)
    jobs = list_jobs(workspace, project, options, names, conflicts)
    return [
        (job.matches.bind().variant.name, str(each.requirement.requirement) if each is not None else None)
        for job in jobs
        for each in job.packages
    ]


def test_only_what_is_in_conflict(workspace: Workspace) -> None:
    assert list_sections(workspace, {}) == []
    assert list_sections(workspace, {("variants", "cpu"): make_environment()}) == [("cpu", None)]


def test_what_is_asked_for_besides(workspace: Workspace) -> None:
    conflicts: Conflicts = {("variants", "cpu"): make_environment()}
    asked = list_sections(workspace, conflicts, LockOptions(variants=("cu124",)))
    assert asked == [("cpu", None), ("cu124", None), ("cu124", "kernels==1.0")]


def test_packages_from_elsewhere(workspace: Workspace) -> None:
    conflicts: Conflicts = {
        ("packages", "kernels", "cu124"): CONFIGURED,
        ("packages", "other", "cpu"): OTHER,
    }
    assert list_sections(workspace, conflicts) == [("cpu", "other==2.0"), ("cu124", "kernels==1.0")]


def test_what_is_no_longer_configured_is_not_locked(workspace: Workspace) -> None:
    conflicts: Conflicts = {
        ("variants", "rocm"): make_environment(),
        ("packages", "other", "rocm"): OTHER,
        ("packages", "kernels", "cpu"): CONFIGURED,
    }
    assert list_sections(workspace, conflicts) == []


def test_a_package_of_no_index_has_to_be_asked_for(workspace: Workspace) -> None:
    vcs = PackageVcs(type="git", url="https://git.example/other", commit_id=COMMIT)
    conflicts: Conflicts = {("packages", "other", "cpu"): make_environment(source=make_direct("other", vcs=vcs))}
    with pytest.raises(LockfileError, match="both sides of the merge have locked `other` for `cpu`"):
        list_sections(workspace, conflicts)
    url = BuildRequirement(requirement=Requirement("other @ git+https://git.example/other"), origin="--package")
    asked = list_sections(workspace, conflicts, LockOptions(packages=(url,), variants=("cpu",)))
    assert asked == [("cpu", "other @ git+https://git.example/other")]
