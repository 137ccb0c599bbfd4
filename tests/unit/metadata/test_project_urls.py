"""Where a project tells what is new."""

import pytest

from buildlock.metadata.core import MetadataFile
from buildlock.metadata.project_urls import find_link


@pytest.mark.parametrize(
    ("urls", "found"),
    [
        ({}, None),
        ({"Documentation": "https://docs.example"}, None),
        ({"Home-page": "https://a.example"}, "home page: https://a.example"),
        ({"Homepage": "https://a.example", "Source": "https://b.example"}, "source: https://b.example"),
        ({"GitHub": "https://a.example", "Change-Log": "https://b.example"}, "release notes: https://b.example"),
        ({"history": "https://a.example", "What's New?": "https://b.example"}, "release notes: https://b.example"),
        (
            {"Changelog": "https://b.example/a(1)#x", "change log": "https://c.example"},
            "release notes: https://b.example/a(1)#x",
        ),
        ({"Changelog": "javascript:alert(1)", "Source": "https://b.example"}, "source: https://b.example"),
    ],
)
def test_the_first_label_that_there_is(urls: dict[str, str], found: str | None) -> None:
    link = find_link(urls)
    assert (link and f"{link.title}: {link.url}") == found


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "//a.example",
        "https://",
        "https://me:secret@a.example",
        "https://a.example/ b",
        "https://a.example/`",
        "https://a.example/\x1b",
        "https://\u0430.example",
        "https://[a.example",
        "https://a.example/" + "b" * 300,
    ],
)
def test_a_url_that_is_not_shown(url: str) -> None:
    assert find_link({"Changelog": url}) is None


def test_labels_and_urls_of_metadata() -> None:
    content = (
        b"Metadata-Version: 2.1\nName: foo\nVersion: 1\nHome-page: https://a.example\n"
        b"Project-URL: Changes, https://b.example/?a,b\nProject-URL: Changes, https://c.example\nProject-URL: none\n"
    )
    metadata = MetadataFile(content, subject="foo-1.tar.gz", url="https://files.example/foo-1.tar.gz")
    assert metadata.read_project_urls() == {"Changes": "https://b.example/?a,b", "Homepage": "https://a.example"}
