import os
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from buildlock.errors import InvalidPageError, UnavailableError
from buildlock.index.flat import read_flat
from buildlock.index.http import HttpClient
from buildlock.reporting import Event, silence
from support.http import Answer, WebServer

FOO = canonicalize_name("foo")
LINKS = b'<a href="foo-1.0.tar.gz">x</a><a href="sub/bar-2.0-py3-none-any.whl">x</a>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "find links+x"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("as_url", [False, True])
def test_a_directory_offers_the_files_directly_inside(
    folder: Path, client: HttpClient, events: list[Event], *, as_url: bool
) -> None:
    (folder / "foo-1.0+cu124.tar.gz").write_bytes(b"12345")
    (folder / "Foo-0.9-py3-none-any.whl").touch()
    (folder / "readme.txt").touch()
    (folder / "sub").mkdir()
    (folder / "sub" / "foo-2.0.tar.gz").touch()
    (folder / "foo-3.0.tar.gz").mkdir()
    listing = read_flat(folder.as_uri() if as_url else str(folder), client, events.append)
    assert {name: [file.filename for file in files] for name, files in listing.items()} == {
        "foo": ["Foo-0.9-py3-none-any.whl", "foo-1.0+cu124.tar.gz"]
    }
    artifact = listing[FOO][1]
    assert (artifact.size, artifact.hashes) == (5, {})
    assert client.get(artifact.url).content == b"12345"
    assert len(events) == 1  # `readme.txt` was left out


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_file_name_that_is_no_text_is_left_out(folder: Path, client: HttpClient) -> None:
    (Path(os.fsdecode(bytes(folder) + b"/\xff-1.0.tar.gz"))).touch()
    (folder / "dangling-1.0.tar.gz").symlink_to(folder / "nowhere")
    assert read_flat(str(folder), client, silence) == {}


def test_a_local_page_of_links(folder: Path, client: HttpClient) -> None:
    page = folder / "links.html"
    page.write_bytes(LINKS)
    for location in (str(page), page.as_uri()):
        listing = read_flat(location, client, silence)
        assert listing[FOO][0].url == (folder / "foo-1.0.tar.gz").as_uri()


def test_a_page_of_links(server: WebServer, client: HttpClient) -> None:
    server.answers["/links/"] = Answer(LINKS, {"Content-Type": "text/html"})
    listing = read_flat(f"http://me:secret@{server.authority}/links/", client, silence)
    assert [file.url for files in listing.values() for file in files] == [
        f"{server.url}/links/foo-1.0.tar.gz",
        f"{server.url}/links/sub/bar-2.0-py3-none-any.whl",
    ]


def test_a_place_that_is_not_there(folder: Path, server: WebServer, client: HttpClient) -> None:
    for location in (
        str(folder / "gone"),
        (folder / "gone").as_uri(),
        f"{server.url}/gone",
        "file://host/x",
        "file:links",
    ):
        with pytest.raises(UnavailableError):
            read_flat(location, client, silence)


def test_a_page_of_something_else(server: WebServer, client: HttpClient) -> None:
    server.answers["/links/"] = Answer(b"\x00\x01")
    with pytest.raises(InvalidPageError):
        read_flat(f"{server.url}/links/", client, silence)
