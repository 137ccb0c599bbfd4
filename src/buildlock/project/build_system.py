"""`[build-system]`: what builds the project (PEP 517) and what that needs (PEP 518)."""

import posixpath
from pathlib import Path, PurePosixPath, PureWindowsPath

from packaging.requirements import Requirement

from buildlock.answers.looking import has_name, is_dir, resolve
from buildlock.project.document import Document, Table, parse_document, read_document
from buildlock.project.faults import Faults
from buildlock.project.model import BuildRequirement, BuildSystem
from buildlock.project.requirements import keep_valid, read_requirements
from buildlock.project.uv_block import blank_block
from buildlock.text import present

KEYS = ("requires", "build-backend", "backend-path")

STAND_IN = "buildlock_backend"
"""The `build-backend` of a project that every frontend builds from the lock: `buildlock.backend`, in its tree."""
STAND_IN_FOLDER = "_buildlock"
"""Where it is in the tree."""

# PEP 517: "If the pyproject.toml file is absent, or the build-backend key is missing, the source tree is not using
# this specification, and tools should revert to the legacy behaviour", which pip and build do through this object.
_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
# The version that has it.
_LEGACY_REQUIREMENT = "setuptools>=40.8.0"


def read_build_system(root: Path) -> BuildSystem:
    """Read how a source tree is built; a project's own or that of an unpacked sdist.

    Raises:
        InvalidProjectError: There is neither pyproject.toml nor setup.py, or `[build-system]` is invalid.
    """
    faults = Faults()
    document = read_project_document(root, faults)
    build_system = parse_build_system(document.root_table(faults) if document else None, root, faults)
    faults.raise_collected()
    return build_system


def read_build_system_of(pyproject: bytes | None, where: str) -> BuildSystem:
    """Read how a package that is not unpacked is built.

    That the folders of `backend-path` are there is not looked at.

    Args:
        pyproject: The content of its pyproject.toml; `None` where it has none.
        where: What it is in, as messages name it: `foo-1.0.tar.gz`.

    Raises:
        InvalidProjectError: The file or its `[build-system]` is invalid.
    """
    faults = Faults()
    document = None if pyproject is None else parse_document(pyproject, label="pyproject.toml", faults=faults)
    build_system = parse_build_system(document.root_table(faults) if document else None, None, faults)
    faults.raise_collected(subject=present(f"the build configuration of `{where}`"))
    return build_system


def read_project_document(root: Path, faults: Faults) -> Document | None:
    """Read `pyproject.toml`; `None` where the tree has none, but a setup.py, which PEP 517 allows.

    Raises:
        InvalidProjectError: There is neither, or the file cannot be read: nothing more can be said about it.
    """
    try:
        names = {name for name in ("pyproject.toml", "setup.py") if has_name(root, name)}
    except (OSError, ValueError) as error:
        names = set[str]()
        faults.add(str(root), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    else:
        if not names:
            faults.add(str(root), "is not a Python project: it has neither pyproject.toml nor setup.py")
    path = root / "pyproject.toml"
    document = None
    if path.name in names:
        document = read_document(path, label=path.name, faults=faults, blank=blank_block)
    faults.raise_collected()
    return document


def parse_build_system(project: Table | None, root: Path | None, faults: Faults) -> BuildSystem:
    """Read `[build-system]` of `project`, the whole document; after faults what it returns is incomplete.

    Without `root`, where its files are, only the text is judged.
    """
    if project is None or "build-system" not in project:
        default = BuildRequirement(requirement=Requirement(_LEGACY_REQUIREMENT), origin="PEP 517's default")
        return BuildSystem(requires=(default,), backend=_LEGACY_BACKEND, declared=False)
    table = project.table("build-system")
    locked = table.get("build-backend") == STAND_IN
    moved = project.table("tool").table("buildlock")
    if locked:
        # buildlock itself needs no stand-in: it calls the backend that stands behind.
        if table.get("requires") != []:
            table.fault(
                "requires", "must be empty: what it names is installed unlocked; `[tool.buildlock]` has the rest"
            )
        table = moved.table("build-system")
        if "build-system" not in moved:
            moved.fault("build-system", f"is missing: it names the backend that `{STAND_IN}` stands in for")
    elif "build-system" in moved:
        moved.fault("build-system", f"has no effect: `[build-system]` does not name `{STAND_IN}`")
    # PEP 518: "tools MUST consider any other key an error", to leave room for later versions.
    table.refuse_unknown(KEYS)
    if "requires" not in table and isinstance((moved if locked else project).get("build-system"), dict):
        table.fault("requires", "is missing: write `requires = []` if the build needs nothing")
    requires = keep_valid(read_requirements(table, "requires"), faults)
    backend = table.string("build-backend")
    if backend is not None and not _is_object_reference(backend):
        table.fault("build-backend", f"is `{backend}`, which is not an object reference like `module.name:object`")
    if "backend-path" in table and "build-backend" not in table:
        table.fault("backend-path", "needs a `build-backend` to find there")
    return BuildSystem(
        requires=requires,
        backend=_LEGACY_BACKEND if backend is None else backend,
        backend_path=_read_backend_path(table, root),
        locked=locked,
    )


def _is_object_reference(text: str) -> bool:
    """`module` or `module:object`, both dotted names."""
    module, colon, attributes = text.partition(":")
    names = [*module.split("."), *(attributes.split(".") if colon else ())]
    return all(name.isidentifier() for name in names)


def _read_backend_path(table: Table, root: Path | None) -> tuple[str, ...]:
    """PEP 517: the directories are relative to the project, and the backend is inside it."""
    entries = table.strings("backend-path")
    if isinstance(table.get("backend-path"), list) and not table.get("backend-path"):
        table.fault("backend-path", "is empty")
    for position, entry in enumerate(entries):
        if reason := _refuse_directory(entry, root):
            table.fault(f"backend-path[{position}]", f"is `{entry}`, which {reason}")
    return entries


def _refuse_directory(entry: str, root: Path | None) -> str | None:
    if not entry or not entry.isprintable():
        return "is not a path"
    if PurePosixPath(entry).is_absolute() or PureWindowsPath(entry).drive or PureWindowsPath(entry).root:
        return "must be relative to the project"
    if root is None:
        return "leads out of the project" if posixpath.normpath(entry).split("/")[0] == ".." else None
    try:
        # Resolved, because a link can lead out as well as `..`.
        resolved = resolve(root / entry)
        if not resolved.is_relative_to(resolve(root)):
            return "leads out of the project"
        return None if is_dir(resolved) else "is not a directory"
    except (OSError, RuntimeError) as error:  # too long, or links in a circle
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
