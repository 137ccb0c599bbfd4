"""Reading a project page in JSON (PEP 691, 700, 714, 740, 792)."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.artifacts import Artifact
from buildlock.index.links import LinkCollector, MalformedPageError, parse_time
from buildlock.text import excerpt, printable
from buildlock.values import dataclass

_MAX_SIZE = (1 << 63) - 1

_ABSENT = type(None)
# JSON has no subclasses: the type of a value is exactly one of these. Some servers write null where the
# specification leaves a key out.
_TYPES: tuple[tuple[str, frozenset[type], str], ...] = (
    ("filename", frozenset({str}), "a string"),
    ("url", frozenset({str}), "a string"),
    ("hashes", frozenset({dict}), "an object"),
    ("size", frozenset({int, _ABSENT}), "a number of bytes"),
    ("upload-time", frozenset({str, _ABSENT}), "a string"),
    ("requires-python", frozenset({str, _ABSENT}), "a string"),
    ("yanked", frozenset({bool, str, _ABSENT}), "a boolean or a string"),
    ("core-metadata", frozenset({bool, dict, _ABSENT}), "a boolean or an object"),
    ("dist-info-metadata", frozenset({bool, dict, _ABSENT}), "a boolean or an object"),
    ("provenance", frozenset({str, _ABSENT}), "a string"),
)
FILE_KEYS = tuple(key for key, _, _ in _TYPES)
"""What counts of a file, in the order in which an outline keeps it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonPage:
    """A page whose values have the types that they are to have."""

    files: Sequence[Mapping[str, Any]]
    status: Mapping[str, Any]
    """`project-status`, whatever is in it."""


def read_json(content: bytes, name: NormalizedName | None) -> JsonPage:
    """Read a page; its files are to be collected with `collect`.

    Raises:
        MalformedPageError: It is no JSON, of a major version that we do not know, of another project, or has
            values of other types than the specification gives them.
    """
    page = decode_json(content)
    if not isinstance(page, dict):
        raise MalformedPageError("it is not an object")
    meta = page.get("meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("api-version"), str):
        raise MalformedPageError("`meta.api-version` is missing or no string")
    check_version(meta["api-version"])
    title = page.get("name")
    if not isinstance(title, str):
        raise MalformedPageError("`name` is missing or no string")
    if name is not None and canonicalize_name(title) != name:
        raise MalformedPageError(f"it is the page of `{excerpt(title)}`, not of `{name}`")
    files = page.get("files")
    if not isinstance(files, list):
        raise MalformedPageError("`files` is missing or no array")
    check_files(files)
    status = page.get("project-status", {})
    if not isinstance(status, dict):
        raise MalformedPageError("`project-status` is no object")
    return JsonPage(files=files, status=status)


def collect(files: Iterable[Mapping[str, Any]], links: LinkCollector) -> tuple[Artifact, ...]:
    """What some files of a page are, but for those that are left out."""
    for file in files:
        _collect(file, links)
    return links.finish()


def check_version(text: str) -> None:
    """Refuse pages of a major version that we do not know, as PEP 629 demands.

    Raises:
        MalformedPageError: It is one, or no version at all.
    """
    major, dot, minor = text.strip().partition(".")
    if not (major.isascii() and major.isdigit() and dot and minor.isascii() and minor.isdigit()):
        raise MalformedPageError(f"its API version `{excerpt(text, 20)}` is no version")
    if major.lstrip("0") != "1":
        raise MalformedPageError(f"its API version is {excerpt(text.strip(), 20)}: only 1.x is supported")


def decode_json(content: bytes) -> Any:
    """What the bytes are as JSON.

    Raises:
        MalformedPageError: They are none.
    """
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise MalformedPageError("it is not UTF-8") from error
    except RecursionError as error:
        raise MalformedPageError("it is nested too deeply") from error
    except ValueError as error:
        raise MalformedPageError(f"it is not JSON: {error}") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise MalformedPageError(f"{constant} is not JSON")


def check_files(files: Sequence[Any]) -> None:
    """Do nothing unless a file of a page is not as it has to be."""
    good = set()
    for position, file in enumerate(files):
        if type(file) is not dict:
            raise MalformedPageError(f"`files[{position}]` is no object")
        # Nearly all files of a page have the same keys and types.
        shape = (*file, *map(type, file.values()))
        if shape not in good:
            for key, types, what in _TYPES:
                if type(file.get(key)) not in types:
                    raise MalformedPageError(f"`files[{position}].{key}` is not {what}")
            good.add(shape)
        size = file.get("size")
        if size is not None and not 0 <= size <= _MAX_SIZE:
            raise MalformedPageError(f"`files[{position}].size` is not a number of bytes")


def _collect(file: Mapping[str, Any], links: LinkCollector) -> None:
    get: Callable[[str], Any] = file.get
    uploaded, python, yanked = get("upload-time"), get("requires-python"), get("yanked")
    # PEP 714: the newer key wins where both are there.
    metadata = get("core-metadata")
    if metadata is None:
        metadata = get("dist-info-metadata")
    links.add(
        get("url"),
        filename=get("filename"),
        hashes=get("hashes"),
        size=get("size"),
        upload_time=parse_time(uploaded) if uploaded else None,
        requires_python=printable(python) if python else None,
        # PEP 691: any truthy value means yanked.
        yanked=(printable(yanked) if isinstance(yanked, str) else "") if yanked else None,
        core_metadata={} if metadata is True else (None if metadata is False else metadata),
        provenance=get("provenance"),
    )
