"""Where a locked package comes from: which kind of place, which hosts, and whether the way there is safe."""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel

from buildlock.lockfile.model import LockedInputs, name_archive
from buildlock.project.network import InsecureHost, parse_insecure_host

OriginKind: TypeAlias = Literal["index", "file", "URL", "git repository", "folder"]
LockedFile: TypeAlias = PackageWheel | PackageSdist | PackageArchive

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1", re.ASCII)
"""Hosts that nobody is on the way to: pip trusts them too."""


def find_kind(package: Package) -> OriginKind:
    if package.vcs is not None:
        return "git repository"
    if package.directory is not None:
        return "folder"
    if package.archive is not None:
        return "URL" if package.archive.url is not None else "file"
    if package.index is not None or any(file.url is not None for file in list_files(package)):
        return "index"
    return "file"


def find_location(package: Package) -> str | None:
    """The place of its kind: an index, a repository, a folder; of what is a file its URL or path."""
    if package.vcs is not None:
        return _with_subdirectory(package.vcs.url or package.vcs.path, package.vcs.subdirectory)
    if package.directory is not None:
        return _with_subdirectory(package.directory.path, package.directory.subdirectory)
    if package.archive is not None:
        return _with_subdirectory(package.archive.url or package.archive.path, package.archive.subdirectory)
    return package.index


def _with_subdirectory(location: str | None, subdirectory: str | None) -> str | None:
    return location if subdirectory is None else f"{location} ({subdirectory})"


def describe_origin(package: Package) -> str:
    """The place in words, not quoted."""
    location = find_location(package)
    return f"{find_kind(package)} {location}" if location is not None else f"{find_kind(package)} without a name"


def list_files(package: Package) -> tuple[LockedFile, ...]:
    files = (package.sdist, package.archive, *(package.wheels or ()))
    return tuple(file for file in files if file is not None)


def name_file(file: LockedFile) -> str:
    return name_archive(file) if isinstance(file, PackageArchive) else file.filename


def find_hosts(package: Package) -> frozenset[str]:
    """Where its files are downloaded from."""
    return frozenset(_find_host(file.url) for file in list_files(package) if file.url is not None)


def find_index_host(index: str) -> str:
    """The host of an index itself, which need not be that of its files."""
    return _find_host(index)


def _find_host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower()


def list_urls(package: Package) -> Iterator[str]:
    """Every URL that it is found or fetched by."""
    if package.index is not None:
        yield package.index
    if package.vcs is not None and package.vcs.url is not None:
        yield package.vcs.url
    yield from (file.url for file in list_files(package) if file.url is not None)


def find_insecure(package: Package) -> frozenset[str]:
    """The servers that are asked for it without encryption: `http://host`."""
    return frozenset(filter(None, map(find_insecure_server, list_urls(package))))


def find_unchecked(package: Package, inputs: LockedInputs) -> frozenset[str]:
    """The servers that are asked for it whatever certificate they show: `https://host`."""
    hosts = list_insecure_hosts(inputs)
    secure = (url for url in list_urls(package) if urlsplit(url).scheme == "https")
    return frozenset(f"https://{_find_host(url)}" for url in secure if any(host.matches(url) for host in hosts))


def list_insecure_hosts(inputs: LockedInputs) -> tuple[InsecureHost, ...]:
    """Those that the project allows to be insecure, but for this machine."""
    allowed = inputs.settings.get("allow-insecure-host")
    hosts = map(parse_insecure_host, allowed) if isinstance(allowed, tuple) else ()
    return tuple(host for host in hosts if not _LOOPBACK.fullmatch(host.host))


def find_insecure_server(url: str) -> str | None:
    """The server of a URL, if what it answers can be changed on the way.

    >>> find_insecure_server("http://pkgs.example/simple")
    'http://pkgs.example'
    >>> find_insecure_server("http://127.0.0.1:8080/simple") is None
    True
    """
    parts = urlsplit(url)
    if parts.scheme.lower() != "http" or _LOOPBACK.fullmatch(parts.hostname or ""):
        return None
    return f"http://{_find_host(url)}"
