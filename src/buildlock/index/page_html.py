"""Reading a page of links in HTML (PEP 503, 592, 629, 658, 714, 740, 792)."""

from collections.abc import Mapping
from html.parser import HTMLParser

from buildlock.index.links import LinkCollector, MalformedPageError
from buildlock.text import printable


def read_html(content: bytes, links: LinkCollector) -> Mapping[str, str]:
    """Collect the files that a page links to, and return its `<meta>` values by name.

    Raises:
        MalformedPageError: It is not UTF-8, no HTML, or breaks off.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedPageError("it is not UTF-8") from error
    if "<" not in text:
        raise MalformedPageError("it has no markup")
    parser = _Parser(links)
    try:
        parser.feed(text)
    except AssertionError as error:  # `html.parser` raises it on some malformed declarations
        raise MalformedPageError(f"its markup is malformed: {error}") from error
    # Not `close()`: what never ends it reads again from each `<` on, which a hostile page makes endless.
    if "<" in parser.rawdata:
        raise MalformedPageError("its markup breaks off")
    return parser.meta


class _Parser(HTMLParser):
    def __init__(self, links: LinkCollector) -> None:
        super().__init__(convert_charrefs=True)
        self.meta: dict[str, str] = {}
        self._links = links
        self._rebased = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"a", "base", "meta"}:
            return
        # The first of two attributes of one name counts, as in browsers.
        values = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a" and "href" in values:
            self._add(values)
        elif tag == "base" and "href" in values and not self._rebased:
            self._rebased = True
            self._links.rebase(values["href"].strip())
        elif tag == "meta" and "name" in values:
            self.meta.setdefault(values["name"].strip().lower(), values.get("content", "").strip())

    def _add(self, values: Mapping[str, str]) -> None:
        href = values["href"].strip()
        python, yanked = values.get("data-requires-python"), values.get("data-yanked")
        # PEP 714: the newer attribute wins where both are there.
        metadata = values.get("data-core-metadata", values.get("data-dist-info-metadata", "false"))
        self._links.add(
            href,
            hashes=_parse_hashes(href.partition("#")[2]),
            requires_python=printable(python) if python else None,
            yanked=None if yanked is None else printable(yanked),
            core_metadata=_parse_metadata(metadata.strip()),
            provenance=values.get("data-provenance", "").strip() or None,
        )


def _parse_hashes(text: str) -> dict[str, str]:
    """The `algorithm=digest` pairs of a fragment; other tools put further pairs there."""
    if not text:
        return {}
    pairs = (pair.partition("=") for pair in text.split("&"))
    return {algorithm: digest for algorithm, equals, digest in pairs if equals}


def _parse_metadata(value: str) -> dict[str, str] | None:
    if value.lower() == "true":
        return {}
    return _parse_hashes(value) or None
