"""`lock` of a lock that a merge left with conflict markers."""

from subprocess import CalledProcessError

import pytest

from buildlock.errors import InvalidLockError, StaleLockError
from buildlock.lockfile.reader import parse_lockfile
from buildlock.lockfile.three_way import mark_conflicts, mark_text, merge_locks
from buildlock.workflows.lock import lock
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locking import LockResult
from support.git import GitRepository
from support.merging import Branches


def mark(branches: Branches, ours: bytes, theirs: bytes) -> None:
    text = mark_conflicts(merge_locks(branches.lock_base(), ours, theirs), "HEAD", "topic")
    branches.workspace.lock_path.write_text(text, encoding="utf-8")


def relock(branches: Branches, options: LockOptions | None = None) -> LockResult:
    return lock(branches.workspace, options or LockOptions(dynamic=False))


def read_versions(branches: Branches, variant: str = "cpu") -> dict[str, str]:
    packages = parse_lockfile(branches.workspace.lock_path.read_bytes(), "x").variants[variant].packages
    return {package.name: str(package.version) for package in packages}


def test_locks_what_both_sides_have_changed_with_the_pins_of_both(branches: Branches) -> None:
    mark(branches, branches.upgrade("filelock"), branches.upgrade("sympy"))
    result = relock(branches)
    assert [section.variant for section in result.sections] == ["cpu"]
    # Against ours, which has the newer filelock already.
    assert [change.name for change in result.sections[0].changes] == ["sympy"]
    versions = read_versions(branches)
    assert (versions["filelock"], versions["sympy"], versions["typing-extensions"]) == ("3.16.1", "1.13.3", "4.8.0")
    assert not relock(branches).written


def test_check_and_dry_run_leave_the_markers(branches: Branches) -> None:
    mark(branches, branches.upgrade("filelock"), branches.upgrade("sympy"))
    before = branches.workspace.lock_path.read_bytes()
    with pytest.raises(StaleLockError, match="would change: `cpu`"):
        relock(branches, LockOptions(dynamic=False, check=True))
    assert not relock(branches, LockOptions(dynamic=False, dry_run=True)).written
    assert branches.workspace.lock_path.read_bytes() == before


def test_what_one_side_has_changed_needs_no_locking(branches: Branches) -> None:
    """As a merge by lines marks it that had nothing to go by."""
    ours = branches.lock_base()[: branches.lock_base().index(b"[variants.gpu]")].decode()
    marked = f"{ours}{mark_text('', branches.lock_base().decode()[len(ours) :], 'HEAD', 'topic')}\n"
    branches.workspace.lock_path.write_text(marked, encoding="utf-8")
    branches.server.exchanges.clear()
    with pytest.raises(StaleLockError, match="a merge left conflict markers in it"):
        relock(branches, LockOptions(dynamic=False, check=True))
    result = relock(branches)
    assert result.written
    assert not result.sections
    assert branches.workspace.lock_path.read_bytes() == branches.lock_base()
    assert not branches.server.exchanges


def test_what_is_asked_for_is_locked_too(branches: Branches) -> None:
    mark(branches, branches.upgrade("filelock"), branches.upgrade("sympy"))
    result = relock(branches, LockOptions(dynamic=False, variants=("gpu",)))
    assert [section.variant for section in result.sections] == ["cpu", "gpu"]


def test_a_variant_that_the_project_no_longer_has_goes(branches: Branches) -> None:
    mark(branches, branches.upgrade("filelock"), branches.upgrade("sympy"))
    pyproject = branches.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("variants.cpu]", "variants.rocm]"), encoding="utf-8")
    pyproject.write_text(pyproject.read_text().replace('"cpu"', '"gpu"'), encoding="utf-8")
    assert relock(branches).dropped == ("cpu",)
    assert list(parse_lockfile(branches.workspace.lock_path.read_bytes(), "x").variants) == ["gpu"]


def test_git_knows_the_sides_better_than_a_merge_by_lines(branches: Branches) -> None:
    """Lines that do not overlap are merged into what was never locked; the index has all three."""
    repository = GitRepository(branches.root / "repository")
    own = Branches(root=repository.folder, server=branches.server, cache=branches.cache, locks=branches.locks)
    pyproject = (branches.root / "pyproject.toml").read_text()
    repository.commit({"pyproject.toml": pyproject, "build-lock.toml": branches.lock_base().decode()})
    repository.run("checkout", "--quiet", "-b", "topic")
    repository.commit({"build-lock.toml": branches.upgrade("filelock", "typing-extensions").decode()})
    repository.run("checkout", "--quiet", "main")
    # The conflict is about filelock; that of sympy and typing-extensions git has merged, in either way.
    lowered = branches.upgrade("filelock", "sympy").replace(b"3.16.1", b"3.16.0")
    repository.commit({"build-lock.toml": lowered.decode()})
    with pytest.raises(CalledProcessError):
        repository.run("merge", "topic")
    assert "<<<<<<<" in own.workspace.lock_path.read_text()
    result = relock(own)
    assert [section.variant for section in result.sections] == ["cpu"]
    versions = read_versions(own)
    assert (versions["sympy"], versions["typing-extensions"]) == ("1.13.3", "4.12.2")


def test_a_side_that_is_invalid_is_said(branches: Branches) -> None:
    branches.workspace.lock_path.write_bytes(b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n")
    with pytest.raises(InvalidLockError, match="of our side` is invalid"):
        relock(branches)
