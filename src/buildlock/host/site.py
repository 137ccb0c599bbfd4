"""Where drivers are looked for: the environment variables and the root of the file system."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from buildlock.environment.interpreter_facts import find_base_executable
from buildlock.host.inquiry import Answer, ask, find_command
from buildlock.values import dataclass

_LONGEST = 65536


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One machine, or a folder that looks like one."""

    environ: Mapping[str, str]
    root: Path = Path("/")

    def read(self, path: Path) -> str | None:
        """The beginning of a text file; `None` where there is none that can be read."""
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                return file.read(_LONGEST).decode("utf-8", "replace")
        except (OSError, ValueError):
            return None

    def ask_command(self, name: str, *arguments: str) -> Answer:
        """What a command on PATH answers."""
        command = find_command(name, self.environ)
        if command is None:
            return Answer(lines=(), failure=f"there is no `{name}` on PATH")
        answer = ask([command, *arguments], self.environ)
        return Answer(lines=answer.lines, failure=f"`{command}`: {answer.failure}" if answer.failure else None)

    def ask_library(self, subject: Literal["nvml", "cuda", "level-zero"]) -> Answer:
        """What a driver's library says, loaded in a process of its own."""
        interpreter = find_base_executable()
        if not interpreter:
            return Answer(lines=(), failure="the Python that runs buildlock does not know its own executable")
        script = Path(__file__).with_name("driver_library.py").read_text(encoding="utf-8")
        answer = ask([interpreter, "-I", "-S", "-c", script, subject], self.environ)
        # The library may print too.
        said = [line.removeprefix("buildlock ") for line in answer.lines if line.startswith("buildlock ")]
        kind, _, value = said[-1].partition(":") if said else ("", "", "")
        if kind == "answer" and answer.failure is None:
            return Answer(lines=(value,), failure=None)
        return Answer(lines=(), failure=value if kind == "failure" else answer.failure or "it says nothing")
