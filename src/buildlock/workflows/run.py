"""`run`: the user's own command in the locked environment, or a frontend that builds from the lock."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from packaging.utils import canonicalize_name

from buildlock.environment.claims import Claim
from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.environment.kept import KeptFile
from buildlock.errors import UsageError
from buildlock.frontend.isolation import activate
from buildlock.frontend.objects import divert_objects
from buildlock.frontend.recognition import Frontend, constrain, recognize
from buildlock.lockfile.select import Locked
from buildlock.project.model import Overrides, Project
from buildlock.values import dataclass, field, replace
from buildlock.workflows.install import InstallOptions, install
from buildlock.workflows.preparation import keep_wheels
from buildlock.workflows.requirements import list_unlocked
from buildlock.workflows.selection import select_locked
from buildlock.workflows.tools import check_tools
from buildlock.workflows.workspace import Workspace, choose_variant

_FIRST_PIP = (25, 3)
"""The first that has build constraints for all that it builds."""
_PIP_VERSION = re.compile(r"pip (\d+)\.(\d+).*\(python (\d+\.\d+)\)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """What `run` is asked for."""

    variant: str | None = None
    python: str | None = None
    frozen: bool = False
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A command that can be run."""

    variant: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    claim: Claim | None = None
    """To be held while it runs."""


def prepare_command(workspace: Workspace, command: Sequence[str], options: RunOptions) -> Ready:
    """The environment of `install`, and the variables with which a command finds itself in it.

    Raises:
        As of `install`.
    """
    installed = install(
        workspace,
        InstallOptions(
            variant=options.variant, python=options.python, frozen=options.frozen, overrides=options.overrides
        ),
    )
    environ = activate(workspace.environ, installed.environment, installed.variables)
    return Ready(variant=installed.variant, command=tuple(command), environ=environ, claim=installed.claim)


@contextmanager
def open_frontend(workspace: Workspace, command: Sequence[str], options: RunOptions) -> Iterator[Ready]:
    """The variables with which a frontend builds from the lock alone, while the block runs it.

    Raises:
        UsageError: The command is no frontend that can be made to, or its arguments forbid it.
        LockfileError, IndexError_, InvalidArchiveError, BackendError: As of `install`.
        HostError: The machine does not have the tools that the variant asks for.
    """
    project = workspace.read_project(options.overrides)
    if project.build_system.locked:
        # Its own backend holds every frontend to the lock, and needs to be told the variant alone.
        name = choose_variant(project, options.variant, workspace.environ, workspace.report)
        yield Ready(variant=name, command=tuple(command), environ={**workspace.environ, "BUILDLOCK_VARIANT": name})
        return
    frontend = _check_pip(recognize(command), workspace.environ, options.python)
    asked = options.variant or _infer_variant(project, frontend)
    variant = project.variants[choose_variant(project, asked, workspace.environ, workspace.report)]
    _check_extras(project, frontend, variant.name)
    python = options.python or frontend.python
    selected = select_locked(workspace, project, variant.name, python=python, frozen=options.frozen)
    packages, interpreter = selected.packages, selected.conditions.interpreter
    _check_static(project, variant.name, packages, interpreter)
    wheels = keep_wheels(workspace, selected.conditions, packages)
    with workspace.open_store().scratch() as scratch:
        constraints = scratch / "constraints.txt"
        constraints.write_text(format_constraints(packages, wheels), encoding="utf-8")
        environ = {**workspace.environ, **variant.environment}
        environ |= divert_objects(scratch, environ)
        environ = _choose_python(constrain(frontend, environ, constraints, scratch), frontend, interpreter)
        check_tools(variant, packages, environ, workspace.report)
        yield Ready(variant=variant.name, command=tuple(command), environ=environ)


def format_constraints(packages: Sequence[Locked], wheels: Sequence[KeptFile]) -> str:
    """Constraints that name the wheel of each package, and no index where another could come from."""
    lines = (
        f"{package.name} @ {wheel.path.as_uri()}#sha256={wheel.sha256}"
        for package, wheel in zip(packages, wheels, strict=True)
    )
    return "\n".join(["--no-index", *lines]) + "\n"


def _check_static(project: Project, variant: str, packages: Sequence[Locked], interpreter: Interpreter) -> None:
    """See that the lock answers what a frontend reads: `[build-system]` itself, without what a variant replaces in it.

    Raises:
        UsageError: It does not.
    """
    asked = [each.requirement for each in project.build_system.requires]
    if missing := list_unlocked(asked, packages, interpreter.target.environment):
        lines = "\n".join(f"  - {line}" for line in missing)
        raise UsageError(
            f"a frontend reads `[build-system].requires` alone; the lock of `{variant}` does not answer it:\n{lines}",
            hint="leave to the variants what differs between them (`torch` without a version there), or run"
            " `buildlock init --backend`, which builds each variant as it is locked",
        )


def _infer_variant(project: Project, frontend: Frontend) -> str | None:
    """The variant of the one extra that the command names, where there is one."""
    return next(iter(_list_extra_variants(project, frontend)), None)


def _check_extras(project: Project, frontend: Frontend, variant: str) -> None:
    """Refuse to build one variant and to install what another runs with.

    Raises:
        UsageError: The command names the extra of another variant.
    """
    if others := [name for name in _list_extra_variants(project, frontend) if name != variant]:
        raise UsageError(
            f"the command installs the extra of the variant `{others[0]}`, and it would be built for `{variant}`",
            hint=f"pass `--variant {others[0]}`, or name one extra",
        )


def _list_extra_variants(project: Project, frontend: Frontend) -> list[str]:
    asked = {canonicalize_name(extra) for extra in frontend.extras}
    return [
        name
        for name, variant in project.variants.items()
        if variant.extra and canonicalize_name(variant.extra) in asked
    ]


def _check_pip(frontend: Frontend, environ: Mapping[str, str], python: str | None) -> Frontend:
    """See that a pip has build constraints, and which Python it installs for.

    Raises:
        UsageError: It has none, or cannot be asked.
    """
    if frontend.tool != "pip":
        return frontend
    launcher = [*frontend.launcher, "--version"]
    try:
        done = subprocess.run(
            launcher, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"`{frontend.launcher[0]}` cannot be run: {error}") from error
    found = _PIP_VERSION.match(done.stdout)
    if found is None:
        raise UsageError(f"`{' '.join(launcher)}` does not say which pip it is")
    if (int(found[1]), int(found[2])) < _FIRST_PIP:
        raise UsageError(
            f"pip {found[1]}.{found[2]} cannot be held to the lock: build constraints are there since pip"
            f" {_FIRST_PIP[0]}.{_FIRST_PIP[1]}",
            hint="upgrade pip, or let `python -m build` make the wheel",
        )
    if frontend.python or python:
        return frontend
    own = find_interpreter(None, environ).target.python.release
    return frontend if found[3] == f"{own[0]}.{own[1]}" else replace(frontend, python=found[3])


def _choose_python(environ: dict[str, str], frontend: Frontend, interpreter: Interpreter) -> dict[str, str]:
    """Uv finds a Python by itself, and has to find the one that the wheels are for."""
    if frontend.tool != "uv" or frontend.python is not None:
        return environ
    return {**environ, "UV_PYTHON": str(Path(interpreter.executable))}
