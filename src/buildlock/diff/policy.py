"""What a policy says of findings, and of a lock as it is."""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from urllib.parse import unquote, urlsplit

from packaging.pylock import Package

from buildlock.diff.compute import join_findings, list_sections, locate_section
from buildlock.diff.model import Diff, Finding, Verdict, sort_findings
from buildlock.diff.quoting import quote
from buildlock.diff.sections import Section
from buildlock.lockfile.model import LockedInputs, Lockfile, is_source
from buildlock.lockfile.origins import find_hosts, find_index_host, find_insecure, find_unchecked, list_files
from buildlock.project.model import Policy
from buildlock.values import replace

_OF_POLICY = frozenset({"index-not-allowed", "host-not-allowed", "sdist-not-allowed", "too-new"})
"""Codes that only a policy makes: it denies them, whether `deny` names them or not."""


def judge(diff: Diff, old: Lockfile | None, new: Lockfile | None, policy: Policy, today: date) -> Diff:
    """The diff of two locks with the policy's verdicts, and with what it refuses of the new one and not of the old."""
    before = set(_inspect_lock(old, policy))
    refused = (each for each in _inspect_lock(new, policy) if each.code in _OF_POLICY and each not in before)
    return replace(diff, findings=sort_findings(judge_all([*diff.findings, *join_findings(refused)], policy, today)))


def inspect_lock(lockfile: Lockfile, policy: Policy, today: date) -> tuple[Finding, ...]:
    """What the policy says of a lock as it is: of places, sdists, and what is not encrypted."""
    judged = judge_all(join_findings(_inspect_lock(lockfile, policy)), policy, today)
    return sort_findings(finding for finding in judged if finding.verdict is not None)


def _inspect_lock(lockfile: Lockfile | None, policy: Policy) -> Iterator[Finding]:
    for key, environment in list_sections(lockfile).items():
        place = locate_section(key)
        packages = [(replace(place, build=build), each) for build, each in Section(environment).list_packages()]
        if environment.source is not None:
            packages.append((place, environment.source))
        for where, package in packages:
            for code, after, message in _inspect(package, environment.inputs, policy):
                yield Finding(code=code, packages=(package.name,), message=message, after=after, places=(where,))


def _inspect(package: Package, inputs: LockedInputs, policy: Policy) -> Iterator[tuple[str, str, str]]:
    """What there is to say of a package: the code of a finding, what it is about, and the message."""
    for server in sorted(find_insecure(package)):
        yield "insecure-index", server, f"over {quote(server)}"
    for location in _list_remote(package):
        if policy.indexes is not None and not _is_below(location, policy.indexes):
            yield "index-not-allowed", location, f"from {quote(location)}"
    if policy.hosts is not None and package.index is not None:
        for host in sorted(find_hosts(package) - {find_index_host(package.index), *policy.hosts}):
            yield "host-not-allowed", host, f"from {quote(host)}"
    if policy.sdists is not None and is_source(package) and package.name not in policy.sdists:
        yield "sdist-not-allowed", str(package.version), quote(str(package.version))
    for server in sorted(find_unchecked(package, inputs)):
        yield "insecure-index", server, f"from {quote(server)}, whatever certificate it shows"


def _list_remote(package: Package) -> Iterator[str]:
    """The places that a package comes from but for this machine: of files of no index, where each of them is."""
    if package.index is not None:
        yield package.index
    elif package.vcs is not None:
        yield from filter(None, [package.vcs.url])
    else:
        yield from dict.fromkeys(file.url for file in list_files(package) if file.url is not None)


def _is_below(location: str, places: Iterable[str]) -> bool:
    # RFC 3986, 5.2.4: whoever asks for it goes up first.
    if not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(urlsplit(location).path))):
        return False
    return any(f"{location.rstrip('/')}/".startswith(f"{place.rstrip('/')}/") for place in places)


def judge_all(findings: Iterable[Finding], policy: Policy, today: date) -> Iterator[Finding]:
    """The findings with the policy's verdicts."""
    for finding in findings:
        yield replace(finding, verdict=_judge(finding, policy, today))


def _judge(finding: Finding, policy: Policy, today: date) -> Verdict | None:
    if finding.code not in policy.deny and finding.code not in _OF_POLICY:
        return None
    verdicts = [_judge_package(finding, name, policy, today) for name in finding.packages or (None,)]
    # All of its packages have to be allowed; the first that is not decides.
    return next((verdict for verdict in verdicts if verdict.refuses), verdicts[0])


def _judge_package(finding: Finding, package: str | None, policy: Policy, today: date) -> Verdict:
    ids = finding.vulnerability.ids if finding.vulnerability is not None else ()
    found = [
        allowance
        for allowance in policy.allow
        if (allowance.code, allowance.package) == (finding.code, package)
        and (allowance.id is None or allowance.id in ids)
    ]
    if not found:
        return Verdict(state="denied")
    latest = max(found, key=lambda allowance: allowance.expires)
    if latest.expires < today:
        return Verdict(state="expired", reason=f"{latest.reason} (until {latest.expires})")
    return Verdict(state="allowed", reason=f"{latest.reason} (until {latest.expires})")
