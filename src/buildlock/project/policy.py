"""`[tool.buildlock.policy]`: what of a lock, and of a change of it, fails, and what is allowed all the same."""

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from pathlib import Path

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.answers.looking import exists
from buildlock.patterns import compile_pattern
from buildlock.project.cutoffs import parse_span
from buildlock.project.document import Document, Table, parse_document, read_document
from buildlock.project.faults import Faults, suggest
from buildlock.project.model import DEFAULT_DENIED, Allowance, Policy
from buildlock.project.names import package_names
from buildlock.risks import KINDS
from buildlock.text import without_credentials

_KEYS = ("deny", "allow", "indexes", "hosts", "sdists", "minimum-age")
_ALLOWANCE_KEYS = ("code", "package", "id", "reason", "expires")
_OF_ADVISORIES = "vulnerable"
_HOST = compile_pattern(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_DATE = compile_pattern(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def read_policy(root: Path) -> Policy:
    """The policy of the project in the folder `root`; the default one where it has no `pyproject.toml`.

    Raises:
        InvalidProjectError: The file or the table is invalid.
    """
    path = root / "pyproject.toml"
    return read_policy_file(path, path.name) if exists(path) else Policy()


def read_policy_file(path: Path, label: str) -> Policy:
    """The policy in a file such as `pyproject.toml`, called `label` in messages.

    Raises:
        InvalidProjectError: The file or the table is invalid.
    """
    faults = Faults()
    return _read(read_document(path, label=label, faults=faults), faults)


def parse_policy(content: bytes, label: str) -> Policy:
    """The policy in the bytes of a `pyproject.toml`, called `label` in messages.

    Raises:
        InvalidProjectError: The file or the table is invalid.
    """
    faults = Faults()
    return _read(parse_document(content, label=label, faults=faults), faults)


def _read(document: Document | None, faults: Faults) -> Policy:
    policy = Policy()
    if document is not None:
        policy = read_policy_table(document.root_table(faults).table("tool").table("buildlock").table("policy"))
    faults.raise_collected()
    return policy


def read_policy_table(table: Table) -> Policy:
    """Read `[tool.buildlock.policy]`, with a fault for whatever it does not know."""
    table.refuse_unknown(_KEYS)
    return Policy(
        deny=_read_codes(table) if "deny" in table else DEFAULT_DENIED,
        allow=tuple(filter(None, map(_read_allowance, table.tables("allow")))),
        indexes=_read_indexes(table) if "indexes" in table else None,
        hosts=_read_hosts(table) if "hosts" in table else None,
        sdists=package_names(table.strings("sdists"), origin=table.place("sdists"), faults=table.faults)
        if "sdists" in table
        else None,
        minimum_age=_read_age(table),
    )


def _read_codes(table: Table) -> frozenset[str]:
    codes = table.strings("deny")
    for code in codes:
        if code not in KINDS:
            table.fault("deny", f"has `{code}`, which is not a code{suggest(code, KINDS)}")
    return frozenset(codes)


def _read_indexes(table: Table) -> tuple[str, ...]:
    urls = table.strings("indexes")
    for url in urls:
        if not re.match(r"(https?|ssh)://[^/]", url):
            table.fault("indexes", f"has `{url}`, which is not the URL of an index or of a server")
        elif without_credentials(url) != url:
            table.fault("indexes", f"has `{url}`, which carries credentials")
    return urls


def _read_hosts(table: Table) -> tuple[str, ...]:
    hosts = table.strings("hosts")
    for host in hosts:
        if not _HOST.fullmatch(host):
            table.fault("hosts", f"has `{host.rpartition('@')[2]}`, which is not the name of a host")
    return tuple(host.lower() for host in hosts)


def _read_age(table: Table) -> timedelta | None:
    text = table.string("minimum-age")
    age = parse_span(text) if text is not None else None
    if text is not None and age is None:
        table.fault("minimum-age", f"is `{text}`, which is no duration such as `7 days`")
    return age


def _read_allowance(table: Table) -> Allowance | None:
    table.refuse_unknown(_ALLOWANCE_KEYS)
    code, reason = table.string("code"), table.string("reason")
    _require(table, ("code", "reason", "expires"))
    if code is not None and code not in KINDS:
        table.fault("code", f"is `{code}`, which is not a code{suggest(code, KINDS)}")
        code = None
    package = _read_package(table, code)
    advisory = table.string("id")
    if "id" in table and code is not None and code != _OF_ADVISORIES:
        table.fault("id", f"does not go with `{code}`, which no advisory says")
    expires = _read_day(table)
    if reason is not None and not reason.strip():
        table.fault("reason", "is empty: say why")
    if code is None or reason is None or expires is None:
        return None
    return Allowance(code=code, package=package, id=advisory, reason=reason, expires=expires)


def _require(table: Table, keys: Collection[str]) -> None:
    for key in keys:
        if key not in table:
            table.fault(key, "is missing")


def _read_package(table: Table, code: str | None) -> NormalizedName | None:
    if code is not None and not KINDS[code].of_package:
        if "package" in table:
            table.fault("package", f"does not go with `{code}`, which is about no package")
        return None
    if code is not None and KINDS[code].of_project and "package" not in table:
        return None
    _require(table, ("package",))
    name = table.string("package")
    try:
        return canonicalize_name(name, validate=True) if name is not None else None
    except InvalidName:
        table.fault("package", f"is `{name}`, which is not the name of a package")
        return None


def _read_day(table: Table) -> date | None:
    value = table.get("expires")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # a thirteenth month
    if value is not None:
        table.fault("expires", "must be a day such as `2026-12-31`")
    return None
