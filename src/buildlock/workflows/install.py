"""`install`: the isolated environment of a variant, from the lock alone."""

from collections.abc import Mapping
from pathlib import Path

from buildlock.answers.looking import explained
from buildlock.environment.bytecode import renew_bytecode
from buildlock.environment.claims import Claim
from buildlock.environment.isolated import BuildEnvironment, create_environment, open_environment
from buildlock.environment.recipe import RECIPES
from buildlock.environment.roots import ROOTS, keep_root
from buildlock.errors import EnvironmentPreparationError
from buildlock.project.model import Overrides
from buildlock.reporting import phase
from buildlock.values import dataclass, field
from buildlock.workflows.cached_environments import claim_environment
from buildlock.workflows.preparation import prepare_wheels
from buildlock.workflows.selection import select_locked
from buildlock.workflows.workspace import CLAIMS, STORE, Workspace, choose_variant


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallOptions:
    """What `install` is asked for."""

    variant: str | None = None
    target: Path | None = None
    """Where the environment goes; by default into the cache, under a name made from what it holds."""
    python: str | None = None
    """The interpreter it is made for; the one that runs buildlock by default."""
    frozen: bool = False
    """Use the lock even if the project has moved on."""
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What `install` did."""

    variant: str
    environment: BuildEnvironment
    packages: int
    reused: bool
    """The environment was there, complete and undamaged."""
    variables: Mapping[str, str]
    """Those of the variant."""
    claim: Claim | None
    """While it is held, nobody replaces the environment; `None` where the user said where it goes."""
    again: tuple[Path, Path, Path] | None
    """What it takes to have it once more: its recipe, its place in the cache, and its claim; `None` where there is no
    recipe, since it is not made of links."""


def install(workspace: Workspace, options: InstallOptions) -> Installed:
    """Prepare the environment of a variant from the lock; no index is asked for anything but the locked files.

    Raises:
        LockfileError: There is no lock, it is invalid or stale, or it does not cover the interpreter.
        IndexError_: A file cannot be downloaded, or is not the locked one.
        InvalidArchiveError: A file is refused.
        EnvironmentPreparationError: The environment cannot be written, or the folder holds something else.
    """
    project = workspace.read_project(options.overrides)
    variant = choose_variant(project, options.variant, workspace.environ, workspace.report)
    selected = select_locked(workspace, project, variant, python=options.python, frozen=options.frozen)
    conditions = selected.conditions
    identity = conditions.identify_environment(selected.packages)

    def make(destination: Path) -> tuple[BuildEnvironment, bool]:
        if environment := open_environment(destination, identity):
            return environment, True
        wheels = prepare_wheels(workspace, conditions, selected.packages)
        with phase(workspace.report, "environment"):
            environment = create_environment(
                destination,
                conditions.interpreter,
                wheels,
                identity=identity,
                report=workspace.report,
                mode=conditions.inputs.settings.link_mode,
                recipes=workspace.own_folder(STORE) / RECIPES,
            )
        return environment, False

    # The rest depends on what was read until here, and on what is in the environment and the store.
    with explained():
        if options.target is not None:
            renew_bytecode(options.target, identity, conditions.interpreter)
            (environment, reused), claim = make(options.target), None
            _keep_root(workspace.own_folder(STORE), environment.root)
        else:
            (environment, reused), claim = claim_environment(workspace, identity, conditions.interpreter, make)
        recipe = workspace.own_folder(STORE) / RECIPES / identity
        place = environment.root, workspace.own_folder(CLAIMS) / environment.root.name
        again = (recipe, *place) if recipe.exists() else None
    return Installed(
        variant=variant,
        environment=environment,
        variables=project.variants[variant].environment,
        packages=len(selected.packages),
        reused=reused,
        claim=claim,
        again=again,
    )


def _keep_root(store: Path, environment: Path) -> None:
    try:
        keep_root(str(store / ROOTS), str(environment))
    except OSError as error:
        raise EnvironmentPreparationError(f"`{store}` cannot be written: {error.strerror or error}") from error
