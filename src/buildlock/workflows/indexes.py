"""All the indexes that a variant may ask."""

from collections.abc import Iterator

from buildlock.project.model import BuildInputs, Index


def list_indexes(inputs: BuildInputs) -> Iterator[Index]:
    """Those of the settings, and those that sources assign packages to; one may come twice."""
    yield from inputs.settings.indexes
    for rules in inputs.sources.values():
        for rule in rules:
            yield rule.index
