"""Which Python a verb works for, and the interpreter that is it, where this machine has one."""

from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.errors import InterpreterNotFoundError
from buildlock.targets import Target, with_python


def find_target(request: str | None, environ: Mapping[str, str]) -> tuple[Target, Interpreter | None]:
    """The target of `--python`: that of an interpreter which is found, else a version of CPython on this platform.

    Raises:
        InterpreterNotFoundError: The request is no version, and no interpreter answers to it.
    """
    try:
        interpreter = find_interpreter(request, environ)
    except InterpreterNotFoundError:
        version = _as_version(request)
        if version is None:
            raise
        return with_python(find_interpreter(None, environ).target, version), None
    return interpreter.target, interpreter


def _as_version(request: str | None) -> Version | None:
    try:
        version = Version(request or "")
    except InvalidVersion:
        return None
    return version if len(version.release) in (2, 3) and version.release >= (3, 8) else None
