from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.artifacts import IndexAnswer, Listing
from buildlock.errors import InvalidPageError, InvalidProjectError, UnavailableError
from buildlock.index.catalogue import Catalogue
from buildlock.index.http import HttpClient
from buildlock.index.simple import project_url
from buildlock.project.model import BuildInputs, Index, IndexFormat, IndexStrategy, Settings, SourceRule
from buildlock.reporting import Event, Warned
from buildlock.variants import Variant
from support.http import Answer, WebServer

TORCH = canonicalize_name("torch")
HERE = default_environment()
HTML = {"Content-Type": "text/html"}

MakeCatalogue = Callable[..., Catalogue]


@pytest.fixture
def catalogue(client: HttpClient, events: list[Event]) -> Iterator[MakeCatalogue]:
    with ExitStack() as stack:

        def make(
            *indexes: Index,
            find_links: tuple[Path | str, ...] = (),
            strategy: IndexStrategy = "first-index",
            source: Index | None = None,
        ) -> Catalogue:
            settings = Settings(
                indexes=indexes, find_links=tuple(str(link) for link in find_links), index_strategy=strategy
            )
            rules = (SourceRule(index=source, origin="pyproject.toml"),) if source else ()
            inputs = BuildInputs(variant=Variant(name="cu124"), requires=(), sources={TORCH: rules}, settings=settings)
            catalogue = Catalogue(inputs, client, events.append)
            stack.callback(catalogue.close)
            return catalogue

        yield make


def make_index(url: str, index_format: IndexFormat = "simple") -> Index:
    location = url.replace("me:secret@", "")
    return Index(url=url, location=location, format=index_format, origin="pyproject.toml")


def serve(server: WebServer, index: str, *filenames: str, name: str = "torch") -> Index:
    body = "".join(f'<a href="{filename}">x</a>' for filename in filenames)
    server.answers[f"/{index}/{name}/"] = Answer(f"<html>{body}".encode(), HTML)
    return make_index(f"{server.url}/{index}")


def offers(listing: Listing) -> list[tuple[str, str]]:
    """The last part of the place and the version of each release."""
    return [(release.index.rpartition("/")[2], str(release.version)) for release in listing.releases]


def test_asks_for_json_or_html_at_the_page_of_the_package(server: WebServer, catalogue: MakeCatalogue) -> None:
    index = serve(server, "simple", "torch-1.0.tar.gz")
    catalogue(index).listing(TORCH, HERE)
    assert server.requests[0].path == "/simple/torch/"
    assert server.requests[0].headers["accept"].startswith("application/vnd.pypi.simple.v1+json,")


def test_releases_have_their_files_in_the_order_of_the_page(server: WebServer, catalogue: MakeCatalogue) -> None:
    names = ["torch-1.0.tar.gz", "torch-1.0-py3-none-any.whl", "torch-1.0.0-py2-none-any.whl", "torch-2.0.tar.gz"]
    listing = catalogue(serve(server, "a", *names)).listing(TORCH, HERE)
    assert [[file.filename for file in release.artifacts] for release in listing.releases] == [names[3:], names[:3]]
    assert listing.asked == (IndexAnswer(index=f"{server.url}/a", found=True),)


class TestStrategies:
    @pytest.mark.parametrize(
        ("strategy", "expected"),
        [
            ("first-index", [("b", "3"), ("b", "1")]),
            ("unsafe-first-match", [("b", "3"), ("b", "1"), ("c", "4"), ("c", "3"), ("c", "2")]),
            ("unsafe-best-match", [("c", "4"), ("b", "3"), ("c", "3"), ("c", "2"), ("b", "1")]),
        ],
    )
    def test_order_the_releases(
        self, server: WebServer, catalogue: MakeCatalogue, strategy: IndexStrategy, expected: list[tuple[str, str]]
    ) -> None:
        indexes = [
            make_index(f"{server.url}/a"),
            serve(server, "b", "torch-1.tar.gz", "torch-3.tar.gz"),
            serve(server, "c", "torch-2.tar.gz", "torch-4.tar.gz", "torch-3.tar.gz"),
        ]
        listing = catalogue(*indexes, strategy=strategy).listing(TORCH, HERE)
        assert offers(listing) == expected
        assert [answer.found for answer in listing.asked] == [False, True, True][
            : 2 if strategy == "first-index" else 3
        ]

    @pytest.mark.parametrize("strategy", ["first-index", "unsafe-first-match", "unsafe-best-match"])
    def test_a_name_that_several_indexes_have_is_told_of(
        self, server: WebServer, catalogue: MakeCatalogue, events: list[Event], strategy: IndexStrategy
    ) -> None:
        indexes = [serve(server, index, "torch-1.tar.gz") for index in "ab"]
        asked = catalogue(*indexes, strategy=strategy)
        asked.listing(TORCH, HERE)
        asked.warn_of_shared_names()
        warned = [event.message for event in events if isinstance(event, Warned)]
        assert bool(warned) == (strategy != "first-index")
        for message in warned:
            assert message.startswith("1 package could come from several indexes")
            assert "`torch`" in message
            assert all(f"`{index.location}`" in message for index in indexes)

    def test_a_name_that_one_index_has_is_not_told_of(
        self, server: WebServer, catalogue: MakeCatalogue, events: list[Event]
    ) -> None:
        asked = catalogue(
            make_index(f"{server.url}/a"), serve(server, "b", "torch-1.tar.gz"), strategy="unsafe-best-match"
        )
        asked.listing(TORCH, HERE)
        asked.warn_of_shared_names()
        assert not [event for event in events if isinstance(event, Warned)]

    def test_the_first_index_that_knows_the_name_wins_even_with_nothing_to_offer(
        self, server: WebServer, catalogue: MakeCatalogue
    ) -> None:
        listing = catalogue(serve(server, "a"), serve(server, "b", "torch-1.tar.gz")).listing(TORCH, HERE)
        assert listing.releases == ()
        assert not server.asked("/b/torch/")

    @pytest.mark.parametrize(
        ("strategy", "expected"),
        [
            ("first-index", [("links", "2"), ("b", "2"), ("b", "1")]),
            ("unsafe-first-match", [("links", "2"), ("b", "2"), ("b", "1"), ("c", "3")]),
            ("unsafe-best-match", [("c", "3"), ("links", "2"), ("b", "2"), ("b", "1")]),
        ],
    )
    def test_find_links_count_as_the_first_index_that_knows_the_name(
        self,
        server: WebServer,
        catalogue: MakeCatalogue,
        tmp_path: Path,
        strategy: IndexStrategy,
        expected: list[tuple[str, str]],
    ) -> None:
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "torch-2.tar.gz").touch()
        indexes = [
            make_index(f"{server.url}/a"),
            serve(server, "b", "torch-1.tar.gz", "torch-2.tar.gz"),
            serve(server, "c", "torch-3.tar.gz"),
        ]
        listing = catalogue(*indexes, find_links=(tmp_path / "links",), strategy=strategy).listing(TORCH, HERE)
        assert offers(listing) == expected
        assert listing.asked[0] == IndexAnswer(index=str(tmp_path / "links"), found=True)


def test_find_links_offer_what_no_index_knows(catalogue: MakeCatalogue, tmp_path: Path) -> None:
    (tmp_path / "torch-2.tar.gz").touch()
    assert len(catalogue(find_links=(tmp_path,)).listing(TORCH, HERE).releases) == 1


def test_a_source_excludes_every_other_place(server: WebServer, catalogue: MakeCatalogue, tmp_path: Path) -> None:
    (tmp_path / "torch-2.tar.gz").touch()
    other, source = serve(server, "other", "torch-3.tar.gz"), serve(server, "source", "torch-1.tar.gz")
    listing = catalogue(other, source=source, find_links=(tmp_path,)).listing(TORCH, HERE)
    assert offers(listing) == [("source", "1")]
    assert not server.asked("/other/torch/")


def test_a_source_that_has_nothing_is_not_replaced(server: WebServer, catalogue: MakeCatalogue) -> None:
    source = make_index(f"{server.url}/source")
    listing = catalogue(serve(server, "other", "torch-3.tar.gz"), source=source).listing(TORCH, HERE)
    assert listing == Listing(name=TORCH, releases=(), asked=(IndexAnswer(index=f"{server.url}/source", found=False),))


def test_every_page_is_asked_for_once(server: WebServer, catalogue: MakeCatalogue) -> None:
    names = [canonicalize_name(f"package-{number}") for number in range(30)]
    for name in names:
        index = serve(server, "a", f"{name}-1.tar.gz", name=name)
    asking = catalogue(index)
    asking.anticipate(names, HERE)
    asking.anticipate(names, HERE)
    assert [len(asking.listing(name, HERE).releases) for name in names] == [1] * 30
    assert len(server.requests) == 30


class TestFailures:
    @pytest.mark.parametrize("status", [400, 401, 403, 451, 500, 503])
    def test_an_index_that_refuses_is_not_an_index_without_the_package(
        self, server: WebServer, catalogue: MakeCatalogue, status: int
    ) -> None:
        server.answers["/a/torch/"] = Answer(status=status)
        asking = catalogue(make_index(f"{server.url}/a"), serve(server, "b", "torch-1.tar.gz"))
        asking.anticipate([TORCH], HERE)
        for _ in range(2):
            with pytest.raises(UnavailableError, match=str(status)):
                asking.listing(TORCH, HERE)
        assert not server.asked("/b/torch/")

    @pytest.mark.parametrize("status", [404, 410])
    def test_an_index_without_the_package(self, server: WebServer, catalogue: MakeCatalogue, status: int) -> None:
        server.answers["/a/torch/"] = Answer(status=status)
        listing = catalogue(make_index(f"{server.url}/a"), serve(server, "b", "torch-1.tar.gz")).listing(TORCH, HERE)
        assert offers(listing) == [("b", "1")]

    @pytest.mark.parametrize("status", [401, 403, 451, 503])
    def test_statuses_that_say_that_an_index_does_not_have_it(
        self, server: WebServer, catalogue: MakeCatalogue, status: int
    ) -> None:
        server.answers["/a/torch/"] = Answer(status=status)
        first = replace(make_index(f"{server.url}/a"), ignore_error_codes=frozenset({status}))
        second = serve(server, "b", "torch-1.0.tar.gz")
        assert offers(catalogue(first, second).listing(TORCH, HERE)) == [("b", "1.0")]
        # It is an answer, and not a failure that may pass.
        assert len(server.asked("/a/torch/")) == 1
        other = replace(first, ignore_error_codes=frozenset({418}))
        with pytest.raises(UnavailableError):
            catalogue(other, second).listing(TORCH, HERE)

    def test_the_unsafe_strategies_pass_over_an_index_that_wants_credentials(
        self, server: WebServer, catalogue: MakeCatalogue, events: list[Event]
    ) -> None:
        server.answers["/a/torch/"] = Answer(status=401)
        indexes = (make_index(f"{server.url}/a"), serve(server, "b", "torch-1.tar.gz"))
        listing = catalogue(*indexes, strategy="unsafe-best-match").listing(TORCH, HERE)
        assert offers(listing) == [("b", "1")]
        assert any(isinstance(event, Warned) and "401" in event.message for event in events)

    def test_a_page_of_something_else(self, server: WebServer, catalogue: MakeCatalogue) -> None:
        server.answers["/a/torch/"] = Answer(b"hello", {"Content-Type": "text/plain"})
        with pytest.raises(InvalidPageError):
            catalogue(make_index(f"{server.url}/a")).listing(TORCH, HERE)

    def test_no_index(self, catalogue: MakeCatalogue) -> None:
        asking = catalogue()
        asking.anticipate([TORCH], HERE)
        with pytest.raises(InvalidProjectError):
            asking.listing(TORCH, HERE)


def test_a_quarantined_project_offers_nothing_and_says_why(server: WebServer, catalogue: MakeCatalogue) -> None:
    index = serve(server, "a", "torch-1.tar.gz")
    page = b'<meta name="pypi:project-status" content="quarantined"><a href="torch-1.tar.gz">x</a>'
    server.answers["/a/torch/"] = Answer(page, HTML)
    listing = catalogue(index).listing(TORCH, HERE)
    assert listing.releases == ()
    assert listing.asked == (IndexAnswer(index=index.location, found=True, status="quarantined"),)


def test_an_index_says_itself_how_long_its_pages_are_kept(server: WebServer, catalogue: MakeCatalogue) -> None:
    index = serve(server, "a", "torch-1.0.tar.gz")
    for given, requests in ((None, 2), ("max-age=600", 3)):
        for _ in range(2):
            catalogue(replace(index, cache_control=given)).listing(TORCH, HERE)
        assert len(server.requests) == requests


def test_credentials_are_sent_and_not_shown(server: WebServer, catalogue: MakeCatalogue, events: list[Event]) -> None:
    serve(server, "a", "/files/torch-1.tar.gz")
    listing = catalogue(make_index(f"http://me:secret@{server.authority}/a")).listing(TORCH, HERE)
    assert server.requests[0].headers["authorization"]
    assert listing.releases[0].artifacts[0].url == f"{server.url}/files/torch-1.tar.gz"
    assert "secret" not in repr((listing, events))


class TestFlatIndexes:
    def test_take_their_place_in_the_order(self, server: WebServer, catalogue: MakeCatalogue, tmp_path: Path) -> None:
        (tmp_path / "flat").mkdir()
        (tmp_path / "flat" / "torch-1.tar.gz").touch()
        flat = make_index((tmp_path / "flat").as_uri(), "flat")
        index = serve(server, "b", "torch-2.tar.gz")
        assert offers(catalogue(flat, index).listing(TORCH, HERE)) == [("flat", "1")]
        assert offers(catalogue(index, flat).listing(TORCH, HERE)) == [("b", "2")]

    def test_are_read_once(self, server: WebServer, catalogue: MakeCatalogue) -> None:
        server.answers["/links"] = Answer(b"<a href='torch-1.tar.gz'></a><a href='numpy-1.tar.gz'></a>", HTML)
        asking = catalogue(make_index(f"{server.url}/links", "flat"))
        names: list[NormalizedName] = [canonicalize_name(name) for name in ("torch", "numpy", "ninja")]
        asking.anticipate(names, HERE)
        assert [len(asking.listing(name, HERE).releases) for name in names] == [1, 1, 0]
        assert len(server.requests) == 1


class TestLocalIndexes:
    def test_a_page_or_a_directory_of_files_for_each_package(self, catalogue: MakeCatalogue, tmp_path: Path) -> None:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "index.html").write_text("<a href='../files/torch-1.tar.gz'>x</a>")
        (tmp_path / "numpy").mkdir()
        (tmp_path / "numpy" / "numpy-2.tar.gz").touch()
        (tmp_path / "numpy" / "other-2.tar.gz").touch()
        asking = catalogue(make_index(tmp_path.as_uri()))
        assert (
            asking.listing(TORCH, HERE).releases[0].artifacts[0].url == (tmp_path / "files" / "torch-1.tar.gz").as_uri()
        )
        (release,) = asking.listing(canonicalize_name("numpy"), HERE).releases
        assert [file.filename for file in release.artifacts] == ["numpy-2.tar.gz"]
        assert not asking.listing(canonicalize_name("ninja"), HERE).asked[0].found

    @pytest.mark.parametrize("url", ["file:///nowhere/at/all", "file://host/simple", "file:simple", "file:///%00"])
    def test_that_are_not_there(self, catalogue: MakeCatalogue, url: str) -> None:
        with pytest.raises(UnavailableError):
            catalogue(make_index(url)).listing(TORCH, HERE)


@pytest.mark.parametrize(
    "url",
    ["https://download.pytorch.org/whl/cu124", "https://download.pytorch.org/whl/cu124/"],
)
def test_the_page_of_a_package(url: str) -> None:
    assert project_url(url, TORCH) == "https://download.pytorch.org/whl/cu124/torch/"


def test_the_query_of_an_index_stays() -> None:
    assert project_url("https://pkgs.example/simple?key=1", TORCH) == "https://pkgs.example/simple/torch/?key=1"
