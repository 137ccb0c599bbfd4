"""What is locked of packages from elsewhere that the project does not have any more."""

from collections.abc import Iterator

from packaging.utils import NormalizedName

from buildlock.lockfile.model import Lockfile
from buildlock.project.model import Project


def list_orphaned(project: Project, lockfile: Lockfile) -> Iterator[tuple[NormalizedName, str]]:
    """The locked packages from elsewhere whose variant there is no more, or which they are no longer configured for."""
    for name, sections in lockfile.packages.items():
        configured = project.packages.get(name)
        for variant in sections:
            if variant not in project.variants or (configured is not None and not configured.is_for(variant)):
                yield name, variant
