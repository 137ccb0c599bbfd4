"""The strings of a lockfile, each parsed strictly.

Each is given one bounded line of visible text, and raises `ValueError` with the end of a sentence that begins with it:
`is not a version`.

What a lock says many times is parsed once.
"""

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name, is_normalized_name
from packaging.version import Version

from buildlock.lockfile.fields import show
from buildlock.patterns import compile_pattern
from buildlock.platforms import parse_platform
from buildlock.project.network import parse_insecure_host
from buildlock.targets import parse_python
from buildlock.text import without_credentials

# RFC 3986: unreserved, reserved and `%`; nothing else may stand in a URL.
_URL_CHARACTERS = compile_pattern(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
_SHA256 = compile_pattern(r"[0-9a-f]{64}", re.ASCII)
_DRIVE = compile_pattern(r"[A-Za-z]:")
_COMMIT = compile_pattern(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
# git-check-ref-format: what no branch, tag or expression without operators has in it.
_NO_REVISION = compile_pattern(r"[\s~^:?*\[\\]|\.\.|@\{|//")


@lru_cache(maxsize=1024)
def parse_name(text: str) -> NormalizedName:
    """A package name in its normalised form (PEP 503)."""
    if not is_normalized_name(text):
        normalized = canonicalize_name(text)
        write = f": write {show(normalized)}" if is_normalized_name(normalized) else ""
        raise ValueError(f"is not a normalised package name{write}")
    return NormalizedName(text)


@lru_cache(maxsize=1024)
def parse_version(text: str) -> Version:
    """A version in its normalised form (PEP 440)."""
    try:
        version = Version(text)
    except ValueError:
        raise ValueError("is not a version") from None
    if str(version) != text:
        raise ValueError(f"is not in its normalised form: write {show(str(version))}")
    return version


@lru_cache(maxsize=1024)
def parse_marker(text: str) -> Marker:
    """An environment marker: over what a target is, not over extras or groups."""
    if "\\" in text:
        # In the strings of markers it begins an escape: of a line break, for one.
        raise ValueError("has a backslash")
    try:
        marker = Marker(text)
        # Every clause is evaluated, none is skipped: a wrong one is found whatever this machine is.
        marker.evaluate(context="requirement")
    except UndefinedEnvironmentName as error:
        raise ValueError(f"asks for {show(str(error.args[0]))}, which is no property of a target") from None
    except UndefinedComparison:
        raise ValueError("compares what cannot be compared so") from None
    except (ValueError, RecursionError):
        raise ValueError("is not an environment marker") from None
    return marker


def parse_requirement(text: str) -> str:
    """A requirement (dependency specifiers specification), as it stands."""
    try:
        requirement = Requirement(text)
    except (ValueError, RecursionError):
        raise ValueError("is not a requirement") from None
    if not str(requirement.marker).isprintable():
        raise ValueError("has a marker with characters that do not show")
    if requirement.url is not None and without_credentials(requirement.url) != requirement.url:
        raise ValueError("carries credentials")
    return text


@lru_cache(maxsize=1024)
def parse_url(text: str) -> str:
    """An absolute http(s) URL without credentials and without a fragment."""
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("is neither an `https:` nor an `http:` URL")
    return _check_url(text, parts)


def parse_git_url(text: str) -> str:
    """The URL of a git repository: as `parse_url` takes it, or `ssh:`, where the name of a user is no secret."""
    parts = _split_url(text)
    if parts.scheme not in {"http", "https", "ssh"}:
        raise ValueError("is none of `https:`, `http:` and `ssh:`, by which a repository is read")
    if parts.netloc.startswith("-") or (parts.hostname or "").startswith("-"):
        raise ValueError("names no host: `ssh` would take it for an option")
    if parts.scheme == "ssh" and parts.password is None:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return _check_url(text, parts)


def _split_url(text: str) -> SplitResult:
    if not _URL_CHARACTERS.fullmatch(text):
        raise ValueError("is not a URL: it has characters that have to be percent-encoded")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is none
    except ValueError:
        raise ValueError("is not a URL") from None
    return parts


def _check_url(text: str, parts: SplitResult) -> str:
    if "@" in parts.netloc:
        raise ValueError("carries credentials")
    if not parts.hostname:
        raise ValueError("names no host")
    if "#" in text:
        raise ValueError("has a fragment")
    return text


def parse_path(text: str) -> str:
    """A path relative to the lockfile's folder, with forward slashes; it may lead out of that folder."""
    if "\\" in text:
        raise ValueError("is not a path with forward slashes")
    if text.startswith("/") or _DRIVE.match(text):
        raise ValueError("is not relative")
    if any(part in {"", "."} for part in text.split("/")):
        raise ValueError("has an empty part")
    return text


def parse_subdirectory(text: str) -> str:
    """A folder within an archive, a repository or another folder, never out of it."""
    if ".." in parse_path(text).split("/"):
        raise ValueError("leads out of what it is in")
    return text


def parse_commit(text: str) -> str:
    """The full hash of a commit: sha1, or sha256 in the repositories that use it."""
    if not _COMMIT.fullmatch(text):
        raise ValueError("is not the full hash of a commit: 40 or 64 lower-case hexadecimal digits")
    return text


def parse_revision(text: str) -> str:
    """What names a commit of a git repository: a branch, a tag, a hash."""
    if not text or text.startswith(("-", "/")) or text.endswith("/") or _NO_REVISION.search(text):
        raise ValueError("is not a branch, tag or commit")
    return text


def parse_source(text: str) -> str:
    """What a source says, `LOCATION` or `LOCATION ; marker`, as it stands.

    The location of an index, or the origin of a package that comes from none: `git+https://git.example/foo@main`.
    """
    location, separator, marker = text.partition(" ; ")
    _check_location(location)
    if separator:
        parse_marker(marker)
    return text


def _check_location(text: str) -> None:
    location, _, fragment = text.removeprefix("git+").partition("#")
    if not fragment.isprintable():
        raise ValueError("has control characters")
    if location.startswith("ssh://") and text.startswith("git+"):
        if without_credentials(location) != location:
            raise ValueError("carries credentials")
    elif "://" in location:
        parse_url(location)
    elif location != ".":
        parse_path(location)


def parse_target(text: str) -> str:
    """A target as the project names it: a Python, a platform, or both."""
    python, _, platform = text.rpartition(" ")
    try:
        if python or _looks_like_python(platform):
            parse_python(python or platform)
        if python or not _looks_like_python(platform):
            parse_platform(platform)
    except ValueError:
        raise ValueError("is not a target: a Python and a platform") from None
    return text


def _looks_like_python(text: str) -> bool:
    return text[:1].isdigit()


def parse_sha256(text: str) -> str:
    """The lower-case hexadecimal digits of a sha256."""
    if not _SHA256.fullmatch(text):
        raise ValueError("is not 64 lower-case hexadecimal digits")
    return text


def parse_plain(text: str) -> str:
    """Any text."""
    if not text:
        raise ValueError("is empty")
    return text


def parse_host(text: str) -> str:
    """A server as `allow-insecure-host` names it."""
    host = parse_insecure_host(text)
    if str(host) != text:
        raise ValueError(f"is not in its normalised form: write {show(str(host))}")
    return text


def parse_build_key(text: str) -> str:
    """`NAME==VERSION`, both in their normalised form."""
    name, separator, version = text.partition("==")
    if not separator:
        raise ValueError("is not `NAME==VERSION`")
    parse_name(name)
    parse_version(version)
    return text
