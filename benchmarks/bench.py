"""The workbench that rows are measured on: the tools, the mirror, folders of their own for everything."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from benchmarks.measuring import Launcher, Measurement, MirrorProcess, Step

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
MIRROR = FOLDER / ".mirror"
_KEPT = (
    "PATH",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "NO_PROXY",
)
"""What a run may know of this shell: where programs and certificates are, and how the network is reached."""
PIP_CACHES = {"PIP_TRUSTED_HOST": "127.0.0.1"}
"""Without this pip keeps nothing that it gets without TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    buildlock: Path
    fast: Path | None
    """buildlock with its optional extra for speed."""
    uv: Path
    python: Path
    """Has pip, and is what is installed for."""

    def versions(self) -> dict[str, str]:
        uv = _ask(self.uv, "--version").split()[1]
        pip = _ask(self.python, "-m", "pip", "--version").split()[1]
        return {
            "buildlock": self._describe_buildlock(),
            "uv": uv,
            "pip": pip,
            "python": platform.python_version(),
        }

    def _describe_buildlock(self) -> str:
        """The version, and the last commit that changed the source: results are of that, whatever else is committed."""
        version = _ask(self.buildlock, "--version").split()[-1]
        git = ["git", "-C", str(ROOT)]
        commit = _ask(*git, "log", "-1", "--format=%h", "--", "src")
        changed = _ask(*git, "status", "--porcelain", "--", "src")
        return f"{version} ({commit}{' and changes' if changed else ''})"


def _ask(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@final
@dataclass(eq=False)
class Bench:
    tools: Tools
    mirror: MirrorProcess
    launcher: Launcher
    folder: Path
    """Where everything is written; deleted at the end, as a tree that was just deleted slows the next one."""
    configured: str | None
    """The default index that this machine is told to use, where it is not the one that the tools have built in."""
    limit: float = 120.0
    """Seconds for a command that is measured."""
    patience: float = 300.0
    """Seconds for one that is not, and may have to be recorded."""
    _made: int = field(default=0, init=False)

    def make_folder(self, name: str) -> Path:
        self._made += 1
        folder = self.folder / f"{self._made:04d}-{name}"
        folder.mkdir(parents=True)
        return folder

    def environ(self, cache: Path, index: str | None, **more: str) -> dict[str, str]:
        """A clean environment; `index` is a path of the mirror, `None` the index that this machine is set up for."""
        kept = {name: value for name, value in os.environ.items() if name.upper() in _KEPT}
        own = {
            "HOME": str(self.folder),
            "UV_CACHE_DIR": str(cache / "uv"),
            "PIP_CACHE_DIR": str(cache / "pip"),
            "BUILDLOCK_CACHE_DIR": str(cache / "buildlock"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_HTTP_TIMEOUT": "600",  # large files are recorded before their first byte is replayed
            "PIP_DEFAULT_TIMEOUT": "600",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
        }
        if index is not None:
            # Rows on the mirror need no proxy, and none may come between.
            kept = {name: value for name, value in kept.items() if not name.upper().endswith("_PROXY")}
            own |= _name_index(f"{self.mirror.url}/{index}")
        elif self.configured:
            own |= _name_index(self.configured)
        return {**kept, **own, **more}

    def run(self, *steps: Step) -> None:
        """Run something that is not measured."""
        for step in steps:
            self.launcher.run(step, limit=self.patience)

    def measure(self, steps: Sequence[Step]) -> Measurement:
        return self.launcher.measure(steps, limit=self.limit, mirror=self.mirror)


def _name_index(url: str) -> dict[str, str]:
    return {"UV_DEFAULT_INDEX": url, "PIP_INDEX_URL": url}


def describe_machine(folder: Path) -> dict[str, object]:
    """What kind of machine and file system this folder is on, without a name that is its own."""
    filesystem = _find_filesystem(folder)
    kind = [sys.platform, platform.machine(), f"{os.cpu_count()}-cores", *filter(None, [filesystem])]
    return {
        "kind": "-".join(kind).lower(),
        "filesystem": filesystem,
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {'.'.join(re.findall(r'[0-9]+', platform.release())[:2])}",
        "processor": _find_processor(),
    }


def _find_filesystem(folder: Path) -> str | None:
    """The type of a folder's file system, where GNU's `df` can be asked."""
    command = ["df", "--output=fstype", str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.stdout.split()[-1] if said.returncode == 0 else None


def _find_processor() -> str:
    facts = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return found[1] if found else platform.processor()


def find_configured_index(python: Path) -> str | None:
    """The default index that pip is told to use on this machine."""
    command = [str(python), "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    return configured.stdout.strip() if configured.returncode == 0 else None


def find_default_index(python: Path) -> str:
    """The default index that pip has built in."""
    return _ask(python, "-I", "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")


def fetch_cpu_torch(python: Path, requirement: str) -> None:
    """Put the CPU wheel of torch and its page below the mirror's `/cpu/`, where it is not there yet."""
    folder = MIRROR / "cpu" / "files"
    if not list(folder.glob("torch-*.whl")):
        scratch = MIRROR / "download"
        indexes = ["--extra-index-url", "https://download.pytorch.org/whl/cpu", "--retries", "0", "--timeout", "20"]
        command = [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, *indexes, "--dest", str(scratch), f"{requirement}+cpu"], check=True)
        shutil.move(scratch, folder)
    (MIRROR / "cpu" / "torch.json").write_text(json.dumps(_describe_files(folder)), encoding="utf-8")


def _describe_files(folder: Path) -> Mapping[str, object]:
    files = [
        {
            "filename": path.name,
            "url": f"/cpu/files/{path.name.replace('+', '%2B')}",
            "size": path.stat().st_size,
            "hashes": {"sha256": _ask("sha256sum", path).split()[0]},
        }
        for path in sorted(folder.glob("*.whl"))
    ]
    return {"meta": {"api-version": "1.1"}, "name": "torch", "files": files, "versions": []}


def has_reflinks(folder: Path) -> bool:
    """Whether files of this folder's file system can share what they hold."""
    original = folder / "reflink"
    original.write_bytes(b"shared")
    command = ["cp", "--reflink=always", str(original), str(folder / "reflinked")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
