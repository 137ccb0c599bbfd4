"""The page of a diff, as far as it can be judged without a browser."""

import base64
import hashlib
import re
from html import unescape
from importlib.resources import files

import pytest

from render_diffs import compare_story, list_stories, render_story

STYLE = files("buildlock.diff").joinpath("page.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("story", list_stories())
def test_it_needs_nothing_and_lets_nothing_else_run(story: str) -> None:
    page = render_story(story)["html"]
    assert not re.search(r"""\s(?:src|action|on\w+)\s*=\s*["']|@import|url\(""", page[: page.index("<body>")])
    links = {each.facts.link.url for each in compare_story(story).findings if each.facts and each.facts.link}
    assert set(map(unescape, re.findall(r'href="([^"]*)"', page))) == {"#findings", *links}
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0].replace("&#x27;", "'")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        for content in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy


@pytest.mark.parametrize("block", STYLE.split("@media")[:2], ids=["light", "dark"])
def test_text_stands_out(block: str) -> None:
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block))
    for text in ("text", "soft", "link", "high", "medium", "low"):
        for ground in ("page", "panel"):
            # WCAG 2.2, 1.4.3: 4.5 to 1.
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
