"""Fetching one file: hashed while it comes, resumed where it broke off, refused unless it is the promised one."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from buildlock.errors import EnvironmentPreparationError, IntegrityError, UnavailableError
from buildlock.index.credentials import HINT as CREDENTIALS
from buildlock.index.failures import TransientError
from buildlock.index.hashes import ALGORITHMS
from buildlock.index.http import HttpClient, Stream
from buildlock.reporting import Reporter, Transferred, phase
from buildlock.stamps import Stamp, stamp_of
from buildlock.text import without_credentials
from buildlock.values import dataclass

MAX_FILE_BYTES = 16 << 30

_PROGRESS = 8 << 20  # bytes that earn a failing download another round of attempts
_REPORT_STEP = 1 << 18
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"')
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_WRONG_FILE = "the file is not the one that was promised: it was replaced, damaged or tampered with on the way"


@dataclass(frozen=True, kw_only=True, slots=True)
class Downloaded:
    """What a file turned out to be."""

    sha256: str
    size: int
    """Bytes."""
    stamp: Stamp
    """What the file system said of it when its last byte was hashed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """A file and what is promised of it."""

    url: str
    filename: str
    hashes: Mapping[str, str]
    size: int | None
    max_bytes: int

    def refuse(self, what: str, *, hint: str = _WRONG_FILE) -> IntegrityError:
        return IntegrityError(f"`{self.filename}` from `{without_credentials(self.url)}` {what}", hint=hint)


def download(
    client: HttpClient,
    url: str,
    destination: Path,
    *,
    filename: str,
    sha256: str | None,
    size: int | None,
    report: Reporter,
    hashes: Mapping[str, str] | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> Downloaded:
    """Write the file at `url` to `destination`, which is removed again on any failure.

    Args:
        client: Asks for it.
        url: Where it is.
        destination: A path of the caller's own.
        filename: What the file is called, for messages and events.
        sha256: Its promised hash, lower-case hexadecimal.
        size: Its promised size in bytes.
        report: Told of the progress.
        hashes: Further promised hashes, by the names of `hashlib`.
        max_bytes: The largest file accepted where no size is promised.

    Raises:
        IntegrityError: It is not the promised file.
        UnavailableError: It could not be fetched.
        EnvironmentPreparationError: It could not be written.
    """
    promised = {**(hashes or {}), **({"sha256": sha256} if sha256 else {})}
    wanted = _Wanted(url=url, filename=filename, hashes=promised, size=size, max_bytes=max_bytes)
    if sha256 and hashes and hashes.get("sha256", sha256).lower() != sha256.lower():
        raise wanted.refuse(f"is promised with two hashes: `{sha256}` and `{hashes['sha256']}`")
    try:
        with phase(report, "downloads"), destination.open("wb") as file:
            transfer = _Transfer(client, wanted, file, report)
            return transfer.run()
    except BaseException as error:
        with suppress(OSError):
            destination.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise EnvironmentPreparationError(f"`{destination}` cannot be written: {reason}") from error
        raise


class _Transfer:
    """A download under way, over as many requests as it takes."""

    def __init__(self, client: HttpClient, wanted: _Wanted, file: BinaryIO, report: Reporter) -> None:
        self._client = client
        self._wanted = wanted
        self._file = file
        self._report = report
        self._restart()

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._done = 0
        self._reported = 0
        self._total = self._wanted.size
        self._etag: str | None = None
        self._digests = {"sha256": hashlib.sha256()}
        for algorithm in self._wanted.hashes:
            if algorithm not in ALGORITHMS:
                raise self._wanted.refuse(
                    f"is promised with a `{algorithm}` hash, which cannot be checked", hint="use sha256"
                )
            self._digests[algorithm] = hashlib.new(algorithm, usedforsecurity=False)

    def run(self) -> Downloaded:
        while True:
            before = self._done
            try:
                self._client.attempt(self._wanted.url, self._advance)
            except UnavailableError:
                # A slow line that breaks off again and again still gets there.
                if self._done - before < _PROGRESS:
                    raise
            else:
                return self._verify()

    def _advance(self) -> None:
        """Fetch what is still missing, in one request."""
        headers = {}
        if self._done and self._etag:
            headers = {"Range": f"bytes={self._done}-", "If-Range": self._etag}
        else:
            self._restart()
        with self._client.stream(self._wanted.url, headers=headers) as stream:
            self._accept(stream)
            for chunk in stream.chunks:
                self._take(chunk)
        if self._wanted.size is not None and self._done < self._wanted.size:
            # Without a length, the end of the connection is all that tells the end of the file from a break.
            if not stream.headers.keys() & {"content-length", "transfer-encoding"}:
                raise TransientError(f"it ended after {self._done} of {self._wanted.size} bytes")
            raise self._wanted.refuse(f"has {self._done} bytes, not {self._wanted.size}")

    def _accept(self, stream: Stream) -> None:
        """See whether the answer continues the file, or begins it."""
        if stream.status == 206 and self._done:  # noqa: PLR2004
            part = _CONTENT_RANGE.fullmatch(stream.headers.get("content-range", ""))
            if part is None or int(part[1]) != self._done:
                self._restart()
                raise TransientError("it answered with another part of the file than the one asked for")
            return
        if self._done:
            self._restart()
            if stream.status == 416:  # noqa: PLR2004
                raise TransientError("it could not continue the file")
        if stream.status != 200:  # noqa: PLR2004
            raise UnavailableError(
                f"`{self._wanted.filename}` could not be fetched from `{without_credentials(self._wanted.url)}`:"
                f" it answered {stream.status}",
                hint=_HINTS.get(stream.status),
            )
        length = stream.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 19:  # noqa: PLR2004
            if self._wanted.size is not None and int(length) != self._wanted.size:
                raise self._wanted.refuse(f"has {int(length)} bytes, not {self._wanted.size}")
            self._total = int(length)
        etag = stream.headers.get("etag", "")
        # RFC 9110, 13.1.5: only a strong validator says that the rest is of the same file.
        self._etag = etag if _STRONG_ETAG.fullmatch(etag) else None

    def _take(self, chunk: bytes) -> None:
        self._done += len(chunk)
        if self._wanted.size is not None and self._done > self._wanted.size:
            raise self._wanted.refuse(f"has more than {self._wanted.size} bytes")
        if self._done > self._wanted.max_bytes:
            raise self._wanted.refuse(f"has more than {self._wanted.max_bytes} bytes", hint="no file is that large")
        for digest in self._digests.values():
            digest.update(chunk)
        self._file.write(chunk)
        if self._done - self._reported >= _REPORT_STEP and self._done != self._total:
            self._reported = self._done
            self._report(Transferred(self._wanted.filename, self._done, self._total))

    def _verify(self) -> Downloaded:
        for algorithm, expected in self._wanted.hashes.items():
            received = self._digests[algorithm].hexdigest()
            if received != expected.lower():
                raise self._wanted.refuse(
                    f"does not match its hash\n  expected {algorithm}: {expected}\n  received {algorithm}: {received}"
                )
        self._file.flush()
        self._report(Transferred(self._wanted.filename, self._done, self._done))
        return Downloaded(sha256=self._digests["sha256"].hexdigest(), size=self._done, stamp=stamp_of(self._file))


_HINTS = {
    401: CREDENTIALS,
    403: f"the server refuses access: {CREDENTIALS}",
    404: "the file is gone from the server; lock again",
}
