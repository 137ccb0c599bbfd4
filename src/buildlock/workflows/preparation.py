"""Locked wheels into the store: found there, or downloaded, verified and unpacked."""

from collections.abc import Sequence
from pathlib import Path

from buildlock.environment.store import Store, StoredWheel
from buildlock.index.download import download
from buildlock.index.http import HttpClient
from buildlock.lockfile.select import LockedArtifact
from buildlock.reporting import Reporter
from buildlock.workflows.parallel import map_parallel


def prepare_wheels(
    artifacts: Sequence[LockedArtifact],
    *,
    lock_dir: Path,
    store: Store,
    client: HttpClient,
    report: Reporter,
) -> tuple[StoredWheel, ...]:
    """Bring every artifact into the store; what is there already is not downloaded.

    Args:
        artifacts: What the lock selects for a target.
        lock_dir: The folder that a locked `path` is relative to.
        store: Where they go.
        client: Fetches them; closed where one fails.
        report: Told how far each download is.

    Raises:
        UnavailableError: A file cannot be downloaded.
        IntegrityError: A file is not the locked one.
        InvalidArchiveError: A file is the locked one, and is refused.
    """

    def prepare(artifact: LockedArtifact) -> StoredWheel:
        if stored := store.find(artifact.sha256):
            return stored
        with store.lock(artifact.sha256), store.scratch() as scratch:
            # Another process may have brought it while this one waited.
            if stored := store.find(artifact.sha256):
                return stored
            archive = scratch / artifact.filename
            download(
                client,
                artifact.url or file_url(lock_dir, artifact.path or ""),
                archive,
                filename=artifact.filename,
                sha256=artifact.sha256,
                size=artifact.size,
                report=report,
            )
            return store.add(archive, sha256=artifact.sha256, filename=artifact.filename)

    # The largest first, so that none is left alone at the end.
    order = sorted(artifacts, key=lambda artifact: -(artifact.size or 0))
    wheels = dict(zip((a.sha256 for a in order), map_parallel(prepare, order, give_up=client.close), strict=True))
    return tuple(wheels[artifact.sha256] for artifact in artifacts)


def file_url(folder: Path, relative: str) -> str:
    """A locked `path` as a `file:` URL."""
    return (folder.resolve() / relative).as_uri()
