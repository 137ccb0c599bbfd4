"""The stories of fixtures/diffs, each as it was rendered when somebody last looked at it."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from render_diffs import RENDERED, compare_story, list_stories, render_story

STORIES = list_stories()
SCHEMA: Any = json.loads(files("buildlock.diff").joinpath("diff.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("story", STORIES)
def test_is_rendered_as_it_was_looked_at(story: str) -> None:
    for suffix, text in render_story(story).items():
        assert text == (RENDERED / f"{story}.{suffix}").read_text(encoding="utf-8"), (
            f"`python fixtures/render_diffs.py` writes {RENDERED.name}/{story}.{suffix} anew: look at what changed"
        )


def test_no_story_is_left_from_before() -> None:
    assert sorted({path.name.rpartition(".")[0] for path in RENDERED.iterdir()}) == STORIES


@pytest.mark.parametrize("story", STORIES)
def test_json_is_of_the_schema(story: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(render_story(story)["json"]), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("story", STORIES)
def test_text_fits_a_terminal_but_for_long_words(story: str) -> None:
    for line in render_story(story)["txt"].splitlines():
        assert len(line) <= 80 or len(line.split()) == 1, line


@pytest.mark.parametrize(
    ("story", "codes"),
    [
        ("tampered-hash", {"hash-changed"}),
        ("dependency-confusion", {"index-moved", "version-raised"}),
        ("cuda-bump", {"version-raised", "new-package", "inputs-changed"}),
        ("new-transitive-sdist", {"sdist-added", "new-package", "version-raised"}),
        ("wheel-became-sdist", {"wheel-became-sdist", "new-package"}),
        ("sdist-became-wheel", {"sdist-became-wheel"}),
        ("merge-of-two-branches", {"version-raised"}),
        ("pin-lowered", {"pin-lowered", "inputs-changed"}),
        ("variant-dropped", {"variant-dropped"}),
        ("target-dropped", {"target-dropped", "artifact-removed", "inputs-changed"}),
        ("target-added", {"target-added", "artifact-added", "inputs-changed"}),
        ("insecure-index", {"index-moved", "insecure-index", "inputs-changed"}),
        ("host-changed", {"host-changed"}),
        ("git-commit-moved", {"commit-moved"}),
        ("folder-changed", {"content-changed"}),
        ("source-moved", {"source-moved", "wheel-became-sdist", "new-package", "inputs-changed"}),
        ("package-from-elsewhere-added", {"variant-added", "sdist-added"}),
        ("yanked-version", {"yanked", "version-raised"}),
        ("fresh-upload", {"too-new", "version-raised"}),
        ("publisher-changed", {"publisher-changed", "attestation-dropped", "version-raised"}),
        ("taken-back", {"quarantined", "file-removed", "index-differs", "project-status", "version-raised"}),
        ("reformatted", set()),
        ("nothing-changed", set()),
    ],
)
def test_says_what_happened_and_no_more(story: str, codes: set[str]) -> None:
    assert {finding.code for finding in compare_story(story).findings} == codes
