"""The project's backend in an environment of its own, made from the lock and thrown away afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.isolated import create_environment
from buildlock.environment.store import StoredWheel
from buildlock.frontend.backend import Backend
from buildlock.frontend.objects import divert_objects
from buildlock.project.model import Project
from buildlock.variants import Variant
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
) -> Iterator[Backend]:
    """The project's backend in a new environment of exactly these wheels.

    The environment is never used twice: what a build writes into it goes with it.
    """
    with workspace.open_store().scratch() as scratch:
        environment = create_environment(
            scratch / "environment",
            interpreter,
            wheels,
            identity=identity,
            report=workspace.report,
        )
        yield Backend(
            project.build_system,
            project.root,
            environment,
            {**variant.environment, **divert_objects(scratch, {**workspace.environ, **variant.environment})},
            workspace.report,
            name=project.name,
            environ=workspace.environ,
        )
