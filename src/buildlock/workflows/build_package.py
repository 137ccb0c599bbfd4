"""`build PACKAGE`: the wheel of a package that is not the project's, built in its locked environment."""

from collections.abc import Mapping
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.environment.interpreter import find_interpreter
from buildlock.errors import UnlockedRequirementError
from buildlock.frontend.product import copy_product
from buildlock.lockfile.select import Locked, LockedSource, select_source
from buildlock.project.model import BuildInputs, ConfigSetting, Overrides
from buildlock.values import dataclass, field, replace
from buildlock.workflows.build_inputs import add_extra
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.locks import read_environment
from buildlock.workflows.preparation import open_preparer
from buildlock.workflows.workspace import Workspace, choose_variant


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageBuildOptions:
    """What `build PACKAGE` is asked for."""

    package: NormalizedName
    variant: str | None = None
    out_dir: Path | None = None
    """Default: `dist` in the project's folder."""
    config_settings: Mapping[str, ConfigSetting] = field(default_factory=dict)
    """In place of what the project says of the same keys."""
    python: str | None = None
    frozen: bool = False
    rebuild: bool = False
    """Build it even if it was built before from the very same."""
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltPackage:
    """The wheel, and what it was built with."""

    source: LockedSource
    variant: str
    path: Path
    reused: bool
    """It was built before, from the very same."""
    against: tuple[Locked, ...]
    """Those that the variant's sources assign to an index: what tells the variants apart."""


def build_package(workspace: Workspace, options: PackageBuildOptions) -> BuiltPackage:
    """Build a locked package from elsewhere, or find what was built before from the very same.

    Raises:
        HostError: The machine does not have the tools that the variant asks for.
        LockfileError: It is not locked, or the lock is invalid or stale, or does not cover the interpreter.
        IndexError_: A locked file cannot be downloaded, or is not the locked one.
        BuildRefusedError: `no-build` excludes it, or what it is built with.
        UnlockedRequirementError: Its backend asks for what the lock does not hold.
        BackendError: A backend failed, or built something else.
    """
    project = workspace.read_project(options.overrides)
    name = options.package
    variant = choose_variant(project, options.variant, workspace.environ, workspace.report)
    locked = read_environment(workspace, project, variant, package=name, frozen=options.frozen)
    interpreter = find_interpreter(options.python, workspace.environ)
    source = select_source(locked, interpreter.target)
    inputs = _add_settings(add_extra(project.inputs[variant], project, name), name, options.config_settings)
    conditions = Conditions(inputs=inputs, interpreter=interpreter, environ=workspace.environ)
    with open_preparer(workspace, conditions, [source]) as preparer:
        try:
            wheel, reused = preparer.build(source, anew=options.rebuild)
        except UnlockedRequirementError as error:
            error.hint = (
                f"run `buildlock lock --package {name} --variant {variant}`, which asks the backend and locks "
                "its answer"
            )
            raise
    return BuiltPackage(
        source=source,
        variant=variant,
        path=copy_product(wheel.path, options.out_dir or workspace.root / "dist"),
        reused=reused,
        against=tuple(package for package in source.requires if package.name in locked.inputs.indexes),
    )


def _add_settings(inputs: BuildInputs, name: NormalizedName, settings: Mapping[str, ConfigSetting]) -> BuildInputs:
    own = {**inputs.config_settings_package.get(name, {}), **settings}
    return replace(inputs, config_settings_package={**inputs.config_settings_package, name: own})
