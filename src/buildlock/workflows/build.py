"""`build`: the project's wheel, sdist or editable wheel, built in its locked environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.environment.interpreter import find_interpreter
from buildlock.errors import InvalidProjectError, UnlockedRequirementError
from buildlock.frontend.backend import Product
from buildlock.lockfile.select import LockedArtifact, select
from buildlock.project.model import PinPrecision
from buildlock.reporting import Began
from buildlock.workflows.backend import open_backend
from buildlock.workflows.locks import read_environment
from buildlock.workflows.preparation import require_wheels
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """One file that came out, and what it was built with."""

    variant: str
    product: Product
    path: Path
    artifacts: tuple[LockedArtifact, ...]
    against: tuple[LockedArtifact, ...]
    """Those that the variant's sources assign to an index: what tells the variants apart."""


def build(workspace: Workspace, options: BuildOptions) -> tuple[Built, ...]:
    """Build in an environment made from the lock for this build alone.

    Raises:
        HostError: The machine does not have the tools that the variant asks for.
        LockfileError: There is no lock, it is invalid or stale, or it does not cover the interpreter.
        IndexError_: A locked file cannot be downloaded, or is not the locked one.
        UnlockedRequirementError: The backend asks for what the lock does not hold.
        BackendError: The backend failed, or what it built is not what it was asked for.
    """
    project = workspace.read_project()
    variant = choose_variant(project, options.variant, workspace.environ, workspace.report)
    locked = read_environment(workspace, project, variant, frozen=options.frozen)
    interpreter = find_interpreter(options.python, workspace.environ)
    artifacts = require_wheels(select(locked, interpreter.target))
    pins = _list_pins(project.pin_runtime, artifacts, variant)
    out_dir = options.out_dir or workspace.root / "dist"
    built = []
    # One environment for each product: a build may change the one it ran in.
    for product in options.products:
        with open_backend(workspace, project, project.variants[variant], artifacts, interpreter) as backend:
            # An sdist compiles nothing.
            if product != "sdist":
                check_tools(project.variants[variant], artifacts, backend.environ, workspace.report)
            asked = backend.requires_for(product, options.config_settings)
            check_locked(asked, artifacts, interpreter.target.environment, variant=variant, product=product)
            workspace.report(Began(f"Building the {product} of {variant}"))
            path = backend.build(product, out_dir, options.config_settings, pins=pins)
        against = tuple(artifact for artifact in artifacts if artifact.name in locked.inputs.indexes)
        built.append(Built(variant=variant, product=product, path=path, artifacts=artifacts, against=against))
    return tuple(built)


def _list_pins(
    wanted: Mapping[NormalizedName, PinPrecision], artifacts: Sequence[LockedArtifact], variant: str
) -> tuple[Requirement, ...]:
    """What the wheel requires of the packages that it was built against.

    Raises:
        InvalidProjectError: `pin-runtime` names a package that the environment does not have.
    """
    versions = {artifact.name: artifact.version for artifact in artifacts}
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


def check_locked(
    asked: Sequence[Requirement],
    artifacts: Sequence[LockedArtifact],
    environment: Environment,
    *,
    variant: str,
    product: Product,
) -> None:
    """Refuse what the backend asks for and the environment does not have.

    Raises:
        UnlockedRequirementError: A requirement has no package in the environment, or one of another version.
    """
    versions = {artifact.name: artifact.version for artifact in artifacts}
    missing = []
    for requirement in asked:
        if requirement.marker is not None and not requirement.marker.evaluate(cast("dict[str, str]", environment)):
            continue
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            missing.append(f"`{requirement}`: not in the lock")
        elif requirement.url is not None:
            missing.append(f"`{requirement}`: a direct reference, and the lock has {version}")
        elif not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"`{requirement}`: the lock has {version}")
    if missing:
        lines = "\n".join(f"  - {line}" for line in missing)
        raise UnlockedRequirementError(
            f"to build the {product} of `{variant}` the backend requires what the lock does not hold:\n{lines}",
            hint=f"run `buildlock lock --variant {variant}`, which asks the backend and locks its answer",
        )
