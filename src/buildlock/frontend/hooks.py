"""Calling one hook of a backend, and telling its failures from each other."""

import re
import signal
import stat
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller, HookMissing, UnsupportedOperation

from buildlock.errors import BackendError, BuildlockError
from buildlock.frontend.confinement import Confinement
from buildlock.frontend.process import Ended, clean_line, run_process
from buildlock.project.model import BuildSystem
from buildlock.reporting import Printed, Reporter, Warned, phase
from buildlock.values import dataclass

_MISSING_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_WARNINGS = threading.Lock()
_ANSWER = "output.json"
"""What `pyproject_hooks` reads in the folder that it made for the call."""
_MAX_ANSWER = 16 << 20
"""Bytes."""


class MissingHookError(BackendError):
    """The backend does not have the hook."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hook returned, of any type, and the last lines that it printed."""

    value: Any
    output: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """The hooks of one backend, each call in a process of its own."""

    build_system: BuildSystem
    root: Path
    """The project's folder, where hooks run."""
    python: Path
    environ: Mapping[str, str]
    """All environment variables of the process."""
    report: Reporter
    timeout: float | None
    """Seconds for one call."""
    confinement: Confinement | None = None

    def call(self, hook: str, *arguments: object, output: Path | None = None) -> Answer:
        """Call `hook` with arguments that JSON can hold.

        Args:
            hook: Its name.
            arguments: In its order.
            output: A folder that it has to write to, wherever else it may not.

        Raises:
            MissingHookError: The backend does not have the hook.
            BackendError: There is no such backend, or it failed, was too slow or gave no answer.
            EnvironmentPreparationError: The environment's interpreter cannot be run.
            ConfinementError: This machine cannot confine it.
        """
        ended: Ended | None = None

        def run(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
            nonlocal ended
            # The last argument is where the answer goes.
            folders = [Path(cmd[-1]), *([output] if output else [])]
            ended = self._run(hook, cmd, cwd, {**self.environ, **(extra_environ or {})}, folders)
            self._check_answer(hook, folders[0], ended)
            # What `pyproject_hooks` does next is to raise the hook's warnings again, in this process.
            answering.enter_context(self._report_warnings())

        caller = BuildBackendHookCaller(
            str(self.root),
            self.build_system.backend,
            self.build_system.backend_path or None,
            runner=run,
            python_executable=str(self.python),
        )
        try:
            with phase(self.report, "backend"), ExitStack() as answering:
                value = getattr(caller, hook)(*arguments)
        except HookMissing as error:
            # The name in the answer is the backend's word.
            raise self._describe_missing(hook) from error
        except UnsupportedOperation as error:
            raise self.blame(f"does not support `{hook}` here", told=str(error.traceback).splitlines()) from error
        except BackendUnavailable as error:
            raise self._describe_unavailable(error) from error
        # An answer is a file that the backend's process wrote: anything can be in it, or there is none.
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            if ended is None:
                raise BuildlockError(f"`{hook}` of the build backend cannot be called: {error}") from error
            raise self.blame(f"ended without an answer to `{hook}`", ended.output) from error
        assert ended is not None
        return Answer(value, ended.output)

    def blame(
        self, fault: str, printed: Sequence[str] = (), *, told: Sequence[str] = (), hint: str | None = None
    ) -> BackendError:
        """An error that says `fault` of the backend.

        Args:
            fault: What follows on its name.
            printed: The end of what it printed.
            told: What it let us know in another way.
            hint: What the user can do about it.
        """
        lines = "".join(f"\n  {clean_line(line)}".rstrip(" ") for line in told)
        message = f"the build backend `{self.build_system.backend}` {fault}" + (f":\n{lines}" if lines else "")
        return BackendError(message, hint=hint, printed=[clean_line(line) for line in printed])

    def _run(
        self,
        hook: str,
        command: Sequence[str],
        directory: str | None,
        environ: Mapping[str, str],
        folders: Sequence[Path],
    ) -> Ended:
        run = self.confinement.allow(*folders).run if self.confinement is not None else run_process
        ended = run(command, directory=directory, environ=environ, report=self.report, timeout=self.timeout)
        if ended.outlived:
            self.report(Warned(f"the build backend `{self.build_system.backend}` left a process behind in `{hook}`"))
        if ended.returncode is None:
            raise self.blame(f"did not finish `{hook}` within {self.timeout:g} s", ended.output)
        if ended.returncode != 0:
            missing = _find_missing_module(ended.output)
            raise self.blame(
                f"failed in `{hook}` ({_describe_returncode(ended.returncode)})",
                ended.output,
                hint=None if missing is None else _suggest_requirement(missing),
            )
        return ended

    def _check_answer(self, hook: str, folder: Path, ended: Ended) -> None:
        """See that what is read next is a file, of which there is no more than can be held."""
        try:
            status = (folder / _ANSWER).lstat()
        except OSError as error:
            raise self.blame(f"ended without an answer to `{hook}`", ended.output) from error
        if not stat.S_ISREG(status.st_mode):
            raise self.blame(f"ended without an answer to `{hook}`", ended.output)
        if status.st_size > _MAX_ANSWER:
            raise self.blame(f"answered to `{hook}` with {status.st_size} bytes", ended.output)

    @contextmanager
    def _report_warnings(self) -> Iterator[None]:
        # The state of `warnings` is the whole process's.
        with _WARNINGS, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        for warning in caught:
            for line in f"{warning.filename}:{warning.lineno}: {warning.message}".splitlines():
                self.report(Printed(clean_line(line)))

    def _describe_missing(self, hook: str) -> MissingHookError:
        hint = None
        if hook == "build_editable":
            hint = "build a wheel, or use a version of the backend that supports editable installs (PEP 660)"
        return MissingHookError(f"the build backend `{self.build_system.backend}` has no hook `{hook}`", hint=hint)

    def _describe_unavailable(self, error: BackendUnavailable) -> BackendError:
        traceback = str(error.traceback or "").splitlines()
        missing = _find_missing_module(traceback)
        if missing is not None:
            # Where the module is the backend itself, the traceback says no more.
            is_backend = f"{self.build_system.backend.partition(':')[0]}.".startswith(f"{missing}.")
            return self.blame(
                f"cannot be imported: the build environment has no module `{missing}`",
                told=() if is_backend else traceback,
                hint=_suggest_requirement(missing),
            )
        if not traceback and self.build_system.backend_path:
            where = ", ".join(f"`{path}`" for path in self.build_system.backend_path)
            return self.blame(f"is not in its `backend-path`, {where}")
        return self.blame("cannot be imported", told=traceback)


def _find_missing_module(output: Sequence[str]) -> str | None:
    matches = filter(None, map(_MISSING_MODULE.match, reversed(output)))
    return next((match[1] for match in matches), None)


def _suggest_requirement(module: str) -> str:
    return f"add the package that provides `{module}` to `[build-system].requires` and lock again"


def _describe_returncode(returncode: int) -> str:
    if returncode > 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
