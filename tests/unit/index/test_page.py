import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.errors import InvalidPageError
from buildlock.index.hashes import parse_hashes
from buildlock.index.page import ProjectPage, parse_link_page, parse_page
from buildlock.reporting import Event, Noted, Warned, silence

NAME = canonicalize_name("torch")
URL = "https://pkgs.example/simple/torch/"
SHA = hashlib.sha256(b"a").hexdigest()
OTHER = hashlib.sha256(b"b").hexdigest()
WHEEL = "torch-2.4.0+cu124-cp311-cp311-linux_x86_64.whl"
JSON = "application/vnd.pypi.simple.v1+json"


def read_html(text: str | bytes, *, url: str = URL, seen: list[Event] | None = None) -> ProjectPage:
    content = text if isinstance(text, bytes) else f"<!DOCTYPE html><html><body>{text}</body></html>\n".encode()
    report = silence if seen is None else seen.append
    return parse_page(content, url=url, content_type="text/html; charset=utf-8", name=NAME, report=report)


def read_json(page: object, *, url: str = URL, seen: list[Event] | None = None) -> ProjectPage:
    content = page if isinstance(page, bytes) else json.dumps(page).encode()
    report = silence if seen is None else seen.append
    return parse_page(content, url=url, content_type=JSON, name=NAME, report=report)


def make_page(*files: object, **more: object) -> dict[str, Any]:
    return {"meta": {"api-version": "1.1"}, "name": "torch", "files": list(files), **more}


def make_file(**changes: object) -> dict[str, Any]:
    file = {"filename": "torch-2.4.0.tar.gz", "url": "torch-2.4.0.tar.gz", "hashes": {"sha256": SHA}}
    return {**file, **changes}


def only(page: ProjectPage) -> Artifact:
    (artifact,) = page.artifacts
    return artifact


class TestHtml:
    def test_a_wheel_as_pytorch_lists_it(self) -> None:
        page = read_html(
            "<h1>Links for torch</h1>\n<a"
            f' href="/whl/cu124/torch-2.4.0%2Bcu124-cp311-cp311-linux_x86_64.whl#sha256={SHA}"'
            f' data-dist-info-metadata="sha256={OTHER}" data-core-metadata="sha256={OTHER}"'
            f' data-requires-python="&gt;=3.8.0">{WHEEL}</a><br/>\n',
            url="https://download.pytorch.org/whl/cu124/torch/",
        )
        assert only(page) == Artifact(
            name=NAME,
            version=Version("2.4.0+cu124"),
            kind="wheel",
            filename=WHEEL,
            url="https://download.pytorch.org/whl/cu124/torch-2.4.0%2Bcu124-cp311-cp311-linux_x86_64.whl",
            hashes={"sha256": SHA},
            requires_python=">=3.8.0",
            core_metadata={"sha256": OTHER},
        )

    @pytest.mark.parametrize(
        ("href", "url"),
        [
            ("torch-1.tar.gz", "https://pkgs.example/simple/torch/torch-1.tar.gz"),
            ("../../files/torch-1.tar.gz", "https://pkgs.example/files/torch-1.tar.gz"),
            ("/files/torch-1.tar.gz?token=1", "https://pkgs.example/files/torch-1.tar.gz?token=1"),
            ("//cdn.example/torch-1.tar.gz", "https://cdn.example/torch-1.tar.gz"),
            ("https://cdn.example:8443/x/torch-1.tar.gz#egg=torch", "https://cdn.example:8443/x/torch-1.tar.gz"),
            (f"http://cdn.example/torch-1.tar.gz#sha256={SHA}", "http://cdn.example/torch-1.tar.gz"),
            ("https://me:secret@cdn.example/torch-1.tar.gz", "https://cdn.example/torch-1.tar.gz"),
            (" torch-1.tar.gz\n", "https://pkgs.example/simple/torch/torch-1.tar.gz"),
        ],
    )
    def test_links_are_made_absolute(self, href: str, url: str) -> None:
        assert only(read_html(f'<a href="{href}">x</a>')).url == url

    def test_links_start_at_the_base(self) -> None:
        page = read_html('<base href="/files/"><base href="/ignored/"><a href="torch-1.tar.gz">x</a>')
        assert only(page).url == "https://pkgs.example/files/torch-1.tar.gz"

    @pytest.mark.parametrize("base", ["file:///etc/", "javascript:x", "http://["])
    def test_a_base_leads_nowhere_else(self, base: str) -> None:
        page = read_html(f'<base href="{base}"><a href="torch-1.tar.gz">x</a>')
        assert all(artifact.url.startswith("https://pkgs.example/") for artifact in page.artifacts)

    @pytest.mark.parametrize(
        ("attributes", "metadata"),
        [
            ('data-core-metadata="true"', {}),
            ('data-dist-info-metadata="true"', {}),
            (f'data-dist-info-metadata="sha256={SHA}"', {"sha256": SHA}),
            (f'data-core-metadata="sha256={SHA}" data-dist-info-metadata="sha256={OTHER}"', {"sha256": SHA}),
            ('data-core-metadata="false" data-dist-info-metadata="true"', None),
            ('data-core-metadata="sha256=short"', None),
            ('data-core-metadata=""', None),
            ("", None),
        ],
    )
    def test_core_metadata(self, attributes: str, metadata: Mapping[str, str] | None) -> None:
        assert only(read_html(f'<a href="torch-1.tar.gz" {attributes}>x</a>')).core_metadata == metadata

    @pytest.mark.parametrize(
        ("attributes", "yanked"),
        [("", None), ("data-yanked", ""), ('data-yanked=""', ""), ('data-yanked="a &amp; b"', "a & b")],
    )
    def test_yanked(self, attributes: str, yanked: str | None) -> None:
        assert only(read_html(f'<a href="torch-1.tar.gz" {attributes}>x</a>')).yanked == yanked

    def test_other_links_are_left_out(self) -> None:
        seen: list[Event] = []
        page = read_html('<a href="../">Parent</a><a>no link</a><a href="torch-1.tar.gz">x</a>', seen=seen)
        assert len(page.artifacts) == 1
        assert len(seen) == 1

    def test_a_page_without_links_is_a_page(self) -> None:
        assert read_html("").artifacts == ()

    @pytest.mark.parametrize("version", ["1.0", "1.99"])
    def test_a_known_version(self, version: str) -> None:
        read_html(f'<meta name="pypi:repository-version" content="{version}">')

    @pytest.mark.parametrize("version", ["2.0", "0.9", "x", "1", "99999999999.0", "٢.0"])
    def test_a_version_that_is_not_known(self, version: str) -> None:
        with pytest.raises(InvalidPageError, match="version"):
            read_html(f'<meta name="pypi:repository-version" content="{version}">')

    def test_quarantine_offers_nothing(self) -> None:
        page = read_html(
            '<meta name="pypi:project-status" content="quarantined">'
            '<meta name="pypi:project-status-reason" content="malware"><a href="torch-1.tar.gz">x</a>'
        )
        assert page == ProjectPage(status="quarantined", status_reason="malware")

    @pytest.mark.parametrize(
        "content",
        [b"", b"hello", b"\xff\xfe<a>", b"<html><a href='x", b"<!-- never closed", b"<![foo", b"<!", b"<" * 1000],
    )
    def test_what_is_no_html(self, content: bytes) -> None:
        with pytest.raises(InvalidPageError, match=r"pkgs\.example/simple/torch/` is not a page"):
            read_html(content)

    @pytest.mark.parametrize(
        "piece", [b"<!--", b"<![CDATA[", b"<!", b"<?", b"</", b"<a ", b"<a href='", b"<script>", b"&#"]
    )
    def test_a_page_cannot_hold_us_up(self, piece: bytes) -> None:
        """What is not closed would be read again from each such place on: minutes, not milliseconds."""
        with suppress(InvalidPageError):
            read_html(b"<html>" + piece * 100_000)


class TestJson:
    def test_a_file_with_everything(self) -> None:
        file = make_file(
            **{
                "filename": WHEEL,
                "url": "https://files.example/torch%2Bcu124.whl",
                "hashes": {"sha256": SHA.upper(), "md5": "0" * 32, "crc32": "00"},
                "size": 797269532,
                "upload-time": "2024-07-24T18:00:00.123456Z",
                "requires-python": ">=3.8",
                "yanked": "broken",
                "core-metadata": {"sha256": OTHER},
                "dist-info-metadata": {"sha256": SHA},
            }
        )
        assert only(read_json(make_page(file))) == Artifact(
            name=NAME,
            version=Version("2.4.0+cu124"),
            kind="wheel",
            filename=WHEEL,
            url="https://files.example/torch%2Bcu124.whl",
            hashes={"sha256": SHA, "md5": "0" * 32},
            size=797269532,
            upload_time=datetime(2024, 7, 24, 18, 0, 0, 123456, tzinfo=timezone.utc),
            requires_python=">=3.8",
            yanked="broken",
            core_metadata={"sha256": OTHER},
        )

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2024-07-24T18:00:00Z", datetime(2024, 7, 24, 18, tzinfo=timezone.utc)),
            ("2024-07-24T18:00:00.5Z", datetime(2024, 7, 24, 18, 0, 0, 500000, tzinfo=timezone.utc)),
            ("2024-07-24T18:00:00.123456789Z", datetime(2024, 7, 24, 18, 0, 0, 123456, tzinfo=timezone.utc)),
            ("2024-13-24T18:00:00Z", None),
            ("2024-07-24T18:00:00", None),
            ("yesterday", None),
            ("x" * 26 + "Z", None),
            (None, None),
        ],
    )
    def test_upload_times(self, text: str | None, moment: datetime | None) -> None:
        assert only(read_json(make_page(make_file(**{"upload-time": text})))).upload_time == moment

    @pytest.mark.parametrize(
        ("changes", "metadata"),
        [
            ({"core-metadata": True}, {}),
            ({"core-metadata": {}}, {}),
            ({"core-metadata": False, "dist-info-metadata": True}, None),
            ({"dist-info-metadata": True}, {}),
            ({"core-metadata": {"sha256": "short"}}, None),
            ({"core-metadata": {"sha256": [SHA]}}, None),
            ({"core-metadata": None}, None),
        ],
    )
    def test_core_metadata(self, changes: dict[str, object], metadata: Mapping[str, str] | None) -> None:
        assert only(read_json(make_page(make_file(**changes)))).core_metadata == metadata

    @pytest.mark.parametrize(("value", "yanked"), [(True, ""), (False, None), ("", None), ("why", "why"), (None, None)])
    def test_yanked(self, value: object, yanked: str | None) -> None:
        assert only(read_json(make_page(make_file(yanked=value)))).yanked == yanked

    def test_text_is_fit_to_be_shown(self) -> None:
        file = make_file(yanked="\x1b[31mred\ud800", **{"requires-python": ">=3\n.8"})
        artifact = only(read_json(make_page(file)))
        assert (artifact.yanked, artifact.requires_python) == (" [31mred ", ">=3 .8")

    @pytest.mark.parametrize("status", ["archived", "deprecated"])
    def test_project_status(self, status: str) -> None:
        page = read_json(make_page(make_file(), **{"project-status": {"status": status, "reason": "old"}}))
        assert (page.status, page.status_reason, len(page.artifacts)) == (status, "old", 1)

    @pytest.mark.parametrize("status", [{"status": "active", "reason": "x"}, {}, {"status": "unheard-of"}])
    def test_project_status_of_no_interest(self, status: object) -> None:
        page = read_json(make_page(make_file(), **{"project-status": status}))
        assert (page.status, page.status_reason, len(page.artifacts)) == (None, None, 1)

    @pytest.mark.parametrize(
        ("page", "message"),
        [
            (b"", "not JSON"),
            (b"\xff\xfe{}", "not UTF-8"),
            (b"[" * 100_000, "nested too deeply"),
            (b'{"a":' * 100_000, "nested too deeply"),
            (b'{"size": NaN}', "NaN"),
            (b'{"size": Infinity}', "Infinity"),
            (b'{"size": ' + b"9" * 10_000 + b"}", "not JSON"),
            (make_page(make_file(size=1 << 63)), r"files\[0\]\.size"),
            ([], "not an object"),
            ({}, "meta.api-version"),
            ({"meta": {"api-version": 1}}, "meta.api-version"),
            (make_page(meta={"api-version": "2.0"}), "2.0"),
            (make_page(meta={"api-version": "9" * 5000 + ".0"}), "only 1.x"),
            (make_page(name=7), "name"),
            (make_page(name="torchvision"), "not of `torch`"),
            (make_page(files={}), "files"),
            (make_page(**{"project-status": "archived"}), "project-status"),
            (make_page(**{"project-status": {"status": 1}}), "project status"),
            (make_page("x"), r"files\[0\]"),
            (make_page(make_file(), make_file(filename=None)), r"files\[1\]\.filename"),
            (make_page(make_file(url=["x"])), r"files\[0\]\.url"),
            (make_page(make_file(hashes=None)), r"files\[0\]\.hashes"),
            (make_page(make_file(size=-1)), r"files\[0\]\.size"),
            (make_page(make_file(size=True)), r"files\[0\]\.size"),
            (make_page(make_file(size=1.5)), r"files\[0\]\.size"),
            (make_page(make_file(yanked=1)), r"files\[0\]\.yanked"),
            (make_page(make_file(**{"requires-python": 3})), r"files\[0\]\.requires-python"),
            (make_page(make_file(**{"upload-time": 3})), r"files\[0\]\.upload-time"),
            (make_page(make_file(**{"core-metadata": "true"})), r"files\[0\]\.core-metadata"),
            (make_page(make_file(provenance=True)), r"files\[0\]\.provenance"),
        ],
    )
    def test_what_is_no_page(self, page: object, message: str) -> None:
        with pytest.raises(InvalidPageError, match=message):
            read_json(page)


@pytest.mark.parametrize(
    ("href", "url"),
    [
        (None, None),
        ("", None),
        ("https://pkgs.example/integrity/torch", "https://pkgs.example/integrity/torch"),
        ("/integrity?a#b", "https://pkgs.example/integrity?a"),
        ("http://pkgs.example/integrity", None),
        ("file:///etc/passwd", None),
        ("javascript:x", None),
        ("https://[", None),
        ("https://me:secret@pkgs.example/integrity", "https://pkgs.example/integrity"),
    ],
)
def test_where_the_attestations_of_a_file_are(href: str | None, url: str | None) -> None:
    assert only(read_json(make_page(make_file(provenance=href)))).provenance == url
    attribute = f'data-provenance="{href}"' if href is not None else ""
    assert only(read_html(f'<a href="torch-2.4.0.tar.gz" {attribute}>x</a>')).provenance == url


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"filename": "torch-2.4.0.exe"}, "Invalid sdist filename"),
        ({"filename": "torch-2.4.0-py3-none.whl"}, "wrong number of parts"),
        ({"filename": "torch-x.tar.gz"}, "invalid version"),
        ({"filename": "torchvision-1.0.tar.gz"}, "a file of `torchvision`"),
        ({"filename": "../torch-1.0.tar.gz"}, "not the name"),
        ({"filename": "a\\torch-1.0.tar.gz"}, "not the name"),
        ({"filename": "torch-1.0\n.tar.gz"}, "not the name"),
        ({"filename": "torch-1.0\u202egz.tar.gz"}, "not the name"),
        ({"filename": "torch-" + "1" * 300 + ".tar.gz"}, "characters"),
        ({"filename": f"torch-1-{'.'.join('p' * 40)}-{'.'.join('a' * 40)}-x.whl"}, "dots"),
        ({"filename": ""}, "not the name"),
        ({"url": "file:///etc/torch-2.4.0.tar.gz"}, "local file"),
        ({"url": "ftp://files.example/torch-2.4.0.tar.gz"}, "scheme"),
        ({"url": "javascript:torch-2.4.0.tar.gz"}, "scheme"),
        ({"url": "http://[/torch-2.4.0.tar.gz"}, ""),
        ({"url": "https:///torch-2.4.0.tar.gz\x00"}, ""),
        ({"url": "https://cdn.example\\@evil.example/torch-2.4.0.tar.gz"}, "backslashes"),
        ({"url": "http://cdn.example/torch-2.4.0.tar.gz", "hashes": {}}, "leaves https"),
        ({"hashes": {"sha256": SHA[:-1]}}, "sha256 hash is malformed"),
        ({"hashes": {"sha256": "g" * 64}}, "sha256 hash is malformed"),
        ({"hashes": {"SHA256": ""}}, "sha256 hash is malformed"),
        ({"hashes": {"sha256": 1}}, "sha256 hash is malformed"),
        ({"hashes": {"sha256": SHA, "md5": "x"}}, "md5 hash is malformed"),
    ],
)
def test_a_file_that_is_not_to_be_trusted_is_left_out(changes: dict[str, object], reason: str) -> None:
    seen: list[Event] = []
    page = read_json(make_page(make_file(**changes), make_file(filename="torch-9.tar.gz")), seen=seen)
    assert [artifact.filename for artifact in page.artifacts] == ["torch-9.tar.gz"]
    (note,) = seen
    assert isinstance(note, Noted)
    assert reason in note.message
    assert note.message.isprintable()


class TestLargePage:
    """10,000 files, of which a resolver looks at those of one version."""

    @pytest.fixture
    def built(self, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
        """How many values were made, by what they are."""
        built: Counter[str] = Counter()

        def count(what: str, make: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*args: object, **named: object) -> Any:
                built[what] += 1
                return make(*args, **named)

            return counted

        monkeypatch.setattr("buildlock.index.links.Artifact", count("artifacts", Artifact))
        monkeypatch.setattr("buildlock.artifacts._parse_version", count("versions", Version))
        monkeypatch.setattr("buildlock.index.links.parse_hashes", count("hashes", parse_hashes))
        return built

    @staticmethod
    def make_files(versions: int) -> list[dict[str, Any]]:
        names = (f"torch-{n}.0-py3-none-win{tag}.whl" for n in range(versions) for tag in range(100))
        return [make_file(filename=name, url=name) for name in names]

    def test_only_what_is_looked_at_is_read(self, built: Counter[str]) -> None:
        seen: list[Event] = []
        page = read_json(make_page(*self.make_files(100)), seen=seen)
        assert [version for version, _ in page.versions] == [Version(f"{n}.0") for n in reversed(range(100))]
        assert built == {"versions": 100}
        newest = page.versions[0][1]
        assert len(newest) == 100
        assert newest[0].filename == "torch-99.0-py3-none-win0.whl"
        assert built == {"versions": 200, "artifacts": 100, "hashes": 100}
        assert not seen

    def test_the_last_file_is_as_strictly_judged(self) -> None:
        files = self.make_files(100)
        for changes in ({"size": -1}, {"hashes": None}, {"yanked": 1}):
            with pytest.raises(InvalidPageError, match=r"files\[9999\]"):
                read_json(make_page(*files[:-1], {**files[-1], **changes}))
        with pytest.raises(InvalidPageError, match=r"files\[10000\]"):
            read_json(make_page(*files, "torch-100.0.tar.gz"))

    def test_two_files_of_one_name_are_found_wherever_they_are(self) -> None:
        files = self.make_files(100)
        page = read_json(make_page(*files, {**files[0], "hashes": {"sha256": OTHER}}))
        assert page.contradictory == {files[0]["filename"]}
        assert len(page.artifacts) == 9999


class TestDuplicates:
    @pytest.mark.parametrize("third", [SHA, OTHER])
    def test_with_different_hashes_are_left_out(self, third: str) -> None:
        seen: list[Event] = []
        files = [make_file(hashes={"sha256": digest}) for digest in (SHA, OTHER, third)]
        page = read_json(make_page(*files), seen=seen)
        assert page.artifacts == ()
        assert page.contradictory == {"torch-2.4.0.tar.gz"}
        (warning,) = seen
        assert isinstance(warning, Warned)
        assert "two different hashes" in warning.message

    def test_with_one_hash_are_one(self) -> None:
        files = [make_file(url="a.tar.gz"), make_file(url="b.tar.gz")]
        assert only(read_json(make_page(*files))).url.endswith("/a.tar.gz")

    @pytest.mark.parametrize("order", [1, -1])
    def test_the_one_with_a_hash_is_kept(self, order: int) -> None:
        files = [make_file(), make_file(hashes={})][::order]
        assert only(read_json(make_page(*files))).hashes == {"sha256": SHA}


@pytest.mark.parametrize(
    ("content_type", "content", "known"),
    [
        ("application/json", json.dumps(make_page()).encode(), True),
        ("Application/VND.pypi.simple.v1+JSON; charset=x", json.dumps(make_page()).encode(), True),
        (None, b"\xef\xbb\xbf " + json.dumps(make_page()).encode(), True),
        ("application/vnd.pypi.simple.v1+html", b"<p>", True),
        (None, b"\n<p>", True),
        (None, b"hello", False),
        ("text/plain", b"<p>", False),
        ("application/vnd.pypi.simple.v2+json", b"{}", False),
        ("", b"<p>", False),
        ("text/html", b"{}", False),
        ("application/json", b"<p>", False),
    ],
)
def test_the_content_type_decides(content_type: str | None, content: bytes, known: bool) -> None:  # noqa: FBT001 - a table
    try:
        parse_page(content, url=URL, content_type=content_type, name=NAME, report=silence)
    except InvalidPageError:
        assert not known
    else:
        assert known


def test_a_page_of_links_has_files_of_many_packages() -> None:
    content = (
        b'<a href="foo-1.0.tar.gz"></a><a href="Bar_x-2.0-py3-none-any.whl"></a><a href="_-1.zip"></a><a href="x"></a>'
    )
    artifacts = parse_link_page(content, url="file:///srv/links.html", report=silence)
    assert [(artifact.name, artifact.url) for artifact in artifacts] == [
        ("foo", "file:///srv/foo-1.0.tar.gz"),
        ("bar-x", "file:///srv/Bar_x-2.0-py3-none-any.whl"),
    ]


PIECES = [
    b"<a href='",
    b"torch-1.tar.gz",
    b"'>",
    b"<!--",
    b"<base href=",
    b"#sha256=",
    b"<meta name=",
    b"&#x",
    b"]]>",
    b"<![",
    b"\xff",
]


@given(
    content=st.binary() | st.lists(st.sampled_from(PIECES) | st.binary(max_size=4)).map(b"".join),
    content_type=st.sampled_from(["text/html", JSON, None]),
)
def test_any_bytes_are_a_page_or_refused(content: bytes, content_type: str | None) -> None:
    try:
        page = parse_page(content, url=URL, content_type=content_type, name=NAME, report=silence)
    except InvalidPageError:
        return
    assert all(artifact.name == NAME for artifact in page.artifacts)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([SHA, "torch-1.tar.gz", "1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("sha256"), inner, max_size=3),
    max_leaves=6,
)


@given(
    changes=st.dictionaries(st.sampled_from(sorted(make_file(**{"core-metadata": 0, "size": 0, "yanked": 0}))), VALUES)
)
def test_any_values_are_a_page_or_refused(changes: dict[str, Any]) -> None:
    try:
        page = read_json(json.dumps(make_page(make_file(**changes))).encode())
    except InvalidPageError:
        return
    for artifact in page.artifacts:
        assert artifact.url.startswith("https://")
        assert f"{artifact.url}{artifact.yanked}{artifact.requires_python}".isprintable()
