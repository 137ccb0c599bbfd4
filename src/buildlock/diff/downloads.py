"""How much a build downloads before and after."""

from collections.abc import Iterable, Iterator

from packaging.pylock import Package

from buildlock.artifacts import wheel_tags
from buildlock.diff.model import Download, Place
from buildlock.diff.sections import Section
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.origins import LockedFile, list_files, name_file
from buildlock.lockfile.seen_targets import SeenTarget, see_targets


def measure_downloads(place: Place, before: LockedEnvironment | None, after: LockedEnvironment | None) -> Download:
    """The download of a section of the lock before and after."""
    old = _measure(before) if before is not None else (None, True)
    new = _measure(after) if after is not None else (None, True)
    return Download(place=place, before=old[0], after=new[0], complete=old[1] and new[1])


def _measure(section: LockedEnvironment) -> tuple[int, bool]:
    """Bytes for the target that needs most, and whether the size of every file is known."""
    whole = Section(section)
    sizes = [_measure_target(whole, target) for target in see_targets(section.environments)]
    return max((size for size, _ in sizes), default=0), all(complete for _, complete in sizes)


def _measure_target(section: Section, target: SeenTarget) -> tuple[int, bool]:
    files: dict[str, int | None] = {}
    waiting: list[Iterable[Package]] = [section.environment.packages]
    waiting += [build.packages for build in section.list_builds(target)]
    if section.environment.source is not None:
        waiting.append((section.environment.source,))
    complete = True
    for package in (package for packages in waiting for package in packages):
        if target.needs(package.marker):
            complete = complete and package.vcs is None
            files.update((file.hashes["sha256"], file.size) for file in _choose_file(package, target))
    complete = complete and None not in files.values()
    return sum(size or 0 for size in files.values()), complete


def _choose_file(package: Package, target: SeenTarget) -> Iterator[LockedFile]:
    """The file that a target gets: its best wheel, else what is built; no local one, which is there already."""
    files = [file for file in list_files(package) if file.url is not None]
    wheels = [file for file in files if name_file(file).endswith(".whl")]
    ranks = target.ranks
    fitting = [
        (min(ranks[tag] for tag in tags), position)
        for position, wheel in enumerate(wheels)
        if (tags := [tag for tag in wheel_tags(name_file(wheel))[1] if tag in ranks])
    ]
    sources = [file for file in files if file not in wheels]
    if fitting:
        yield wheels[min(fitting)[1]]
    elif sources:
        yield sources[0]
    elif wheels and not ranks:
        yield wheels[0]
