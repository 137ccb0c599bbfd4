"""What every rendering of an audit says in the same words."""

from buildlock.audit.model import Audit, Source
from buildlock.diff.quoting import quote
from buildlock.diff.wording import summarize_findings


def summarize(audit: Audit) -> str:
    """What was found, in a line."""
    if audit.findings:
        return summarize_findings(audit)
    return f"nothing is known against this lock{'; incomplete' if audit.unknown else ''}"


def describe_scope(audit: Audit) -> str:
    """What was checked against what, in a line."""
    packages = f"{audit.packages:,} package{'' if audit.packages == 1 else 's'}"
    sources = [*map(_describe_source, audit.sources)]
    if audit.releases is not None:
        sources.append(f"what the indexes say of {audit.releases:,}")
    return f"{packages} checked against {'; '.join(sources)}"


def _describe_source(source: Source) -> str:
    count = f"{source.advisories:,} {'advisory' if source.advisories == 1 else 'advisories'}"
    newest = f", the newest of {source.newest}" if source.newest is not None else ""
    return f"{count} of {quote(source.name)}{newest}"
