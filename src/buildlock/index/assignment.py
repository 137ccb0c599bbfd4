"""Which index may serve which package: uv's rules, as pure functions of what the user wrote."""

from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from packaging.markers import Environment, UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import NormalizedName
from packaging.version import InvalidVersion

from buildlock.artifacts import Origin
from buildlock.errors import InvalidProjectError
from buildlock.project.model import BuildInputs, Index, SourceRule
from buildlock.values import dataclass

_NO_INDEX_HINT = """lift `no-index` where it is set, or say where packages come from; write in pyproject.toml

  [[tool.uv.index]]
  url = "https://pkgs.example/simple"
  default = true"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """The places that may serve a package."""

    indexes: tuple[Index, ...]
    """In the order in which they are asked."""
    find_links: tuple[str, ...] = ()
    """Offered beside what the indexes have."""
    origin: Origin | None = None
    """Where it comes from if not from an index: then there are no other places."""


def assign(name: NormalizedName, inputs: BuildInputs, environment: Environment) -> Assignment:
    """Where `name` may come from.

    A package with a source that applies comes from that source's index or origin and from no other place; any other
    package from the indexes that are not explicit, by priority, and from `find-links`.

    Raises:
        InvalidProjectError: Two sources apply that name different places, a marker cannot be evaluated, there is
            no place at all, or what is there may not be used: it would be built in spite of `no-build`, or not in
            spite of `no-binary`.
    """
    rules = [rule for rule in inputs.sources.get(name, ()) if _applies(rule, name, environment)]
    if rules:
        _check_agreement(rules, name, inputs)
        return _follow(rules[0], name, inputs)
    indexes = tuple(index for index in inputs.settings.indexes if not index.explicit)
    if not indexes and not inputs.settings.find_links:
        raise InvalidProjectError([f"no index is configured that could serve `{name}`"], hint=_NO_INDEX_HINT)
    return Assignment(indexes=indexes, find_links=inputs.settings.find_links)


def _applies(rule: SourceRule, name: NormalizedName, environment: Environment) -> bool:
    if rule.marker is None:
        return True
    try:
        return rule.marker.evaluate(cast("Mapping[str, str]", environment))
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as error:
        raise InvalidProjectError(
            [f"{rule.origin}: the marker `{rule.marker}` of the source of `{name}` cannot be evaluated: {error}"]
        ) from error


def _follow(rule: SourceRule, name: NormalizedName, inputs: BuildInputs) -> Assignment:
    if rule.direct is None:
        return Assignment(indexes=(rule.index,) if rule.index else ())
    settings, origin = inputs.settings, rule.direct
    built = not (origin.kind == "archive" and urlsplit(origin.url).path.lower().endswith(".whl"))
    key, every, some = (
        ("no-build", settings.no_build, settings.no_build_package)
        if built
        else ("no-binary", settings.no_binary, settings.no_binary_package)
    )
    if every or name in some:
        what = "has to be built" if built else "is a wheel"
        raise InvalidProjectError(
            [f"{rule.origin}: `{name}` comes from `{origin}`, which {what}, but `{key}` excludes that"],
            hint=f"lift `{key}` for `{name}`, or take it from elsewhere",
        )
    return Assignment(indexes=(), origin=origin)


def _check_agreement(rules: list[SourceRule], name: NormalizedName, inputs: BuildInputs) -> None:
    if len({(rule.index and rule.index.url, rule.direct) for rule in rules}) > 1:
        raise InvalidProjectError(
            [
                f"{rule.origin}: `{name}` comes from `{(rule.index and rule.index.name) or rule.location}`"
                f" for the variant `{inputs.variant.name}`"
                for rule in rules
            ],
            hint="a package has one source in a build environment: give the sources markers that exclude each other",
        )
