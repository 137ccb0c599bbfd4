"""Laws of reading metadata: a file read in parts is the file; what was written is what is read."""

import io
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata
from buildlock.metadata.core import parse_core_metadata
from buildlock.metadata.ranged import RangedFile
from buildlock.metadata.wheel import read_wheel_metadata
from support.zips import make_zip

names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True)
normalized = names.map(canonicalize_name)
versions = st.builds(
    "{}{}{}".format,
    st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda release: ".".join(map(str, release))),
    st.sampled_from(["", "a1", "rc2", ".post3", ".dev4"]),
    st.sampled_from(["", "+cpu", "+cu124", "+rocm6.1"]),
)
specifiers = st.sampled_from(["", ">=1", ">=3.9,!=3.10.1", "~=2.0", "==2.4.0", "===weird"])
markers = st.sampled_from(["", " ; python_version < '3.12'", " ; extra == 'Fast' and sys_platform == 'linux'"])
requirements = st.builds("{}{}{}".format, names, specifiers, markers)


def make_artifact(name: NormalizedName, version: Version) -> Artifact:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Artifact(
        name=name, version=version, kind="wheel", filename=filename, url=f"https://files.example/{filename}"
    )


@given(
    name=names,
    version=versions,
    requires=st.lists(requirements, max_size=5),
    python=st.none() | specifiers,
    extras=st.lists(names, max_size=3),
    description=st.text(max_size=100),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_is_what_is_read(
    *,
    name: str,
    version: str,
    requires: Sequence[str],
    python: str | None,
    extras: Sequence[str],
    description: str,
    newline: str,
) -> None:
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [] if python is None else [f"Requires-Python: {python}"]
    content = newline.join([*lines, "", description]).encode("utf-8")

    read = parse_core_metadata(content, artifact=make_artifact(canonicalize_name(name), Version(version)))

    assert read == CoreMetadata(
        name=canonicalize_name(name),
        version=Version(version),
        requires_dist=tuple(map(Requirement, requires)),
        requires_python=None if python is None else SpecifierSet(python),
        provides_extra=frozenset(map(canonicalize_name, extras)),
    )


steps = st.one_of(
    st.tuples(st.just("seek"), st.integers(0, 60), st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(0, 20), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-40, 10), st.just(io.SEEK_END)),
    st.tuples(st.just("read"), st.integers(-1, 50), st.just(0)),
)


@given(content=st.binary(min_size=40, max_size=60), kept=st.integers(0, 60), steps=st.lists(steps, max_size=14))
def test_a_file_read_in_parts_is_the_file(content: bytes, kept: int, steps: Sequence[tuple[str, int, int]]) -> None:
    def fetch(start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(content)
        return content[start:end]

    ranged, whole = RangedFile(fetch, len(content)), io.BytesIO(content)
    ranged.keep(len(content[:kept]), content[kept:])
    for step, number, whence in steps:
        if step == "seek":
            assert ranged.seek(number, whence) == whole.seek(number, whence)
        else:
            assert ranged.read(number) == whole.read(number)
        assert ranged.tell() == whole.tell()


@given(
    metadata=st.binary(max_size=2000),
    before=st.lists(st.binary(max_size=3000), max_size=5),
    after=st.lists(st.binary(max_size=3000), max_size=5),
    kept=st.integers(0, 5000),
    comment=st.binary(max_size=50).filter(lambda comment: b"PK" not in comment),
)
def test_any_wheel_gives_its_metadata(
    metadata: bytes, before: Sequence[bytes], after: Sequence[bytes], kept: int, comment: bytes
) -> None:
    members = [(f"foo/before{number}", content) for number, content in enumerate(before)]
    members.append(("foo-1.0.dist-info/METADATA", metadata))
    members += [(f"foo/after{number}", content) for number, content in enumerate(after)]
    wheel = make_zip(members, comment=comment)
    file = RangedFile(lambda start, end: wheel[start:end], len(wheel))
    tail = max(0, len(wheel) - kept)
    file.keep(tail, wheel[tail:])
    assert read_wheel_metadata(file, make_artifact(canonicalize_name("foo"), Version("1.0"))) == metadata
