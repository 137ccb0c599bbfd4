"""How each backend is told to put the lock and buildlock's backend into the sdist."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from buildlock.lockfile.model import FILENAME
from buildlock.lockfile.toml_text import format_inline_table, format_string
from buildlock.project.editing import add_table, add_to_array, find_table
from buildlock.values import dataclass
from buildlock.workflows.backend_file import RELATIVE_PATH

CARRIED = (FILENAME, RELATIVE_PATH)
"""What an sdist must carry, so that it is built from the lock as well."""
MANIFEST = "MANIFEST.in"

_Path: TypeAlias = tuple[str, ...]

_ARRAYS: Mapping[str, _Path] = {
    "flit_core": ("tool", "flit", "sdist", "include"),
    "pdm": ("tool", "pdm", "build", "source-includes"),
    "scikit_build_core": ("tool", "scikit-build", "sdist", "include"),
    "uv_build": ("tool", "uv", "build-backend", "source-include"),
}
"""The array that names more files for the sdist, by the backend's first module."""
_FORMATTED: Mapping[str, _Path] = {"poetry": ("tool", "poetry", "include"), "maturin": ("tool", "maturin", "include")}
"""Those whose entries say what they are for."""
_HATCH: tuple[_Path, ...] = (("tool", "hatch", "build"), ("tool", "hatch", "build", "targets", "sdist"))
_SELECTING = ("include", "only-include", "packages")


@dataclass(frozen=True, kw_only=True, slots=True)
class SdistContents:
    """What has to change for a backend's sdists to carry the two files."""

    pyproject: str
    """The text of pyproject.toml with it."""
    manifest: tuple[str, ...] = ()
    """Lines for MANIFEST.in."""
    note: str | None = None
    """What the user has to see to."""


def carry_in_sdist(backend: str, pyproject: str, document: Mapping[str, Any]) -> SdistContents:
    """Make the sdists of a backend carry `CARRIED`.

    Args:
        backend: As `build-backend` names it.
        pyproject: The text of pyproject.toml.
        document: Its meaning.

    Raises:
        EditError: The file is laid out so that nothing can be added to it.
    """
    family = backend.partition(":")[0].partition(".")[0]
    files = [format_string(path) for path in CARRIED]
    if family == "setuptools":
        return SdistContents(pyproject=pyproject, manifest=tuple(f"include {path}" for path in CARRIED))
    if family == "hatchling":
        # It takes all that git does not ignore, unless the project chooses.
        if not any(key in find_table(document, path) for path in _HATCH for key in _SELECTING):
            return SdistContents(pyproject=pyproject)
        path = (*_HATCH[1], "force-include")
        return SdistContents(pyproject=add_table(pyproject, path, dict(zip(CARRIED, files, strict=True))))
    if array := _ARRAYS.get(family) or _FORMATTED.get(family):
        entries = [format_inline_table({"path": file, "format": '"sdist"'}) for file in files]
        return SdistContents(pyproject=add_to_array(pyproject, array, files if family in _ARRAYS else entries))
    names = " and ".join(f"`{path}`" for path in CARRIED)
    note = f"see to it that the sdists of `{backend}` carry {names}"
    if family == "mesonpy":
        note = f"meson-python's sdist has what git tracks: commit {names}"
    return SdistContents(pyproject=pyproject, note=note)
