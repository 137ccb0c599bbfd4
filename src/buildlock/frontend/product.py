"""What a backend built: the file it made is the one it names, and is what its name says."""

import re
import reprlib
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from packaging.utils import canonicalize_name

from buildlock.artifacts import Artifact, ArtifactKind, InvalidFilenameError, parse_filename
from buildlock.environment.private_folder import private_folder
from buildlock.environment.sdist import open_sdist
from buildlock.environment.wheel import open_wheel
from buildlock.errors import (
    EnvironmentPreparationError,
    IntegrityError,
    InvalidArchiveError,
    InvalidMetadataError,
)
from buildlock.metadata.core import MAX_METADATA_SIZE, parse_core_metadata

_SDIST_SUFFIX = ".tar.gz"
_KINDS = {"wheel": "a wheel", "sdist": "an sdist"}
# The characters of names, versions and tags, which leave out all that separates folders or drives a terminal.
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_DISTRIBUTIONS = (".whl", _SDIST_SUFFIX, ".zip")


class InvalidProductError(Exception):
    """What the backend answered or built is not the product: says how, as the end of a sentence."""


@contextmanager
def open_scratch(out_dir: Path) -> Iterator[Path]:
    """A new folder, on the file system of `out_dir`, that is removed with all that is left in it.

    Raises:
        EnvironmentPreparationError: `out_dir` cannot be written.
    """
    created = not out_dir.exists()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refuse_directory(out_dir, error) from error
    try:
        with private_folder(out_dir, ".buildlock-") as scratch:
            # One level deeper: what a backend writes beside its folder goes with it.
            inner = scratch.absolute() / "product"
            inner.mkdir()
            yield inner
    finally:
        if created:
            # Refused where something was built.
            with suppress(OSError):
                out_dir.rmdir()


def place_product(built: Path, out_dir: Path) -> Path:
    """Move a product out of the scratch folder of `out_dir`, in one step.

    Raises:
        EnvironmentPreparationError: `out_dir` cannot be written.
    """
    placed = out_dir / built.name
    try:
        built.replace(placed)
    except OSError as error:
        raise _refuse_directory(out_dir, error) from error
    return placed


def copy_product(built: Path, out_dir: Path) -> Path:
    """Copy a product that is kept elsewhere into `out_dir`, where it appears in one step.

    Raises:
        EnvironmentPreparationError: It cannot be read, or `out_dir` not be written.
    """
    with open_scratch(out_dir) as scratch:
        try:
            copy = Path(shutil.copyfile(built, scratch / built.name))
        except OSError as error:
            raise _refuse_directory(out_dir, error) from error
        return place_product(copy, out_dir)


def check_product(scratch: Path, filename: object, *, kind: ArtifactKind, name: str | None) -> Path:
    """The file that a build hook made in `scratch`.

    Args:
        scratch: Where the hook was told to build; empty before.
        filename: What it returned.
        kind: What it was to build.
        name: The project's, where it is known.

    Raises:
        InvalidProductError: `filename` is not the name of one new file, or the file is not what its name says.
    """
    # "It must return the basename (not the full path) of the .whl file it creates, as a unicode string." (PEP 517)
    if not isinstance(filename, str) or not _FILENAME.fullmatch(filename):
        raise InvalidProductError(f"it returned {reprlib.repr(filename)}, not the name of a file")
    path = scratch / filename
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        is_file = False
    if not is_file:
        raise InvalidProductError(f"it returned {filename!r} and made no such file")
    others = sorted(entry.name for entry in scratch.iterdir() if entry.name.endswith(_DISTRIBUTIONS) and entry != path)
    if others:
        raise InvalidProductError(f"it returned {filename!r} and made {', '.join(map(repr, others))} too")
    artifact = _identify(filename, kind)
    if name is not None and artifact.name != canonicalize_name(name):
        raise InvalidProductError(f"it built `{filename}` for the project `{name}`")
    try:
        if kind == "wheel":
            # It is read as strictly as those that are installed.
            with open_wheel(path, filename=filename):
                pass
        else:
            parse_core_metadata(_read_sdist_metadata(path), artifact=artifact)
    except (InvalidArchiveError, InvalidMetadataError, IntegrityError, EnvironmentPreparationError) as error:
        raise InvalidProductError(error.message) from error
    return path


def _identify(filename: str, kind: ArtifactKind) -> Artifact:
    try:
        name, version, found = parse_filename(filename)
    except InvalidFilenameError as error:
        raise InvalidProductError(f"{filename!r} is not the filename of {_KINDS[kind]}") from error
    # "a .tar.gz source distribution" (PEP 517); `.zip` was one before.
    if found != kind or (kind == "sdist" and not filename.endswith(_SDIST_SUFFIX)):
        raise InvalidProductError(f"{filename!r} is not the filename of {_KINDS[kind]}")
    return Artifact(name=name, version=version, kind=kind, filename=filename, url=filename)


def _read_sdist_metadata(path: Path) -> bytes:
    """Read `PKG-INFO`, of an sdist read as strictly as those that are built from."""
    # The specification: "A .tar.gz source distribution (sdist) contains a single top-level directory called
    # {name}-{version} (e.g. foo-1.0), containing the source files of the package."
    root = path.name.removesuffix(_SDIST_SUFFIX)
    with open_sdist(path, filename=path.name) as sdist:
        if sdist.facts.root != root:
            raise InvalidProductError(f"`{path.name}` has the folder `{sdist.facts.root}`, not `{root}`")
        content = sdist.read("PKG-INFO", MAX_METADATA_SIZE)
    if content is None:
        raise InvalidProductError(f"`{path.name}` has no `{root}/PKG-INFO`")
    return content


def _refuse_directory(out_dir: Path, error: OSError) -> EnvironmentPreparationError:
    return EnvironmentPreparationError(f"`{out_dir}` cannot be written: {error.strerror or error}")
