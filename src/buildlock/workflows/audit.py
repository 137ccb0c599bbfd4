"""`audit`: what is known against what is locked."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from packaging.utils import canonicalize_name

from buildlock.audit.findings import (
    find_vulnerable,
    find_withdrawn,
    list_releases,
    list_undecided,
)
from buildlock.audit.model import Audit
from buildlock.diff.compute import Sections, join_findings, list_sections, locate_section
from buildlock.diff.locked import list_locked
from buildlock.diff.model import sort_findings
from buildlock.diff.policy import judge_all
from buildlock.diff.published import list_silent
from buildlock.errors import UnknownVariantError, UsageError
from buildlock.lockfile.model import FILENAME
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.audit import AuditSettings, read_audit_settings
from buildlock.project.policy import read_policy
from buildlock.published import LockedRelease, Published
from buildlock.reporting import Warned
from buildlock.text import present
from buildlock.values import dataclass
from buildlock.workflows.advisory_files import read_database
from buildlock.workflows.advisory_service import ask_service
from buildlock.workflows.published import ask_indexes
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditOptions:
    """What is asked about what."""

    databases: tuple[Path, ...] = ()
    """In place of those of the project's settings."""
    online: bool = False
    """Ask the service of the settings, and the indexes."""
    service: str | None = None
    """Ask this one in its place, though `online` is not set."""
    variants: tuple[str, ...] = ()
    """Look at these alone; all by default."""

    @property
    def asks(self) -> bool:
        """Whether the network is asked."""
        return self.online or self.service is not None


def audit(workspace: Workspace, options: AuditOptions) -> Audit:
    """Check what is locked against advisories and, online, against what the indexes say of it today.

    What an index does not answer is told by the audit, and no error.

    Raises:
        UsageError: Nothing is named that knows of advisories; or the network is asked for, and the project is offline.
        UnknownVariantError: The lock does not have one of the variants.
        LockfileError: There is no lock, or it is invalid.
        InvalidProjectError: The settings or the policy are invalid; online, anything that the project says.
        AdvisoryError: A database or the service cannot be read, or has what is no advisory about a locked package.
        IndexError_: The service does not answer.
    """
    settings, policy = read_audit_settings(workspace.root), read_policy(workspace.root)
    sections = _choose_sections(list_sections(read_lockfile(workspace.lock_path)), options.variants)
    locked = list(list_locked(sections))
    names = frozenset(each.name for each in locked)
    databases = [read_database(path, name, names) for path, name in _list_databases(workspace, options, settings)]
    published: Mapping[LockedRelease, Published] | None = None
    if options.asks:
        project = workspace.read_project()
        published = ask_indexes(workspace, project, list_releases(locked))
        databases.append(ask_service(workspace, project, options.service or settings.service, names))
    if not databases:
        raise UsageError(
            "there is nothing to check the lock against",
            hint="name a database of advisories in OSV format with `--database PATH`, or `database = [PATH]` under "
            "`[tool.buildlock.audit]`; or ask a service with `--online`",
        )
    advisories = [advisory for database in databases for advisory in database.advisories]
    for sentence in list_undecided(advisories):
        workspace.report(Warned(sentence))
    found = [*find_vulnerable(locked, advisories), *find_withdrawn(locked, published or {})]
    return Audit(
        sections=tuple(locate_section(key).section for key in sections),
        packages=len({(each.name, each.version) for each in locked}),
        sources=tuple(database.source for database in databases),
        releases=len(published) if published is not None else None,
        findings=sort_findings(judge_all(join_findings(found), policy, datetime.now(timezone.utc).date())),
        unknown=tuple(list_silent(published or {})),
    )


def _list_databases(workspace: Workspace, options: AuditOptions, settings: AuditSettings) -> Iterator[tuple[Path, str]]:
    """The databases in files, and what each is called."""
    if options.databases:
        yield from ((path, present(str(path))) for path in options.databases)
    else:
        yield from ((workspace.root / path, present(path)) for path in settings.databases)


def _choose_sections(sections: Sections, variants: Sequence[str]) -> Sections:
    """Those of the variants, however they are spelt."""
    known = {canonicalize_name(variant): variant for _, variant in sections}
    for name in variants:
        if canonicalize_name(name) not in known:
            names = ", ".join(f"`{each}`" for each in known.values()) or "none"
            raise UnknownVariantError(f"`{FILENAME}` does not have the variant `{present(name)}`: it has {names}")
    chosen = {known[canonicalize_name(name)] for name in variants} or set(known.values())
    return {key: environment for key, environment in sections.items() if key[1] in chosen}
