"""From two locks to what differs between them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from packaging.pylock import Package
from packaging.utils import NormalizedName

from buildlock.diff.downloads import measure_downloads
from buildlock.diff.environments import EnvironmentPair, compare_targets
from buildlock.diff.inputs import compare_locked_inputs
from buildlock.diff.known import Known
from buildlock.diff.model import Diff, Finding, Place, sort_findings
from buildlock.diff.packages import Entry, describe_new
from buildlock.diff.quoting import quote, quote_all
from buildlock.diff.sections import Section
from buildlock.lockfile.changes import pair_builds
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile, is_source
from buildlock.values import replace

Sections: TypeAlias = Mapping[tuple[str, str], LockedEnvironment]
"""By package from elsewhere (the project: none) and variant."""

_OF_MANY = frozenset({"index-moved", "insecure-index", "host-changed", "index-not-allowed", "host-not-allowed"})
"""What is said once of all the packages that it holds of."""
_SHOWN_NAMES = 20


def compare_locks(
    old: Lockfile | None, new: Lockfile | None, *, old_label: str, new_label: str, same_bytes: bool = True
) -> Diff:
    """All that differs between two locks; `None` is a lock that is not there.

    Args:
        old: What there was.
        new: What there is.
        old_label: What `old` is called.
        new_label: What `new` is called.
        same_bytes: Whether the two files are the same to the byte.
    """
    before, after = list_sections(old), list_sections(new)
    known = Known([package for section in before.values() for package in _list_packages(section)])
    found = [finding for key in sorted(before.keys() | after.keys()) for finding in _compare(key, before, after, known)]
    findings = sort_findings(join_findings(found))
    downloads = (
        measure_downloads(locate_section(key), before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys(), key=lambda key: (bool(key[0]), key))
    )
    return Diff(
        old=old_label,
        new=new_label,
        findings=findings,
        downloads=tuple(downloads),
        reformatted=not same_bytes and before == after,
    )


def list_sections(lockfile: Lockfile | None) -> Sections:
    """Every environment of a lock that is resolved for itself."""
    if lockfile is None:
        return {}
    sections = {("", variant): environment for variant, environment in lockfile.variants.items()}
    for name, variants in lockfile.packages.items():
        sections.update({(name, variant): environment for variant, environment in variants.items()})
    return sections


def _list_packages(environment: LockedEnvironment) -> Iterator[Package]:
    yield from (package for _, package in Section(environment).list_packages())
    if environment.source is not None:
        yield environment.source


def locate_section(key: tuple[str, str]) -> Place:
    """The place that a section of a lock is."""
    return Place(variant=key[1], outside=NormalizedName(key[0]) if key[0] else None)


def _compare(key: tuple[str, str], before: Sections, after: Sections, known: Known) -> Iterator[Finding]:
    place, old, new = locate_section(key), before.get(key), after.get(key)
    if new is None:
        yield Finding(
            code="variant-dropped",
            message=quote(place.section),
            before=str(place),
            places=(place,),
        )
    elif old is None:
        yield from _describe_section(Section(new), place, known)
    elif old != new:
        yield from _compare_sections(old, new, place, known)


def _describe_section(section: Section, place: Place, known: Known) -> Iterator[Finding]:
    """What a section that was not there before holds, in short, and what of it is a risk in itself."""
    packages = list(section.list_packages())
    indexes = sorted({package.index for _, package in packages if package.index is not None})
    names = list(dict.fromkeys(f"{package.name} {package.version or ''}".rstrip() for _, package in packages))
    count = len({package.name for _, package in packages})
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    listed = f"{quote_all(names[:_SHOWN_NAMES])}{more}"
    yield Finding(
        code="variant-added",
        message=f"{quote(place.section)} with {count} package{'' if count == 1 else 's'}",
        after=str(place),
        places=(place,),
        details=(*([listed] if names else []), *([f"from {quote_all(indexes)}"] if indexes else [])),
    )
    for build, package in packages:
        size = section.count_build(package)
        entry = Entry(package=package, built=is_source(package), siblings=(package,), build_size=size)
        yield from describe_new(entry, replace(place, build=build), known)
    if (source := section.environment.source) is not None:
        size = len(section.environment.packages)
        yield from describe_new(Entry(package=source, built=True, siblings=(source,), build_size=size), place, known)


def _compare_sections(old: LockedEnvironment, new: LockedEnvironment, place: Place, known: Known) -> Iterator[Finding]:
    yield from compare_targets(old, new, place)
    yield from compare_locked_inputs(old.inputs, new.inputs, place)
    before, after = Section(old), Section(new)
    yield from EnvironmentPair(old, new, before, after, place, known).compare()
    yield from _compare_sources(old, new, place, known)
    paired = {key: was for was, key in pair_builds(old.builds, new.builds)}
    for key, build in new.builds.items():
        there = replace(place, build=key)
        if (former := paired.get(key)) is not None:
            was = old.builds[former]
            yield from compare_targets(was, build, there)
            yield from compare_locked_inputs(was.inputs, build.inputs, there)
            yield from EnvironmentPair(was, build, before, after, there, known).compare()
        else:
            yield from _describe_build(build, before, after, there, known)


def _describe_build(
    build: LockedEnvironment, old: Section, new: Section, place: Place, known: Known
) -> Iterator[Finding]:
    """What a build that was not there before is made of, except what was locked so somewhere already."""
    nothing = LockedEnvironment(environments=build.environments, inputs=LockedInputs(), packages=())
    fresh = {package.name for package in build.packages if not old.holds(package)}
    pair = EnvironmentPair(nothing, build, old, new, place, known)
    yield from (finding for finding in pair.compare() if not fresh.isdisjoint(finding.packages))


def _compare_sources(old: LockedEnvironment, new: LockedEnvironment, place: Place, known: Known) -> Iterator[Finding]:
    """What is built from elsewhere, before and after."""
    if old.source is None or new.source is None or old.source == new.source:
        return
    nothing = LockedEnvironment(environments=new.environments, inputs=LockedInputs(), packages=())
    was, now = replace(nothing, packages=(old.source,)), replace(nothing, packages=(new.source,))
    yield from EnvironmentPair(was, now, Section(old), Section(new), place, known).compare()


def join_findings(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each change said once: for all places where it is the same, and all packages where that reads better."""
    return _join_packages(_join_places(findings))


def _join_places(findings: Iterable[Finding]) -> list[Finding]:
    """The same change in several variants, targets and builds is one."""
    joined: dict[object, Finding] = {}
    for finding in findings:
        key = replace(finding, places=(), chain=())
        other = joined.get(key)
        joined[key] = replace(other, places=_add_places(other.places, finding.places)) if other else finding
    return list(joined.values())


def _add_places(places: tuple[Place, ...], more: tuple[Place, ...]) -> tuple[Place, ...]:
    by_place = {replace(place, targets=()): place for place in places}
    for place in more:
        whole = replace(place, targets=())
        known = by_place.get(whole)
        if known is None:
            by_place[whole] = place
        else:
            everywhere = not known.targets or not place.targets
            targets = () if everywhere else tuple(dict.fromkeys((*known.targets, *place.targets)))
            by_place[whole] = replace(whole, targets=targets)
    return tuple(by_place.values())


def _join_packages(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What happened to many packages alike, such as a move of their index, is said once."""
    joined: dict[object, Finding] = {}
    for finding in findings:
        if finding.code not in _OF_MANY:
            yield finding
            continue
        key = replace(finding, packages=(), chain=(), follows=None)
        other = joined.get(key)
        if other is None:
            joined[key] = finding
        else:
            joined[key] = replace(other, packages=tuple(sorted({*other.packages, *finding.packages})), chain=())
    yield from joined.values()
