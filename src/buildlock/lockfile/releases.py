"""What of a locked package its index can be asked about."""

from packaging.pylock import Package

from buildlock.lockfile.origins import list_files, name_file
from buildlock.published import LockedRelease


def find_release(package: Package) -> LockedRelease | None:
    """The release of an index that a locked package is; `None` where it is of none."""
    files = sorted((name_file(file), file.hashes["sha256"]) for file in list_files(package) if file.url is not None)
    if package.index is None or package.version is None or not files:
        return None
    return LockedRelease(index=package.index, name=package.name, version=package.version, files=tuple(files))
