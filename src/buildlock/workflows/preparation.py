"""Locked wheels into the store: found there, or downloaded, verified and unpacked."""

from collections.abc import Sequence
from pathlib import Path

from buildlock.environment.store import StoredWheel
from buildlock.errors import BuildlockError
from buildlock.index.download import download
from buildlock.lockfile.select import Locked, LockedArtifact, LockedSource
from buildlock.project.model import BuildInputs
from buildlock.reporting import Began
from buildlock.workflows.parallel import map_parallel
from buildlock.workflows.workspace import Workspace


def prepare_wheels(
    workspace: Workspace, inputs: BuildInputs, artifacts: Sequence[LockedArtifact]
) -> tuple[StoredWheel, ...]:
    """Bring every artifact into the store; what is there already is not downloaded.

    Args:
        workspace: Whose store they go to; a locked `path` is relative to the folder of its lock.
        inputs: Of the variant, for the credentials of its indexes.
        artifacts: What the lock selects for a target.

    Raises:
        UnavailableError: A file cannot be downloaded.
        IntegrityError: A file is not the locked one.
        InvalidArchiveError: A file is the locked one, and is refused.
    """
    workspace.report(Began(f"Preparing the environment of {inputs.variant.name}"))
    store = workspace.open_store()

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
                artifact.url or file_url(workspace.lock_path.parent, artifact.path or ""),
                archive,
                filename=artifact.filename,
                sha256=artifact.sha256,
                size=artifact.size,
                report=workspace.report,
            )
            return store.add(archive, sha256=artifact.sha256, filename=artifact.filename)

    # The largest first, so that none is left alone at the end.
    order = sorted(artifacts, key=lambda artifact: -(artifact.size or 0))
    with workspace.open_client(inputs) as client:
        wheels = dict(zip((a.sha256 for a in order), map_parallel(prepare, order, give_up=client.close), strict=True))
    return tuple(wheels[artifact.sha256] for artifact in artifacts)


def require_wheels(selected: Sequence[Locked]) -> tuple[LockedArtifact, ...]:
    """What was selected, where none of it has to be built.

    Raises:
        BuildlockError: Something has to be.
    """
    if sources := [source for source in selected if isinstance(source, LockedSource)]:
        names = ", ".join(f"`{source.name}` {source.version}" for source in sources)
        raise BuildlockError(f"the lock has no wheel of {names} for this interpreter: it has to be built")
    return tuple(artifact for artifact in selected if isinstance(artifact, LockedArtifact))


def file_url(folder: Path, relative: str) -> str:
    """A locked `path` as a `file:` URL."""
    return (folder.resolve() / relative).as_uri()
