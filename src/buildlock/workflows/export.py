"""`export`: a variant's lock in another tool's format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.pylock import is_valid_pylock_path
from packaging.utils import NormalizedName

from buildlock.errors import InvalidProjectError, LockfileError, UsageError
from buildlock.export.constraints import export_constraints, list_constraints
from buildlock.export.cyclonedx import export_cyclonedx
from buildlock.export.pylock import export_pylock
from buildlock.export.requirements import export_requirements
from buildlock.export.served import list_served
from buildlock.lockfile.model import LockedEnvironment
from buildlock.project.default_index import ask_pip
from buildlock.project.model import Project
from buildlock.project.uv_block import BlockError, BlockOptions, format_value, write_block
from buildlock.values import dataclass
from buildlock.workflows.locks import read_environment, read_lock
from buildlock.workflows.saving import save
from buildlock.workflows.workspace import Workspace, choose_variant

ExportFormat: TypeAlias = Literal["requirements", "pylock", "constraints", "uv", "cyclonedx"]

_FILENAMES: Mapping[ExportFormat, str] = {
    "requirements": "requirements.{}.txt",
    "pylock": "pylock.{}.toml",
    "constraints": "constraints.{}.txt",
    "uv": "uv.{}.toml",
    "cyclonedx": "{}.cdx.json",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """What is exported."""

    to: ExportFormat
    package: NormalizedName | None = None
    """What this package from elsewhere is built in, in place of the project."""
    pythons: tuple[str, ...] = ()
    """Of the targets these alone, where the format has a line for each."""
    platforms: tuple[str, ...] = ()
    frozen: bool = False

    def __post_init__(self) -> None:
        if (self.pythons or self.platforms) and self.to not in {"constraints", "uv"}:
            raise UsageError(
                f"`--python` and `--platform` choose among constraints: `{self.to}` is for all targets alike"
            )


def export(workspace: Workspace, *, variant: str | None, options: ExportOptions) -> str:
    """The text of a variant's lock in another format, or of what a package from elsewhere is built in.

    Raises:
        LockfileError: There is no lock, it is invalid or stale, or it cannot be said in this format.
        UsageError: A Python or platform has no such name.
    """
    project = workspace.read_project()
    name = choose_variant(project, variant, workspace.environ, workspace.report)
    environment = read_environment(workspace, project, name, package=options.package, frozen=options.frozen)
    return _export(workspace, project, name, environment, options)


def export_files(
    workspace: Workspace, *, variants: Sequence[str | None] | None, options: ExportOptions, folder: Path
) -> tuple[Path, ...]:
    """Write a file for each of the variants, or of all that are locked; those that differed are returned.

    Raises:
        LockfileError: As of `export`, or a file cannot be written there.
    """
    project = workspace.read_project()
    lock = read_lock(workspace, project)
    if variants is None:
        names = lock.list_variants(package=options.package)
    else:
        names = tuple(choose_variant(project, name, workspace.environ) for name in variants)
    texts = {}
    for name in names:
        stem = name if options.package is None else f"{options.package}-{name}"
        path = folder / _FILENAMES[options.to].format(stem)
        if options.to == "pylock" and not is_valid_pylock_path(path):
            raise LockfileError(
                f"`{path.name}` is no name for a lock: PEP 751 allows no dot in `{name}`",
                hint=f"export it alone: `buildlock export --variant {name} --format pylock`",
            )
        environment = lock.environment(name, package=options.package, frozen=options.frozen)
        if _has_paths(environment) and folder.resolve() != workspace.root.resolve():
            raise LockfileError(
                f"`{name}` locks local files by paths relative to `{workspace.root}`, and `{folder}` is another folder",
                hint=f"export to it: `--output {workspace.root}`",
            )
        texts[path] = _export(workspace, project, name, environment, options)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LockfileError(f"`{folder}` cannot be made: {error.strerror or error}") from error
    return tuple(path for path, text in texts.items() if save(path, text))


def write_uv_block(workspace: Workspace, *, variant: str | None, options: ExportOptions) -> tuple[str, bool]:
    """Put the constraints of a variant into pyproject.toml; its name, and whether the file differed.

    Raises:
        LockfileError: As of `export`, or the file cannot be written.
        InvalidProjectError: It has constraints of the user's own, or is laid out unusually.
    """
    project = workspace.read_project()
    name = choose_variant(project, variant, workspace.environ, workspace.report)
    environment = read_environment(workspace, project, name, package=options.package, frozen=options.frozen)
    constraints = list_constraints(list_served(environment, pythons=options.pythons, platforms=options.platforms))
    path = workspace.root / "pyproject.toml"
    try:
        text = path.read_bytes().decode()
        block = BlockOptions(variant=name, pythons=options.pythons, platforms=options.platforms)
        edited = write_block(text, block, constraints)
    except OSError as error:
        raise InvalidProjectError([f"`{path}` cannot be read: {error.strerror or error}"]) from error
    except BlockError as error:
        raise InvalidProjectError(
            [f"pyproject.toml: {error}"],
            hint="constraints of your own belong under `[tool.buildlock] constraints`; the block goes to `[tool.uv]`",
        ) from error
    return name, save(path, edited)


def _export(
    workspace: Workspace, project: Project, name: str, environment: LockedEnvironment, options: ExportOptions
) -> str:
    match options.to:
        case "pylock":
            return export_pylock(environment)
        case "requirements":
            return export_requirements(environment, variant=name)
        case "cyclonedx":
            default = ask_pip(workspace.environ)
            return export_cyclonedx(
                environment,
                variant=name,
                project=options.package or project.name,
                default_index=default.url if default else None,
            )
        case "constraints" | "uv":
            served = list_served(environment, pythons=options.pythons, platforms=options.platforms)
            if options.to == "constraints":
                return export_constraints(served, variant=name, package=options.package)
            return f"[tool.uv]\n{format_value(list_constraints(served))}"


def _has_paths(environment: LockedEnvironment) -> bool:
    """Whether something is locked by a path."""
    return any(
        package.directory is not None
        or any(place is not None and place.path for place in (package.archive, package.vcs, package.sdist))
        or any(wheel.path for wheel in package.wheels or ())
        for package in environment.packages
    )
