"""All that a lock has, each with the place and what brings it in."""

from collections.abc import Iterator

from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.diff.chains import Chains
from buildlock.diff.compute import Sections, locate_section
from buildlock.diff.model import Place
from buildlock.diff.sections import Section
from buildlock.values import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """A package as one environment of a lock has it."""

    package: Package
    place: Place
    chain: tuple[str, ...] = ()

    @property
    def name(self) -> NormalizedName:
        return self.package.name

    @property
    def version(self) -> Version:
        assert self.package.version is not None
        return self.package.version


def list_locked(sections: Sections) -> Iterator[Locked]:
    """Everything that is locked, what builds need and what is built from elsewhere included."""
    for key, environment in sections.items():
        place, chains = locate_section(key), Chains(environment)
        if environment.source is not None:
            yield Locked(package=environment.source, place=place)
        of_builds = {build: Chains(inside) for build, inside in environment.builds.items()}
        for build, package in Section(environment).list_packages():
            chain = (chains if build is None else of_builds[build]).find(package.name)
            yield Locked(package=package, place=replace(place, build=build), chain=chain)
