"""Programs that do not answer as they should."""

import os
import sys

from buildlock.host.inquiry import ask


def ask_python(script: str, *, timeout: float = 30) -> tuple[tuple[str, ...], str | None]:
    answer = ask([sys.executable, "-c", script], os.environ, timeout=timeout)
    return answer.lines, answer.failure


def test_an_answer() -> None:
    assert ask_python("print('a'); print('b\\x1b[31m')") == (("a", "b"), None)


def test_one_that_hangs_is_stopped() -> None:
    assert ask_python("import time; time.sleep(600)", timeout=0.3) == ((), "it did not answer within 0.3 seconds")


def test_one_that_talks_without_end_is_cut() -> None:
    lines, failure = ask_python("for i in range(20000): print('word')")
    assert (len(lines), failure) == (5000, None)


def test_one_that_fails() -> None:
    lines, failure = ask_python("import sys; sys.exit('no device')")
    assert (lines, failure) == (("no device",), "it ended with exit code 1: no device")


def test_one_that_is_not_there() -> None:
    assert "cannot be run" in str(ask(["/nonexistent/tool"], os.environ).failure)
