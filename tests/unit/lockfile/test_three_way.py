"""Two locks that come from one, merged section by section, and the pins of both sides."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from buildlock.errors import InvalidLockError
from buildlock.lockfile.conflicts import split_conflicts
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.pins import unite_pins
from buildlock.lockfile.reader import parse_lockfile
from buildlock.lockfile.sections import parse_sections
from buildlock.lockfile.three_way import EMPTY, Versions, mark_conflicts, merge_locks
from buildlock.lockfile.writer import drop_variant, write_package, write_variant
from support.locks import make_environment, make_package, make_source

CPU = ("variants", "cpu")


def pin(**versions: str) -> LockedEnvironment:
    return make_environment(*(make_package(name, version) for name, version in versions.items()))


def write(text: str | None = None, /, **variants: LockedEnvironment) -> str:
    for name, environment in variants.items():
        text = write_variant(text, name, environment)
    assert text is not None
    return text


BASE = write(cpu=pin(a="1", b="1"), cu=pin(a="1"))


def merge(base: str | None, ours: str, theirs: str) -> tuple[str, list[tuple[str, ...]]]:
    merged = merge_locks(base.encode() if base is not None else None, ours.encode(), theirs.encode())
    return merged.text, list(merged.conflicts)


def test_each_side_has_changed_another_variant() -> None:
    ours, theirs = write(BASE, cpu=pin(a="2", b="1")), write(BASE, cu=pin(a="3"))
    assert merge(BASE, ours, theirs) == (write(ours, cu=pin(a="3")), [])
    assert merge(BASE, theirs, ours) == (write(ours, cu=pin(a="3")), [])


def test_one_side_keeps_its_bytes() -> None:
    theirs = write(BASE, cu=pin(a="3")).replace("[variants.cu]", "# why\n[variants.cu]  # here")
    ours = BASE.replace("[variants.cpu]", "[variants.cpu]  # mine")
    text, conflicts = merge(BASE, ours, theirs)
    assert not conflicts
    assert "[variants.cpu]  # mine" in text
    assert "\n\n# why\n[variants.cu]  # here\n" in text


def test_variants_and_packages_come_and_go() -> None:
    source = make_environment(make_package("a"), source=make_source("foo"))
    ours = write(BASE, rocm=pin(a="1"))
    theirs = write_package(drop_variant(BASE, "cu"), source.source.name, "cpu", source) if source.source else ""
    text, conflicts = merge(BASE, ours, theirs)
    assert not conflicts
    assert list(parse_sections(text.encode())) == [CPU, ("variants", "rocm"), ("packages", "foo", "cpu")]
    assert merge(BASE, theirs, ours) == (text, [])


def test_both_sides_have_made_the_same_change() -> None:
    same = write(BASE, cpu=pin(a="2"))
    assert merge(BASE, same, same) == (same, [])


@pytest.mark.parametrize("base", [BASE, None])
def test_both_sides_have_changed_a_variant(base: str | None) -> None:
    ours, theirs = write(BASE, cpu=pin(a="2", b="1")), write(BASE, cpu=pin(a="1", b="2"))
    assert merge(base, ours, theirs) == (ours, [CPU])


def lay_out_otherwise(key: str) -> str:
    """A lock whose one section has no header of its own."""
    package = (
        """{ name = "a", version = "9", wheels = [{ path = "a-9-py3-none-any.whl", hashes = { sha256 = "%s" } }] }"""
    )
    said = f"""environments = ["python_version == '3.11'"], packages = [{package % ("0" * 64)}]"""
    environment = f"""{{ {said}, inputs = {{ requires = ["a"] }} }}"""
    return f"""lock-version = "1.0"\n\n[variants]\n{key} = {environment}\n"""


@pytest.mark.parametrize("name", ["cpu", "rocm"])
def test_a_side_that_is_laid_out_otherwise_is_refused_and_not_dropped(name: str) -> None:
    theirs = lay_out_otherwise(name)
    assert parse_sections(theirs.encode())
    for base in (BASE, None):
        with pytest.raises(InvalidLockError, match=r"of their side.*not laid out as buildlock writes it"):
            merge(base, write(BASE, cpu=pin(a="2", b="1")), theirs)


def test_a_section_in_two_places_is_refused_and_not_halved() -> None:
    moved = write(BASE, cpu=pin(a="1", b="2"))
    *rest, last = moved.split("[[variants.cpu.packages]]")
    last, separator, others = last.partition("\n\n[variants.cu]")
    theirs = f"{'[[variants.cpu.packages]]'.join(rest)}{separator}{others}\n[[variants.cpu.packages]]{last}\n"
    assert parse_sections(theirs.encode()) == parse_sections(moved.encode())
    for ours in (BASE, write(BASE, cpu=pin(a="2", b="1"))):
        with pytest.raises(InvalidLockError, match="not laid out as buildlock writes it"):
            merge(BASE, ours, theirs)
        with pytest.raises(InvalidLockError, match="not laid out as buildlock writes it"):
            merge(BASE, theirs, write(BASE, cpu=pin(a="2", b="1")))


def test_without_a_base_what_one_side_has_stays() -> None:
    ours, theirs = write(cpu=pin(a="1")), write(cu=pin(a="2"))
    assert merge(None, ours, theirs) == (write(ours, cu=pin(a="2")), [])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_marked_lock_has_both_sides_whole(newline: str) -> None:
    ours, theirs = write(BASE, cpu=pin(a="2", b="1")), write(BASE, cpu=pin(a="1", b="2"), rocm=pin(a="1"))
    contents = (text.replace("\n", newline).encode() for text in (BASE, ours, theirs))
    marked = mark_conflicts(merge_locks(*contents), "HEAD", "topic").encode()
    assert marked.count(b"\n") == marked.count(newline.encode())
    sides = split_conflicts(marked, "x")
    assert sides is not None
    assert [side.label for side in sides] == ["HEAD", "topic"]
    read = [parse_lockfile(side.content, "x").variants for side in sides]
    assert read[0] == {"cpu": pin(a="2", b="1"), "cu": pin(a="1"), "rocm": pin(a="1")}
    assert read[1] == {"cpu": pin(a="1", b="2"), "cu": pin(a="1"), "rocm": pin(a="1")}


@pytest.mark.parametrize("turned", [False, True])
def test_one_side_has_taken_out_what_the_other_has_changed(*, turned: bool) -> None:
    sides = [drop_variant(BASE, "cpu").encode(), write(BASE, cpu=pin(a="2")).encode()]
    merged = merge_locks(BASE.encode(), *(sides[::-1] if turned else sides))
    assert list(merged.conflicts) == [CPU]
    split = split_conflicts(mark_conflicts(merged, "a", "b").encode(), "x")
    assert split is not None
    read = [parse_lockfile(side.content, "x") for side in split]
    assert ["cpu" in each.variants for each in read] == [turned, not turned]


LOCKS = st.dictionaries(
    st.sampled_from(["cpu", "cu124", "rocm"]), st.sampled_from([pin(a="1"), pin(a="2"), pin(a="2", b="1")]), max_size=3
)


def write_all(variants: dict[str, LockedEnvironment]) -> bytes:
    return write(EMPTY.decode(), **variants).encode()


@settings(max_examples=30)
@given(base=LOCKS, ours=LOCKS, theirs=LOCKS)
def test_the_laws_of_merging(
    base: dict[str, LockedEnvironment], ours: dict[str, LockedEnvironment], theirs: dict[str, LockedEnvironment]
) -> None:
    before, first, second = map(write_all, (base, ours, theirs))
    assert merge_locks(before, first, before).text.encode() == first
    assert merge_locks(before, before, first).text.encode() == first
    assert merge_locks(before, first, first).text.encode() == first
    merged, turned = merge_locks(before, first, second), merge_locks(before, second, first)
    assert merged.conflicts.keys() == turned.conflicts.keys()
    said = parse_sections(merged.text.encode())
    for name in ("cpu", "cu124", "rocm"):
        sides = [ours.get(name), theirs.get(name)]
        if ("variants", name) in merged.conflicts:
            assert base.get(name) not in sides
            assert sides[0] != sides[1]
        else:
            assert said.get(("variants", name)) in sides
            assert parse_sections(turned.text.encode()).get(("variants", name)) == said.get(("variants", name))
    # Nothing is lost, and what is in conflict is locked anew from the same.
    if merged.conflicts:
        split = split_conflicts(mark_conflicts(merged, "a", "b").encode(), "x")
        assert split is not None
        again = merge_locks(before, *(side.content for side in split))
        assert (again.text, again.conflicts) == (merged.text, merged.conflicts)


def test_a_side_that_is_no_lock_is_named() -> None:
    with pytest.raises(InvalidLockError, match=r"`build-lock.toml of their side` is invalid"):
        merge_locks(BASE.encode(), BASE.encode(), b"[")


def unite(
    base: LockedEnvironment | None, ours: LockedEnvironment | None, theirs: LockedEnvironment | None
) -> LockedEnvironment:
    united = unite_pins(Versions(base=base, ours=ours, theirs=theirs))
    assert united is not None
    return united


def list_versions(environment: LockedEnvironment) -> dict[str, str]:
    return {package.name: str(package.version) for package in environment.packages}


def test_the_pin_that_one_side_has_moved_is_kept_and_of_two_the_newer() -> None:
    base = pin(lowered="2", raised="1", both="1", gone="1")
    ours = pin(lowered="1", raised="1", both="2", gone="1")
    theirs = pin(lowered="2", raised="3", both="10", new="1")
    assert list_versions(unite(base, ours, theirs)) == {
        "lowered": "1",
        "raised": "3",
        "both": "10",
        # What nothing needs any more is not looked for.
        "gone": "1",
        "new": "1",
    }
    assert list_versions(unite(None, ours, theirs))["lowered"] == "2"


def test_entries_of_one_name_are_from_one_side() -> None:
    linux, other = "sys_platform == 'linux'", "sys_platform != 'linux'"
    ours = make_environment(make_package("a", "1", marker=linux), make_package("a", "3", marker=other))
    united = unite(None, ours, make_environment(make_package("a", "2")))
    assert [package.version for package in united.packages] == [Version("1"), Version("3")]


def test_builds_and_sources_have_pins_too() -> None:
    def build(number: str, version: str) -> LockedEnvironment:
        inner = {"foo==1": make_environment(make_package("a", version))}
        return make_environment(make_source("foo", "1"), builds=inner, source=make_source("bar", number))

    united = unite(build("1", "1"), build("1", "2"), build("2", "1"))
    assert list_versions(united.builds["foo==1"]) == {"a": "2"}
    assert united.source is not None
    assert united.source.version == Version("2")


def test_a_section_of_one_side_has_its_pins() -> None:
    assert unite(pin(a="1"), None, pin(a="2")) == pin(a="2")
    assert unite_pins(Versions(base=None, ours=None, theirs=None)) is None
