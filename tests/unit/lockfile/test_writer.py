"""The writer lays out one variant, and leaves every other byte alone."""

from dataclasses import replace

import pytest
from packaging.pylock import Package, PackageWheel
from packaging.utils import NormalizedName

from buildlock.errors import InvalidLockError
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile
from buildlock.lockfile.reader import parse_lockfile, read_lockfile
from buildlock.lockfile.writer import drop_package, drop_variant, write_package, write_sections, write_variant
from support.locks import (
    LINUX_311,
    LOCKS,
    make_cuda_environment,
    make_environment,
    make_package,
    make_source,
    make_wheel,
)

GOLDEN = (LOCKS / "valid" / "cuda-variants.toml").read_text(encoding="utf-8")
BY_HAND = (LOCKS / "valid" / "arranged-by-hand.toml").read_text(encoding="utf-8")
SOURCES = (LOCKS / "valid" / "sources.toml").read_text(encoding="utf-8")
FLASH = NormalizedName("flash-attn")
CU118 = make_cuda_environment("cu118", "2.2.0")
CU124 = make_cuda_environment("cu124", "2.4.0")


def read_variants(text: str) -> dict[str, LockedEnvironment]:
    return dict(parse_lockfile(text.encode(), "build-lock.toml").variants)


def test_golden() -> None:
    text = write_variant(write_variant(None, "cu124", CU124), "cu118", CU118)
    assert text == GOLDEN


class TestManySections:
    """A lock of many variants is read and checked as often as one of few."""

    @staticmethod
    def make(count: int, version: str) -> dict[tuple[str, ...], LockedEnvironment]:
        return {("variants", f"v{n:02}"): make_cuda_environment("cu118", version) for n in range(count)}

    @pytest.mark.parametrize("old", [None, GOLDEN, "several"])
    def test_they_are_written_as_if_one_by_one(self, old: str | None) -> None:
        old = write_sections(None, self.make(3, "2.1.0")) if old == "several" else old
        environments = self.make(4, "2.2.0")
        text = old
        for key, environment in environments.items():
            text = write_variant(text, key[-1], environment)
        assert write_sections(old, environments) == text

    @pytest.mark.parametrize("count", [2, 8, 32])
    def test_what_is_read_grows_as_they_do(self, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
        old, read = write_sections(None, self.make(count, "2.1.0")), []

        def parse(content: bytes, where: str) -> Lockfile:
            lockfile = parse_lockfile(content, where)
            read.append(len(lockfile.variants))
            return lockfile

        monkeypatch.setattr("buildlock.lockfile.sections.parse_lockfile", parse)
        monkeypatch.setattr("buildlock.lockfile.writer.parse_lockfile", parse)
        write_sections(old, self.make(count, "2.2.0"))
        assert sum(read) == 3 * count  # the old ones, each new one, and the result


@pytest.mark.parametrize("name", ["cuda-variants", "everything", "sources"])
def test_layout_is_stable(name: str) -> None:
    path = LOCKS / "valid" / f"{name}.toml"
    text = None
    lockfile = read_lockfile(path)
    # Packages from elsewhere first: their sections go to the end whenever they are written.
    for package, variants in lockfile.packages.items():
        for variant, environment in variants.items():
            text = write_package(text, package, variant, environment)
    for variant, environment in lockfile.variants.items():
        text = write_variant(text, variant, environment)
    assert text == path.read_text(encoding="utf-8")


def test_order_of_the_values_does_not_matter() -> None:
    shuffled = LockedEnvironment(
        environments=CU124.environments, inputs=CU124.inputs, packages=tuple(reversed(CU124.packages))
    )
    assert write_variant(None, "cu124", shuffled) == write_variant(None, "cu124", CU124)


def test_unchanged_is_untouched() -> None:
    for variant, environment in read_variants(BY_HAND).items():
        assert write_variant(BY_HAND, variant, environment) == BY_HAND


def test_another_variant_keeps_its_bytes() -> None:
    changed = write_variant(GOLDEN, "cu118", make_cuda_environment("cu118", "2.2.1"))
    start = GOLDEN.index("[variants.cu124]")
    assert changed.endswith(GOLDEN[start:])
    assert "2.2.0" not in changed


def test_variants_are_sorted() -> None:
    text = write_variant(GOLDEN, "cu121", make_environment())
    assert list(read_variants(text)) == ["cu118", "cu121", "cu124"]
    assert text.index("[variants.cu118]") < text.index("[variants.cu121]") < text.index("[variants.cu124]")
    assert drop_variant(text, "cu121") == GOLDEN


def test_a_package_from_elsewhere_is_a_section_of_its_own() -> None:
    flash = read_lockfile(LOCKS / "valid" / "sources.toml").packages[FLASH]
    text = write_package(SOURCES, FLASH, "cu124", flash["cu118"])
    start = SOURCES.index("[packages.flash-attn.cu124]")
    assert text[:start] == SOURCES[:start]
    assert text[start:] == SOURCES[SOURCES.index("[packages.flash-attn.cu118]") : start].rstrip("\n").replace(
        "[packages.flash-attn.cu118", "[packages.flash-attn.cu124"
    ).join(["", "\n"])
    dropped = drop_package(SOURCES, FLASH, "cu118")
    assert "flash-attn.cu118" not in dropped
    assert write_package(dropped, FLASH, "cu118", flash["cu118"]) == SOURCES
    assert drop_package(dropped, FLASH, "cu118") == dropped
    assert "flash-attn" not in drop_package(dropped, FLASH, "cu124")


def test_a_variant_and_a_package_of_one_name_are_two_sections() -> None:
    flash = read_lockfile(LOCKS / "valid" / "sources.toml").packages[FLASH]["cu118"]
    both = write_package(write_variant(None, "cpu", CU124), NormalizedName("cpu-only"), "cpu", named(flash, "cpu-only"))
    assert drop_variant(both, "cpu").count("[packages.cpu-only.cpu]") == 1
    assert drop_package(both, NormalizedName("cpu-only"), "cpu") == write_variant(None, "cpu", CU124)


def named(environment: LockedEnvironment, name: str) -> LockedEnvironment:
    source = make_source(name)
    return replace(environment, source=source)


@pytest.mark.parametrize("source", [None, make_source("other")], ids=["none", "other"])
def test_what_is_built_is_what_the_section_is_named_after(source: Package | None) -> None:
    with pytest.raises(
        InvalidLockError, match=r"`the new lock of foo for cpu` is invalid: `packages\.foo\.cpu\.source"
    ):
        write_package(None, NormalizedName("foo"), "cpu", make_environment(source=source))


def test_a_variant_builds_the_project_itself() -> None:
    flash = read_lockfile(LOCKS / "valid" / "sources.toml").packages[FLASH]["cu118"]
    with pytest.raises(InvalidLockError, match=r"`variants\.cpu\.source` is an unknown key"):
        write_variant(None, "cpu", flash)


def test_name_with_a_dot_is_one_key() -> None:
    text = write_variant(GOLDEN, "rocm6.1", make_environment(make_package("wheel")))
    assert '[variants."rocm6.1"]\n' in text
    assert '[[variants."rocm6.1".packages]]\n' in text
    assert drop_variant(text, "rocm6.1") == GOLDEN


def test_comments_of_others_are_kept() -> None:
    text = write_variant(BY_HAND, "cpu", make_environment())
    section = BY_HAND[BY_HAND.index("# Kept while") : BY_HAND.index("\n[variants.cpu]")]
    assert section in text


def test_comment_above_a_variant_stays_and_goes_with_it() -> None:
    text = write_variant(BY_HAND, "cu118", make_environment())
    assert "\n# Kept while the cluster has the old driver.\n[variants.cu118]\n" in text
    assert "the only one" not in text
    assert "the old driver" not in drop_variant(text, "cu118")
    assert list(read_variants(drop_variant(text, "cu118"))) == ["cpu"]


def test_windows_line_ends_are_kept() -> None:
    text = write_variant(GOLDEN.replace("\n", "\r\n"), "cu118", make_environment())
    assert text == write_variant(GOLDEN, "cu118", make_environment()).replace("\n", "\r\n")


def test_no_line_end_at_the_end() -> None:
    assert write_variant(GOLDEN.rstrip("\n"), "cu118", CU118) == GOLDEN.rstrip("\n")
    assert drop_variant(write_variant(GOLDEN.rstrip("\n"), "zzz", make_environment()), "zzz") == GOLDEN


def test_dropping_the_last_leaves_a_lock() -> None:
    text = drop_variant(drop_variant(GOLDEN, "cu118"), "cu124")
    assert read_variants(text) == {}
    assert write_variant(text, "cu124", CU124) == write_variant(None, "cu124", CU124)


def test_dropping_what_is_not_there() -> None:
    assert drop_variant(GOLDEN, "cpu") == GOLDEN


@pytest.mark.parametrize(
    "text",
    [
        f'lock-version = "1.0"\n[variants]\ncpu = {{ environments = ["{LINUX_311}"], inputs = {{ requires = [] }} }}\n',
        f'lock-version = "1.0"\nvariants.cpu.environments = ["{LINUX_311}"]\nvariants.cpu.inputs.requires = []\n',
        f'lock-version = "1.0"\n  [variants.cpu]\n  environments = ["{LINUX_311}"]\n  inputs = {{ requires = [] }}\n',
    ],
    ids=["inline", "dotted", "indented"],
)
def test_other_layouts_are_not_guessed_at(text: str) -> None:
    assert list(read_variants(text)) == ["cpu"]
    with pytest.raises(InvalidLockError, match="is not laid out as buildlock writes it"):
        drop_variant(text, "cpu")
    with pytest.raises(InvalidLockError, match="is not laid out as buildlock writes it"):
        write_variant(text, "cpu", make_environment(make_package("wheel")))


def test_header_within_a_string_is_no_header() -> None:
    hidden = '"""\n[variants.cu118]\n"""'
    text = GOLDEN.replace('backend = "setuptools.build_meta:__legacy__"', f"backend = {hidden}", 1)
    with pytest.raises(InvalidLockError):
        write_variant(text, "cu124", make_environment())


@pytest.mark.parametrize(
    ("wheel", "fault"),
    [
        (make_wheel("wheel-1.0-py3-none-any.whl", base="https://me:secret@index.example"), "carries credentials"),
        (make_wheel("wheel-2.0-py3-none-any.whl"), "is not a file of `wheel` 1.0"),
        (PackageWheel(url="https://index.example/wheel-1.0-py3-none-any.whl", hashes={"md5": "0"}), "is missing"),
        (PackageWheel(url="https://index.example/\ud800/wheel-1.0-py3-none-any.whl", hashes={}), "is not TOML"),
    ],
)
def test_what_could_not_be_read_is_not_written(wheel: PackageWheel, fault: str) -> None:
    package = replace(make_package("wheel"), wheels=[wheel])
    with pytest.raises(InvalidLockError, match=fault) as caught:
        write_variant(GOLDEN, "cpu", make_environment(package))
    assert caught.value.message.startswith("`the new lock of cpu` ")
    assert "secret" not in caught.value.message


def test_invisible_characters_show() -> None:
    environment = make_environment(inputs=LockedInputs(settings={"prerelease": "al\tlow"}))
    with pytest.raises(InvalidLockError, match=r"'al\\tlow' has characters that do not show"):
        write_variant(None, "cpu", environment)
