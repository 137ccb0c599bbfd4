"""What is locked anywhere in the old lock: what is new in one place of the new one may contradict it."""

from collections.abc import Iterable
from functools import cached_property

from packaging.pylock import Package

from buildlock.lockfile.origins import LockedFile, find_hosts, list_files, name_file
from buildlock.values import dataclass


@dataclass(frozen=True)
class Known:
    """The packages of a whole lock, in every variant and build."""

    packages: Iterable[Package]

    def find_file(self, package: Package, file: LockedFile) -> LockedFile | None:
        """The file of this name that the same place had, if that was never this one."""
        known = self._files.get(_place(package, file), [])
        return next(iter(known), None) if all(each.hashes != file.hashes for each in known) else None

    def find_hosts(self, index: str) -> frozenset[str]:
        """Where the files of an index are."""
        return self._hosts.get(index, frozenset())

    @cached_property
    def _files(self) -> dict[object, list[LockedFile]]:
        files: dict[object, list[LockedFile]] = {}
        for package in self.packages:
            for file in list_files(package):
                files.setdefault(_place(package, file), []).append(file)
        return files

    @cached_property
    def _hosts(self) -> dict[str, frozenset[str]]:
        hosts: dict[str, frozenset[str]] = {}
        for package in self.packages:
            if package.index is not None:
                hosts[package.index] = hosts.get(package.index, frozenset()) | find_hosts(package)
        return hosts


def _place(package: Package, file: LockedFile) -> object:
    return package.index or file.url or file.path, name_file(file)
