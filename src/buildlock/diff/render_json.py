"""A diff as JSON, of the schema that `diff.schema.json` beside this file is."""

import json
from collections.abc import Mapping
from typing import Any

from buildlock.diff.model import Diff, Download, Facts, Finding, Place
from buildlock.risks import KINDS

VERSION = 1
"""Of the schema. A key that is added leaves it as it is; readers pass over what they do not know."""


def render_json(diff: Diff) -> str:
    return json.dumps(diff_to_json(diff), indent=2, ensure_ascii=False) + "\n"


def diff_to_json(diff: Diff) -> Mapping[str, Any]:
    return {
        "version": VERSION,
        "old": diff.old,
        "new": diff.new,
        "changed": bool(diff.findings),
        "reformatted": diff.reformatted,
        "unknown": list(diff.unknown),
        "denied": diff.refused,
        "counts": diff.count(),
        "findings": [finding_to_json(finding) for finding in diff.findings],
        "downloads": [_download_to_json(download) for download in diff.downloads],
    }


def finding_to_json(finding: Finding) -> Mapping[str, Any]:
    """`$defs/finding` of the schema."""
    verdict = finding.verdict
    return {
        "code": finding.code,
        "risk": finding.risk,
        "meaning": KINDS[finding.code].meaning,
        "packages": list(finding.packages),
        "message": finding.message,
        "before": finding.before,
        "after": finding.after,
        "places": [_place_to_json(place) for place in finding.places],
        "details": list(finding.details),
        "chain": list(finding.chain),
        "follows": finding.follows,
        "verdict": {"state": verdict.state, "reason": verdict.reason} if verdict is not None else None,
        "facts": _facts_to_json(finding.facts) if finding.facts is not None else None,
    }


def _facts_to_json(facts: Facts) -> Mapping[str, Any]:
    return {
        "uploaded": facts.uploaded.isoformat() if facts.uploaded is not None else None,
        "publishers": list(facts.publishers),
        "link": {"title": facts.link.title, "url": facts.link.url} if facts.link is not None else None,
    }


def _place_to_json(place: Place) -> Mapping[str, Any]:
    return {
        "variant": place.variant,
        "package": place.outside,
        "build": place.build,
        "targets": list(place.targets),
    }


def _download_to_json(download: Download) -> Mapping[str, Any]:
    return {
        "variant": download.place.variant,
        "package": download.place.outside,
        "before": download.before,
        "after": download.after,
        "complete": download.complete,
    }
