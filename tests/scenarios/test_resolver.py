"""Each file of `fixtures/scenarios` is a small universe, what is asked of it, and what must come out.

The keys of a scenario: `description`, `requires`, `constraints`, `overrides`, `preferences`, `python`, `settings`
(as the fields of `Settings`), `universe` by index, package and version (see `support.small_universe`),
`quarantined`, and `expected` with `pins` and `warnings`, `files`, or `error` and `hint`.
"""

import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.errors import BuildlockError
from buildlock.project.model import Index, Settings
from buildlock.reporting import Event, Warned
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve
from support.small_universe import SmallUniverse, make_target, written

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCENARIOS = sorted(Path(__file__, "../../../fixtures/scenarios").resolve().glob("*.toml"))


def read_request(scenario: dict[str, Any]) -> ResolutionRequest:
    settings = dict(scenario.get("settings", {}))
    flat = [Index(url=url, location=url, format="flat", origin="uv.toml") for url in settings.pop("flat", [])]
    return ResolutionRequest(
        requirements=written(*scenario["requires"]),
        constraints=written(
            *scenario.get("constraints", []), origin="pyproject.toml: [project.optional-dependencies].cu118"
        ),
        overrides=written(*scenario.get("overrides", []), origin="pyproject.toml: [tool.uv].override-dependencies"),
        target=make_target(scenario.get("python", "3.11.0")),
        settings=Settings(indexes=tuple(flat), **settings),
        preferences={
            canonicalize_name(name): Version(version) for name, version in scenario.get("preferences", {}).items()
        },
    )


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    scenario = tomllib.loads(path.read_text("utf-8"))
    universe = SmallUniverse(scenario["universe"], scenario.get("quarantined", ()))
    expected = scenario["expected"]
    events: list[Event] = []
    if "error" in expected:
        with pytest.raises(BuildlockError) as caught:
            resolve(read_request(scenario), universe, events.append)
        assert caught.value.message == expected["error"].strip(), scenario["description"]
        assert caught.value.hint == expected.get("hint")
        return
    resolution = resolve(read_request(scenario), universe, events.append)
    pins = {package.name: str(package.version) for package in resolution.packages}
    assert pins == expected.get("pins"), scenario["description"]
    assert [event.message for event in events if isinstance(event, Warned)] == expected.get("warnings", [])
    files = {package.name: package.artifact.filename for package in resolution.packages}
    assert files.items() >= expected.get("files", {}).items()
    requires = {package.name: list(package.requires) for package in resolution.packages}
    assert requires.items() >= expected.get("requires", {}).items()


def test_every_scenario_describes_itself() -> None:
    assert len(SCENARIOS) >= 30
    for path in SCENARIOS:
        assert tomllib.loads(path.read_text("utf-8"))["description"].endswith(".")
