"""Graphs as JSON: the packages of each section, and what joins them; nothing is nested, however deep the graph."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from buildlock.graph.model import Node
from buildlock.graph.view import Edge, View
from buildlock.lockfile.model import format_marker, is_source
from buildlock.lockfile.origins import find_kind, find_location

VERSION = 1
"""A key that is added leaves it as it is; readers pass over what they do not know."""


def render_json(views: Sequence[View]) -> str:
    value = {"version": VERSION, "sections": [_view_to_json(view) for view in views]}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _view_to_json(view: View) -> Mapping[str, Any]:
    graph = view.graph
    return {
        "variant": graph.section.variant,
        "package": graph.section.outside,
        "targets": [target.label for target in graph.targets],
        "inverted": view.inverted,
        "starts": list(view.starts),
        "packages": [
            _node_to_json(view, position, graph.nodes[position], distance)
            for position, distance in view.distances.items()
        ],
        "edges": [_edge_to_json(edge) for edge in view.edges],
    }


def _node_to_json(view: View, position: int, node: Node, distance: int) -> Mapping[str, Any]:
    package = node.package
    targets = view.graph.name_targets(node.targets) or [target.label for target in view.graph.targets]
    return {
        "id": position,
        "name": package.name,
        "version": str(package.version),
        "marker": format_marker(package.marker) if package.marker is not None else None,
        "targets": list(targets),
        "origin": {"kind": find_kind(package), "location": find_location(package)},
        "source": is_source(package),
        "build": node.build,
        "depth": distance,
    }


def _edge_to_json(edge: Edge) -> Mapping[str, Any]:
    ask = edge.ask
    return {
        "from": edge.start,
        "to": edge.end,
        "builds": edge.builds,
        "requirement": ask.text if ask is not None else None,
        "dynamic": ask.product if ask is not None else None,
    }
