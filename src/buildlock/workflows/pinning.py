"""A resolution into locked packages: every artifact with a sha256 and a size, every URL as a reviewer reads it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import Package, PackageSdist, PackageWheel

from buildlock.artifacts import Artifact
from buildlock.environment.store import Store
from buildlock.errors import IndexError_
from buildlock.index.download import download
from buildlock.index.http import HttpClient
from buildlock.index.urls import to_path
from buildlock.reporting import Noted, Reporter, Warned
from buildlock.resolver.request import Resolution
from buildlock.targets import Target
from buildlock.workflows.merging import merge_resolutions
from buildlock.workflows.parallel import map_parallel

_ONE_BYTE = {"Range": "bytes=0-0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinner:
    """Turns what was resolved into what is locked."""

    indexes: frozenset[str]
    """The simple indexes that may be recorded as `index` (PEP 751); a page of links or a folder is none."""
    lock_dir: Path
    """Local files are recorded relative to it."""
    store: Store
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

        def pin(artifact: Artifact) -> PackageWheel | PackageSdist:
            return self._pin_file(artifact, known)

        pinned = map_parallel(pin, tuple(artifacts.values()), give_up=self.client.close)
        files = dict(zip(artifacts, pinned, strict=True))
        return merge_resolutions(resolutions, targets, files, self.indexes)

    def _pin_file(
        self, artifact: Artifact, known: Mapping[str, PackageWheel | PackageSdist]
    ) -> PackageWheel | PackageSdist:
        local = artifact.url.startswith("file:")
        path = relative_path(artifact.url, self.lock_dir) if local else None
        before = known.get(path or artifact.url)
        sha256, size = artifact.hashes.get("sha256"), artifact.size
        if sha256 is None and before is not None and not local:
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
            size = self._measure(artifact.url)
        kind = PackageWheel if artifact.kind == "wheel" else PackageSdist
        return kind(
            name=artifact.filename,
            url=None if local else artifact.url,
            path=path,
            size=size,
            hashes={"sha256": sha256},
        )

    def _hash(self, artifact: Artifact) -> tuple[str, int]:
        """Download a file to learn its sha256, and keep a wheel: `install` will want it."""
        self.report(Noted(f"`{artifact.filename}` has no sha256 on its index: downloading it to compute one"))
        with self.store.scratch() as scratch:
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
            if artifact.kind == "wheel":
                self.store.add(archive, sha256=got.sha256, filename=artifact.filename)
        return got.sha256, got.size

    def _measure(self, url: str) -> int | None:
        """The size of a remote file in bytes, from the answer to a request for its first byte."""
        try:
            if url.startswith("file:"):
                return to_path(url).stat().st_size
            response = self.client.get(url, headers=_ONE_BYTE, max_bytes=1, cache=False)
        except (IndexError_, OSError):
            return None  # a size is a convenience for the reader: the hash decides
        total = response.headers.get("content-range", "").rpartition("/")[2]
        return int(total) if response.status == 206 and total.isascii() and total.isdigit() else None  # noqa: PLR2004


def relative_path(url: str, folder: Path) -> str:
    """Where a local file is, seen from `folder`, with forward slashes (PEP 751 `path`)."""
    return Path(os.path.relpath(to_path(url).resolve(), folder.resolve())).as_posix()


def _list_files(package: Package) -> tuple[PackageWheel | PackageSdist, ...]:
    return (*(package.wheels or ()), *((package.sdist,) if package.sdist is not None else ()))
