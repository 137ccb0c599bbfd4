"""Commands whose answers are remembered, run in this process as an installed buildlock runs them.

seed = enter(project, monkeypatch)
assert seed.ask("check").remembered
"""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from buildlock.answers import asking, recorder
from buildlock.answers.replay import replay
from buildlock.cli import app
from support.command import Checkout


@dataclass(frozen=True, slots=True)
class Given:
    """What was said."""

    remembered: bool
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Commands in this process, as an installed buildlock runs them."""

    project: Checkout
    patch: pytest.MonkeyPatch

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def records(self) -> list[Path]:
        return sorted(self.project.cache.glob("answers-v1/*"))

    def ask(self, *arguments: str, remembers: bool = True) -> Given:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        self.patch.setattr(sys, "stdout", out)
        self.patch.setattr(sys, "stderr", err)
        self.patch.setattr(sys, "argv", ["buildlock", *arguments])
        self.patch.setattr(recorder, "_active", None)
        code = replay(arguments, arguments) if remembers else None
        remembered = code is not None
        if code is None:
            with pytest.raises(SystemExit) as ended:
                app.run()
            assert isinstance(ended.value.code, int)
            code = ended.value.code
        said = (stream.buffer.getvalue().decode() for stream in (out, err) if isinstance(stream.buffer, io.BytesIO))
        return Given(remembered, code, *said)

    @contextmanager
    def undone(self) -> Iterator["Asker"]:
        """The same, to change something that is as it was after the block."""
        kept = self.root.parent / "kept"
        shutil.copytree(self.root, kept)
        with pytest.MonkeyPatch.context() as patch:
            yield Asker(self.project, patch)
        shutil.rmtree(self.root)
        kept.rename(self.root)
        shutil.rmtree(self.root.parent / "home", ignore_errors=True)
        os.chdir(self.root)

    def recalls(self, *arguments: str) -> bool:
        """Whether there is an answer that could be given again."""
        self.patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
        self.patch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), "utf-8"))
        return replay(arguments, arguments) is not None

    def check(self, *arguments: str) -> Given:
        """The right answer; it was remembered, or it was not."""
        given = self.ask("check", *arguments)
        right = self.ask("check", *arguments, remembers=False)
        assert (given.code, given.stdout, given.stderr) == (right.code, right.stdout, right.stderr)
        return given


def enter(project: Checkout, monkeypatch: pytest.MonkeyPatch) -> Asker:
    monkeypatch.setattr(asking, "_INSTALLED", {os.path.basename(asking.SITE)})  # noqa: PTH119
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    # The files of the user and the machine, which other tests do without.
    monkeypatch.setenv("HOME", str(project.root.parent / "home"))
    for name in ("PIP_CONFIG_FILE", "UV_NO_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(project.root)
    return Asker(project, monkeypatch)
