"""Origins as the user writes them: the URL, path or repository of a source, and direct references (PEP 508).

Whatever cannot be one raises `ValueError` with the end of a sentence that begins with its place: `has no host`. It
never quotes a URL, which may hold credentials.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from buildlock.answers.looking import is_dir, is_file
from buildlock.artifacts import Origin, OriginKind
from buildlock.patterns import compile_pattern

_LONGEST = 4000
"""Characters of a URL or a path."""
_LONGEST_REVISION = 250
_FILE_SCHEMES = frozenset({"https", "http", "file"})
_GIT_SCHEMES = frozenset({"https", "http", "ssh", "file"})
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.zst")
"""uv's; whether one can be unpacked is known when it is needed."""
# RFC 3986: unreserved, reserved and `%`; nothing else may stand in a URL.
_URL_CHARACTERS = compile_pattern(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
_SCHEME = compile_pattern(r"([A-Za-z][A-Za-z0-9+.-]+):")
# What git-check-ref-format forbids, and the operators of gitrevisions; of an option nothing may be left.
_NO_REVISION = compile_pattern(r"[\s~^:?*\[\\\x00-\x20\x7f]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")
_NO_SUBDIRECTORY = compile_pattern(r"\\|^/|^[A-Za-z]:")
_HASHES = {name: hashlib.new(name).digest_size for name in sorted(hashlib.algorithms_guaranteed)}
"""Bytes by algorithm; none for those that have no size of their own."""


def url_origin(url: str, subdirectory: str | None = None) -> Origin:
    """The origin of a `url` source: a wheel or a source archive.

    Raises:
        ValueError: It is none.
    """
    _check_url(url, _FILE_SCHEMES)
    if "#" in url:
        raise ValueError("has a fragment: write `subdirectory` beside `url`")
    return _archive(url, subdirectory, {})


def git_origin(url: str, *, revision: str | None = None, subdirectory: str | None = None) -> Origin:
    """The origin of a `git` source.

    Raises:
        ValueError: It is none.
    """
    url = url.removeprefix("git+")
    _check_url(url, _GIT_SCHEMES)
    if "#" in url or "?" in url:
        raise ValueError("has a query or a fragment: write `rev`, `tag`, `branch` and `subdirectory` beside `git`")
    return _repository(url, revision, subdirectory)


def path_origin(path: str, folder: Path) -> Origin:
    """The origin of a `path` source, relative to `folder`: a file or a folder; one that is not there may still come.

    Raises:
        ValueError: It is no path.
    """
    absolute = absolute_path(path, folder)
    if is_dir(absolute) or not (is_file(absolute) or absolute.suffix):
        return folder_origin(absolute)
    return _archive(absolute.as_uri(), None, {})


def absolute_path(path: str, folder: Path) -> Path:
    """The absolute path of one relative to `folder`.

    Raises:
        ValueError: It is no path.
    """
    _check_text(path)
    # Not `resolve`: it would follow links that the user placed.
    return Path(os.path.abspath(folder / path))  # noqa: PTH100


def folder_origin(folder: Path) -> Origin:
    """The origin of the project in an absolute folder."""
    return Origin(kind="directory", url=folder.as_uri())


def reference_origin(reference: str) -> Origin:
    """The origin of a direct reference: `https://…/foo-1.0.tar.gz#sha256=…`, `git+https://…@main`, `file:///…`.

    Raises:
        ValueError: It is none.
    """
    prefix, plus, rest = reference.partition("+")
    if plus and prefix in {"git", "hg", "svn", "bzr"}:
        if prefix != "git":
            raise ValueError(f"is of a version control system that is not supported, `{prefix}`: only git is")
        return _git_reference(rest)
    _check_url(reference, _FILE_SCHEMES)
    parts = urlsplit(reference)
    hashes, subdirectory = _read_fragment(parts.fragment)
    url = urlunsplit(parts._replace(fragment=""))
    if parts.scheme.lower() != "file":
        return _archive(url, subdirectory, hashes)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ValueError("is a `file:` URL that is not absolute: write a `path` source instead")
    origin = path_origin(unquote(parts.path), Path(parts.path).parent)
    if origin.kind == "directory" and hashes:
        raise ValueError("has hashes and is a folder: only a file has them")
    return Origin(kind=origin.kind, url=origin.url, subdirectory=subdirectory, hashes=hashes)


def _git_reference(reference: str) -> Origin:
    _check_url(reference, _GIT_SCHEMES)
    parts = urlsplit(reference)
    if parts.query:
        raise ValueError("has a query, which a repository has not")
    path, at, revision = parts.path.partition("@")
    if "@" in revision:
        raise ValueError("has more than one `@` in its path: write `%40` for those of the revision")
    hashes, subdirectory = _read_fragment(parts.fragment)
    if hashes:
        raise ValueError("has hashes and is a repository: its commit says what is in it")
    url = urlunsplit(parts._replace(path=path, fragment=""))
    return _repository(url, unquote(revision) if at else None, subdirectory)


def _archive(url: str, subdirectory: str | None, hashes: Mapping[str, str]) -> Origin:
    path = urlsplit(url).path
    if not path.lower().endswith(_ARCHIVES):
        if path.lower().endswith(".git"):
            raise ValueError("is a git repository: write a `git` source, or `git+` before the URL")
        raise ValueError("leads to no wheel and no source archive: the name of one ends in `.whl`, `.tar.gz` or `.zip`")
    return _make("archive", url, subdirectory=subdirectory, hashes=hashes)


def _repository(url: str, revision: str | None, subdirectory: str | None) -> Origin:
    if revision is not None:
        if not revision or len(revision) > _LONGEST_REVISION or not revision.isprintable():
            raise ValueError(f"has a revision that is none: from 1 to {_LONGEST_REVISION} visible characters")
        if _NO_REVISION.search(revision):
            raise ValueError(f"has the revision `{revision}`, which names no branch, tag or commit of git")
    return _make("vcs", url, subdirectory=subdirectory, revision=revision)


def _make(
    kind: OriginKind,
    url: str,
    *,
    subdirectory: str | None,
    revision: str | None = None,
    hashes: Mapping[str, str] | None = None,
) -> Origin:
    return Origin(
        kind=kind, url=url, subdirectory=_read_subdirectory(subdirectory), revision=revision, hashes=hashes or {}
    )


def _read_subdirectory(text: str | None) -> str | None:
    if text is None:
        return None
    _check_text(text)
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if _NO_SUBDIRECTORY.search(text) or ".." in parts:
        raise ValueError(f"has the subdirectory `{text}`: it must be relative, with forward slashes, and stay inside")
    return "/".join(parts) or None


def _read_fragment(fragment: str) -> tuple[Mapping[str, str], str | None]:
    """The hashes and the subdirectory of a direct reference."""
    hashes: dict[str, str] = {}
    subdirectory: str | None = None
    for item in filter(None, fragment.split("&")):
        key, _, value = item.partition("=")
        if key == "subdirectory":
            subdirectory = unquote(value)
        elif size := _HASHES.get(key, 0):
            if not re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", value, re.IGNORECASE):
                raise ValueError(f"has a `{key}` that is not {2 * size} hexadecimal digits")
            hashes[key] = value.lower()
        elif key != "egg":  # the package's name again, for older tools
            raise ValueError(f"has a fragment that says `{key}`, which has no meaning")
    return hashes, subdirectory


def _check_text(text: str) -> None:
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > _LONGEST:
        raise ValueError(f"has {len(text)} characters")
    if not text.isprintable():
        raise ValueError("has control characters")


def _check_url(url: str, schemes: frozenset[str]) -> None:
    _check_text(url)
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise ValueError("is no URL: it has no scheme, such as `https://`, or `ssh://` for git by SSH")
    if scheme[1].lower() not in schemes:
        raise ValueError(f"has the scheme `{scheme[1]}`: {_list(sorted(schemes))} are supported")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text may show the credentials
        raise ValueError("is no URL: its host or its port is malformed") from None
    if not _URL_CHARACTERS.fullmatch(url):
        raise ValueError("is no URL: it has characters that have to be percent-encoded")
    if parts.scheme != "file" and not host:
        raise ValueError("is no URL: it has no host")
    # `ssh://-oProxyCommand=…`: what ssh would take for an option.
    if (host or "").startswith("-") or (parts.username or "").startswith("-"):
        raise ValueError("is no URL: its host begins with `-`")


def _list(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
