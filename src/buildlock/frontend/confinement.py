"""What a backend is kept from while it runs: the network, and writing outside of its own folders."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from buildlock.errors import ConfinementError
from buildlock.frontend.process import Ended, run_process
from buildlock.reporting import Reporter
from buildlock.values import dataclass, replace

_PROGRAM: Final = Path(__file__).with_name("confined.py")
# Switches of Linux and its distributions, the value that forbids namespaces to users, and what allows them.
_SWITCHES: Final = (
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
)
_MAX_FAULT = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A folder as the backend sees it."""

    place: Path
    source: Path
    """What it sees there: a folder that may be another one."""
    writable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Confinement:
    """What a process cannot reach. It never has a network; that of its own machine, `127.0.0.1`, is empty.

    >>> Confinement(mounts=()).allow(Path("answer")).mounts[0].writable
    True
    """

    mounts: tuple[Mount, ...] | None = None
    """What it sees where, the outer folders first, and can only read where nothing here says otherwise; `None`: it
    may read and write what the user may."""

    def allow(self, *folders: Path) -> "Confinement":
        """The same, and it may write in these folders."""
        if self.mounts is None:
            return self
        own = (Mount(place=folder, source=folder, writable=True) for folder in folders)
        return replace(self, mounts=(*self.mounts, *own))

    def run(
        self,
        command: Sequence[str],
        *,
        directory: str | None,
        environ: Mapping[str, str],
        report: Reporter,
        timeout: float | None,
    ) -> Ended:
        """Run a command so; as `run_process`.

        Raises:
            EnvironmentPreparationError: It cannot be started.
            ConfinementError: It cannot be kept from that, and was not run.
        """
        if sys.platform != "linux":
            raise ConfinementError(
                f"a build cannot be {self._describe()} on this platform, `{sys.platform}`",
                hint="it takes the namespaces of Linux: build there, or in a container without network",
            )
        status, inherited = os.pipe()
        try:
            try:
                ended = run_process(
                    self._wrap(command, inherited),
                    directory=directory,
                    environ=environ,
                    report=report,
                    timeout=timeout,
                    inherited=(inherited,),
                )
            finally:
                os.close(inherited)
            # The program closes its own as it becomes the command: only what it says itself is here.
            if fault := os.read(status, _MAX_FAULT):
                raise self._explain(fault)
        finally:
            os.close(status)
        return ended

    def _wrap(self, command: Sequence[str], status: int) -> list[str]:
        places = None
        if self.mounts is not None:
            places = [[str(mount.source), str(mount.place), mount.writable] for mount in self.mounts]
        # Not the environment's Python: that may be older than this program, and is what is not trusted.
        return [sys.executable, "-I", "-S", str(_PROGRAM), str(status), json.dumps(places), *command]

    def _explain(self, fault: bytes) -> ConfinementError:
        step, number = json.loads(fault)
        return ConfinementError(
            f"the kernel does not let the build be {self._describe()}: {step}: {os.strerror(number)}",
            hint=_suggest(),
        )

    def _describe(self) -> str:
        return "cut off from the network" if self.mounts is None else "kept from the network and from writing"


def _suggest() -> str:
    for name, forbidding, allowing in _SWITCHES:
        try:
            value = Path("/proc/sys", name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if value == forbidding:
            return f"users may not make namespaces on this machine; to allow it: `sudo sysctl {allowing}`"
    return (
        "in a container, allow namespaces (`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`), or "
        "give the container no network"
    )
