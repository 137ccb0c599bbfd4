"""The URL of a git repository, as git may be given it: credentials apart, protocols that cannot run a command."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from buildlock.errors import ProjectError
from buildlock.index.urls import InvalidUrlError, to_path
from buildlock.text import present, without_credentials
from buildlock.values import dataclass, field

# Which protocols git may use for a URL of each scheme, after a redirect or the user's `url.<base>.insteadOf` too.
_PROTOCOLS = {"https": "https:ssh", "http": "http:https:ssh", "ssh": "ssh:https", "file": "file:https:ssh"}
_HOST = re.compile(r"(?!-)[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")
_SHORT_FORM = re.compile(
    r"(?:[A-Za-z0-9._~][A-Za-z0-9._~-]*@)?[A-Za-z0-9._~][A-Za-z0-9._~-]*:(?![:/]?-)(?!:|//)[^\s\\]+"
)
_START = re.compile(r"[a-z]+://[^/]*/|[^/:]*:/?")

# Read by a shell of git's. The values are not in the arguments, which every user of the machine can list.
_USERNAME, _PASSWORD = "BUILDLOCK_GIT_USERNAME", "BUILDLOCK_GIT_PASSWORD"
_HELPER = f'!f() {{ test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "${_USERNAME}" "${_PASSWORD}"; }}; f'


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A repository elsewhere."""

    url: str
    """For git; without what is secret."""
    scheme: str
    username: str | None = field(default=None, repr=False)
    """Of a URL of HTTP; that of ssh is no secret and stays in the URL."""
    password: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        return self.scheme == "file"

    @property
    def location(self) -> str:
        """The URL as it may be shown."""
        return without_credentials(self.url)

    @property
    def configuration(self) -> tuple[str, ...]:
        """Settings that let git ask us, for this host alone, and nobody on the machine keep what we say."""
        if self.username is None:
            return ()
        key = f"credential.{'/'.join(self.url.split('/', 3)[:3])}.helper"
        # An empty value makes git forget the user's helpers. Without a password, they may know it; if none does, the
        # user name is a token that needs no password.
        return (f"{key}=", f"{key}={_HELPER}") if self.password is not None else (f"{key}={_HELPER}",)

    @property
    def variables(self) -> Mapping[str, str]:
        variables = {"GIT_ALLOW_PROTOCOL": _PROTOCOLS[self.scheme]}
        if self.username is not None:
            variables |= {_USERNAME: self.username, _PASSWORD: self.password or ""}
        return variables

    def hide(self, text: str) -> str:
        """`text` without the secrets, should a server repeat them."""
        secret = self.password or self.username
        return text.replace(secret, "***") if secret else text


def parse_remote(url: str) -> Remote:
    """Take the URL of a repository apart.

    Raises:
        ProjectError: It is malformed, or of a protocol other than https, http, ssh and file.
    """
    try:
        return _parse(url)
    except InvalidUrlError as error:
        raise ProjectError(
            present(f"`{without_credentials(url)}` is not the URL of a git repository: {error}"),
            hint="write it as `https://git.example/project`, or with `ssh` or `file`",
        ) from error


def join_remote(remote: Remote, url: str) -> Remote:
    """The repository of a submodule, whose URL may be relative to that of the repository that has it.

    Raises:
        ProjectError: As `parse_remote`; or it is of this machine, and the repository that has it is not.
    """
    if url.startswith(("./", "../")):
        joined = _parse_submodule(_join(remote, url))
        return Remote(url=joined.url, scheme=joined.scheme, username=remote.username, password=remote.password)
    submodule = _parse_submodule(url)
    if submodule.is_local and not remote.is_local:
        raise ProjectError(f"`{remote.location}` has a submodule on this machine, `{submodule.location}`: refused")
    return submodule


def _join(remote: Remote, url: str) -> str:
    base = f"{remote.url}/"
    start = _START.match(base)
    assert start, "every remote has passed a parser"
    path = [part for part in base[start.end() :].split("/") if part]
    for part in url.split("/"):
        if part == "..":
            if not path:
                raise ProjectError(present(f"the submodule `{url}` of `{remote.location}` leads out of its host"))
            path.pop()
        elif part not in {"", "."}:
            path.append(part)
    return start[0] + "/".join(path)


def _parse_submodule(url: str) -> Remote:
    """As `parse_remote`, and the short form for ssh, which many repositories have for their submodules."""
    if _SHORT_FORM.fullmatch(url) and url.isprintable():
        return Remote(url=url, scheme="ssh")
    return parse_remote(url)


def _parse(url: str) -> Remote:
    if not url.isprintable() or " " in url or "\\" in url:
        raise InvalidUrlError("it has white space, control characters or backslashes")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:  # its text may show the credentials
        raise InvalidUrlError("it is malformed") from error
    if parts.scheme not in _PROTOCOLS:
        raise InvalidUrlError(f"its scheme is `{parts.scheme}`, not `https`, `http`, `ssh` or `file`")
    if parts.query or parts.fragment:
        raise InvalidUrlError("it has a query or a fragment")
    if parts.scheme == "file":
        return Remote(url=_absolute(to_path(url)).as_uri(), scheme="file")
    if not host or not _HOST.fullmatch(host):
        raise InvalidUrlError("it has no host" if not host else "its host is not a name")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (username + password).isprintable() or username.startswith("-"):
        raise InvalidUrlError("its user name or password cannot be one")
    location = urlunsplit(parts._replace(netloc=_host_and_port(parts, user=parts.scheme == "ssh")))
    if parts.scheme == "ssh" or not (username or password):
        return Remote(url=location, scheme=parts.scheme)
    return Remote(
        url=location,
        scheme=parts.scheme,
        username=username,
        password=password if parts.password is not None else None,
    )


def _absolute(path: Path) -> Path:
    if ".." in path.parts:
        raise InvalidUrlError("its path has `..` in it")
    return path


def _host_and_port(parts: SplitResult, *, user: bool) -> str:
    userinfo, at, host = parts.netloc.rpartition("@")
    return f"{userinfo.partition(':')[0]}@{host}" if user and at else host
