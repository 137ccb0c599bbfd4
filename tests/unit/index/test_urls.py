import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.index.urls import InvalidUrlError, follow, parse_address


@given(st.text() | st.builds("https://{}:{}@{}".format, st.text(), st.text(), st.text()))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    try:
        address = parse_address(url)
    except InvalidUrlError:
        return
    assert address.scheme in {"http", "https", "file"}
    assert "#" not in address.url


@pytest.mark.parametrize("character", [" ", "\n", "\x00", "\x7f", "\\", "\ud800", "\u202e"])
def test_what_readers_and_parsers_stumble_over_is_refused(character: str) -> None:
    with pytest.raises(InvalidUrlError):
        parse_address(f"https://pkgs.example/{character}simple/")


def test_https_is_not_left() -> None:
    address = parse_address("https://pkgs.example/simple/")
    assert follow(address, "https://cdn.example/x").url == "https://cdn.example/x"
    with pytest.raises(InvalidUrlError, match="from https to http"):
        follow(address, "http://pkgs.example/simple/x")


def test_http_may_become_https() -> None:
    assert follow(parse_address("http://pkgs.example/"), "//other.example/").url == "http://other.example/"
    assert follow(parse_address("http://pkgs.example/"), "https://pkgs.example/").scheme == "https"


def test_a_default_port_is_the_same_origin() -> None:
    assert parse_address("https://pkgs.example:443/").origin == parse_address("https://PKGS.example/x").origin
    assert parse_address("http://pkgs.example/").origin != parse_address("https://pkgs.example/").origin
