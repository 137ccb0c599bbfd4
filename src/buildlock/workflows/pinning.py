"""A resolution into locked packages: every artifact with a sha256 and a size, every URL as a reviewer reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
)

from buildlock.artifacts import Artifact
from buildlock.errors import IndexError_
from buildlock.index.http import HttpClient
from buildlock.index.urls import to_path
from buildlock.reporting import Noted, Reporter, Warned, phase
from buildlock.resolver.request import Resolution
from buildlock.targets import Target
from buildlock.values import dataclass
from buildlock.workflows.merging import Pinned, PinnedFile, merge_resolutions
from buildlock.workflows.sources import Sources

if TYPE_CHECKING:
    from buildlock.environment.store import Store

_ONE_BYTE = {"Range": "bytes=0-0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinner:
    """Turns what was resolved into what is locked."""

    indexes: frozenset[str]
    """The simple indexes that may be recorded as `index` (PEP 751); a page of links or a folder is none."""
    lock_dir: Path
    """Local files are recorded relative to it."""
    sources: Sources
    open_store: Callable[[], Store]
    client: HttpClient
    report: Reporter

    def pin(
        self, resolutions: Sequence[Resolution], targets: Sequence[Target], locked: Sequence[Package] = ()
    ) -> tuple[Package, ...]:
        """The packages of a lock, sorted by name: one entry for each version, with the files that some target uses.

        A file whose index gives no sha256 is downloaded and hashed, unless `locked` holds the hash of the very same
        URL. A file whose hash is another than before is warned of.

        Args:
            resolutions: What was resolved for each of the targets.
            targets: As many.
            locked: The packages that are locked so far.

        Raises:
            UnavailableError: A file that has to be hashed cannot be downloaded.
            IntegrityError: A file is not what its index says.
            InvalidArchiveError: A file that had to be hashed is refused.
        """
        known = {file.url or file.path or "": file for package in locked for file in _list_files(package)}
        artifacts = {each.artifact.url: each.artifact for resolution in resolutions for each in resolution.packages}
        wheels = [artifact for artifact in artifacts.values() if artifact.kind == "wheel"]
        files = {artifact.url: self._pin(artifact, known) for artifact in artifacts.values() if _is_at_hand(artifact)}
        waiting = [wheel for wheel in wheels if wheel.url not in files]
        if waiting:
            from buildlock.workflows.parallel import map_parallel  # noqa: PLC0415 - most indexes say all at once

            with phase(self.report, "waiting"):
                pinned = map_parallel(lambda wheel: self._pin(wheel, known), waiting, give_up=self.client.close)
            files |= {wheel.url: file for wheel, file in zip(waiting, pinned, strict=True)}
        files |= {a.url: self._pin(a, known) for a in artifacts.values() if a.url not in files}
        return merge_resolutions(resolutions, targets, files, self.indexes)

    def _pin(self, artifact: Artifact, known: Mapping[str, PinnedFile]) -> Pinned:
        if artifact.origin is None or artifact.origin.kind == "archive":
            return self._pin_file(artifact, known)
        origin = artifact.origin
        path = relative_path(origin.url, self.lock_dir) if origin.url.startswith("file:") else None
        if origin.kind == "directory":
            assert path is not None
            return PackageDirectory(path=path, subdirectory=origin.subdirectory)
        assert origin.commit is not None
        return PackageVcs(
            type="git",
            url=origin.location if path is None else None,
            path=path,
            requested_revision=origin.revision,
            commit_id=origin.commit,
            subdirectory=origin.subdirectory,
        )

    def _pin_file(self, artifact: Artifact, known: Mapping[str, PinnedFile]) -> PinnedFile:
        url = artifact.origin.location if artifact.origin else artifact.url
        path = relative_path(url, self.lock_dir) if url.startswith("file:") else None
        before = known.get(path or url)
        sha256, size = artifact.hashes.get("sha256"), artifact.size
        if sha256 is None and before is not None and path is None:
            sha256, size = before.hashes["sha256"], size or before.size
        if sha256 is None:
            sha256, size = self._hash(artifact)
        if before is not None and sha256 != before.hashes["sha256"]:
            self.report(
                Warned(
                    f"`{artifact.filename}` was locked with sha256 {before.hashes['sha256']}, and has {sha256} now",
                    hint="the same file name with other content: find out why before you accept the change",
                )
            )
        if size is None:
            size = self._measure(url)
        hashes = {"sha256": sha256}
        remote = url if path is None else None
        if artifact.origin is not None:
            subdirectory = artifact.origin.subdirectory
            return PackageArchive(url=remote, path=path, size=size, hashes=hashes, subdirectory=subdirectory)
        kind = PackageWheel if artifact.kind == "wheel" else PackageSdist
        return kind(name=artifact.filename, url=remote, path=path, size=size, hashes=hashes)

    def _hash(self, artifact: Artifact) -> tuple[str, int | None]:
        """Download a file to learn its sha256, and keep it: `install` will want it."""
        self.report(Noted(f"`{artifact.filename}` has no sha256 on its index: downloading it to compute one"))
        if artifact.kind == "sdist":
            facts = self.sources.facts(self.sources.subject_of(artifact))
            assert facts.sha256 is not None
            return facts.sha256, facts.size
        from buildlock.index.download import download  # noqa: PLC0415 - most indexes have a sha256

        store = self.open_store()
        with store.scratch() as scratch:
            archive = scratch / artifact.filename
            got = download(
                self.client,
                artifact.url,
                archive,
                filename=artifact.filename,
                sha256=None,
                size=artifact.size,
                hashes=artifact.hashes,
                report=self.report,
            )
            with phase(self.report, "unpacking"):
                store.add(archive, sha256=got.sha256, filename=artifact.filename, hashed=got.stamp)
        return got.sha256, got.size

    def _measure(self, url: str) -> int | None:
        """The size of a remote file in bytes, from the answer to a request for its first byte."""
        try:
            if url.startswith("file:"):
                return to_path(url).stat().st_size
            with phase(self.report, "pages and metadata"):
                response = self.client.get(url, headers=_ONE_BYTE, max_bytes=1, cache=False)
        except (IndexError_, OSError):
            return None  # a size is a convenience for the reader: the hash decides
        total = response.headers.get("content-range", "").rpartition("/")[2]
        return int(total) if response.status == 206 and total.isascii() and total.isdigit() else None  # noqa: PLR2004


def _is_at_hand(artifact: Artifact) -> bool:
    """Whether all that is to be known of a file has been said by its index."""
    return artifact.origin is None and "sha256" in artifact.hashes and artifact.size is not None


def relative_path(url: str, folder: Path) -> str:
    """Where a local file is, seen from `folder`, with forward slashes (PEP 751 `path`)."""
    return Path(os.path.relpath(to_path(url).resolve(), folder.resolve())).as_posix()


def _list_files(package: Package) -> Iterator[PinnedFile]:
    yield from package.wheels or ()
    yield from (file for file in (package.sdist, package.archive) if file is not None)
