"""A comment on a pull request: whatever a lock says, it says it as code."""

from collections.abc import Collection, Iterator
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.utils import NormalizedName

from buildlock.diff.model import Diff, Facts, Finding, Place
from buildlock.diff.quoting import quote
from buildlock.diff.render_html import render_html
from buildlock.diff.render_markdown import MAX_LENGTH, render_markdown
from buildlock.published import ProjectLink
from render_diffs import compare_story, list_stories, render_story

OURS = {"<!-- buildlock-diff -->\n", "<details>\n", "</details>\n"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</code></details><img src=x onerror=alert(1)>",
    "@octocat",
    "#1",
    "GH-1",
    "octo/cat#1",
    "[link](https://evil.example)",
    "![](https://evil.example/x.png)",
    "https://evil.example/",
    "www.evil.example",
    "me@evil.example",
    "a|b|c",
    "`` ` ``` `",
    "`@octocat`",
    "```\n@octocat\n```",
    "**b** _i_ ~~s~~",
    "\n# heading",
    "\r\n\r\n<b>",
    "&lt;&#64;",
    ":smile:",
    "$`x`$ $$x$$",
    "\u202eevil\u202c\u200b\x1b[2J\x00",
    "\ud800",
    "x" * 5000,
    "",
    " ",
]


def parse(text: str) -> Iterator[Token]:
    """All tokens of a document, as a reader of GitHub's Markdown sees them."""
    markdown = MarkdownIt("gfm-like", {"html": True, "linkify": False}).enable(["strikethrough", "table"])
    for token in markdown.parse(text):
        yield token
        yield from token.children or ()


def check_harmless(text: str, links: Collection[str] = ()) -> None:
    before = None
    for token in parse(text):
        if before is not None and before.type == "link_open" and links:
            # What a link shows is where it leads.
            assert token.type == "code_inline"
            assert {name: unquote(str(value)) for name, value in before.attrs.items()} == {"href": token.content}
            assert token.content in links
            assert token.content.startswith("https://")
        before = token
        assert links or token.type != "link_open", token
        assert token.type not in {"image", "s_open", "em_open", "table_open", "fence", "code_block"}, token
        if token.type in {"html_block", "html_inline"}:
            lines = {line + "\n" for line in token.content.splitlines()}
            assert all(line in OURS or line.startswith("<summary>") for line in lines), token.content
        if token.type == "text":
            for sign in ("@", "#", "://", "www."):
                position = token.content.find(sign)
                assert position < 0 or not token.content[position + len(sign) :][:1].isalnum(), token.content
    assert text.isprintable() or all(char.isprintable() or char == "\n" for char in text)


def make_diff(values: list[str], raw: bool = False) -> Diff:  # noqa: FBT001, FBT002 - of a test
    quoted = [f"`{value}`" if raw else quote(value) for value in values]
    findings = tuple(
        Finding(
            code="inputs-changed",
            packages=(NormalizedName("foo"),),
            message=f"it is {value} now",
            places=(Place(variant="cpu"), Place(variant="gpu", build=f"foo=={value}", targets=(value,))),
            details=(f"before: {value}",),
            chain=(value, "foo"),
        )
        for value in quoted
    )
    return Diff(old="".join(values), new="new", findings=findings)


@pytest.mark.parametrize("text", ["@octocat", "a #1", "[a](https://b.example)", "<b>x</b>", "https://b.example", "*a*"])
def test_harm_is_noticed(text: str) -> None:
    with pytest.raises(AssertionError):
        check_harmless(text)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_code(value: str) -> None:
    check_harmless(render_markdown(make_diff([value])))


@pytest.mark.parametrize("value", HOSTILE)
def test_a_sentence_that_quotes_it_wrongly_is_harmless_too(value: str) -> None:
    check_harmless(render_markdown(make_diff([value], raw=True)))


@given(st.lists(st.text(alphabet=st.sampled_from("ab`@#<>/:|&*_~[]()!\\$ \n\u202e.w")), max_size=3))
def test_any_text(values: list[str]) -> None:
    check_harmless(render_markdown(make_diff(values)))
    check_harmless(render_markdown(make_diff(values, raw=True)))


@pytest.mark.parametrize("story", list_stories())
def test_stories_are_harmless(story: str) -> None:
    links = {each.facts.link.url for each in compare_story(story).findings if each.facts and each.facts.link}
    check_harmless(render_story(story)["md"], links)


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://foo.example/changes", True),
        ("https://github.com/org/repo/releases", True),
        ("https://foo.example/(1)?a=[b]&c=*d*&copy;#_e_", True),
        ("http://foo.example/changes", False),
        ("https://github.com/org/repo/issues/1", False),
        ("https://www.GitHub.com//org/repo/pull/1", False),
        ("https://foo.example/>x", False),
        ("https://foo.example/`@octocat", False),
        ("https://foo.example/\nb", False),
        ("javascript:alert(1)", False),
        *((value, False) for value in HOSTILE if not value.startswith("https:")),
    ],
)
def test_a_link_leads_where_it_says(url: str, linked: bool) -> None:  # noqa: FBT001 - a table
    finding = Finding(
        code="version-raised",
        packages=(NormalizedName("foo"),),
        message="moved",
        places=(Place(variant="cpu"),),
        facts=Facts(link=ProjectLink(title="release notes", url=url)),
    )
    diff = Diff(old="old", new="new", findings=(finding,))
    links = [token.attrs["href"] for token in parse(render_markdown(diff)) if token.type == "link_open"]
    assert bool(links) is linked
    if not linked:
        check_harmless(render_markdown(diff))
    page = render_html(diff)
    assert ('<a href="http' in page) == url.startswith(("https://", "http://"))
    for markup in ("<img", "<b>", 'href="javascript:'):
        assert markup not in page


@pytest.mark.parametrize("size", [1, 10, 500, 5000])
def test_github_takes_it_and_what_is_left_out_is_counted(size: int) -> None:
    text = render_markdown(make_diff([f"→{number}" + "x" * 100 for number in range(size)]))
    assert len(text.encode()) <= MAX_LENGTH
    assert text.count("<details>") == text.count("</details>")
    shown = text.count("\n- `foo` ")
    left_out = int(text.split(" more findings do not fit")[0].rpartition("**")[2]) if "do not fit" in text else 0
    assert shown + left_out == size


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_no_markup_of_a_page(value: str) -> None:
    page = render_html(make_diff([value], raw=True))
    body = page[page.index("<body>") : page.index("<script>")]
    for markup in ("<script", "<img", "<b>", "javascript:", "\x1b", "\u202e"):
        assert markup not in body
