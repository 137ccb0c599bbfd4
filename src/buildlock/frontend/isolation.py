"""The environment variables that a backend sees: those of the user, without what would reach around the lock."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

# What makes an interpreter import from elsewhere, or run something else first.
_REDIRECTING = frozenset(
    {
        "PYTHONEXECUTABLE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONSAFEPATH",  # legacy `setup.py` files import their neighbours, whatever the user's shell says
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "__PYVENV_LAUNCHER__",
        # Set where buildlock itself is run by a backend; `pyproject_hooks` replaces it only for in-tree backends.
        "_PYPROJECT_HOOKS_BACKEND_PATH_JSON",
    }
)
# Settings of frontends: they name indexes other than the locked ones, and carry their credentials.
_FRONTENDS = ("PIP_", "UV_")


class IsolatedEnvironment(Protocol):
    """A build environment as a backend needs it."""

    @property
    def root(self) -> Path: ...

    @property
    def python(self) -> Path:
        """The environment's own interpreter; a link is not followed."""

    @property
    def scripts(self) -> Path:
        """The folder of its commands, `bin` or `Scripts`."""


def isolate(
    environ: Mapping[str, str], environment: IsolatedEnvironment, variables: Mapping[str, str]
) -> dict[str, str]:
    """The variables for a process that runs in `environment` and sees no other packages than its own.

    Args:
        environ: The user's, usually `os.environ`.
        environment: The build environment; it is active as its `activate` script would make it.
        variables: The variant's; they are set above the user's.
    """
    kept = {key: value for key, value in environ.items() if not key.upper().startswith(_FRONTENDS)}
    return activate(kept, environment, variables) | {
        # The output is relayed line by line, read as UTF-8, stdout and stderr in the order in which they were written.
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
    }


def activate(
    environ: Mapping[str, str], environment: IsolatedEnvironment, variables: Mapping[str, str]
) -> dict[str, str]:
    """The variables for a command of the user's in `environment`, as its `activate` script would make them.

    Args:
        environ: The user's; what makes a Python import from elsewhere is left out.
        environment: The build environment.
        variables: The variant's; they are set above the user's.
    """
    # Upper case: on Windows the names have no case.
    kept = {key: value for key, value in environ.items() if key.upper() not in _REDIRECTING}
    kept |= variables
    search = [str(environment.scripts), kept.get("PATH", os.defpath)]
    return kept | {
        "PATH": os.pathsep.join(filter(None, search)),
        "VIRTUAL_ENV": str(environment.root),
        "PYTHONNOUSERSITE": "1",
    }
