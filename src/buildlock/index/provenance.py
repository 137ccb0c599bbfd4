"""Reading who attests a file (PEP 740). Signatures are not verified: this is what the index states."""

from collections.abc import Iterator, Mapping
from typing import Any

from buildlock.errors import InvalidPageError
from buildlock.index.links import MalformedPageError
from buildlock.index.page_json import decode_json
from buildlock.published import Publisher
from buildlock.text import excerpt, without_credentials

MAX_PROVENANCE_BYTES = 4 << 20
_LONGEST = 300
"""Characters of what names a publisher."""
_MOST = 20
"""Attestation bundles of one file; there is one, as a rule."""
_SOURCES = ("repository", "email", "project")
"""What says of a publisher where it publishes from, by its kind."""
_WORKFLOWS = ("workflow", "workflow_filepath")


def parse_provenance(content: bytes, *, url: str) -> tuple[Publisher, ...]:
    """Those who attest a file, each once; none where there is no attestation.

    Raises:
        InvalidPageError: It is no provenance object of version 1.
    """
    try:
        return tuple(dict.fromkeys(_list_publishers(decode_json(content))))
    except MalformedPageError as error:
        raise InvalidPageError(f"`{without_credentials(url)}` is no provenance of a file: {error}") from error


def _list_publishers(provenance: Any) -> Iterator[Publisher]:
    if not isinstance(provenance, dict) or provenance.get("version") != 1:
        raise MalformedPageError("it is no object of version 1")
    bundles = _list(provenance, "attestation_bundles")
    if len(bundles) > _MOST:
        raise MalformedPageError(f"it has {len(bundles)} attestation bundles")
    for position, bundle in enumerate(bundles):
        where = f"`attestation_bundles[{position}]`"
        if not isinstance(bundle, dict) or not isinstance(publisher := bundle.get("publisher"), dict):
            raise MalformedPageError(f"{where} has no publisher")
        if (kind := _find(publisher, ("kind",))) is None:
            raise MalformedPageError(f"the publisher of {where} has no kind")
        if _list(bundle, "attestations"):
            yield Publisher(kind=kind, source=_find(publisher, _SOURCES), workflow=_find(publisher, _WORKFLOWS))


def _list(table: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(values := table.get(key), list):
        raise MalformedPageError(f"`{key}` is missing or no array")
    return values


def _find(publisher: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of the keys that there is. It is what publishers are told apart by: it is not cut, or made to fit."""
    values = (value for key in keys if isinstance(value := publisher.get(key), str) and value)
    if (found := next(values, None)) is not None and (len(found) > _LONGEST or not found.isprintable()):
        raise MalformedPageError(f"a publisher is called `{excerpt(found)}`")
    return found
