import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.text import excerpt, mask_credentials, present, without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@pkgs.example/simple", "https://pkgs.example/simple"),
        ("https://me@pkgs.example:8443/simple", "https://pkgs.example:8443/simple"),
        ("https://me:s@cret@pkgs.example", "https://pkgs.example"),
        ("//me:secret@pkgs.example/", "//pkgs.example/"),
        ("https://pkgs.example/a//b@c", "https://pkgs.example/a//b@c"),
        ("https://pkgs.example/?mail=a@b", "https://pkgs.example/?mail=a@b"),
        ("https://me:secret@[malformed/", "https://[malformed/"),
        ("/srv/links@2", "/srv/links@2"),
    ],
)
def test_credentials_are_taken_out(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@given(st.text(), st.integers(1, 300))
def test_an_excerpt_is_short_and_printable(text: str, limit: int) -> None:
    shown = excerpt(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert shown == text or not text.isprintable() or len(text) > limit


@given(st.text())
def test_a_sentence_is_presented_with_its_end(text: str) -> None:
    shown = present(f"`{text}` is not a name")
    assert shown.isprintable()
    assert shown.endswith("is not a name")


@pytest.mark.parametrize(
    "url", ["https://me:secret@a.example/x", "https://secret@a.example", "https://me:s@secret@a.example/x"]
)
def test_credentials_are_masked_wherever_they_stand(url: str) -> None:
    shown = mask_credentials(f"`{url}` and {url}")
    assert "secret" not in shown
    assert shown.count("https://***@a.example") == 2
