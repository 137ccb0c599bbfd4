from pathlib import Path

import pytest

from buildlock.errors import UsageError
from buildlock.frontend.recognition import constrain, recognize


@pytest.mark.parametrize(
    ("command", "tool", "python"),
    [
        ("pip install .", "pip", None),
        ("pip3.12 --python other wheel .", "pip", "other"),
        ("/some/where/python3.12 -m pip wheel .", "pip", "/some/where/python3.12"),
        ("python -I -m build", "build", "python"),
        ("pyproject-build --wheel", "build", None),
        ("uv build --python=3.12", "uv", "3.12"),
        ("uv build -p 3.13", "uv", "3.13"),
        ("hatch build", "hatch", None),
    ],
)
def test_what_it_is(command: str, tool: str, python: str | None) -> None:
    frontend = recognize(command.split())
    assert (frontend.tool, frontend.python) == (tool, python)
    assert [*frontend.launcher, *frontend.arguments] == command.split()


@pytest.mark.parametrize("command", ["pip list", "python", "python -m", "python -m venv x", "uv", "hatch", "make", ""])
def test_what_it_is_not(command: str) -> None:
    with pytest.raises(UsageError):
        recognize(command.split(" "))


def test_the_extras_that_it_installs() -> None:
    assert recognize(["pip", "install", "-e", ".[cu124, dev]", "--no-deps"]).extras == ("cu124", "dev")


def test_what_would_lift_the_constraints_is_dropped() -> None:
    environ = {"UV_NO_BUILD_ISOLATION": "1", "PIP_ISOLATED": "1", "UV_BUILD_CONSTRAINT": "mine", "HOME": "/home"}
    variables = constrain(recognize(["uv", "build"]), environ, Path("c.txt"), Path("scratch"))
    assert variables == {"HOME": "/home", "UV_BUILD_CONSTRAINT": "c.txt", "UV_REQUIRE_HASHES": "1"}
