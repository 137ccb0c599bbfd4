"""Advisories in bytes: which packages a text can be about, told without parsing it, and JSON read strictly."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.audit.advisory import InvalidAdvisoryError
from buildlock.text import excerpt
from buildlock.values import dataclass

_NAME = re.compile(rb'"name"\s*:\s*"([^"]*)"')
_MODIFIED = re.compile(rb'"modified"\s*:\s*"(\d{4}-\d\d-\d\d)')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """What can be told of a text before it is parsed."""

    names: frozenset[str] | None
    """The names in it, normalised; `None` where they cannot be told."""
    modified: str | None
    """The day, where it is a single advisory."""

    def may_concern(self, names: Iterable[str]) -> bool:
        return self.names is None or not self.names.isdisjoint(names)


def outline(content: bytes) -> Outline:
    """Look over a JSON text. Most of a database is about packages that nobody locks, and parsing takes its time.

    Raises:
        InvalidAdvisoryError: It is no JSON text, or not all of one.
    """
    text = content.removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
    if (text[:1], text[-1:]) not in {(b"{", b"}"), (b"[", b"]")} or b"\0" in text:
        raise InvalidAdvisoryError("it is not JSON, or not all of it is there" if text else "it is empty")
    found = _NAME.findall(text)
    # No writer of JSON escapes a letter of ASCII, and whoever does may hide a name.
    hidden = text.startswith(b"[") or any(b"\\" in name for name in found) or _ESCAPED_LETTER.search(text)
    modified = _MODIFIED.search(text)
    return Outline(
        names=None if hidden else frozenset(map(_normalize, found)),
        modified=modified[1].decode() if modified else None,
    )


@lru_cache(maxsize=1 << 16)
def _normalize(name: bytes) -> NormalizedName:
    return canonicalize_name(name.decode("utf-8", "replace"))


def decode(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        InvalidAdvisoryError: It is none, or has a key twice, of which readers would see different values.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates
        )
    except UnicodeDecodeError as error:
        raise InvalidAdvisoryError("it is not UTF-8") from error
    except RecursionError as error:
        raise InvalidAdvisoryError("it is nested too deeply") from error
    except InvalidAdvisoryError:
        raise
    except ValueError as error:  # JSONDecodeError, and what `int` says of endless digits
        raise InvalidAdvisoryError(f"it is not JSON: {error}") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise InvalidAdvisoryError(f"{constant} is not JSON")


def _refuse_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidAdvisoryError(f"it has the key `{excerpt(twice, 40)}` twice in one object")
    return values
