"""`build`: the project's wheel, sdist or editable wheel, built in its locked environment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import InvalidProjectError
from buildlock.frontend.backend import Product
from buildlock.lockfile.select import Locked
from buildlock.project.model import Overrides, PinPrecision
from buildlock.reporting import Began
from buildlock.values import dataclass, field
from buildlock.workflows.backend import open_backend
from buildlock.workflows.preparation import prepare_wheels
from buildlock.workflows.requirements import check_locked
from buildlock.workflows.selection import select_locked
from buildlock.workflows.tools import check_tools
from buildlock.workflows.workspace import Workspace, choose_variant


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """What `build` is asked for."""

    variant: str | None = None
    products: tuple[Product, ...] = ("wheel",)
    out_dir: Path | None = None
    """Default: `dist` in the project's folder."""
    config_settings: Mapping[str, str | list[str]] = field(default_factory=dict)
    """PEP 517 `config_settings`, handed to the backend."""
    python: str | None = None
    frozen: bool = False
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """One file that came out, and what it was built with."""

    variant: str
    product: Product
    path: Path
    packages: tuple[Locked, ...]
    against: tuple[Locked, ...]
    """Those that the variant's sources assign to an index: what tells the variants apart."""


def build(workspace: Workspace, options: BuildOptions) -> tuple[Built, ...]:
    """Build in an environment made from the lock for this build alone.

    Raises:
        HostError: The machine does not have the tools that the variant asks for.
        LockfileError: There is no lock, it is invalid or stale, or it does not cover the interpreter.
        IndexError_: A locked file cannot be downloaded, or is not the locked one.
        UnlockedRequirementError: The backend asks for what the lock does not hold.
        ConfinementError: The machine cannot hold the backend to the limits.
        BackendError: The backend failed, or what it built is not what it was asked for.
    """
    project = workspace.read_project(options.overrides)
    variant = choose_variant(project, options.variant, workspace.environ, workspace.report)
    selected = select_locked(workspace, project, variant, python=options.python, frozen=options.frozen)
    packages, conditions = selected.packages, selected.conditions
    pins = _list_pins(project.pin_runtime, packages, variant)
    out_dir = options.out_dir or workspace.root / "dist"
    built = []
    # One environment for each product: a build may change the one it ran in.
    for product in options.products:
        with open_backend(
            workspace,
            project,
            project.variants[variant],
            prepare_wheels(workspace, conditions, packages),
            interpreter=conditions.interpreter,
            identity=conditions.identify(packages),
            settings=conditions.inputs.settings,
            out_dir=out_dir,
        ) as backend:
            # An sdist compiles nothing.
            if product != "sdist":
                check_tools(project.variants[variant], packages, backend.environ, workspace.report)
            asked = backend.requires_for(product, options.config_settings)
            check_locked(
                asked,
                packages,
                conditions.interpreter.target.environment,
                subject=f"the {product} of `{variant}`",
                variant=variant,
            )
            workspace.report(Began(f"Building the {product} of {variant}"))
            path = backend.build(product, out_dir, options.config_settings, pins=pins)
        against = tuple(package for package in packages if package.name in selected.locked.inputs.indexes)
        built.append(Built(variant=variant, product=product, path=path, packages=packages, against=against))
    return tuple(built)


def _list_pins(
    wanted: Mapping[NormalizedName, PinPrecision], packages: Sequence[Locked], variant: str
) -> tuple[Requirement, ...]:
    """What the wheel requires of the packages that it was built against.

    Raises:
        InvalidProjectError: `pin-runtime` names a package that the environment does not have.
    """
    versions = {package.name: package.version for package in packages}
    if missing := [name for name in sorted(wanted) if name not in versions]:
        raise InvalidProjectError(
            [f"`pin-runtime` names `{name}`, which is not locked for the variant `{variant}`" for name in missing]
        )
    return tuple(
        Requirement(f"{name}{format_pin(versions[name], precision)}") for name, precision in sorted(wanted.items())
    )


def format_pin(version: Version, precision: PinPrecision) -> str:
    """The specifier of a version.

    >>> format_pin(Version("2.4.0+cu124"), "minor"), format_pin(Version("2.4.0+cu124"), "exact")
    ('==2.4.*', '==2.4.0+cu124')
    """
    if precision == "exact":
        return f"=={version}"
    epoch = f"{version.epoch}!" if version.epoch else ""
    return f"=={epoch}{version.major}.{version.minor}.*"
