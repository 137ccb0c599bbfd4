"""Reading the metadata of an artifact, the cheapest way first."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from buildlock.artifacts import Artifact, CoreMetadata
from buildlock.errors import (
    EnvironmentPreparationError,
    InvalidMetadataError,
    InvalidPageError,
    UnavailableError,
)
from buildlock.index.futures import NotAtHandError, Workers, complete
from buildlock.index.hashes import check_hashes
from buildlock.index.http import HttpClient
from buildlock.metadata.kept import read_metadata, write_metadata
from buildlock.reporting import Noted, Reporter, phase

_WORKERS = 16
_MAX_MISSES = 3
"""After so many guesses in a row that a server has not answered, it is asked for no more."""
_LOCAL = "file://"
_OK = 200


KnownMetadata: TypeAlias = dict[str, tuple[Artifact, CoreMetadata]]
"""What was read, by URL, and of which artifact."""


class MetadataReader:
    """Reads the metadata of wheels; safe to share among threads.

    Four ways, until one works: the metadata file that the index advertises beside the wheel (PEP 658), ranges of the
    wheel, such a file that is not advertised, the whole wheel. Whichever it is, what comes must have the hash that the
    index gave for it, if any, and be of the artifact's name and version.

    Args:
        client: Asks the servers.
        report: Told of every way that did not work.
        scratch: Says where wheels go that must be downloaded whole, an existing directory; they are deleted again.
        known: What was read in the same run for other variants, by URL; it is added to.
    """

    def __init__(
        self,
        client: HttpClient,
        report: Reporter,
        scratch: Callable[[], Path],
        known: KnownMetadata | None = None,
    ) -> None:
        self._known: KnownMetadata = {} if known is None else known
        self._client = client
        self._report = report
        self._scratch = scratch
        self._pool = Workers(_WORKERS, "metadata")
        self._lock = Lock()
        self._reads: dict[str, tuple[Artifact, Future[CoreMetadata]]] = {}
        self._misses: Counter[str] = Counter()
        self._without_ranges: set[str] = set()

    def read(self, artifact: Artifact) -> CoreMetadata:
        """The metadata of a wheel; fetched once, however often and from however many threads it is asked for.

        Raises:
            UnavailableError: No way to the metadata works: network, HTTP status.
            IntegrityError: A size, hash, name or version is not what the index promised.
            InvalidMetadataError: The wheel or its metadata cannot be used.
        """
        metadata = self.anticipate(artifact)
        if metadata.done():
            return metadata.result()
        with phase(self._report, "pages and metadata"):
            return metadata.result()

    def anticipate(self, artifact: Artifact) -> Future[CoreMetadata]:
        """Start reading what `read` is going to be asked for; returns at once, with the answer to come."""
        with self._lock:
            known, future = self._reads.get(artifact.url, (None, None))
        # Two pages may promise different names or hashes for one URL: neither gets the other's answer.
        if future is None or known != artifact:
            at_hand = complete(lambda: self._find(artifact))
            with self._lock:
                known, future = self._reads.get(artifact.url, (None, None))
                if future is None or known != artifact:
                    future = at_hand or self._pool.submit(self._read, artifact)
                    self._reads[artifact.url] = artifact, future
        return future

    def close(self) -> None:
        """Give up what was anticipated and not begun, and wait for the rest."""
        self._pool.close(wait=True)

    def _find(self, artifact: Artifact) -> CoreMetadata:
        """What was read before of the very file that is promised at this URL, in this run or an earlier one.

        Raises:
            NotAtHandError: Nothing was.
        """
        known, metadata = self._known.get(artifact.url, (None, None))
        if metadata is None or known != artifact:
            content = self._client.find_kept(artifact.url, _describe(artifact)) if _is_promised(artifact) else None
            metadata = None if content is None else read_metadata(content, artifact)
            if metadata is None:
                raise NotAtHandError
            self._known[artifact.url] = artifact, metadata
        return metadata

    def _read(self, artifact: Artifact) -> CoreMetadata:
        assert artifact.kind == "wheel", "an sdist may have to be built for its metadata"
        metadata = self._fetch(artifact)
        self._known[artifact.url] = artifact, metadata
        return metadata

    def _fetch(self, artifact: Artifact) -> CoreMetadata:
        advertised = artifact.core_metadata is not None
        metadata = self._read_beside(artifact) if advertised else None
        if metadata is None:
            content = self._read_ranges(artifact)
            if content is None and not advertised:
                metadata = self._guess_beside(artifact)
            if metadata is None:
                metadata = self._accept(artifact, self._read_whole(artifact) if content is None else content)
        return metadata

    def _accept(self, artifact: Artifact, content: bytes) -> CoreMetadata:
        """The metadata that is in a wheel."""
        from buildlock.metadata.core import parse_core_metadata  # noqa: PLC0415 - most were read before

        # The file beside the wheel is the one inside it (PEP 658): the hash of the one holds for the other.
        check_hashes(content, artifact.core_metadata or {}, url=artifact.url)
        metadata = parse_core_metadata(content, artifact=artifact)
        self._keep(artifact, metadata)
        return metadata

    def _guess_beside(self, artifact: Artifact) -> CoreMetadata | None:
        """What is beside the wheel though the index does not say so."""
        origin = _origin(artifact.url)
        if origin == _LOCAL or self._misses[origin] >= _MAX_MISSES:
            return None
        metadata = self._read_beside(artifact)
        with self._lock:
            self._misses[origin] = 0 if metadata else self._misses[origin] + 1
        return metadata

    def _keep(self, artifact: Artifact, metadata: CoreMetadata) -> None:
        # Without a hash another file could be there tomorrow.
        if _is_promised(artifact):
            self._client.keep(artifact.url, _describe(artifact), write_metadata(metadata))

    def _read_beside(self, artifact: Artifact) -> CoreMetadata | None:
        """The metadata file beside the wheel, at its URL with `.metadata` appended; `None` where there is none."""
        from buildlock.metadata.core import MAX_METADATA_SIZE, parse_core_metadata  # noqa: PLC0415 - as above

        url = find_metadata_url(artifact.url)
        try:
            response = self._client.get(url, max_bytes=MAX_METADATA_SIZE, cache=not _is_promised(artifact))
        except (UnavailableError, InvalidPageError) as error:
            self._pass_over(url, error.message)
            return None
        if response.status != _OK:
            self._pass_over(url, f"HTTP status {response.status}")
            return None
        vouched_for = check_hashes(response.content, artifact.core_metadata or {}, url=url)
        try:
            metadata = parse_core_metadata(response.content, artifact=artifact)
        except InvalidMetadataError as error:
            # Without a hash it may be anything: some servers answer every URL with a page.
            if vouched_for:
                raise
            self._pass_over(url, error.message)
            return None
        self._keep(artifact, metadata)
        return metadata

    def _read_ranges(self, artifact: Artifact) -> bytes | None:
        """The metadata file in the wheel by ranges; `None` where the server does not serve them."""
        # Most indexes have it beside the wheel.
        from buildlock.metadata.ranged import RangesRefusedError, open_by_ranges  # noqa: PLC0415
        from buildlock.metadata.wheel import read_wheel_metadata  # noqa: PLC0415

        origin = _origin(artifact.url)
        if origin not in self._without_ranges:
            try:
                return read_wheel_metadata(open_by_ranges(self._client, artifact), artifact)
            except RangesRefusedError as error:
                self._without_ranges.add(origin)
                self._pass_over(f"ranges of {artifact.url}", str(error))
            except UnavailableError as error:
                # Some servers fail on a range, and not on the file; if this one is down, the download says so.
                self._pass_over(f"ranges of {artifact.url}", error.message)
        return None

    def _read_whole(self, artifact: Artifact) -> bytes:
        from tempfile import TemporaryDirectory  # noqa: PLC0415 - wheels are seldom read whole

        from buildlock.index.download import download  # noqa: PLC0415
        from buildlock.metadata.ranged import open_local  # noqa: PLC0415
        from buildlock.metadata.wheel import read_wheel_metadata  # noqa: PLC0415

        scratch = self._scratch()
        try:
            with TemporaryDirectory(dir=scratch, prefix="metadata-") as directory:
                path = Path(directory) / "wheel"
                download(
                    self._client,
                    artifact.url,
                    path,
                    filename=artifact.filename,
                    sha256=artifact.hashes.get("sha256"),
                    size=artifact.size,
                    hashes=artifact.hashes,
                    report=self._report,
                )
                with path.open("rb") as file:
                    return read_wheel_metadata(open_local(file), artifact)
        except OSError as error:
            raise EnvironmentPreparationError(f"`{scratch}` cannot be used: {error}") from error

    def _pass_over(self, what: str, reason: str) -> None:
        self._report(Noted(f"no metadata from `{what}`: {reason}"))


def _is_promised(artifact: Artifact) -> bool:
    return "sha256" in artifact.hashes


def _describe(artifact: Artifact) -> str:
    """What is kept of a wheel, with all that is promised of it: another promise is not answered with it."""
    promised = sorted((artifact.core_metadata or {}).items())
    return " ".join(["requirements of", artifact.hashes["sha256"], *(f"{name}={digest}" for name, digest in promised)])


def find_metadata_url(url: str) -> str:
    """Where the metadata file beside a wheel is (PEP 658).

    >>> find_metadata_url("https://files.example/foo-1.0-py3-none-any.whl?key=1")
    'https://files.example/foo-1.0-py3-none-any.whl.metadata?key=1'
    """
    path, mark, query = url.partition("?")
    return f"{path}.metadata{mark}{query}"


def _origin(url: str) -> str:
    """Scheme and host of a URL.

    >>> _origin("https://files.example/ab/foo-1.0-py3-none-any.whl")
    'https://files.example'
    """
    return "/".join(url.split("/", 3)[:3])
