"""Which Pythons and platforms a verb works for, and the interpreters that this machine has of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from packaging.version import Version

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.errors import EnvironmentPreparationError, InterpreterNotFoundError, UsageError
from buildlock.platforms import UnknownPlatformError, parse_platform
from buildlock.targets import PythonName, Target, TargetName, make_target, parse_python, with_python


def find_targets(names: Sequence[TargetName], environ: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets of some names, each once, in their order.

    Raises:
        UsageError: A name means nothing, or two mean targets that nothing tells apart.
    """
    targets: dict[tuple[str, str, tuple[str, ...]], Target] = {}
    for name in names:
        target = _find_target(name, environ)
        key = str(target.marker), target.abi, target.platforms
        if targets.setdefault(key, target) != target:
            raise UsageError(
                f"`{targets[key]}` and `{target}` cannot be two targets of one lock",
                hint="name one patch release of a Python",
            )
    return tuple(targets.values())


def list_interpreters(names: Sequence[TargetName], environ: Mapping[str, str]) -> Iterator[Interpreter]:
    """Interpreters of this machine that may be those of targets: its own, then those of the versions that are named."""
    named = [name.python for name in names]
    for request in named if len(names) == 1 and names[0].platform is None else dict.fromkeys([None, *named]):
        with suppress(InterpreterNotFoundError, EnvironmentPreparationError):
            yield find_interpreter(request, environ)


def _find_target(name: TargetName, environ: Mapping[str, str]) -> Target:
    if name.platform is None:
        return _find_local(name.python, environ)
    try:
        platform = parse_platform(name.platform)
    except UnknownPlatformError as error:
        raise UsageError(f"`{name.platform}` {error}") from error
    if name.python is None:
        own: Version = find_interpreter(None, environ).target.python
        return make_target(PythonName(release=(own.major, own.minor, 0)), platform)
    try:
        return make_target(parse_python(name.python), platform)
    except ValueError as error:
        raise UsageError(f"`{name.python}` {error}") from error


def _find_local(request: str | None, environ: Mapping[str, str]) -> Target:
    """The target of an interpreter that is found, else a version of CPython on this platform.

    Raises:
        InterpreterNotFoundError: The request is no version, and no interpreter answers to it.
    """
    try:
        return find_interpreter(request, environ).target
    except InterpreterNotFoundError:
        try:
            python = parse_python(request or "")
        except ValueError:
            python = None
        if python is None:
            raise
        return with_python(find_interpreter(None, environ).target, python)
