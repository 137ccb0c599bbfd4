"""The laws of the lockfile: what is written is read back, and nothing else is touched."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.pylock import Package, PackageArchive, PackageDirectory, PackageSdist, PackageVcs, PackageWheel, Pylock
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import InvalidLockError
from buildlock.export.pylock import export_pylock
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile, find_key, is_source
from buildlock.lockfile.reader import parse_lockfile
from buildlock.lockfile.toml_text import format_key, format_string
from buildlock.lockfile.writer import drop_package, drop_variant, write_package, write_variant
from support.locks import LOCKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GOLDEN = (LOCKS / "valid" / "cuda-variants.toml").read_bytes()

law = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

NAMES = ("a", "numpy", "nvidia-cublas-cu12", "setuptools-scm", "torch", "x2", "zope-interface")
KINDS = ("wheels", "sdist", "both", "archive", "wheel", "vcs", "directory")
T = TypeVar("T")

names = st.sampled_from(NAMES)
versions = st.sampled_from(["1.0", "2.4.0+cu124", "1!3.0.post1", "0.1.dev5", "2024.11.25", "1.0rc1"])
markers = st.sampled_from(["python_version == '3.11'", "sys_platform != 'win32'", 'os_name == "it\'s"'])
tags = st.sampled_from(
    ["py3-none-any", "cp311-cp311-linux_x86_64", "cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"]
)
sizes = st.none() | st.integers(1, 2**40)
sha256s = st.binary(min_size=32, max_size=32).map(bytes.hex)
urls = st.sampled_from(["https://index.example/simple", "http://localhost:8080/a%20b", "https://[::1]/x?y=(z)&w='1'"])
folders = st.lists(
    st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="/\\"), min_size=1), max_size=3
)
subdirectories = st.none() | st.sampled_from(["python", "src/core", "ü b"])
lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
variants = st.sampled_from(["cpu", "cu121", "cu126", "rocm6.1", "xpu-2_0", "Z"])


commits = st.binary(min_size=20, max_size=20).map(bytes.hex) | st.binary(min_size=32, max_size=32).map(bytes.hex)
repositories = st.sampled_from(
    ["https://git.example/a/b.git", "ssh://git@git.example:2222/a", "http://localhost/~me/a"]
)
revisions = st.none() | st.sampled_from(["main", "v1.0", "feature/ü", "HEAD", "0123abc"])


@st.composite
def paths_to(draw: st.DrawFn, filename: str) -> str:
    return "/".join([*(f"_{folder}" for folder in draw(folders) if folder.isprintable()), filename])


@st.composite
def files(draw: st.DrawFn, kind: Callable[..., T], filename: str) -> T:
    size, hashes = draw(sizes), {"sha256": draw(sha256s)}
    match draw(st.sampled_from(["url", "path", "name"])):
        case "url":
            url = f"https://files.example/{filename.replace('+', '%2B')}"
            return kind(name=draw(st.sampled_from([None, filename])), url=url, size=size, hashes=hashes)
        case "path":
            return kind(path=draw(paths_to(filename)), size=size, hashes=hashes)
        case _:
            return kind(name=filename, url=draw(urls), size=size, hashes=hashes)


@st.composite
def wheels(draw: st.DrawFn, name: str, version: str) -> PackageWheel:
    return draw(files(PackageWheel, f"{name.replace('-', '_')}-{version}-{draw(tags)}.whl"))


@st.composite
def sdists(draw: st.DrawFn, name: str, version: str) -> PackageSdist:
    return draw(files(PackageSdist, f"{name.replace('-', '_')}-{version}{draw(st.sampled_from(['.tar.gz', '.zip']))}"))


@st.composite
def archives(draw: st.DrawFn, name: str, version: str, *, wheel: bool) -> PackageArchive:
    filename = draw(wheels(name, version)).filename if wheel else draw(st.sampled_from(["main.zip", "v1.0.tar.gz"]))
    url, path = f"https://files.example/{filename.replace('+', '%2B')}", draw(paths_to(filename))
    local = draw(st.booleans())
    return PackageArchive(
        url=None if local else url,
        path=path if local else None,
        size=draw(sizes),
        hashes={"sha256": draw(sha256s)},
        subdirectory=None if wheel else draw(subdirectories),
    )


@st.composite
def repositories_of(draw: st.DrawFn) -> PackageVcs:
    local = draw(st.booleans())
    return PackageVcs(
        type="git",
        url=None if local else draw(repositories),
        path=draw(paths_to("repository")) if local else None,
        requested_revision=draw(revisions),
        commit_id=draw(commits),
        subdirectory=draw(subdirectories),
    )


@st.composite
def origins(draw: st.DrawFn, name: str, version: str, kind: str) -> Package:
    """A package with nothing but its identity and where it comes from."""
    package = Package(name=NormalizedName(name), version=Version(version))
    if kind in {"wheels", "both"}:
        several = st.lists(wheels(name, version), min_size=1, max_size=3, unique_by=lambda wheel: wheel.filename)
        package = replace(package, index=draw(st.none() | urls), wheels=draw(several))
    if kind in {"sdist", "both"}:
        package = replace(package, sdist=draw(sdists(name, version)))
    if kind in {"archive", "wheel"}:
        package = replace(package, archive=draw(archives(name, version, wheel=kind == "wheel")))
    if kind == "vcs":
        package = replace(package, vcs=draw(repositories_of()))
    if kind == "directory":
        directory = PackageDirectory(path=draw(paths_to("folder")), subdirectory=draw(subdirectories))
        package = replace(package, directory=directory, tool={"buildlock": {"sha256": draw(sha256s)}})
    return package


@st.composite
def packages_of(draw: st.DrawFn, available: Sequence[str], kinds: Sequence[str]) -> tuple[Package, ...]:
    chosen = draw(st.lists(st.sampled_from(available), unique=True, max_size=3))
    return tuple(
        replace(
            draw(origins(name, draw(versions), draw(st.sampled_from(kinds)))),
            marker=draw(st.none() | markers.map(Marker)),
            dependencies=[{"name": other} for other in draw(st.lists(st.sampled_from(chosen), unique=True))],
        )
        for name in chosen
    )


@st.composite
def builds_of(draw: st.DrawFn, packages: Sequence[Package], depth: int) -> dict[str, LockedEnvironment]:
    """What the packages are built in, of other packages at each depth: nothing is needed for itself."""
    builds: dict[str, LockedEnvironment] = {}
    for package in filter(is_source, packages):
        inside = draw(packages_of([f"{name}-{depth}" for name in NAMES[:3]], KINDS if depth else ("wheels", "wheel")))
        inputs = LockedInputs(
            requires=tuple(package.name for package in inside),
            extra_requires=tuple(package.name for package in draw(st.lists(st.sampled_from(inside)))) if inside else (),
            dynamic={"wheel": tuple(package.name for package in inside[:1])},
            match_runtime={"uv.lock": tuple(f"{package.name}==={package.version}" for package in inside[:1])},
            backend=draw(st.none() | lines),
        )
        targets = tuple(map(Marker, draw(st.lists(markers, min_size=1, max_size=2))))
        builds[find_key(package)] = LockedEnvironment(environments=targets, inputs=inputs, packages=inside)
        if depth:
            builds.update(draw(builds_of(inside, depth - 1)))
    return builds


@st.composite
def environments(draw: st.DrawFn) -> LockedEnvironment:
    packages = draw(packages_of(NAMES, KINDS))
    inputs = LockedInputs(
        requires=tuple(package.name for package in packages),
        constraints=draw(st.lists(names, max_size=12).map(tuple)),
        overrides=draw(st.lists(names, max_size=2).map(tuple)),
        indexes=draw(st.dictionaries(names, st.tuples(urls), max_size=3)),
        settings={"index": draw(st.lists(lines, min_size=1, max_size=8).map(tuple)), "no-build": draw(st.booleans())},
        backend=draw(st.none() | lines),
        match_runtime=draw(
            st.dictionaries(
                st.sampled_from(["uv.lock", "pylock.toml", "pylock.cu124.toml", "--runtime-environment"]),
                st.just(tuple(f"{package.name}==={package.version}" for package in packages[:1])),
            )
        ),
    )
    targets = tuple(map(Marker, draw(st.lists(markers, min_size=1, max_size=3))))
    return LockedEnvironment(
        environments=targets, inputs=inputs, packages=packages, builds=draw(builds_of(packages, depth=1))
    )


@st.composite
def outside_of(draw: st.DrawFn, name: str) -> LockedEnvironment:
    """What a package from elsewhere is built in."""
    source = draw(origins(name, draw(versions), draw(st.sampled_from(["sdist", "archive", "vcs"]))))
    environment = draw(environments())
    extra = draw(st.sets(st.sampled_from(environment.inputs.requires))) if environment.inputs.requires else ()
    return replace(environment, inputs=replace(environment.inputs, extra_requires=tuple(extra)), source=source)


elsewhere = names.map(lambda name: f"{name}-x").flatmap(
    lambda name: st.tuples(st.just(NormalizedName(name)), variants, outside_of(name))
)


def read(text: str) -> dict[str, LockedEnvironment]:
    return dict(parse_lockfile(text.encode(), "build-lock.toml").variants)


@law
@given(st.dictionaries(variants, environments(), max_size=3))
def test_what_is_written_is_read_back(environments: dict[str, LockedEnvironment]) -> None:
    text = None
    for name, environment in environments.items():
        text = write_variant(text, name, environment)
    if text is not None:
        assert read(text) == environments
        assert list(read(text)) == sorted(environments)
        for name, environment in environments.items():
            assert write_variant(text, name, environment) == text


@law
@given(st.dictionaries(variants, environments(), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_writing_leaves_no_trace(environments: dict[str, LockedEnvironment], random: Random) -> None:
    texts = set()
    for _ in range(2):
        text = None
        for name in random.sample(sorted(environments), len(environments)):
            text = write_variant(text, name, environments[name])
        texts.add(text)
    assert len(texts) == 1


@law
@given(st.lists(elsewhere, max_size=3), st.dictionaries(variants, environments(), max_size=1))
def test_packages_from_elsewhere_are_read_back(
    sections: list[tuple[NormalizedName, str, LockedEnvironment]], environments: dict[str, LockedEnvironment]
) -> None:
    text, packages = None, dict[NormalizedName, dict[str, LockedEnvironment]]()
    for name, variant, environment in sections:
        text = write_package(text, name, variant, environment)
        packages.setdefault(name, {})[variant] = environment
    for variant, environment in environments.items():
        text = write_variant(text, variant, environment)
    if text is not None:
        assert parse_lockfile(text.encode(), "build-lock.toml") == Lockfile(variants=environments, packages=packages)
        without = text
        for package, variant, _ in sections:
            without = drop_package(without, package, variant)
        assert read(without) == environments
        for package, variants in packages.items():
            for variant, environment in variants.items():
                without = write_package(without, package, variant, environment)
        assert without == text


@law
@given(variants, environments(), environments())
def test_the_others_keep_their_bytes(name: str, one: LockedEnvironment, other: LockedEnvironment) -> None:
    golden = GOLDEN.decode()
    text = write_variant(golden, name, one)
    for line in golden.split("\n\n"):
        assert line.strip("\n") in text
    assert write_variant(write_variant(text, name, other), name, one) == text
    assert drop_variant(text, name) == golden


@law
@given(environments())
def test_every_lock_is_a_pep_751_lock(environment: LockedEnvironment) -> None:
    environment.pylock().validate()
    lock = Pylock.from_dict(tomllib.loads(export_pylock(environment)))
    read_back = LockedEnvironment(
        environments=tuple(lock.environments or ()), inputs=environment.inputs, packages=tuple(lock.packages)
    )
    assert read_back == replace(environment, builds={})


@law
@given(st.text())
def test_any_string_survives(value: str) -> None:
    document = f"{format_key(value)} = {format_string(value)}"
    assert tomllib.loads(document) == {value: value}
    assert document.isprintable()


@law
@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(InvalidLockError):
        parse_lockfile(content, "build-lock.toml")


@law
@given(st.integers(0, len(GOLDEN) - 1), st.integers(0, 40), st.binary(max_size=12))
def test_any_damage_is_refused_or_harmless(start: int, length: int, patch: bytes) -> None:
    damaged = GOLDEN[:start] + patch + GOLDEN[start + length :]
    with suppress(InvalidLockError):
        for environment in parse_lockfile(damaged, "build-lock.toml").variants.values():
            environment.pylock().validate()


values = st.recursive(
    st.dates() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, inner in items for path in paths(inner, (*prefix, key)))]


EVERYTHING = [
    tomllib.loads((LOCKS / "valid" / f"{name}.toml").read_text(encoding="utf-8")) for name in ("everything", "sources")
]


def put(document: object, path: tuple[str | int, ...], value: object) -> object:
    if not path:
        return value
    key, *rest = path
    if isinstance(document, dict):
        return {k: put(v, tuple(rest), value) if k == key else v for k, v in document.items()}
    assert isinstance(document, list)
    return [put(v, tuple(rest), value) if i == key else v for i, v in enumerate(document)]


@law
@given(st.sampled_from([(lock, path) for lock in EVERYTHING for path in paths(lock)[1:]]), values)
def test_any_value_anywhere_is_read_or_refused(place: tuple[object, tuple[str | int, ...]], value: object) -> None:
    document = put(*place, value)
    assert isinstance(document, dict)
    with suppress(InvalidLockError):
        parse_lockfile(tomli_w.dumps(document).encode(), "build-lock.toml")


@pytest.mark.parametrize("text", ["\x00", "\u202e", "\x85", "\u2028", "\U000e0001"])
def test_nothing_hides(text: str) -> None:
    assert format_string(text).isascii()
