"""Reading metadata from a real server: which way is taken, and what is believed."""

import hashlib
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact, ArtifactKind
from buildlock.errors import BuildlockError, IntegrityError, InvalidMetadataError, UnavailableError
from buildlock.index.http import HttpClient
from buildlock.metadata.reader import MetadataReader
from buildlock.project.network import Network
from buildlock.reporting import Event, Noted, silence
from support.range_server import Ranges, RangeServer
from support.zips import make_zip, metadata_of

METADATA = metadata_of(requires=["bar>=1"])
OTHER = metadata_of(requires=["other"])
WHEEL = make_zip({"foo/__init__.py": b"", "foo-1.0.dist-info/METADATA": METADATA})
FILENAME = "foo-1.0-py3-none-any.whl"
BAR = (Requirement("bar>=1"),)


def make_large_wheel(size: int = 1 << 20, files: int = 2000) -> bytes:
    """A wheel whose central directory does not fit into the first range, its metadata in the middle."""
    noise = random.Random(0).randbytes(size)
    first = {"foo/library.so": noise, "foo-1.0.dist-info/METADATA": METADATA}
    return make_zip({**first, **{f"foo/{number}.py": b"" for number in range(files)}})


LARGE = make_large_wheel()


def sha256(content: bytes) -> Mapping[str, str]:
    return {"sha256": hashlib.sha256(content).hexdigest()}


def make_artifact(
    base: str,
    *,
    filename: str = FILENAME,
    version: str = "1.0",
    kind: ArtifactKind = "wheel",
    hashes: Mapping[str, str] | None = None,
    size: int | None = None,
    core_metadata: Mapping[str, str] | None = None,
) -> Artifact:
    return Artifact(
        name=canonicalize_name("foo"),
        version=Version(version),
        kind=kind,
        filename=filename,
        url=f"{base}/{filename}",
        hashes=hashes or {},
        size=size,
        core_metadata=core_metadata,
    )


class TestBeside:
    @pytest.mark.parametrize(
        "promised", [{}, sha256(METADATA), {"made-up": "00"}, {"md5": hashlib.md5(METADATA).hexdigest()}]
    )
    def test_the_advertised_file_is_all_that_is_asked_for(
        self, server: RangeServer, reader: MetadataReader, promised: Mapping[str, str]
    ) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        metadata = reader.read(make_artifact(server.url, core_metadata=promised))
        assert metadata.requires_dist == BAR
        assert [request.path for request in server.requests] == [f"/{FILENAME}.metadata"]

    def test_a_file_that_is_not_advertised_is_found(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files |= {f"/{FILENAME}.metadata": METADATA, f"/{FILENAME}": WHEEL}
        server.ranges = "refused"
        assert reader.read(make_artifact(server.url)).requires_dist == BAR
        assert [request.status for request in server.requests] == [416, 416, 200]

    def test_nobody_guesses_where_the_wheel_tells(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files |= {f"/{FILENAME}.metadata": OTHER, f"/{FILENAME}": WHEEL}
        assert reader.read(make_artifact(server.url)).requires_dist == BAR
        assert not server.asked(".metadata")

    def test_the_query_of_the_url_stays_behind_the_path(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files[f"/{FILENAME}.metadata?token=1"] = METADATA
        assert reader.read(make_artifact(server.url, filename=f"{FILENAME}?token=1")).requires_dist == BAR

    @pytest.mark.parametrize("promised", [sha256(OTHER), {**sha256(METADATA), "md5": "0" * 32}])
    def test_another_hash_is_refused(
        self, server: RangeServer, reader: MetadataReader, promised: Mapping[str, str]
    ) -> None:
        server.files |= {f"/{FILENAME}.metadata": METADATA, f"/{FILENAME}": WHEEL}
        with pytest.raises(IntegrityError, match=r"\.whl\.metadata` is not the file that the index promised"):
            reader.read(make_artifact(server.url, core_metadata=promised))

    @pytest.mark.parametrize("advertised", [{}, None])
    def test_another_name_is_refused(
        self, server: RangeServer, reader: MetadataReader, advertised: Mapping[str, str] | None
    ) -> None:
        server.files |= {f"/{FILENAME}.metadata": metadata_of("evil"), f"/{FILENAME}": WHEEL}
        server.ranges = "refused"
        with pytest.raises(IntegrityError, match=r"is that of `evil` 1\.0, not of `foo` 1\.0"):
            reader.read(make_artifact(server.url, core_metadata=advertised))

    @pytest.mark.parametrize("advertised", [{}, None])
    @pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Welcome</title>", b"", b"{}", b"\xff", bytes(9 << 20)])
    def test_what_is_no_metadata_is_passed_over(
        self, server: RangeServer, reader: MetadataReader, advertised: Mapping[str, str] | None, page: bytes
    ) -> None:
        server.files |= {f"/{FILENAME}.metadata": page, f"/{FILENAME}": WHEEL}
        assert reader.read(make_artifact(server.url, core_metadata=advertised)).requires_dist == BAR

    def test_unusable_metadata_that_the_index_vouches_for_is_refused(
        self, server: RangeServer, reader: MetadataReader
    ) -> None:
        server.files |= {f"/{FILENAME}.metadata": b"nonsense", f"/{FILENAME}": WHEEL}
        with pytest.raises(InvalidMetadataError):
            reader.read(make_artifact(server.url, core_metadata=sha256(b"nonsense")))

    @pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
    @pytest.mark.parametrize("advertised", [{}, None])
    def test_where_there_is_none_the_wheel_is_read(
        self, server: RangeServer, reader: MetadataReader, advertised: Mapping[str, str] | None, status: int
    ) -> None:
        server.files[f"/{FILENAME}"] = WHEEL
        server.statuses[f"/{FILENAME}.metadata"] = status
        assert reader.read(make_artifact(server.url, core_metadata=advertised)).requires_dist == BAR

    def test_the_wheel_does_not_evade_the_hash_of_the_metadata(
        self, server: RangeServer, reader: MetadataReader
    ) -> None:
        server.files[f"/{FILENAME}"] = WHEEL
        assert reader.read(make_artifact(server.url, core_metadata=sha256(METADATA))).requires_dist == BAR
        with pytest.raises(IntegrityError):
            reader.read(make_artifact(server.url, core_metadata=sha256(OTHER)))

    def test_a_server_that_never_answers_guesses_is_asked_no_more(
        self, server: RangeServer, reader: MetadataReader
    ) -> None:
        server.ranges = "refused"
        for number in range(6):
            filename = f"foo-{number}-py3-none-any.whl"
            server.files[f"/{filename}"] = make_zip(
                {f"foo-{number}.dist-info/METADATA": metadata_of("foo", str(number))}
            )
            reader.read(make_artifact(server.url, filename=filename, version=str(number)))
        assert len(server.asked(".metadata")) == 3

    def test_an_advertised_file_is_asked_for_all_the_same(self, server: RangeServer, reader: MetadataReader) -> None:
        self.test_a_server_that_never_answers_guesses_is_asked_no_more(server, reader)
        server.files[f"/{FILENAME}.metadata"] = METADATA
        assert reader.read(make_artifact(server.url, core_metadata={})).requires_dist == BAR


class TestRanges:
    @pytest.mark.parametrize("known", [None, len(LARGE)])
    @pytest.mark.parametrize("ranges", ["served", "absolute-only", "suffix-from-start"])
    def test_a_small_part_of_a_large_wheel_is_fetched(
        self, server: RangeServer, reader: MetadataReader, ranges: Ranges, known: int | None
    ) -> None:
        server.ranges = ranges
        server.files[f"/{FILENAME}"] = LARGE
        assert reader.read(make_artifact(server.url, size=known)).requires_dist == BAR
        assert server.bytes_sent < len(LARGE) / 4
        assert len(server.asked(".whl")) <= 9

    @pytest.mark.parametrize(("wheel", "times"), [(LARGE, 2), (make_large_wheel(files=8000), 3)])
    def test_the_usual_server_is_asked_two_or_three_times(
        self, server: RangeServer, reader: MetadataReader, wheel: bytes, times: int
    ) -> None:
        server.files[f"/{FILENAME}"] = wheel
        reader.read(make_artifact(server.url))
        assert [request.status for request in server.asked(".whl")] == [206] * times

    @pytest.mark.parametrize("known", [None, len(WHEEL)])
    def test_a_wheel_smaller_than_the_first_range_is_asked_for_once(
        self, server: RangeServer, reader: MetadataReader, known: int | None
    ) -> None:
        server.files[f"/{FILENAME}"] = WHEEL
        assert reader.read(make_artifact(server.url, size=known)).requires_dist == BAR
        assert len(server.asked(".whl")) == 1

    @pytest.mark.parametrize("ranges", ["ignored", "refused", "failing", "unlabelled", "shifted"])
    @pytest.mark.parametrize("known", [None, len(LARGE)])
    def test_where_ranges_do_not_work_the_whole_wheel_is_read(
        self, server: RangeServer, reader: MetadataReader, ranges: Ranges, known: int | None
    ) -> None:
        server.ranges = ranges
        server.files[f"/{FILENAME}"] = LARGE
        assert reader.read(make_artifact(server.url, size=known, hashes=sha256(LARGE))).requires_dist == BAR

    def test_a_wheel_too_large_for_memory_is_read_from_disk(self, server: RangeServer, reader: MetadataReader) -> None:
        server.ranges = "ignored"
        server.files[f"/{FILENAME}"] = make_large_wheel(9 << 20)
        assert reader.read(make_artifact(server.url)).requires_dist == BAR
        assert len(server.asked(".whl")) == 2

    def test_a_server_without_ranges_is_asked_for_one_once(self, server: RangeServer, reader: MetadataReader) -> None:
        server.ranges = "refused"
        for number in range(3):
            filename = f"foo-{number}-py3-none-any.whl"
            server.files[f"/{filename}"] = make_zip(
                {f"foo-{number}.dist-info/METADATA": metadata_of("foo", str(number))}
            )
            reader.read(make_artifact(server.url, filename=filename, version=str(number)))
        assert [request.status for request in server.asked(".whl")] == [416, 416, 200, 200, 200]

    @pytest.mark.parametrize("ranges", ["served", "ignored", "refused"])
    def test_another_size_is_refused(self, server: RangeServer, reader: MetadataReader, ranges: Ranges) -> None:
        server.ranges = ranges
        server.files[f"/{FILENAME}"] = WHEEL
        with pytest.raises(IntegrityError, match=f"{len(WHEEL)} bytes, not"):
            reader.read(make_artifact(server.url, size=len(WHEEL) - 1))

    @pytest.mark.parametrize("ranges", ["ignored", "refused"])
    def test_another_hash_is_refused(self, server: RangeServer, reader: MetadataReader, ranges: Ranges) -> None:
        server.ranges = ranges
        server.files[f"/{FILENAME}"] = WHEEL
        with pytest.raises(IntegrityError, match="expected sha256"):
            reader.read(make_artifact(server.url, hashes=sha256(b"another")))

    @pytest.mark.parametrize("ranges", ["served", "ignored", "refused"])
    @pytest.mark.parametrize("content", [b"", b"P", b"<html>", WHEEL[:-30], bytes(100_000)])
    def test_what_is_no_wheel_is_refused(
        self, server: RangeServer, reader: MetadataReader, ranges: Ranges, content: bytes
    ) -> None:
        server.ranges = ranges
        server.files[f"/{FILENAME}"] = content
        with pytest.raises(InvalidMetadataError, match="it is not a readable zip archive"):
            reader.read(make_artifact(server.url))

    def test_metadata_of_another_version_is_refused(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files[f"/{FILENAME}"] = make_zip({"foo-1.0.dist-info/METADATA": metadata_of("foo", "2.0")})
        with pytest.raises(IntegrityError, match=r"is that of `foo` 2\.0, not of `foo` 1\.0"):
            reader.read(make_artifact(server.url))

    def test_a_wheel_that_changes_while_it_is_read_is_never_mixed(
        self, server: RangeServer, reader: MetadataReader
    ) -> None:
        server.files[f"/{FILENAME}"] = LARGE
        changed = make_zip({"foo-1.0.dist-info/METADATA": OTHER, "foo/library.so": bytes(1 << 20)})

        def change(_path: str) -> None:
            if len(server.asked(".whl")) == 1:
                server.files[f"/{FILENAME}"] = changed

        server.before_answer = change
        assert reader.read(make_artifact(server.url)).requires_dist == (Requirement("other"),)

    @pytest.mark.parametrize("status", [401, 403, 404, 410, 503])
    def test_a_wheel_that_is_not_there_is_unavailable(
        self, server: RangeServer, reader: MetadataReader, status: int
    ) -> None:
        server.statuses[f"/{FILENAME}"] = status
        with pytest.raises(UnavailableError, match=str(status)):
            reader.read(make_artifact(server.url))

    @pytest.mark.parametrize(
        "label",
        [
            "",
            "bytes",
            "bytes 0-9/*",
            "bytes 5-4/100",
            "bytes 0-99/10",
            f"bytes 0-9/{'9' * 99}",
            "bytes 0-\N{ARABIC-INDIC DIGIT NINE}/99",
            "bytes 0-8/99",
            "items 0-9/99",
        ],
    )
    def test_a_nonsensical_label_is_not_believed(
        self, server: RangeServer, reader: MetadataReader, label: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def answer(path: str, span: str | None) -> tuple[int, dict[str, str], bytes]:
            if not path.endswith(".whl"):
                return 404, {}, b""
            if span is None:
                return 200, {}, WHEEL
            return 206, {"Content-Range": label.encode().decode("latin-1")}, WHEEL[:10]

        monkeypatch.setattr(server, "answer", answer)
        assert reader.read(make_artifact(server.url)).requires_dist == BAR


class TestLocal:
    def test_a_local_wheel_is_read(self, tmp_path: Path, reader: MetadataReader) -> None:
        (tmp_path / FILENAME).write_bytes(LARGE)
        (tmp_path / f"{FILENAME}.metadata").write_bytes(OTHER)
        assert reader.read(make_artifact(tmp_path.as_uri())).requires_dist == BAR

    def test_what_is_advertised_beside_it_is_read(self, tmp_path: Path, reader: MetadataReader) -> None:
        (tmp_path / f"{FILENAME}.metadata").write_bytes(METADATA)
        artifact = make_artifact(tmp_path.as_uri(), core_metadata=sha256(METADATA))
        assert reader.read(artifact).requires_dist == BAR

    def test_a_missing_one_is_unavailable(self, tmp_path: Path, reader: MetadataReader) -> None:
        with pytest.raises(UnavailableError):
            reader.read(make_artifact(tmp_path.as_uri()))

    @pytest.mark.parametrize("content", [b"", b"PK", WHEEL[:-1]])
    def test_a_damaged_one_is_refused(self, tmp_path: Path, reader: MetadataReader, content: bytes) -> None:
        (tmp_path / FILENAME).write_bytes(content)
        with pytest.raises(InvalidMetadataError):
            reader.read(make_artifact(tmp_path.as_uri()))


class TestSharing:
    def test_many_threads_fetch_once(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        server.before_answer = lambda _path: time.sleep(0.05)
        artifact = make_artifact(server.url, core_metadata={})
        with ThreadPoolExecutor(8) as pool:
            assert len(set(map(id, pool.map(reader.read, [artifact] * 8)))) == 1
        assert len(server.requests) == 1

    def test_a_failure_is_kept_too(self, server: RangeServer, reader: MetadataReader) -> None:
        artifact = make_artifact(server.url, core_metadata=sha256(OTHER))
        server.files[f"/{FILENAME}.metadata"] = METADATA
        for _ in range(2):
            with pytest.raises(IntegrityError):
                reader.read(artifact)
        assert len(server.requests) == 1

    def test_one_url_with_two_promises_is_held_to_each(self, server: RangeServer, reader: MetadataReader) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        reader.read(make_artifact(server.url))
        for other in (make_artifact(server.url, version="2.0"), make_artifact(server.url, core_metadata=sha256(OTHER))):
            with pytest.raises(IntegrityError):
                reader.read(other)

    def test_anticipated_reads_run_at_once_and_together(self, server: RangeServer, reader: MetadataReader) -> None:
        together = threading.Barrier(4, timeout=10)

        def wait(_path: str) -> None:
            together.wait()

        server.before_answer = wait
        artifacts = []
        for number in range(4):
            filename = f"foo-{number}-py3-none-any.whl"
            server.files[f"/{filename}.metadata"] = metadata_of("foo", str(number))
            artifacts.append(make_artifact(server.url, filename=filename, version=str(number), core_metadata={}))
        for artifact in artifacts:
            reader.anticipate(artifact)
        assert [str(reader.read(artifact).version) for artifact in artifacts] == ["0", "1", "2", "3"]
        assert len(server.requests) == 4

    def test_anticipating_a_failure_is_silent_until_it_is_read(
        self, server: RangeServer, reader: MetadataReader
    ) -> None:
        missing = make_artifact(server.url)
        reader.anticipate(missing)
        with pytest.raises(UnavailableError, match="404"):
            reader.read(missing)


def test_every_way_that_failed_is_told(server: RangeServer, tmp_path: Path) -> None:
    events: list[Event] = []
    server.ranges = "refused"
    server.files[f"/{FILENAME}"] = WHEEL
    with HttpClient(cache_dir=None, report=lambda _event: None, network=Network(retries=0)) as client:
        reader = MetadataReader(client, events.append, lambda: tmp_path)
        reader.read(make_artifact(server.url))
        reader.close()
    notes = [event.message for event in events if isinstance(event, Noted)]
    url = f"{server.url}/{FILENAME}"
    assert notes == [
        f"no metadata from `ranges of {url}`: it answers with HTTP status 416",
        f"no metadata from `{url}.metadata`: HTTP status 404",
    ]


def test_a_scratch_directory_that_cannot_be_used_is_a_clear_error(server: RangeServer, tmp_path: Path) -> None:
    server.ranges = "refused"
    server.files[f"/{FILENAME}"] = WHEEL
    with HttpClient(cache_dir=None, report=lambda _event: None, network=Network(retries=0)) as client:
        reader = MetadataReader(client, lambda _event: None, lambda: tmp_path / "missing")
        with pytest.raises(BuildlockError, match="missing` cannot be used"):
            reader.read(make_artifact(server.url))
        reader.close()


class TestKept:
    """What one run has read of a file whose sha256 its index promises, the next one need not ask for."""

    def read(self, artifact: Artifact, cache: Path, credentials: str | None = None) -> None:
        with HttpClient(cache_dir=cache, report=silence, network=Network(retries=0)) as client:
            if credentials is not None:
                client.remember_credentials(credentials)
            reader = MetadataReader(client, silence, lambda: cache)
            assert reader.read(artifact).requires_dist == BAR
            reader.close()

    @pytest.mark.parametrize("files", [{FILENAME: WHEEL}, {f"{FILENAME}.metadata": METADATA}])
    @pytest.mark.parametrize("promised", [None, sha256(METADATA)])
    def test_nothing_is_asked_again(
        self, server: RangeServer, tmp_path: Path, files: Mapping[str, bytes], promised: Mapping[str, str] | None
    ) -> None:
        server.files |= {f"/{name}": content for name, content in files.items()}
        artifact = make_artifact(server.url, hashes=sha256(WHEEL), core_metadata=promised)
        self.read(artifact, tmp_path)
        asked = len(server.requests)
        self.read(artifact, tmp_path)
        assert len(server.requests) == asked

    def test_another_promise_is_asked_for(self, server: RangeServer, tmp_path: Path) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        for number, (hashes, promised) in enumerate(
            [(sha256(WHEEL), {}), (sha256(b"another file"), {}), (sha256(WHEEL), sha256(METADATA)), ({}, {})]
        ):
            self.read(make_artifact(server.url, hashes=hashes, core_metadata=promised), tmp_path)
            assert len(server.requests) == number + 1
        self.read(make_artifact(server.url, core_metadata={}), tmp_path)
        assert len(server.requests) == 5

    def test_what_only_some_may_see_is_not_kept(self, server: RangeServer, tmp_path: Path) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        artifact = make_artifact(server.url, hashes=sha256(WHEEL), core_metadata={})
        for number in (1, 2):
            self.read(artifact, tmp_path, server.url.replace("http://", "http://me:secret@"))
            assert len(server.requests) == number

    def test_what_is_damaged_is_read_again(self, server: RangeServer, tmp_path: Path) -> None:
        server.files[f"/{FILENAME}.metadata"] = METADATA
        artifact = make_artifact(server.url, hashes=sha256(WHEEL), core_metadata={})
        self.read(artifact, tmp_path)
        (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
        kept.write_bytes(kept.read_bytes().replace(b"bar", b"evi"))
        self.read(artifact, tmp_path)
        assert len(server.requests) == 2
