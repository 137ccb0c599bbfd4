"""Why nothing fits, in the user's words: what they required, what it led to, what each index had."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, IndexAnswer, Release
from buildlock.errors import NoSolutionError
from buildlock.resolver.conflict import Conflict, find_reason, find_route
from buildlock.resolver.evaluator import PassedOver, Reason
from buildlock.resolver.needs import Need
from buildlock.resolver.view import Candidate, View
from buildlock.text import excerpt

_MAX_CONFLICTS = 3
_MAX_LINES = 5
"""Of one kind, in one conflict; the rest is counted."""
_MAX_NAMED = 5
"""Versions or details in one line; the rest is counted."""
_MAX_WIDTH = 400
"""Characters of a line: versions, markers and reasons are as long as whoever wrote them likes."""
_MAX_TRIED = 50
"""Releases that are looked at for one to suggest."""

_HINTS = {
    Reason.PRERELEASE: 'allow pre-releases with `prerelease = "allow"`, or require one by its version',
    Reason.NO_BINARY: "lift `no-binary` for `{name}`, or require a version of it that has an sdist",
    Reason.NO_BUILD: "lift `no-build` for `{name}`, or require a version of it that has a wheel",
    Reason.TOO_NEW: "choose a later `exclude-newer`, or give `{name}` its own with `exclude-newer-package`",
    Reason.UNDATED: "lift the date for `{name}` with `exclude-newer-package = {{ {name} = false }}`",
    Reason.YANKED: "a yanked version is taken only where you pin it: `{name}=={version}`",
    Reason.PYTHON: "lock for a Python that it runs on, or require another version of `{name}`",
    Reason.PLATFORM: "lock for a Python and a platform that it has a wheel for, or require another version of `{name}`",
    Reason.METADATA: "require another version of `{name}`",
    Reason.CONFLICT: "an override settles what is required of `{name}`: `[tool.uv] override-dependencies`",
}


_CONFLICTING = PassedOver(reason=Reason.CONFLICT, text="it was tried, and conflicts with what else is required")


def explain(conflicts: Sequence[Conflict], view: View) -> NoSolutionError:
    """Turn what conflicted into an error. `view` knows what was explored on the way."""
    blocks = [_describe(conflict, view) for conflict in conflicts[:_MAX_CONFLICTS]]
    lines = [f"no solution for the build requirements: {blocks[0][0]}", *blocks[0][1:]]
    for headline, *rest in blocks[1:]:
        lines += [f"and {headline}", *rest]
    if len(conflicts) > len(blocks):
        lines.append(f"and {len(conflicts) - len(blocks)} more conflicts")
    return NoSolutionError("\n".join(excerpt(line, _MAX_WIDTH) for line in lines), hint=_suggest(conflicts[0], view))


def _describe(conflict: Conflict, view: View) -> list[str]:
    """A headline, and below it who needs what, what the indexes have, and why it is passed over."""
    name = conflict.name
    constraints = view.needs.constraints(name)
    lines = _shorten(
        [
            *_describe_needs(conflict, view),
            *(f"the constraint `{constraint}` (from {constraint.origin})" for constraint in constraints),
        ]
    )
    listing = view.listing(name)
    pivot = _find_pivot(need for need, _ in conflict.needs)
    answers = [_describe_answer(name, answer, listing.releases, pivot) for answer in listing.asked]
    passed_over = _describe_passed_over(conflict.find_matching(view), view)
    lines += [*_shorten(answers), *_shorten(passed_over)]
    return [_choose_headline(conflict, view), *(f"  {line}" for line in lines)]


def _choose_headline(conflict: Conflict, view: View) -> str:
    name = conflict.name
    listing = view.listing(name)
    if not listing.releases:
        found = any(answer.found for answer in listing.asked)
        return f"`{name}` has no files that can be used" if found else f"`{name}` was not found"
    unmet = conflict.find_unmet(view)
    if unmet is not None:
        return f"no version of `{name}` matches `{unmet}`"
    if conflict.find_matching(view):
        return f"no version of `{name}` that matches can be used"
    return f"no version of `{name}` matches all that is required of it"


def _describe_needs(conflict: Conflict, view: View) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Candidate]] = {}
    for need, parent in conflict.needs:
        written = _describe_step(need)
        group = groups.setdefault((parent.name if parent is not None else "", written), [])
        group += [parent] if parent is not None else []
    for parents in groups.values():
        parents.sort(key=lambda candidate: candidate.version)
    # What the user wrote, then of each package what its newest versions need, which were tried first.
    by_text = sorted(groups.items())
    newest_first = sorted(by_text, key=lambda group: [parent.version for parent in group[1][-1:]], reverse=True)
    for (parent_name, written), parents in sorted(newest_first, key=lambda group: group[0][0]):
        if not parents:
            yield written
            continue
        versions = [parent.version for parent in parents]
        alone = len(versions) == 1
        step = f"`{parent_name} {versions[0]}`" if alone else f"`{parent_name}` {_name_versions(versions)}"
        yield " -> ".join([*map(_describe_step, find_route(parents[-1], view)), step, written])


def _describe_step(step: Need | Candidate) -> str:
    if isinstance(step, Candidate):
        return f"`{step.name} {step.version}`"
    return f"`{step}` (from {step.origin})" if step.origin else f"`{step}`"


def _describe_answer(
    name: NormalizedName, answer: IndexAnswer, releases: Iterable[Release], pivot: Version | None
) -> str:
    versions = sorted({release.version for release in releases if release.index == answer.index})
    if versions:
        return f"{answer.index} has {_describe_nearest(name, versions, pivot)}"
    if answer.status is not None:
        reason = f": {answer.reason}" if answer.reason else ""
        return f"{answer.index} has no files of `{name}`, whose status is {answer.status}{reason}"
    return f"{answer.index} has no files of `{name}`" if answer.found else f"{answer.index} does not have `{name}`"


def _describe_nearest(name: NormalizedName, versions: Sequence[Version], pivot: Version | None) -> str:
    if len(versions) <= _MAX_NAMED:
        return f"`{name}` {', '.join(map(str, versions))}"
    position = len(versions) if pivot is None else bisect_left(versions, pivot)
    start = min(max(position - _MAX_NAMED // 2 - 1, 0), len(versions) - _MAX_NAMED)
    nearest = ", ".join(map(str, versions[start : start + _MAX_NAMED]))
    return f"{len(versions)} versions of `{name}`, {'the newest' if pivot is None else 'nearest'}: {nearest}"


def _find_pivot(needs: Iterable[Need]) -> Version | None:
    """The version around which to look for what the user may have meant."""
    specifiers = [specifier for need in needs for specifier in need.specifier if specifier.operator != "==="]
    return max((Version(specifier.version.removesuffix(".*")) for specifier in specifiers), default=None)


def _describe_passed_over(releases: Iterable[Release], view: View) -> Iterator[str]:
    groups: dict[tuple[str, str], tuple[list[Version], dict[str, None]]] = {}
    for release in releases:
        against = find_reason(release, view) or _CONFLICTING
        versions, details = groups.setdefault((against.text, against.label), ([], {}))
        versions.append(release.version)
        details.update(dict.fromkeys(against.details))
    for (text, label), (versions, details) in groups.items():
        yield f"{_name_versions(versions)}: {text}{name_details(label, list(details))}"


def _suggest(conflict: Conflict, view: View) -> str:
    name = conflict.name
    listing = view.listing(name)
    if any(answer.status == "quarantined" for answer in listing.asked):
        return f"the index holds `{name}` back, most likely for malware: do not get it elsewhere unseen"
    if not listing.releases:
        return f"is the name right? A source assigns `{name}` to the index that has it: `[tool.uv.sources]`"
    matching = conflict.find_matching(view)
    reasons = [(find_reason(release, view) or _CONFLICTING).reason for release in matching]
    if reasons:
        hint = _HINTS[max(reasons, key=reasons.count)].format(name=name, version=matching[-1].version)
        tried = (release for release in listing.releases[:_MAX_TRIED] if release not in matching)
        usable = next((release for release in tried if isinstance(view.verdict(release), Artifact)), None)
        return f"{hint}; `{name} {usable.version}` could be used" if usable is not None else hint
    if conflict.find_unmet(view) is not None:
        return f"require a version that is there, or assign `{name}` to an index that has it: `[tool.uv.sources]`"
    if view.needs.constraints(name):
        return f"make the constraint on `{name}` agree with what is required of it"
    return _HINTS[Reason.CONFLICT].format(name=name)


def _shorten(lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    rest = len(lines) - _MAX_LINES
    # A line that says "1 more" is as long as the line that it hides.
    return lines if rest <= 1 else [*lines[:_MAX_LINES], f"and {rest} more"]


def _name_versions(versions: Sequence[Version]) -> str:
    """Name a few sorted versions, count many."""
    distinct = list(dict.fromkeys(versions))
    if len(distinct) <= _MAX_NAMED:
        return ", ".join(map(str, distinct))
    return f"{len(distinct)} versions ({distinct[0]} to {distinct[-1]})"


def name_details(label: str, details: Sequence[str]) -> str:
    """A few details of a reason in brackets; the rest is counted."""
    if not details:
        return ""
    rest = len(details) - _MAX_NAMED
    named = ", ".join(excerpt(detail, _MAX_WIDTH // _MAX_NAMED) for detail in details[:_MAX_NAMED])
    return f" ({label}{named}, and {rest} more)" if rest > 0 else f" ({label}{named})"
