"""What the merge driver makes of two locks, with the project as our side has it."""

from dataclasses import replace
from pathlib import Path

import pytest

from buildlock.errors import LockfileError
from buildlock.lockfile.conflicts import split_conflicts
from buildlock.lockfile.reader import MAX_SIZE, parse_lockfile
from buildlock.lockfile.writer import write_variant
from buildlock.workflows.git_merge import GitMerge, merge_files
from support.locks import make_environment, make_source
from support.merging import Branches


def merge(branches: Branches, base: bytes, ours: bytes, theirs: bytes, *, checked_out: bytes | None = None) -> GitMerge:
    branches.workspace.lock_path.write_bytes(ours if checked_out is None else checked_out)
    files = []
    for name, content in (("base", base), ("ours", ours), ("theirs", theirs)):
        path = branches.root / f".merge_file_{name}"
        path.write_bytes(content)
        files.append(path)
    return merge_files(branches.workspace, *files, labels=("HEAD", "topic"))


def read_versions(content: bytes, variant: str = "cpu") -> dict[str, str]:
    packages = parse_lockfile(content, "x").variants[variant].packages
    return {package.name: str(package.version) for package in packages}


def expect_conflict(merged: GitMerge, reason: str, ours: bytes, theirs: bytes) -> None:
    """Both sides are there, whole; and it is said why."""
    assert not merged.relocked
    assert merged.reason is not None
    assert reason in merged.reason
    sides = split_conflicts(merged.content, "x")
    assert sides is not None
    assert [parse_lockfile(side.content, "x") for side in sides] == [
        parse_lockfile(each, "x") for each in (ours, theirs)
    ]


def test_different_variants_are_merged_without_an_index(branches: Branches) -> None:
    base, ours = branches.lock_base(), branches.upgrade("filelock")
    theirs = branches.upgrade("ninja", variant="gpu")
    branches.server.exchanges.clear()
    merged = merge(branches, base, ours, theirs)
    assert not merged.conflicts
    assert not merged.relocked
    assert not branches.server.exchanges
    assert read_versions(merged.content)["filelock"] == "3.16.1"
    assert read_versions(merged.content, "gpu")["ninja"] == "1.11.1.3"


def test_one_variant_is_locked_anew_with_the_pins_of_both(branches: Branches) -> None:
    base, ours, theirs = branches.lock_base(), branches.upgrade("filelock"), branches.upgrade("sympy")
    merged = merge(branches, base, ours, theirs)
    assert merged.relocked == ("cpu",)
    assert read_versions(merged.content) == {
        "filelock": "3.16.1",
        "sympy": "1.13.3",
        "mpmath": "1.3.0",
        "tinybackend": "1.0",
        # Nobody has upgraded it.
        "typing-extensions": "4.8.0",
    }
    assert parse_lockfile(merged.content, "x").variants["gpu"] == parse_lockfile(base, "x").variants["gpu"]
    assert merge(branches, base, theirs, ours).content == merged.content


def test_no_answer_from_the_index_leaves_both_sides(branches: Branches) -> None:
    ours, theirs = branches.upgrade("filelock"), branches.upgrade("sympy")
    workspace = branches.workspace
    environ = {**workspace.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    paths = [branches.root / name for name in ("base", "ours", "theirs")]
    for path, content in zip(paths, (branches.lock_base(), ours, theirs), strict=True):
        path.write_bytes(content)
    workspace.lock_path.write_bytes(ours)
    away = replace(workspace, environ=environ, cache_dir=branches.root / "cold")
    expect_conflict(merge_files(away, *paths, labels=("a", "b")), "could not be fetched", ours, theirs)


def test_inputs_that_their_side_has_changed_are_not_merged_yet(branches: Branches) -> None:
    ours, theirs = branches.upgrade("filelock"), branches.upgrade("sympy")
    more = theirs.replace(b'"sympy", "tinybackend"', b'"mpmath", "sympy", "tinybackend"', 1)
    assert more != theirs
    expect_conflict(merge(branches, branches.lock_base(), ours, more), "which is not merged yet", ours, more)


def test_inputs_that_our_side_has_changed_are_in_the_work_tree(branches: Branches) -> None:
    theirs = branches.upgrade("sympy")
    pyproject = branches.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"sympy"', '"sympy", "mpmath"'), encoding="utf-8")
    branches.lock(all_variants=True)
    merged = merge(branches, branches.lock_base(), branches.workspace.lock_path.read_bytes(), theirs)
    assert merged.relocked == ("cpu",)
    assert b'"mpmath", "sympy", "tinybackend"' in merged.content
    assert read_versions(merged.content)["sympy"] == "1.13.3"


def test_a_project_that_is_not_as_our_side_has_it(branches: Branches) -> None:
    base, ours, theirs = branches.lock_base(), branches.upgrade("filelock"), branches.upgrade("sympy")
    merged = merge(branches, base, ours, theirs, checked_out=base)
    expect_conflict(merged, "the project is not there as our side has it", ours, theirs)
    pyproject = branches.root / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"sympy", ', ""), encoding="utf-8")
    expect_conflict(merge(branches, base, ours, theirs), "no longer answers the project: ", ours, theirs)
    pyproject.write_text('[build-system]\nrequires = ["foo"]\n', encoding="utf-8")
    expect_conflict(merge(branches, base, ours, theirs), "has no variant `cpu`", ours, theirs)
    pyproject.write_text("[", encoding="utf-8")
    expect_conflict(merge(branches, base, ours, theirs), "pyproject.toml", ours, theirs)


def test_another_machine_s_lock_is_left_alone(branches: Branches) -> None:
    elsewhere = b"sys_platform == 'win32' and platform_machine == 'AMD64'"
    sides = [branches.lock_base(), branches.upgrade("filelock"), branches.upgrade("sympy")]
    moved = [side.replace(b"sys_platform == 'linux' and platform_machine == 'x86_64'", elsewhere) for side in sides]
    if moved == sides:
        pytest.skip("locked for a machine that is not Linux on x86-64")
    expect_conflict(merge(branches, *moved), "locked for other targets", *moved[1:])


def test_one_file_with_two_hashes_is_for_people_to_decide(branches: Branches) -> None:
    base, ours, theirs = branches.lock_base(), branches.upgrade("filelock"), branches.upgrade("sympy")
    digest = theirs[theirs.index(b"tinybackend-1.0") :].partition(b'sha256 = "')[2][:64]
    tampered = theirs.replace(digest, b"0" * 64, 1)
    expect_conflict(merge(branches, base, ours, tampered), "has two hashes", ours, tampered)


def test_what_is_built_from_source_is_not_locked_by_a_merge(branches: Branches) -> None:
    base, ours = branches.lock_base(), branches.upgrade("filelock")
    built = make_environment(make_source("foo"), builds={"foo==1.0": make_environment()})
    theirs = write_variant(base.decode(), "cpu", built).encode()
    expect_conflict(merge(branches, base, ours, theirs), "code of what it builds from source", ours, theirs)


def test_one_side_has_taken_the_variant_out(branches: Branches) -> None:
    base, theirs = branches.lock_base(), branches.upgrade("sympy")
    ours = base[: base.index(b"[variants.cpu]")] + base[base.index(b"[variants.gpu]") :]
    expect_conflict(merge(branches, base, ours, theirs), "one side has taken `cpu` out", ours, theirs)


@pytest.mark.parametrize("broken", [b"[", b"\xff\n", b"<<<<<<< a\n=======\n>>>>>>> b\n", b""])
def test_a_side_that_is_no_lock_is_kept_whole(branches: Branches, broken: bytes) -> None:
    ours = branches.lock_base()
    merged = merge(branches, ours, ours, broken)
    assert merged.conflicts == ("all of it",)
    assert merged.content.startswith(b"<<<<<<< HEAD\n" + ours)
    assert broken.rstrip(b"\n") in merged.content
    assert merged.content.endswith(b"\n>>>>>>> topic\n")


def test_a_side_that_is_too_large_is_kept_whole(branches: Branches) -> None:
    ours, large = branches.lock_base(), b"#" * (MAX_SIZE + 100)
    merged = merge(branches, ours, ours, large)
    assert merged.content == b"<<<<<<< HEAD\n" + ours + b"=======\n" + large + b"\n>>>>>>> topic\n"


def test_a_file_that_cannot_be_read(branches: Branches) -> None:
    with pytest.raises(LockfileError, match="nowhere` cannot be read: "):
        merge_files(branches.workspace, *[branches.root / "nowhere"] * 3, labels=("a", "b"))


@pytest.mark.parametrize("broken", [b"", b"[", b"<<<<<<< a\n=======\n>>>>>>> b\n", b"\xff"])
def test_a_common_ancestor_that_is_no_lock_is_none(branches: Branches, broken: bytes) -> None:
    ours, theirs = branches.upgrade("filelock"), branches.upgrade("ninja", variant="gpu")
    merged = merge(branches, broken, ours, theirs)
    # Both variants are new on both sides.
    assert merged.relocked == ("cpu", "gpu")
    assert read_versions(merged.content)["filelock"] == "3.16.1"
    assert read_versions(merged.content, "gpu")["ninja"] == "1.11.1.3"


def test_a_file_that_is_not_there(tmp_path: Path, branches: Branches) -> None:
    away = replace(branches.workspace, root=tmp_path / "nowhere")
    ours, theirs = branches.upgrade("filelock"), branches.upgrade("sympy")
    paths = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, content in zip(paths, (branches.lock_base(), ours, theirs), strict=True):
        path.write_bytes(content)
    expect_conflict(merge_files(away, *paths, labels=("a", "b")), "there is no", ours, theirs)
