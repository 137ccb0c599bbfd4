"""Which packages an entry of the cache is of."""

import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.artifacts import InvalidFilenameError, parse_filename
from buildlock.environment.kept import read_kept
from buildlock.environment.marker import read_marker
from buildlock.environment.origin import read_origin
from buildlock.environment.stored import read_facts
from buildlock.errors import EnvironmentPreparationError
from buildlock.index.http_cache import read_page
from buildlock.workflows.cache_contents import Entry

_INSTALLED = re.compile(r"(.+)/([^/]+)-[^-/]+\.dist-info")


def list_names(entry: Entry) -> frozenset[NormalizedName]:
    """The packages that it is of or holds; none of a repository or an answer, and of what is not as it was written."""
    with suppress(
        OSError, EnvironmentPreparationError, ValueError, LookupError, TypeError, AttributeError, RecursionError
    ):
        return frozenset(_read(entry))
    return frozenset()


def _read(entry: Entry) -> Iterator[NormalizedName]:
    match entry.kind:
        case "wheels":
            yield read_facts(entry.path).name
        case "files" | "sources" | "built":
            yield from _parse(read_kept(entry.path, None).path.name)
        case "environments":
            marker = read_marker(str(entry.path))
            layout = read_origin(marker.origin).layout
            found = filter(None, map(_INSTALLED.fullmatch, marker.seal.names))
            installed = {layout.purelib, layout.platlib}
            yield from (canonicalize_name(match[2]) for match in found if match[1] in installed)
        case "pages":
            if page := read_page(entry.path):
                last = next(filter(None, reversed(urlsplit(page.url).path.split("/"))), "")
                yield canonicalize_name(unquote(last))
                yield from _parse(unquote(last).removesuffix(".metadata"))
        case "repositories" | "answers":
            return


def _parse(filename: str) -> Iterator[NormalizedName]:
    with suppress(InvalidFilenameError):
        yield parse_filename(filename)[0]
