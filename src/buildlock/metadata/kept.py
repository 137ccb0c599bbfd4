"""Metadata as it is kept: what resolution needs of it, so that nothing else is read again."""

import json

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact, CoreMetadata
from buildlock.requirements import UNCONDITIONAL, Condition, Requirements


def write_metadata(metadata: CoreMetadata) -> bytes:
    """Metadata as it is kept, of a wheel that was read."""
    requirements = metadata.requires_dist
    assert isinstance(requirements, Requirements)
    content = {
        # As they were written: packaging does not write every marker so that it reads it as the same.
        "requires-dist": list(map(_pack, requirements.texts, requirements.conditions)),
        "requires-python": None if metadata.requires_python is None else str(metadata.requires_python),
        "provides-extra": sorted(metadata.provides_extra),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def read_metadata(content: bytes, artifact: Artifact) -> CoreMetadata | None:
    """What `write_metadata` has made of the metadata of `artifact`; `None` where that is damaged."""
    try:
        known = json.loads(content)
        texts, conditions = [], []
        for text, *told in known["requires-dist"]:
            texts.append(str(text))
            conditions.append(_read_condition(*told) if told else UNCONDITIONAL)
        python = known["requires-python"]
        return CoreMetadata(
            name=artifact.name,
            version=artifact.version,
            requires_dist=Requirements(texts, conditions),
            requires_python=None if python is None else SpecifierSet(python),
            provides_extra=frozenset(map(NormalizedName, known["provides-extra"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _pack(text: str, condition: Condition) -> list[object]:
    if condition == UNCONDITIONAL:  # as most are
        return [text]
    return [text, condition.without, None if condition.extras is None else sorted(condition.extras)]


def _read_condition(without: object, extras: list[object] | None) -> Condition:
    return Condition(bool(without), None if extras is None else frozenset(map(str, extras)))
