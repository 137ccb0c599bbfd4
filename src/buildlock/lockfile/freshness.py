"""Whether a lock still answers the project: its inputs as values, and the sentences that say which one moved.

Nothing is resolved to find out: what the project says now is compared with what the lock says it was made from.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.lockfile.model import LockedInputs, Setting, format_marker
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement, Settings, SourceRule
from buildlock.text import without_credentials
from buildlock.values import replace

_PROJECT_FILES = ("pyproject.toml", "uv.toml")


def inputs_of(
    inputs: BuildInputs,
    *,
    backend: str | None,
    dynamic: Mapping[str, Sequence[str]],
    packages: Collection[str],
    root: Path,
    matched: Mapping[str, Sequence[str]] | None = None,
) -> LockedInputs:
    """The inputs of a variant as its lock records them: the project's alone, the same on every machine.

    What the machine adds (environment variables, configuration files outside of the project) decides what a lock
    is made of, and is no input: a lock that one machine made is fresh on another.

    Args:
        inputs: What the project says.
        backend: The object reference of the build backend.
        dynamic: What the backend asked for, by product.
        packages: The names that are locked. A constraint or a source of any other package changes nothing, and
            is left out.
        root: The project's folder; local indexes are recorded relative to it.
        matched: What is matched with the runtime, by what says so.
    """
    asked = [Requirement(text) for texts in dynamic.values() for text in texts]
    # What the variant's extra pins binds what the backend asked for too.
    bound = add_requirements(
        inputs, [BuildRequirement(requirement=each, origin="what the backend asked for") for each in asked]
    )
    urls = [each for each in (*inputs.requires, *inputs.overrides) if each.requirement.url is not None]
    said = {(canonicalize_name(each.requirement.name), each.origin) for each in urls}
    return LockedInputs(
        requires=tuple(format_requirement(required.requirement) for required in inputs.requires),
        targets=tuple(map(str, inputs.targets)),
        dynamic={product: tuple(map(_normalize, requirements)) for product, requirements in dynamic.items()},
        constraints=tuple(
            text
            for constraint, text in _list_declared(bound.constraints)
            if canonicalize_name(constraint.name) in packages
        ),
        # All of them: an override can be the reason why a package is not locked.
        overrides=tuple(text for _, text in _list_declared(inputs.overrides)),
        indexes={
            name: tuple(_format_rule(rule, root) for rule in rules if _is_recorded(rule, (name, rule.origin) in said))
            for name, rules in bound.sources.items()
            if name in packages
        },
        settings=dict(_list_settings(inputs.declared, packages, root)),
        match_runtime={source: tuple(map(_normalize, texts)) for source, texts in (matched or {}).items()},
        backend=backend,
    )


def compare_inputs(locked: LockedInputs, current: LockedInputs) -> tuple[str, ...]:
    """A sentence for each input that moved; none where the lock is fresh.

    Of `match_runtime` only which packages it is for: what the runtime installs is compared with the locked packages
    themselves.

    >>> compare_inputs(LockedInputs(requires=("torch==2.4.0",)), LockedInputs(requires=("torch==2.5.1",)))
    ('the build requirement `torch==2.4.0` is now `torch==2.5.1`',)
    """
    return (
        *_compare_requirements("build requirement", locked.requires, current.requires),
        *_compare_targets(locked.targets, current.targets),
        *_compare_dynamic(locked.dynamic, current.dynamic),
        *_compare_requirements("constraint", locked.constraints, current.constraints),
        *_compare_requirements("override", locked.overrides, current.overrides),
        *_compare_indexes(locked.indexes, current.indexes),
        *_compare_settings(locked.settings, current.settings),
        *_compare_matches(locked.match_runtime, current.match_runtime),
        *_compare_backends(locked.backend, current.backend),
    )


def format_requirement(requirement: Requirement) -> str:
    """A requirement with normalised names, sorted extras and specifiers, even spacing, and no credentials.

    >>> format_requirement(Requirement('Foo_Bar [B,a]>=1,<2 ;os_name=="nt"'))
    "foo-bar[a,b]<2,>=1; os_name == 'nt'"
    """
    extras = ",".join(sorted(map(canonicalize_name, requirement.extras)))
    parts = [canonicalize_name(requirement.name), f"[{extras}]" if extras else "", str(requirement.specifier)]
    if requirement.url is not None:
        parts.append(f" @ {without_credentials(requirement.url)}")
        # A URL may have a semicolon in it.
        parts += [" "] if requirement.marker is not None else []
    if requirement.marker is not None:
        parts.append(f"; {format_marker(requirement.marker)}")
    return "".join(parts)


def _list_declared(requirements: Iterable[BuildRequirement]) -> Iterator[tuple[Requirement, str]]:
    """Those that the project's own files declare."""
    for declared in requirements:
        if is_of_project(declared.origin):
            yield declared.requirement, format_requirement(declared.requirement)


def _normalize(requirement: str) -> str:
    return format_requirement(Requirement(requirement))


def is_of_project(origin: str) -> bool:
    """Whether what was written there belongs to the project, wherever it is built, and is recorded as an input."""
    return origin.startswith(_PROJECT_FILES)


def _is_recorded(rule: SourceRule, said: bool) -> bool:  # noqa: FBT001 - private, named by its only caller
    """Whether a rule is the project's, and not `said` by a requirement that is recorded with its URL."""
    return is_of_project(rule.index.origin) if rule.index else is_of_project(rule.origin) and not said


def _format_rule(rule: SourceRule, root: Path) -> str:
    if rule.direct is not None:
        location = str(replace(rule.direct, url=_relocate(rule.direct.location, root)))
    else:
        location = _relocate(rule.location, root)
    return location if rule.marker is None else f"{location} ; {format_marker(rule.marker)}"


def _list_settings(settings: Settings, packages: Collection[str], root: Path) -> Iterator[tuple[str, Setting]]:
    default = Settings()
    for key, text, usual in (
        ("index-strategy", settings.index_strategy, default.index_strategy),
        ("prerelease", settings.prerelease, default.prerelease),
    ):
        if text != usual:
            yield key, text
    if settings.exclude_newer is not None:
        yield "exclude-newer", settings.exclude_newer_span or _format_cutoff(settings.exclude_newer)
    for key, flag in (("no-binary", settings.no_binary), ("no-build", settings.no_build)):
        if flag:
            yield key, True
    lists: Mapping[str, Iterable[str]] = {
        "allow-insecure-host": sorted(map(str, settings.network.insecure_hosts)),
        "exclude-newer-package": sorted(
            f"{name}={settings.exclude_newer_package_spans.get(name) or _format_cutoff(time)}"
            for name, time in settings.exclude_newer_package.items()
            if name in packages
        ),
        "no-binary-package": sorted(settings.no_binary_package.intersection(packages)),
        "no-build-package": sorted(settings.no_build_package.intersection(packages)),
        # In order of priority.
        "index": (_relocate(index.location, root) for index in settings.indexes if not index.explicit),
        "find-links": (_relocate(location, root) for location in settings.find_links),
    }
    for key, values in lists.items():
        if texts := tuple(values):
            yield key, texts


def _format_cutoff(time: datetime | None) -> str:
    return "false" if time is None else time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _relocate(location: str, root: Path) -> str:
    """A location as every machine sees it: a local one relative to the project, a remote one without credentials."""
    parts = urlsplit(location)
    if parts.scheme in {"http", "https", "ssh"}:
        return without_credentials(parts.geturl())
    path = location
    if parts.scheme == "file":
        from urllib.request import url2pathname  # noqa: PLC0415 - a client for HTTP and FTP comes with it

        path = url2pathname(parts.path)
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:
        # On another drive, which Windows has no relative path to.
        return Path(path).as_posix()


def _compare_requirements(kind: str, locked: tuple[str, ...], current: tuple[str, ...]) -> Iterator[str]:
    # As requirements, so that two ways to write one are the same: `torch==2.4` and `torch==2.4.0`.
    old = {Requirement(text): text for text in locked}
    new = {Requirement(text): text for text in current}
    removed = _group_by_name(old, old.keys() - new.keys())
    added = _group_by_name(new, new.keys() - old.keys())
    for name in sorted(removed.keys() | added.keys()):
        match removed.get(name, []), added.get(name, []):
            case [before], [after]:
                yield f"the {kind} {_quote([before])} is now {_quote([after])}"
            case gone, come:
                yield from (f"the {kind} {_quote([text])} was removed" for text in gone)
                yield from (f"the {kind} {_quote([text])} was added" for text in come)


def _compare_targets(locked: tuple[str, ...], current: tuple[str, ...]) -> Iterator[str]:
    if locked and not current:
        yield "the project names no targets any more"
        return
    yield from (f"the target {_quote([text])} was removed" for text in locked if text not in current)
    yield from (f"the target {_quote([text])} was added" for text in current if text not in locked)


def _compare_dynamic(locked: Mapping[str, tuple[str, ...]], current: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for product in sorted(locked.keys() | current.keys()):
        kind = f"dynamic requirement of the {product}"
        yield from _compare_requirements(kind, locked.get(product, ()), current.get(product, ()))


def _group_by_name(texts: Mapping[Requirement, str], chosen: Collection[Requirement]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for requirement in sorted(chosen, key=texts.__getitem__):
        groups.setdefault(canonicalize_name(requirement.name), []).append(texts[requirement])
    return groups


def _compare_indexes(locked: Mapping[str, tuple[str, ...]], current: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name in sorted(locked.keys() | current.keys()):
        before, after = locked.get(name, ()), current.get(name, ())
        if before == after:
            continue
        if not before:
            yield f"`{name}` has a source now: {_quote(after)}"
        elif not after:
            yield f"`{name}` has no source any more: it was {_quote(before)}"
        else:
            yield f"the source of `{name}` moved from {_quote(before)} to {_quote(after)}"


def _compare_settings(locked: Mapping[str, Setting], current: Mapping[str, Setting]) -> Iterator[str]:
    for key in sorted(locked.keys() | current.keys()):
        before, after = locked.get(key), current.get(key)
        if before == after:
            continue
        if before is None:
            yield f"the setting `{key}` is now {_describe_setting(after)}"
        elif after is None:
            yield f"the setting `{key}` is the default again: it was {_describe_setting(before)}"
        else:
            yield f"the setting `{key}` is now {_describe_setting(after)}: it was {_describe_setting(before)}"


def _describe_setting(value: Setting | None) -> str:
    return _quote(value) if isinstance(value, tuple) else _quote(["true" if value is True else str(value)])


def _compare_matches(locked: Mapping[str, tuple[str, ...]], current: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    before, after = _name_sources(locked), _name_sources(current)
    for name in sorted(after.keys() - before.keys()):
        yield f"`{name}` is matched with the runtime now, with {after[name]}"
    for name in sorted(before.keys() - after.keys()):
        yield f"`{name}` is no longer matched with the runtime: it was, with {before[name]}"


def _name_sources(matches: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """What each package is matched with."""
    return {canonicalize_name(Requirement(text).name): source for source, texts in matches.items() for text in texts}


def _compare_backends(locked: str | None, current: str | None) -> Iterator[str]:
    if locked != current:
        yield f"the build backend is now {_name_backend(current)}: it was {_name_backend(locked)}"


def _name_backend(backend: str | None) -> str:
    return "the default" if backend is None else _quote([backend])


def _quote(values: Sequence[str]) -> str:
    # A value that ends its own quotes would go on in our words.
    return ", ".join(f"`{value.replace('`', chr(39))}`" for value in values)
