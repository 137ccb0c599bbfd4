"""The options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, TypeAlias

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.answers.looking import WatchedEnvironment, is_dir, resolve
from buildlock.cli.declared import Argument, Option
from buildlock.errors import InvalidProjectError, UsageError
from buildlock.project.faults import Faults
from buildlock.project.model import BuildRequirement, Overrides
from buildlock.project.network import InsecureHost, parse_insecure_host
from buildlock.project.requirements import keep_valid, parse_requirement
from buildlock.project.settings import LINK_MODES
from buildlock.reporting import Reporter, silence
from buildlock.text import present
from buildlock.workflows.limits import NO_LIMITS, Limits
from buildlock.workflows.workspace import Workspace, default_cache_dir

ProjectDir: TypeAlias = Annotated[
    Path, Option("--project", metavar="DIR", help="The project's folder.", show_default="this folder")
]
VariantName: TypeAlias = Annotated[
    str | None, Option("--variant", metavar="NAME", help="The variant; default: as the project says.")
]
VariantNames: TypeAlias = Annotated[
    list[str] | None, Option("--variant", metavar="NAME", help="A variant; may be given several times.")
]
OutsideName: TypeAlias = Annotated[
    str | None,
    Option("--package", metavar="NAME", help="What this package, which is not the project's, is built in."),
]
LockedTarget: TypeAlias = Annotated[
    str | None,
    Option("--target", metavar="T", help="A Python, a platform or both of those locked: `3.12 linux`."),
]
OldLock: TypeAlias = Annotated[str | None, Argument(metavar="OLD", help="A lockfile or a git revision; default: HEAD.")]
NewLock: TypeAlias = Annotated[
    str | None, Argument(metavar="NEW", help="A lockfile or a git revision; default: the working tree.")
]
PolicyFrom: TypeAlias = Annotated[
    str | None,
    Option(
        "--policy-from", metavar="REVISION", help="Judge by the policy at this revision, or in this pyproject.toml."
    ),
]
Python: TypeAlias = Annotated[
    str | None,
    Option(metavar="PYTHON", help="A version, name or path; default: the Python that runs buildlock."),
]
Frozen: TypeAlias = Annotated[bool, Option("--frozen", help="Use the lock even if the project has moved on.")]
NoBuild: TypeAlias = Annotated[bool, Option("--no-build", help="Build nothing from source: only wheels.")]
NoBuildPackage: TypeAlias = Annotated[
    list[str] | None,
    Option("--no-build-package", metavar="NAME", help="Do not build this package; may be given several times."),
]
OnlyBinary: TypeAlias = Annotated[
    list[str] | None,
    Option("--only-binary", metavar="NAME|:all:", help="The same as pip says it."),
]
LinkModeName: TypeAlias = Annotated[
    str | None,
    Option(
        "--link-mode",
        metavar="MODE",
        help=f"How files come into the environment: {', '.join(LINK_MODES)}; default: the first that works.",
    ),
]
Offline: TypeAlias = Annotated[
    bool, Option("--offline", help="Ask no network: files of this machine and of --find-links only.")
]
FindLinks: TypeAlias = Annotated[
    list[str] | None,
    Option("--find-links", metavar="DIR", help="Look for the locked files here first; may be repeated."),
]
NoNetwork: TypeAlias = Annotated[
    bool, Option("--no-network", help="Run every build backend without network, where the platform can.")
]
Sandbox: TypeAlias = Annotated[
    bool,
    Option(
        "--sandbox",
        help="The same, and let it write nothing but a copy of the source, its output and a temporary folder.",
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    Option("--timeout", metavar="SECONDS", help="Stop a build backend that takes longer for one call."),
]
InsecureHosts: TypeAlias = Annotated[
    list[str] | None,
    Option("--allow-insecure-host", metavar="HOST", help="Do not check this server's certificate; repeatable."),
]
Quiet: TypeAlias = Annotated[bool, Option("--quiet", "-q", help="Only warnings and errors.")]
Verbose: TypeAlias = Annotated[bool, Option("--verbose", "-v", help="Every step.")]
ShowTimings: TypeAlias = Annotated[bool, Option("--timings", help="Say where the time went, on stderr.")]
Json: TypeAlias = Annotated[bool, Option("--json", help="Data as JSON, on stdout.")]

HERE = Path()
_LONGEST_TIMEOUT = 10_000_000
"""Seconds; what comes much later is more than operating systems count."""


def make_overrides(
    *,
    offline: bool = False,
    find_links: list[str] | None = None,
    allow_insecure_host: list[str] | None = None,
    no_build: bool = False,
    no_build_package: list[str] | None = None,
    only_binary: list[str] | None = None,
    link_mode: str | None = None,
) -> Overrides:
    """What the options say of the network and of building from source.

    Raises:
        UsageError: One does not name a package, a server, or a mode.
    """
    if link_mode is not None and link_mode not in LINK_MODES:
        raise UsageError(f"there is no link mode `{present(link_mode)}`", hint=f"choose one of {', '.join(LINK_MODES)}")
    named = [*(no_build_package or ()), *(name for each in only_binary or () for name in each.split(","))]
    packages = set()
    for name in named:
        if name not in {":all:", ":none:"}:
            packages.add(parse_name(name))
    return Overrides(
        offline=offline,
        find_links=tuple(find_links or ()),
        insecure_hosts=tuple(map(_parse_host, allow_insecure_host or ())),
        link_mode=link_mode,
        no_build=no_build or ":all:" in named,
        no_build_package=frozenset(packages),
    )


def make_limits(*, timeout: float | None, no_network: bool, sandbox: bool) -> Limits:
    """What the options say of the backends.

    Raises:
        UsageError: The time is none.
    """
    if timeout is not None and not 0 < timeout <= _LONGEST_TIMEOUT:
        raise UsageError(
            f"`--timeout {timeout:g}` is no time that a backend could take",
            hint=f"name seconds, more than 0 and at most {_LONGEST_TIMEOUT}",
        )
    return Limits(timeout=timeout, network=not no_network, sandbox=sandbox)


def _parse_host(text: str) -> InsecureHost:
    try:
        return parse_insecure_host(text)
    except ValueError as error:
        raise UsageError(f"`--allow-insecure-host` is `{text.rpartition('@')[2]}`, which {error}") from error


def parse_name(name: str) -> NormalizedName:
    """The package that an option names.

    Raises:
        UsageError: It is not the name of a package.
    """
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise UsageError(f"`{name}` is not the name of a package") from error


def parse_package(text: str) -> BuildRequirement:
    """The package that is not the project's which an option names, and which version of it.

    Raises:
        UsageError: It is not a requirement, or says more than that.
    """
    faults = Faults()
    wanted = parse_requirement(text, origin="--package", faults=faults)
    kept = keep_valid([wanted] if wanted is not None else [], faults)
    try:
        faults.raise_collected()
    except InvalidProjectError as error:
        raise UsageError(error.faults[0]) from error
    (found,) = kept
    if found.requirement.extras or found.requirement.marker is not None:
        raise UsageError(f"`--package {text}` has an extra or a marker: name a package and a version of it alone")
    return found


def open_workspace(project: Path, report: Reporter, limits: Limits = NO_LIMITS) -> Workspace:
    """The workspace that the command line and the environment variables name.

    Raises:
        UsageError: There is no such folder.
    """
    if not is_dir(project):
        raise UsageError(f"`--project {project}` is not a folder")
    return Workspace(
        root=resolve(project),
        cache_dir=default_cache_dir(os.environ),
        environ=WatchedEnvironment(),
        report=report,
        limits=limits,
    )


def open_project_of(path: str, report: Reporter = silence) -> Workspace:
    """The project of a lock that git names from the top of the work tree, where it runs programs."""
    environ = dict(os.environ)
    root = Path(path).absolute().parent
    return Workspace(root=root, cache_dir=default_cache_dir(environ), environ=environ, report=report)
