"""The metadata that a backend prepared: a folder that it wrote, or the wheel that it built instead."""

import reprlib
import stat
from pathlib import Path

from buildlock.artifacts import Artifact, parse_filename
from buildlock.frontend.product import InvalidProductError
from buildlock.metadata.core import MAX_METADATA_SIZE
from buildlock.metadata.ranged import open_local
from buildlock.metadata.wheel import read_wheel_metadata


def read_prepared_metadata(folder: Path, answer: object) -> bytes:
    """The `METADATA` in the `.dist-info` folder that the hook made (PEP 517).

    Raises:
        InvalidProductError: `answer` is not the name of such a folder in `folder`, or it has no metadata.
    """
    if not isinstance(answer, str) or not answer.endswith(".dist-info") or Path(answer).name != answer:
        raise InvalidProductError(f"it returned {reprlib.repr(answer)}, not the name of a `.dist-info` folder")
    path = folder / answer / "METADATA"
    try:
        if not stat.S_ISDIR(path.parent.lstat().st_mode) or not stat.S_ISREG(path.lstat().st_mode):
            raise InvalidProductError(f"`{answer}/METADATA` is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_METADATA_SIZE + 1)
    except (OSError, ValueError) as error:
        raise InvalidProductError(f"it returned {answer!r} and wrote no metadata there") from error
    if len(content) > MAX_METADATA_SIZE:
        raise InvalidProductError(f"`{answer}/METADATA` is larger than {MAX_METADATA_SIZE} bytes")
    return content


def read_built_metadata(wheel: Path) -> bytes:
    """The `METADATA` in a wheel that was checked.

    Raises:
        InvalidMetadataError: It cannot be used.
    """
    name, version, kind = parse_filename(wheel.name)
    artifact = Artifact(name=name, version=version, kind=kind, filename=wheel.name, url=wheel.as_uri())
    with wheel.open("rb") as file:
        return read_wheel_metadata(open_local(file), artifact)
