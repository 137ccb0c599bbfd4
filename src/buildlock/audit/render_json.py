"""An audit as JSON, of the schema that `audit.schema.json` beside this file is."""

import json
from collections.abc import Mapping
from typing import Any

from buildlock.audit.model import Audit
from buildlock.diff.model import Finding, count_risks
from buildlock.diff.render_json import finding_to_json

VERSION = 1
"""Of the schema. A key that is added leaves it as it is; readers pass over what they do not know."""


def render_json(audit: Audit) -> str:
    return json.dumps(audit_to_json(audit), indent=2, ensure_ascii=False) + "\n"


def audit_to_json(audit: Audit) -> Mapping[str, Any]:
    return {
        "version": VERSION,
        "denied": audit.refused,
        "counts": count_risks(audit.findings),
        "packages": audit.packages,
        "sources": [
            {"name": source.name, "advisories": source.advisories, "newest": source.newest} for source in audit.sources
        ],
        "releases": audit.releases,
        "unknown": list(audit.unknown),
        "findings": [_finding_to_json(finding) for finding in audit.findings],
        "updates": list(audit.list_updates()),
    }


def _finding_to_json(finding: Finding) -> Mapping[str, Any]:
    known = finding.vulnerability
    vulnerability = known and {
        "ids": list(known.ids),
        "summary": known.summary,
        "severity": list(known.severity),
        "level": known.level,
        "fixed": list(known.fixed),
    }
    return {**finding_to_json(finding), "vulnerability": vulnerability}
