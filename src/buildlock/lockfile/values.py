"""The strings of a lockfile, each parsed strictly.

Each is given one bounded line of visible text, and raises `ValueError` with the end of a sentence that begins with it:
`is not a version`.
"""

import re
from urllib.parse import urlsplit

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name, is_normalized_name
from packaging.version import Version

from buildlock.lockfile.fields import show
from buildlock.platforms import parse_platform
from buildlock.targets import parse_python
from buildlock.text import without_credentials

# RFC 3986: unreserved, reserved and `%`; nothing else may stand in a URL.
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DRIVE = re.compile(r"[A-Za-z]:")


def parse_name(text: str) -> NormalizedName:
    """A package name in its normalised form (PEP 503)."""
    if not is_normalized_name(text):
        normalized = canonicalize_name(text)
        write = f": write {show(normalized)}" if is_normalized_name(normalized) else ""
        raise ValueError(f"is not a normalised package name{write}")
    return NormalizedName(text)


def parse_version(text: str) -> Version:
    """A version in its normalised form (PEP 440)."""
    try:
        version = Version(text)
    except ValueError:
        raise ValueError("is not a version") from None
    if str(version) != text:
        raise ValueError(f"is not in its normalised form: write {show(str(version))}")
    return version


def parse_marker(text: str) -> Marker:
    """An environment marker: over what a target is, not over extras or groups."""
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
    if requirement.url is not None and without_credentials(requirement.url) != requirement.url:
        raise ValueError("carries credentials")
    return text


def parse_url(text: str) -> str:
    """An absolute http(s) URL without credentials and without a fragment."""
    if not _URL_CHARACTERS.fullmatch(text):
        raise ValueError("is not a URL: it has characters that have to be percent-encoded")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is none
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("is neither an `https:` nor an `http:` URL")
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
