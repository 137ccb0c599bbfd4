"""The user's netrc: names and passwords by host."""

import stat
import sys
from pathlib import Path
from threading import Lock

from buildlock.reporting import Reporter, Warned

_LARGEST = 1 << 20
"""Bytes."""


class Netrc:
    """A netrc file, read when it is first asked for. One that cannot be read is as good as none, with a warning.

    Args:
        path: Where it is; `None`: nowhere.
        report: Told what is wrong with it.
    """

    def __init__(self, path: Path | None, report: Reporter) -> None:
        self._path = path
        self._report = report
        self._lock = Lock()
        self._hosts: dict[str, tuple[str, str]] | None = None

    def find(self, host: str, username: str | None, *, default: bool) -> tuple[str, str] | None:
        """The name and the password for a host.

        Args:
            host: Without a port.
            username: Whose password it has to be.
            default: Whether the entry `default`, which is for every host, will do.
        """
        with self._lock:
            if self._hosts is None:
                self._hosts = self._read()
        login = self._hosts.get(host) or (self._hosts.get("default") if default else None)
        return login if login is not None and username in {None, login[0]} else None

    def _read(self) -> dict[str, tuple[str, str]]:
        if self._path is None:
            return {}
        import netrc  # noqa: PLC0415 - most servers want no password

        try:
            status = self._path.stat()
            hosts = netrc.netrc(self._path).hosts if status.st_size <= _LARGEST else None
        except netrc.NetrcParseError as error:
            # Its own message may show a password.
            self._warn(f"line {error.lineno} is malformed")
        except OSError as error:
            self._warn(error.strerror or str(error))
        except ValueError:
            self._warn("it is not text")
        else:
            if hosts is None:
                self._warn("it is too large")
                return {}
            if sys.platform != "win32" and stat.S_IMODE(status.st_mode) & 0o077:
                self._report(
                    Warned(
                        f"the passwords in `{self._path}` can be read by other users",
                        hint=f"run `chmod 600 {self._path}`",
                    )
                )
            # An account is of FTP.
            return {host: (login or "", password or "") for host, (login, _, password) in hosts.items()}
        return {}

    def _warn(self, reason: str) -> None:
        self._report(Warned(f"`{self._path}` is not used: {reason}"))
