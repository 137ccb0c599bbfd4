"""`[tool.buildlock.audit]`: what knows of advisories."""

from pathlib import Path

from buildlock.answers.looking import exists
from buildlock.patterns import compile_pattern
from buildlock.project.document import Table, read_document
from buildlock.project.faults import Faults
from buildlock.values import dataclass

DEFAULT_SERVICE = "https://api.osv.dev"

_KEYS = ("database", "service")
_SERVICE = compile_pattern(r"https?://[^/\s]+(/[^?#\s]*)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSettings:
    """What an audit asks where the command line does not say."""

    databases: tuple[str, ...] = ()
    """Paths, relative to the project's folder."""
    service: str = DEFAULT_SERVICE
    """The URL of a service with OSV's API."""


def read_audit_settings(root: Path) -> AuditSettings:
    """The settings of the project in the folder `root`; the default ones where it has no `pyproject.toml`.

    Raises:
        InvalidProjectError: The file or the table is invalid.
    """
    faults = Faults()
    path = root / "pyproject.toml"
    document = read_document(path, label=path.name, faults=faults) if exists(path) else None
    settings = AuditSettings()
    if document is not None:
        settings = read_audit_table(document.root_table(faults).table("tool").table("buildlock").table("audit"))
    faults.raise_collected()
    return settings


def read_audit_table(table: Table) -> AuditSettings:
    """Read `[tool.buildlock.audit]`, with a fault for whatever it does not know."""
    table.refuse_unknown(_KEYS)
    databases = table.strings("database")
    for path in databases:
        if not path or "\0" in path:
            table.fault("database", f"has `{path}`, which is not a path")
    service = table.string("service")
    if service is not None and not is_service(service):
        table.fault("service", f"is `{service}`, which is not the URL of a server, such as `{DEFAULT_SERVICE}`")
    return AuditSettings(databases=databases, service=service or DEFAULT_SERVICE)


def is_service(url: str) -> bool:
    return _SERVICE.fullmatch(url) is not None
