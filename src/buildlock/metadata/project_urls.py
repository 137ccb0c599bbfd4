"""Where a project tells what is new, from the well-known labels of its URLs."""

import re
from collections.abc import Mapping
from string import punctuation, whitespace
from typing import Literal
from urllib.parse import urlsplit

from buildlock.published import ProjectLink

_LABELS: tuple[tuple[Literal["release notes", "source", "home page"], tuple[str, ...]], ...] = (
    # The last three are no well-known labels, and those of many projects.
    (
        "release notes",
        ("changelog", "changes", "whatsnew", "history", "releasenotes", "news", "releases", "releasehistory"),
    ),
    ("source", ("source", "repository", "sourcecode", "github")),
    ("home page", ("homepage",)),
)
"""Well-known labels of project URLs in their normal form, each after what it is an alias of; the best page first."""
_REMOVED = str.maketrans("", "", punctuation + whitespace)
_SAFE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
"""RFC 3986: unreserved, reserved and `%`."""
_LONGEST = 300


def find_link(urls: Mapping[str, str]) -> ProjectLink | None:
    """The page that tells what is new; where there is none, that of the source, or the home page.

    Args:
        urls: By label, as in the metadata.

    >>> find_link({"Home-page": "https://foo.example", "What's New": "https://foo.example/news"})
    ProjectLink(title='release notes', url='https://foo.example/news')
    """
    by_label: dict[str, str] = {}
    for label, url in urls.items():
        if _is_web(url):
            by_label.setdefault(normalize_label(label), url)
    return next(
        (
            ProjectLink(title=title, url=by_label[label])
            for title, labels in _LABELS
            for label in labels
            if label in by_label
        ),
        None,
    )


def normalize_label(label: str) -> str:
    """A label as labels are compared.

    >>> normalize_label("Release Notes")
    'releasenotes'
    """
    # "Labels are normalized by removing all ASCII punctuation and whitespace, and then lowercasing the result."
    return label.translate(_REMOVED).lower()


def _is_web(url: str) -> bool:
    """Whether a URL is one that a person may be shown: of the web, short, and what it looks like."""
    if len(url) > _LONGEST or not _SAFE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
