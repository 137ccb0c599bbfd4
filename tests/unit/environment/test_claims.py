"""Who is alone with an environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildlock.environment.claims import take_claim

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a claim holds nothing there")


def test_the_first_is_alone_and_the_others_are_not(tmp_path: Path) -> None:
    first = take_claim(tmp_path / "claim")
    assert first.alone
    first.share()
    second = take_claim(tmp_path / "claim")
    assert not second.alone
    first.release()
    second.release()
    last = take_claim(tmp_path / "claim")
    assert last.alone
    last.release()


def test_a_process_that_inherited_it_holds_it(tmp_path: Path) -> None:
    claim = take_claim(tmp_path / "claim")
    claim.share()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[claim.descriptor]) as process:
        claim.release()
        other = take_claim(tmp_path / "claim")
        assert not other.alone
        other.release()
        assert process.stdin is not None
        process.stdin.close()
        os.waitpid(process.pid, 0)
        process.returncode = 0
    last = take_claim(tmp_path / "claim")
    assert last.alone
    last.release()
