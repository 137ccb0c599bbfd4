"""The jobs that build all variants for all targets, for the schedulers of CI services."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields

from buildlock.export.served import Served
from buildlock.lockfile.select import Locked, LockedArtifact
from buildlock.values import dataclass

_KEY_LENGTH = 32
_RUNNERS: Mapping[str, str] = {
    "x86_64-linux-gnu": "ubuntu-latest",
    "aarch64-linux-gnu": "ubuntu-24.04-arm",
    "arm64-darwin": "macos-latest",
    "x86_64-darwin": "macos-15-intel",
    "AMD64-win32": "windows-latest",
    "ARM64-win32": "windows-11-arm",
}
"""GitHub's own runners that are such a target."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One environment to build in."""

    variant: str
    python: str
    platform: str
    key: str
    """Changes exactly when what is locked for this variant and target does."""
    runner: str | None
    """A runner of GitHub's that can build it; `None` where a container or another machine is needed."""


def make_job(variant: str, served: Served) -> Job:
    """The job of a variant on one of its targets."""
    target = f"{variant}-{served.python}-{served.platform}"
    return Job(
        variant=variant,
        python=served.python,
        platform=served.platform,
        key=f"buildlock-{target}-{digest(served.packages)}",
        runner=_RUNNERS.get(_describe_machine(served)),
    )


def digest(packages: Iterable[Locked]) -> str:
    """Of the files, and of all that sources among them are built in; 32 hexadecimal digits."""
    return _digest(packages, {})[:_KEY_LENGTH]


def _digest(packages: Iterable[Locked], known: dict[str, str]) -> str:
    listed = [_list_values(package, known) for package in packages]
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()


def _list_values(package: Locked, known: dict[str, str]) -> Mapping[str, object]:
    values = {field.name: getattr(package, field.name) for field in fields(package) if field.name != "requires"}
    values["version"] = str(package.version)
    if not isinstance(package, LockedArtifact):
        # The same sources are needed in many places: each is looked into once.
        if package.key not in known:
            known[package.key] = _digest(package.requires, known)
        values["requires"] = known[package.key]
    return values


def _describe_machine(served: Served) -> str:
    values = served.target.environment
    system = values["sys_platform"]
    if system == "linux":
        system = f"linux-{'musl' if served.target.platforms[0].startswith('musllinux') else 'gnu'}"
    return f"{values['platform_machine']}-{system}"


def format_github(jobs: Sequence[Job]) -> str:
    """The value of `strategy.matrix` on one line, for `$GITHUB_OUTPUT`."""
    include = [{key: value for key, value in asdict(job).items() if value is not None} for job in jobs]
    return json.dumps({"include": include}) + "\n"


def format_gitlab(jobs: Sequence[Job]) -> str:
    """A pipeline's hidden job `.buildlock-matrix`, for jobs to extend: YAML."""
    lines = ["# Written by buildlock matrix --format gitlab", ".buildlock-matrix:", "  parallel:", "    matrix:"]
    for job in jobs:
        values = {
            "BUILDLOCK_VARIANT": job.variant,
            "BUILDLOCK_PYTHON": job.python,
            "BUILDLOCK_PLATFORM": job.platform,
            "BUILDLOCK_KEY": job.key,
        }
        # A string of JSON is one of YAML.
        lines += [
            f"      {'-' if not number else ' '} {name}: {json.dumps(value)}"
            for number, (name, value) in enumerate(values.items())
        ]
    return "\n".join(lines) + "\n"


def format_json(jobs: Sequence[Job]) -> str:
    """A list of the jobs."""
    return json.dumps([asdict(job) for job in jobs], indent=2) + "\n"
