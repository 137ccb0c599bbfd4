"""The backend of a package that is not the project itself, in the environment that is locked for it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.environment.isolated import create_environment
from buildlock.environment.stored import StoredWheel
from buildlock.errors import BackendError
from buildlock.frontend.backend import Backend
from buildlock.project.build_system import read_build_system_of
from buildlock.reporting import Reporter, phase
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.holding import hold_source
from buildlock.workflows.limits import Limits
from buildlock.workflows.source_trees import SourceTree


@contextmanager
def open_source_backend(
    name: NormalizedName,
    label: str,
    tree: SourceTree,
    wheels: Sequence[StoredWheel],
    *,
    conditions: Conditions,
    scratch: Path,
    identity: str,
    limits: Limits,
    report: Reporter,
) -> Iterator[Backend]:
    """The backend of a source, in a new environment of exactly these wheels; an error of it says whose it is.

    Args:
        name: The package's.
        label: What messages call its source.
        tree: Its source, which the backend may change.
        wheels: What its environment holds.
        conditions: The variant and the machine.
        scratch: A folder of the caller's own, for the environment.
        identity: A digest of what the environment is made from.
        limits: What it is held to.
        report: Told what the backend prints.

    Raises:
        InvalidProjectError: Its pyproject.toml cannot be used.
        BackendError: As the backend's methods raise it, with the name of the package.
        EnvironmentPreparationError: The environment cannot be made.
    """
    system = read_build_system_of(tree.read("pyproject.toml"), label)
    with phase(report, "environment"):
        environment = create_environment(
            scratch / "environment",
            conditions.interpreter,
            wheels,
            identity=identity,
            report=report,
            mode=conditions.inputs.settings.link_mode,
        )
    held = hold_source(limits, tree.root, scratch)
    try:
        yield Backend(
            system,
            tree.root,
            environment,
            {**conditions.variables(name), **held.variables},
            report,
            name=name,
            timeout=held.timeout,
            confinement=held.confinement,
            # The version of what is no repository is not that of one around the cache.
            environ={**conditions.inherited, "GIT_CEILING_DIRECTORIES": str(scratch.parent)},
        )
    except BackendError as error:
        if not (tree.root / ".git").exists() and "setuptools-scm" in str(error):
            error.hint = error.hint or (
                f"only a `git` source has the history that its version is made of; write under "
                f'`[tool.uv.extra-build-variables]`: `{name} = {{ SETUPTOOLS_SCM_PRETEND_VERSION = "1.0" }}`'
            )
        error.blame_package(name)
        raise
