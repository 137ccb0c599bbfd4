"""A lock in lines, one a package, for tools that compare two texts line by line."""

import hashlib
from collections.abc import Iterator, Mapping

from packaging.pylock import Package

from buildlock.lockfile.layout import format_package
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile, Setting, format_marker
from buildlock.text import printable

_DIGITS = 20
"""Of the sha256 of all that the lock says of a package: as many as nobody can find a second one for."""


def list_lines(lockfile: Lockfile) -> Iterator[str]:
    """What a lock says, each line by itself.

    What a line of a package does not spell out, such as the URL and hash of each file, is in the digest at its end: no
    change of a lock goes unseen.
    """
    for name, environment in lockfile.variants.items():
        yield from _list_section(f"variant {name}", environment)
    for package, variants in lockfile.packages.items():
        for name, environment in variants.items():
            yield from _list_section(f"package {package} for {name}", environment)


def _list_section(title: str, environment: LockedEnvironment) -> Iterator[str]:
    yield printable(title)
    for marker in environment.environments:
        yield printable(f"  environments {format_marker(marker)}")
    if environment.source is not None:
        yield f"  source {_describe(environment.source)}"
    yield from (printable(f"  {line}") for line in _list_inputs(environment.inputs))
    yield from (f"  {_describe(package)}" for package in environment.packages)
    for key, build in environment.builds.items():
        yield from _list_section(f"{title}: build of {key}", build)


def _list_inputs(inputs: LockedInputs) -> Iterator[str]:
    yield from _list_values("requires", inputs.requires)
    if inputs.backend is not None:
        yield f"backend {inputs.backend}"
    yield from _list_values("extra-requires", inputs.extra_requires)
    yield from _list_values("targets", inputs.targets)
    yield from _list_values("constraints", inputs.constraints)
    yield from _list_values("overrides", inputs.overrides)
    tables: Mapping[str, Mapping[str, Setting]] = {
        "dynamic": inputs.dynamic,
        "indexes": inputs.indexes,
        "match-runtime": inputs.match_runtime,
        "settings": inputs.settings,
    }
    for name, table in tables.items():
        for key, value in table.items():
            yield from _list_values(f"{name} {key}", value)


def _list_values(key: str, values: Setting) -> Iterator[str]:
    for value in values if isinstance(values, tuple) else (values,):
        yield f"{key} {str(value).lower() if isinstance(value, bool) else value}"


def _describe(package: Package) -> str:
    condition = f"  ; {format_marker(package.marker)}" if package.marker is not None else ""
    digest = hashlib.sha256(format_package("packages", package).encode()).hexdigest()[:_DIGITS]
    return printable(f"{package.name} {package.version}  {_locate(package)}{condition}  {digest}")


def _locate(package: Package) -> str:
    """Where it comes from, and in what form."""
    if (vcs := package.vcs) is not None:
        return f"{vcs.url or vcs.path} at {vcs.commit_id}"
    if (place := package.archive or package.directory) is not None:
        return str(getattr(place, "url", None) or place.path)
    wheels = len(package.wheels or ())
    forms = [f"{wheels} wheel{'s' if wheels > 1 else ''}" if wheels else "", "sdist" if package.sdist else ""]
    return "  ".join(filter(None, [package.index or "", " and ".join(filter(None, forms))]))
