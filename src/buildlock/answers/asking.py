"""How a command is asked: what two runs of it have to have in common. It imports nothing that takes time."""

from __future__ import annotations

import os
import sys

from buildlock.answers.sights import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder of buildlock's code."""
SITE = os.path.dirname(PACKAGE)
"""The folder that it is installed in, with the libraries that it uses."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})

LIBRARY_VARIABLES = (
    # The interpreter, and the locale.
    *("PYTHONHOME", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS", "PYTHONOPTIMIZE"),
    *("PYTHONUSERBASE", "_PYTHON_PROJECT_BASE", "PYTHONASYNCIODEBUG", "TMPDIR", "TEMP", "TMP"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
    # rich
    *("CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "FORCE_COLOR", "JPY_PARENT_PID", "JUPYTER_COLUMNS"),
    *("JUPYTER_LINES", "LINES", "NO_COLOR", "TERM", "TERM_PROGRAM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("DATABRICKS_RUNTIME_VERSION", "UNICODE_VERSION"),
    # click and typer
    *("GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH", "TYPER_STANDARD_TRACEBACK", "TYPER_USE_RICH"),
    *("_BUILDLOCK_COMPLETE", "_TYPER_COMPLETE", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"),
    *("_TYPER_FORCE_DISABLE_TERMINAL", "_TYPER_STANDARD_TRACEBACK"),
)
"""Environment variables that libraries look up by themselves while a command runs that is remembered."""


def make_key(arguments: Sequence[str]) -> str | None:
    """A digest of how a command is asked: by whom, where, with which arguments and streams; `None` if it is unclear.

    buildlock's own code, and that of the libraries, is known by the folder it is installed in: to install, upgrade or
    remove a distribution changes that folder. Code that is edited in place is not known by anything.
    """
    out, err = sys.stdout, sys.stderr
    if os.path.basename(SITE) not in _INSTALLED or out is None or err is None:
        return None
    try:
        installed = [os.stat(path) for path in (SITE, PACKAGE, os.path.join(PACKAGE, "__init__.py"), sys.executable)]
        streams = [(stream.isatty(), stream.encoding, stream.errors) for stream in (out, err)]
        terminal = tuple(os.get_terminal_size(stream.fileno())) if (stream := out).isatty() else ()
        terminal += tuple(os.get_terminal_size(stream.fileno())) if (stream := err).isatty() else ()
        folder = os.getcwd()
    except (OSError, ValueError, AttributeError):
        return None
    facts = [
        sys.version,
        sys.executable,
        sys.prefix,
        sys.base_prefix,
        repr([(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size) for status in installed]),
        _describe_machine(),
        repr((streams, terminal)),
        folder,
        *(f"{name}={os.environ.get(name)}" for name in LIBRARY_VARIABLES),
        *arguments,
    ]
    return digest(map(os.fsencode, facts))


def _describe_machine() -> str:
    """What the values of markers, and tags of wheels, are made from."""
    if sys.platform == "win32":
        return repr(sys.getwindowsversion())
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    machine = os.uname()
    return f"{machine.sysname} {machine.release} {machine.version} {machine.machine} {libc}"
