"""One advisory of a database, as far as it is about packages that are locked (OSV schema, 1.x)."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, TypeAlias, cast, get_args

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.text import excerpt
from buildlock.values import dataclass, field

EventKind: TypeAlias = Literal["introduced", "fixed", "last_affected", "limit"]

_ECOSYSTEM = "pypi"
_RANGES_OF_OTHERS = frozenset({"SEMVER", "GIT"})
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d+)?(Z|[+-]00:00)", re.ASCII)
_TYPES: Mapping[type, str] = {str: "a string", list: "an array", dict: "an object"}
_LONGEST_ID = 200
_LONGEST_SUMMARY = 160


class InvalidAdvisoryError(ValueError):
    """What is no advisory, with the key that is to blame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A version at which something changes, as it is written: it need not be one that there is, or any."""

    kind: EventKind
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """Which versions of a package are affected: one entry of `affected`."""

    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[Event, ...], ...] = ()
    """Those of the type `ECOSYSTEM`, by their events."""
    severity: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Advisory:
    """What one entry of a database says of locked packages."""

    id: str
    aliases: tuple[str, ...] = ()
    modified: str
    """A time in UTC whose order is that of its letters."""
    withdrawn: bool = False
    summary: str = ""
    """A line."""
    severity: tuple[str, ...] = ()
    """As they are given: CVSS vectors, words of a distribution."""
    level: str | None = None
    """A word of the database for it: `high`."""
    affected: Mapping[NormalizedName, tuple[Affected, ...]] = field(default_factory=dict)
    """By locked package."""


def parse_advisory(value: object, names: Collection[str]) -> Advisory | None:
    """An advisory as JSON gives it; `None` where it is about none of the packages `names`.

    What it says of other packages and other ecosystems is not looked at. Keys that are null count as absent.

    Raises:
        InvalidAdvisoryError: It is about one of them, or that cannot be told, and has not the form of an advisory.
    """
    entry = _Entry(_expect(value, dict, ""))
    affected: dict[NormalizedName, list[Affected]] = {}
    for place, each in entry.entries("affected"):
        name = _find_package(each, place)
        if name in names:
            affected.setdefault(cast("NormalizedName", name), []).append(_parse_affected(each))
    if not affected:
        return None
    return Advisory(
        id=_parse_id(entry.string("id"), "id"),
        aliases=tuple(_parse_id(alias, place) for place, alias in entry.strings("aliases")),
        modified=_parse_time(entry.string("modified"), "modified"),
        withdrawn="withdrawn" in entry and bool(_parse_time(entry.string("withdrawn"), "withdrawn")),
        summary=_summarize(entry),
        severity=tuple(_parse_severity(entry)),
        level=_find_level(entry),
        affected={name: tuple(entries) for name, entries in affected.items()},
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A JSON object, and where in the advisory it is."""

    values: Mapping[str, Any]
    place: str = ""

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def name(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def string(self, key: str) -> str:
        return cast("str", _expect(self.values.get(key), str, self.name(key)))

    def array(self, key: str) -> Iterator[tuple[str, Any]]:
        """Its items, each with its place."""
        if key in self:
            for position, item in enumerate(_expect(self.values[key], list, self.name(key))):
                yield f"{self.name(key)}[{position}]", item

    def entries(self, key: str) -> Iterator[tuple[str, "_Entry"]]:
        for place, item in self.array(key):
            yield place, _Entry(_expect(item, dict, place), place)

    def strings(self, key: str) -> Iterator[tuple[str, str]]:
        for place, item in self.array(key):
            yield place, _expect(item, str, place)


def _expect(value: object, kind: type, place: str) -> Any:
    if isinstance(value, kind):
        return value
    subject = f"`{place}`" if place else "it"
    raise InvalidAdvisoryError(f"{subject} is {'missing' if value is None else f'not {_TYPES[kind]}'}")


def _find_package(entry: _Entry, place: str) -> NormalizedName | None:
    """The package of PyPI that an entry is about; none where it is about a repository or another ecosystem."""
    if "package" not in entry:
        return None
    package = _Entry(_expect(entry.values["package"], dict, f"{place}.package"), f"{place}.package")
    # What the schema lets follow a colon is a release or a repository of it.
    if package.string("ecosystem").partition(":")[0].lower() != _ECOSYSTEM:
        return None
    return canonicalize_name(package.string("name"))


def _parse_affected(entry: _Entry) -> Affected:
    ranges = []
    for where, each in entry.entries("ranges"):
        kind = each.string("type")
        if kind == "ECOSYSTEM":
            ranges.append(tuple(_parse_event(event) for _, event in each.entries("events")))
            # "There must be at least one `introduced` object in the `events` array."
            if all(event.kind != "introduced" for event in ranges[-1]):
                raise InvalidAdvisoryError(f"`{where}.events` introduces nothing")
        elif kind not in _RANGES_OF_OTHERS:
            raise InvalidAdvisoryError(f"`{where}.type` is `{excerpt(kind, 40)}`, which is unknown")
    return Affected(
        versions=tuple(version for _, version in entry.strings("versions")),
        ranges=tuple(ranges),
        severity=tuple(_parse_severity(entry)),
    )


def _parse_event(entry: _Entry) -> Event:
    # The schema: only a single type is allowed in each event object.
    kinds = [kind for kind in get_args(EventKind) if kind in entry]
    if len(kinds) != 1:
        raise InvalidAdvisoryError(f"`{entry.place}` is {'several events' if kinds else 'no event'}")
    return Event(kind=kinds[0], version=entry.string(kinds[0]))


def _parse_id(text: str, place: str) -> str:
    if not text.strip() or len(text) > _LONGEST_ID or not text.isprintable():
        raise InvalidAdvisoryError(f"`{place}` is no identifier")
    return text


def _parse_time(text: str, place: str) -> str:
    """A time, with a second's fraction that sorts."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidAdvisoryError(f"`{place}` is `{excerpt(text, 40)}`, not a time in UTC")
    return f"{found[1]}{(found[2] or '.')[:10]:0<10}"


def _parse_severity(entry: _Entry) -> Iterator[str]:
    for _, each in entry.entries("severity"):
        yield excerpt(each.string("score"))


def _find_level(entry: _Entry) -> str | None:
    """The word that databases such as GitHub's say beside the numbers."""
    specific = entry.values.get("database_specific")
    level = specific.get("severity") if isinstance(specific, dict) else None
    return level.lower() if isinstance(level, str) and re.fullmatch(r"[A-Za-z]{1,20}", level) else None


def _summarize(entry: _Entry) -> str:
    """Its summary, else how its details begin."""
    for key in ("summary", "details"):
        if key in entry and (text := entry.string(key).strip()):
            return excerpt(text.splitlines()[0].strip(), _LONGEST_SUMMARY)
    return ""
