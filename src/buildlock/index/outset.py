"""Connecting to the servers that are asked first, before all is at hand that asks them.

A new connection takes two or three round trips, and a command that has just begun has much to import meanwhile. Nothing
is asked here, of no package: who asks finds the connections open.
"""

from collections import Counter
from contextlib import suppress
from typing import cast

from packaging.markers import Environment
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import InvalidProjectError, UnavailableError
from buildlock.index.assignment import assign
from buildlock.index.http import HttpClient
from buildlock.index.simple import ACCEPT, project_url
from buildlock.project.model import BuildInputs, Index


def connect_ahead(inputs: BuildInputs, client: HttpClient) -> None:
    """Begin to connect to the servers that will be asked for what is required on every target."""
    wanted: Counter[str] = Counter()
    requirements = (each.requirement for each in inputs.requires)
    names = {canonicalize_name(each.name) for each in requirements if each.marker is None and each.url is None}
    with suppress(UnavailableError):  # whoever asks is told
        for name in names:
            index = _find_index(name, inputs)
            if index is not None:
                page = project_url(index.url, name)
                if client.peek(page, ACCEPT, index.cache_control) is None:
                    wanted[index.url] += 1
        for url, requests in wanted.items():
            client.connect(url, requests)


def _find_index(name: NormalizedName, inputs: BuildInputs) -> Index | None:
    """The index that is asked for it first, where that is the same on every target."""
    if any(rule.marker is not None for rule in inputs.sources.get(name, ())):
        return None
    with suppress(InvalidProjectError):  # whoever asks is told
        first, *_ = *assign(name, inputs, cast("Environment", {})).indexes, None  # there is no marker to ask it
        return first if first is not None and first.format == "simple" else None
    return None
