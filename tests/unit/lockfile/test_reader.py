"""Every lock of `fixtures/locks` is read, or refused with the message beside it."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from buildlock.errors import BuildlockError, InvalidLockError, LockfileError, MissingLockError
from buildlock.lockfile.consistency import MAX_DEPTH
from buildlock.lockfile.layout import format_section
from buildlock.lockfile.reader import MAX_SIZE, parse_lockfile, read_lockfile
from buildlock.lockfile.writer import PREAMBLE
from support.locks import LOCKS, make_cuda_environment, make_environment, make_source

VALID = sorted((LOCKS / "valid").glob("*.toml"))
INVALID = sorted((LOCKS / "invalid").iterdir())
GOLDEN = (LOCKS / "valid" / "cuda-variants.toml").read_text(encoding="utf-8")


def describe(error: BuildlockError) -> str:
    return error.message + (f"\n\nhint: {error.hint}" if error.hint else "") + "\n"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid(path: Path) -> None:
    lockfile = read_lockfile(path)
    assert lockfile.variants
    outside = [each for variants in lockfile.packages.values() for each in variants.values()]
    for environment in (*lockfile.variants.values(), *outside):
        environment.pylock().validate()


@pytest.mark.parametrize("folder", INVALID, ids=lambda folder: folder.name)
def test_invalid(folder: Path) -> None:
    with pytest.raises(InvalidLockError) as caught:
        parse_lockfile((folder / "build-lock.toml").read_bytes(), "build-lock.toml")
    assert describe(caught.value) == (folder / "message.txt").read_text(encoding="utf-8")


def test_what_is_read() -> None:
    lockfile = read_lockfile(LOCKS / "valid" / "cuda-variants.toml")
    assert list(lockfile.variants) == ["cu118", "cu124"]
    assert lockfile.environment("cu124") == make_cuda_environment("cu124", "2.4.0")


def test_order_is_that_of_the_format() -> None:
    cpu = read_lockfile(LOCKS / "valid" / "arranged-by-hand.toml").environment("cpu")
    assert [package.name for package in cpu.packages] == ["cmake", "ninja"]
    assert [wheel.filename for wheel in cpu.packages[1].wheels or ()] == [
        "ninja-1.11-py3-none-linux_x86_64.whl",
        "ninja-1.11-py3-none-win_amd64.whl",
    ]
    assert [str(marker)[-6:] for marker in cpu.environments] == ['"3.11"', '"3.12"']
    assert cpu.inputs.requires == ("cmake", "ninja")


def test_no_variants() -> None:
    assert parse_lockfile(b'lock-version = "1.0"\n', "build-lock.toml").variants == {}


@pytest.mark.parametrize("text", ['lock-version = "1.0"\n[variants\n', 'lock-version = "1.0"\nlock-version = "1.0"\n'])
def test_not_toml_says_where(text: str) -> None:
    with pytest.raises(InvalidLockError, match=r"it is not TOML: .*\(at line 2, column \d+\)"):
        parse_lockfile(text.encode(), "build-lock.toml")


def test_too_large() -> None:
    with pytest.raises(InvalidLockError, match="larger than 16 MiB"):
        parse_lockfile(b"#" * (MAX_SIZE + 1), "build-lock.toml")


@pytest.mark.parametrize(
    "requirement", ["numpy==" + "9" * 4000, "numpy" + ",".join([">=1"] * 900), "numpy===" + "x" * 4000]
)
def test_extreme_requirements_are_only_compared(requirement: str) -> None:
    text = GOLDEN.replace('"numpy"', f'"{requirement}"', 1)
    try:
        parse_lockfile(text.encode(), "build-lock.toml")
    except InvalidLockError as error:
        assert "`numpy` is locked at `2.1.3`" in error.message  # noqa: PT017 - some of them do fit


def test_variant_that_is_not_locked() -> None:
    lockfile = read_lockfile(LOCKS / "valid" / "cuda-variants.toml")
    with pytest.raises(MissingLockError, match="does not lock the variant `cpu`: it locks `cu118`, `cu124`") as caught:
        lockfile.environment("cpu")
    assert caught.value.hint == "run `buildlock lock --variant cpu`"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingLockError, match=r"there is no `.*build-lock\.toml`"):
        read_lockfile(tmp_path / "build-lock.toml")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="is not a file"):
        read_lockfile(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "build-lock.toml")
    with pytest.raises(LockfileError, match="is not a file"):
        read_lockfile(tmp_path / "build-lock.toml")


def test_path_that_leads_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LockfileError):
        read_lockfile(tmp_path / "file" / "build-lock.toml")


def chain(length: int, *, closed: bool) -> str:
    """`foo-0` is built with `foo-1`, and so on; the last with the first, or with nothing."""
    names = [f"foo-{number}" for number in range(length)]
    builds = {
        f"{name}==1.0": make_environment(*([make_source(then)] if then else []))
        for name, then in zip(names, [*names[1:], names[0] if closed else None], strict=True)
    }
    environment = make_environment(make_source(names[0]), builds=builds)
    return PREAMBLE + format_section(("variants", "cpu"), environment) + "\n"


@pytest.mark.parametrize(("length", "refused"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True), (3000, True)])
def test_depth_of_builds(length: int, refused: bool) -> None:  # noqa: FBT001 - a case of the test
    text = chain(length, closed=False).encode()
    if not refused:
        assert len(parse_lockfile(text, "build-lock.toml").environment("cpu").builds) == length
        return
    with pytest.raises(InvalidLockError, match=f"its builds need builds, {length} deep: at most {MAX_DEPTH} are read"):
        parse_lockfile(text, "build-lock.toml")


def test_cycle_is_told_in_its_direction() -> None:
    with pytest.raises(InvalidLockError) as caught:
        parse_lockfile(chain(3, closed=True).encode(), "build-lock.toml")
    told = caught.value.faults[0].removeprefix("`variants.cpu`: ").split(" is built with ")
    numbers = [int(name.split(" 1.0")[0].removeprefix("`foo-")) for name in told]
    assert [(then - number) % 3 for number, then in pairwise(numbers)] == [1, 1, 1]


def test_long_cycle_is_cut() -> None:
    with pytest.raises(InvalidLockError) as caught:
        parse_lockfile(chain(1000, closed=True).encode(), "build-lock.toml")
    [fault] = caught.value.faults
    assert len(fault) < 500
    assert "…" in fault
