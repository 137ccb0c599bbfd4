"""Origins: URLs, paths, repositories and direct references as the user writes them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.artifacts import Origin
from buildlock.project.origins import git_origin, path_origin, reference_origin, url_origin

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    ("reference", "origin"),
    [
        (
            f"https://a.example/foo-1.0.tar.gz?x=1#sha256={SHA256.upper()}&subdirectory=a/./b&egg=foo",
            Origin(
                kind="archive",
                url="https://a.example/foo-1.0.tar.gz?x=1",
                subdirectory="a/b",
                hashes={"sha256": SHA256},
            ),
        ),
        ("https://a.example/foo-1.0-py3-none-any.whl", Origin(kind="archive", url="https://a.example/foo-1.0-py3-none-any.whl")),
        ("git+https://a.example/foo.git", Origin(kind="vcs", url="https://a.example/foo.git")),
        (
            "git+https://me:pw@a.example/foo.git@v1#subdirectory=py",
            Origin(kind="vcs", url="https://me:pw@a.example/foo.git", revision="v1", subdirectory="py"),
        ),
        (
            "git+ssh://git@a.example:22/org/foo@refs/pull/1/head",
            Origin(kind="vcs", url="ssh://git@a.example:22/org/foo", revision="refs/pull/1/head"),
        ),
        ("git+file:///srv/foo@a%40b", Origin(kind="vcs", url="file:///srv/foo", revision="a@b")),
        ("file:///srv/foo", Origin(kind="directory", url="file:///srv/foo")),
        ("file:///srv/a%20b/foo-1.zip", Origin(kind="archive", url="file:///srv/a%20b/foo-1.zip")),
    ],
)  # fmt: skip
def test_direct_references(reference: str, origin: Origin) -> None:
    assert reference_origin(reference) == origin
    assert "pw" not in str(origin)
    if origin.kind == "vcs":
        assert reference_origin(str(origin)) == reference_origin(reference.replace("me:pw@", ""))


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("", "must not be empty"),
        ("foo", "is no URL: it has no scheme"),
        ("hg+https://a.example/foo", "is of a version control system that is not supported, `hg`"),
        ("ftp://a.example/foo.zip", "has the scheme `ftp`: `file`, `http`, `https` are supported"),
        ("javascript:alert(1)", "has the scheme `javascript`"),
        ("https://a.example/foo", "leads to no wheel and no source archive"),
        ("https://a.example/foo.git", "is a git repository: write a `git` source"),
        ("https:///foo.zip", "has no host"),
        ("https://me:secret@[/foo.zip", "its host or its port is malformed"),
        ("https://a.example:no/foo.zip", "its host or its port is malformed"),
        ("https://a.example/foo bar.zip", "have to be percent-encoded"),
        ("https://a.example/f\u00f6\u00f6.zip", "have to be percent-encoded"),
        ("https://a.example/\x1bfoo.zip", "has control characters"),
        ("https://a.example/" + "a" * 5000 + ".zip", "has 5022 characters"),
        ("https://a.example/foo.zip#subdirectory=../x", "has the subdirectory `../x`"),
        ("https://a.example/foo.zip#subdirectory=/x", "has the subdirectory `/x`"),
        ("https://a.example/foo.zip#subdirectory=%2e%2e", "has the subdirectory `..`"),
        ("https://a.example/foo.zip#subdirectory=a%5Cb", "has the subdirectory"),
        ("https://a.example/foo.zip#subdirectory=c:", "has the subdirectory"),
        ("https://a.example/foo.zip#subdirectory=a%00", "has control characters"),
        ("https://a.example/foo.zip#sha256=abc", "has a `sha256` that is not 64 hexadecimal digits"),
        ("https://a.example/foo.zip#branch=x", "has a fragment that says `branch`, which has no meaning"),
        ("file:foo.zip", "is a `file:` URL that is not absolute"),
        ("file://server/foo.zip", "is a `file:` URL that is not absolute"),
        (f"file:///srv/foo#sha256={SHA256}", "has hashes and is a folder"),
        ("git+git://a.example/foo", "has the scheme `git`"),
        ("git+ext::sh", "has the scheme `ext`"),
        ("git+ssh://-oProxyCommand=x/foo", "its host begins with `-`"),
        ("git+ssh://-x@a.example/foo", "its host begins with `-`"),
        ("git+https://a.example/foo@a@b", "more than one `@`"),
        ("git+https://a.example/foo@", "has a revision that is none"),
        ("git+https://a.example/foo@--upload-pack=x", "has the revision `--upload-pack=x`, which names no branch"),
        ("git+https://a.example/foo@a..b", "which names no branch"),
        ("git+https://a.example/foo@a%20b", "which names no branch"),
        ("git+https://a.example/foo@a%0Ab", "has a revision that is none"),
        ("git+https://a.example/foo@HEAD%5E1", "which names no branch"),
        ("git+https://a.example/foo@" + "a" * 300, "has a revision that is none"),
        ("git+https://a.example/foo?x=1", "has a query"),
        (f"git+https://a.example/foo#sha256={SHA256}", "has hashes and is a repository"),
    ],
)
def test_what_is_no_direct_reference(reference: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        reference_origin(reference)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60) | st.from_regex(r"(git\+)?(https|file|ssh)://[ -~]{0,40}", fullmatch=True))
def test_whatever_is_written_is_an_origin_or_a_reason(text: str) -> None:
    try:
        origin = reference_origin(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert origin.url.isprintable()


def test_paths_are_files_or_folders(tmp_path: Path) -> None:
    (tmp_path / "v1.0").mkdir()
    (tmp_path / "plain").touch()
    assert path_origin("v1.0", tmp_path).kind == "directory"
    assert path_origin("../later", tmp_path) == Origin(kind="directory", url=(tmp_path.parent / "later").as_uri())
    assert path_origin("foo-1.0.tar.gz", tmp_path).kind == "archive"
    for path, reason in {"plain": "leads to no wheel", "": "must not be empty", "a\0b": "has control"}.items():
        with pytest.raises(ValueError, match=reason):
            path_origin(path, tmp_path)


def test_sources_say_the_rest_beside_the_url() -> None:
    with pytest.raises(ValueError, match="has a fragment"):
        url_origin("https://a.example/foo.zip#sha256=1")
    with pytest.raises(ValueError, match="has a query or a fragment"):
        git_origin("https://a.example/foo#main")
    assert git_origin("git+https://a.example/foo@x") == Origin(kind="vcs", url="https://a.example/foo@x")
    with pytest.raises(ValueError, match="has no scheme"):
        git_origin("git@a.example:org/foo")
