"""The project's backend in an environment of its own, made from the lock and thrown away afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.isolated import create_environment
from buildlock.environment.stored import StoredWheel
from buildlock.frontend.backend import Backend
from buildlock.frontend.objects import divert_objects
from buildlock.project.model import Project, Settings
from buildlock.reporting import phase
from buildlock.variants import Variant
from buildlock.workflows.holding import hold_project
from buildlock.workflows.workspace import Workspace


@contextmanager
def open_backend(
    workspace: Workspace,
    project: Project,
    variant: Variant,
    wheels: Sequence[StoredWheel],
    *,
    interpreter: Interpreter,
    identity: str,
    settings: Settings,
    out_dir: Path | None = None,
) -> Iterator[Backend]:
    """The project's backend in a new environment of exactly these wheels.

    The environment is never used twice: what a build writes into it goes with it.

    Args:
        workspace: Where the project is, and what backends are held to.
        project: What it says.
        variant: What it is built for.
        wheels: What its environment holds.
        interpreter: Whose environment it is.
        identity: A digest of what the environment is made from.
        settings: How the files of the store come into it.
        out_dir: Where products are to go.

    Raises:
        ProjectError: The project has to be copied, and cannot be.
        BackendError: As the backend's methods raise it.
        EnvironmentPreparationError: The environment cannot be made.
    """
    store = workspace.open_store()
    with store.scratch() as scratch, store.guard():
        with phase(workspace.report, "environment"):
            environment = create_environment(
                scratch / "environment",
                interpreter,
                wheels,
                identity=identity,
                report=workspace.report,
                mode=settings.link_mode,
            )
        aside = [workspace.cache_dir, *([out_dir] if out_dir else [])]
        held = hold_project(workspace.limits, project.root, scratch, aside)
        objects = scratch / "objects"
        objects.mkdir()
        variables = {**variant.environment, **held.variables}
        yield Backend(
            project.build_system,
            project.root,
            environment,
            {**variables, **divert_objects(objects, {**workspace.environ, **variables})},
            workspace.report,
            name=project.name,
            timeout=held.timeout,
            confinement=held.confinement.allow(objects) if held.confinement else None,
            environ=workspace.environ,
        )
