"""The page of a diff in headless Chromium: its filters by keyboard, and what it is without a script."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from render_diffs import RENDERED

pytestmark = pytest.mark.heavy
PAGE = RENDERED / "source-moved.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no Chromium on PATH")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = running.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    page = chromium.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(PAGE.as_uri())
    yield page
    page.close()
    assert complaints == []
    assert requests == [PAGE.as_uri()]


def test_filters_by_keyboard(page: Any) -> None:
    status, shown = page.get_by_role("status"), page.locator(".finding:visible")
    total = page.locator(".finding").count()
    assert status.inner_text() == f"{total} of {total} shown"
    high = page.get_by_role("checkbox", name="high")
    high.focus()
    page.keyboard.press("Space")
    assert not high.is_checked()
    assert status.inner_text() == f"{shown.count()} of {total} shown"
    assert not page.get_by_role("heading", name="High risk").is_visible()
    page.get_by_label("Package").press_sequentially("flit")
    assert [each.split()[0] for each in shown.all_inner_texts()] == ["flit-core"]
    page.get_by_role("button", name="Show all").press("Enter")
    status.filter(has_text=f"{total} of {total} shown").wait_for()


def test_a_variant_that_is_not_wanted(page: Any) -> None:
    page.get_by_role("checkbox", name="default").uncheck()
    assert page.locator(".finding:visible").count() == 0


def test_landmarks_and_names(page: Any) -> None:
    for role in ("banner", "search", "main"):
        assert page.get_by_role(role).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    for control in page.locator("input, button").all():
        assert control.evaluate("each => each.labels?.length || each.textContent.trim().length")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the findings"
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.tagName") != "BODY"


def test_without_a_script_it_is_the_whole_list(chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.locator(".finding:visible").count() == page.locator(".finding").count() > 0
    assert not page.locator("form").is_visible()
    context.close()


def test_nothing_of_a_hostile_lock_runs(chromium: Any) -> None:
    page = chromium.new_page()
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))  # noqa: PLW0108 - playwright takes no function of C
    page.goto((RENDERED / "hostile-values.html").as_uri())
    assert page.locator("script, img, b").count() == 1
    assert not dialogs
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_of_it(chromium: Any, scheme: str, tmp_path: Path) -> None:
    page = chromium.new_page(color_scheme=scheme, viewport={"width": 400, "height": 800})
    page.goto(PAGE.as_uri())
    page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.close()
