"""What a backend built: the file it made is the one it names, and is what its name says."""

import os
import re
import reprlib
import shutil
import stat
import tempfile
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
from buildlock.plain_files import PLAINLY

_SDIST_SUFFIX = ".tar.gz"
_KINDS = {"wheel": "a wheel", "sdist": "an sdist"}
# The characters of names, versions and tags, which leave out all that separates folders or drives a terminal.
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_DISTRIBUTIONS = (".whl", _SDIST_SUFFIX, ".zip")
_SHOWN = 5
_MAX_SIZE = 16 << 30
_CHUNK = 1 << 20


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
            yield scratch.absolute()
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


def take_product(output: Path, filename: object, scratch: Path, *, kind: ArtifactKind, name: str | None) -> Path:
    """A copy of the file that a build hook made, checked to be what its name says.

    What is checked is what is placed: a process that the backend left behind may hold the file, or a link to it, open.

    Args:
        output: Where the hook was told to build; empty before.
        filename: What it returned.
        scratch: Where the copy goes, in a new folder.
        kind: What it was to build.
        name: The project's, where it is known.

    Raises:
        InvalidProductError: `filename` is not the name of one new file, or the file is not what its name says.
    """
    # "It must return the basename (not the full path) of the .whl file it creates, as a unicode string." (PEP 517)
    if not isinstance(filename, str) or not _FILENAME.fullmatch(filename):
        raise InvalidProductError(f"it returned {reprlib.repr(filename)}, not the name of a file")
    path = output / filename
    try:
        is_file = stat.S_ISDIR(output.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode)
        found = sorted(os.listdir(output)) if is_file else []  # noqa: PTH208 - names, of which there may be many
    except OSError:
        is_file = False
    if not is_file:
        raise InvalidProductError(f"it returned {filename!r} and made no such file")
    if others := [other for other in found if other.endswith(_DISTRIBUTIONS) and other != filename]:
        shown = ", ".join(map(repr, others[:_SHOWN])) + (" …" if len(others) > _SHOWN else "")
        raise InvalidProductError(f"it returned {filename!r} and made {shown} too")
    artifact = _identify(filename, kind)
    if name is not None and artifact.name != canonicalize_name(name):
        raise InvalidProductError(f"it built `{filename}` for the project `{name}`")
    copy = _copy(path, scratch)
    try:
        if kind == "wheel":
            # It is read as strictly as those that are installed.
            with open_wheel(copy, filename=filename):
                pass
        else:
            parse_core_metadata(_read_sdist_metadata(copy), artifact=artifact)
    except (InvalidArchiveError, InvalidMetadataError, IntegrityError, EnvironmentPreparationError) as error:
        raise InvalidProductError(error.message) from error
    return copy


def _copy(path: Path, scratch: Path) -> Path:
    try:
        copy = Path(tempfile.mkdtemp(dir=scratch), path.name)
        with os.fdopen(os.open(path, PLAINLY), "rb") as source, copy.open("xb") as target:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidProductError(f"it returned {path.name!r} and made no such file")
            if status.st_size > _MAX_SIZE:
                raise InvalidProductError(f"`{path.name}` has {status.st_size} bytes, more than {_MAX_SIZE}")
            shutil.copyfileobj(source, target, _CHUNK)
    except OSError as error:
        raise InvalidProductError(f"`{path.name}` cannot be copied: {error.strerror or error}") from error
    return copy


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
