"""Where a project tells what is new, from the well-known labels of its URLs."""

import re
from collections.abc import Mapping
from string import punctuation, whitespace
from urllib.parse import urlsplit

_NEWS = ("changelog", "changes", "whatsnew", "history", "releasenotes")
_SOURCE = ("source", "repository", "sourcecode", "github")
_HOME = ("homepage",)
"""Labels in their normal form, and the aliases of each (well-known project URLs)."""
# The labels that many projects have for the first of these, and the specification does not know.
_NEWS_TOO = ("news", "releases", "releasehistory")
_REMOVED = str.maketrans("", "", punctuation + whitespace)
_SAFE = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
"""RFC 3986: unreserved, reserved and `%`."""
_LONGEST = 300


def find_release_notes(urls: Mapping[str, str]) -> str | None:
    """The URL that tells what is new; where there is none, that of the source, or the home page.

    Args:
        urls: By label, as in the metadata.

    >>> find_release_notes({"Home-page": "https://foo.example", "What's New": "https://foo.example/news"})
    'https://foo.example/news'
    """
    by_label: dict[str, str] = {}
    for label, url in urls.items():
        if _is_web(url):
            by_label.setdefault(normalize_label(label), url)
    return next((by_label[label] for label in (*_NEWS, *_NEWS_TOO, *_SOURCE, *_HOME) if label in by_label), None)


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
