"""URLs of git repositories: what git is given, and where submodules are."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.errors import ProjectError
from buildlock.index.git_remote import join_remote, parse_remote


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://me:secret@git.example:8443/a", "https://git.example:8443/a"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("ssh://git@git.example/a", "ssh://git@git.example/a"),
        ("ssh://git:secret@git.example:22/a", "ssh://git@git.example:22/a"),
    ],
)
def test_git_gets_no_secret(url: str, given: str) -> None:
    remote = parse_remote(url)
    assert remote.url == given
    assert "secret" not in repr(remote)
    assert not any("secret" in setting for setting in remote.configuration)


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://git.example/a/b.git", "../c.git", "https://git.example/a/c.git"),
        ("https://git.example/a/b/", "./c", "https://git.example/a/b/c"),
        ("https://git.example/a/b", "../../c/d/../e/", "https://git.example/c/e"),
        ("ssh://git@git.example/a/b", "../c", "ssh://git@git.example/a/c"),
        ("file:///srv/a", "../b", "file:///srv/b"),
        ("https://git.example", "./b", "https://git.example/b"),
        ("https://git.example/a", "git@other.example:c/d.git", "git@other.example:c/d.git"),
        ("https://git.example/a", "other.example:/srv/c", "other.example:/srv/c"),
        ("https://git.example/a", "https://other.example/c", "https://other.example/c"),
    ],
)
def test_the_url_of_a_submodule(base: str, url: str, joined: str) -> None:
    assert join_remote(parse_remote(base), url).url == joined


def test_a_submodule_beside_one_in_the_short_form() -> None:
    submodule = join_remote(parse_remote("https://git.example/a"), "git@other.example:c/d.git")
    assert join_remote(submodule, "../e.git").url == "git@other.example:c/e.git"


def test_credentials_are_for_their_host_alone() -> None:
    remote = parse_remote("https://me:secret@git.example/a/b")
    beside = join_remote(remote, "../c")
    assert (beside.username, beside.password) == ("me", "secret")
    assert all(setting.startswith("credential.https://git.example.helper=") for setting in beside.configuration)
    for elsewhere in ("https://git.example.other.example/c", "https://git.example/c"):
        assert join_remote(remote, elsewhere).username is None


@pytest.mark.parametrize(
    "url",
    [
        "../../..",
        "ext::sh -c x",
        "ext::sh",
        "-oProxyCommand=x:y",
        "git@-x:y",
        "-x@git.example:y",
        "git.example:-x",
        "git.example::x",
        "a b:c",
        "a:b\nc",
        "/srv/git",
        "file:///srv/git",
        "git://git.example/x",
        "",
    ],
)
def test_submodules_that_are_refused(url: str) -> None:
    with pytest.raises(ProjectError):
        join_remote(parse_remote("https://git.example/a/b"), url)


@given(
    st.text(max_size=40)
    | st.from_regex(r"(\.\./|https?://|ssh://|git@|file:|ext::)[-a-z@:/.%\[\]]{0,20}", fullmatch=True)
)
def test_any_text_is_a_remote_or_refused(url: str) -> None:
    for base in ("https://git.example", "ssh://git@git.example/a", "file:///srv/a"):
        try:
            remote = join_remote(parse_remote(base), url)
        except ProjectError:
            continue
        assert remote.url.isprintable()
        assert not remote.url.startswith("-")
        assert not re.match(r"[A-Za-z0-9]+::", remote.url), "that is a command of git's"
        assert remote.is_local <= (base.startswith("file:"))
