"""Why a package comes from where it comes from, as far as the lock tells."""

from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.graph.model import Section
from buildlock.lockfile.model import LockedInputs
from buildlock.lockfile.origins import find_kind, find_location, list_files
from buildlock.text import present


def explain_origin(section: Section, package: Package) -> str:
    """Where a package is from, and what says so."""
    inputs = section.environment.inputs
    kind, location = find_kind(package), find_location(package)
    if kind not in {"index", "file"} or package.archive is not None:
        return present(f"from the {kind} {location}: {_explain_direct(inputs, package)}")
    if rules := inputs.indexes.get(package.name):
        rule = next((each for each in rules if package.index is not None and _find_place(each) == package.index), None)
        place = rule or package.index or rules[0]
        return present(f"from the index {place}: a source of the project assigns `{package.name}` to it")
    if (folder := _find_links(inputs, package)) is not None:
        return present(f"from {folder}: one of the places of find-links")
    if package.index is None:
        return present(f"from files of {'no index' if kind == 'file' else 'an index'} that the lock does not name")
    named = inputs.settings.get("index", ())
    if isinstance(named, tuple) and package.index in named:
        return present(f"from the index {package.index}: one that the project names, for what no source assigns")
    return present(f"from the index {package.index}: the default, as no source assigns `{package.name}`")


def _explain_direct(inputs: LockedInputs, package: Package) -> str:
    if package.name in inputs.indexes:
        return f"a source of the project says so for `{package.name}`"
    for text, _ in inputs.asked:
        requirement = Requirement(text)
        if requirement.url is not None and canonicalize_name(requirement.name) == package.name:
            return "the build requirement names it"
    return "what requires it names it"


def _find_place(rule: str) -> str:
    """The place of a source, `PLACE ; MARKER`."""
    return rule.partition(" ; ")[0]


def _find_links(inputs: LockedInputs, package: Package) -> str | None:
    """The place of find-links that the files of a package lie in or, where it is a page, that a local file cannot."""
    places = inputs.settings.get("find-links", ())
    if not isinstance(places, tuple) or package.index is not None:
        return None
    paths = [file.path or file.url or "" for file in list_files(package)]
    for place in places:
        if any(path.startswith(f"{place.rstrip('/')}/") or place == "." for path in paths):
            return place
    return places[0] if len(places) == 1 else None
