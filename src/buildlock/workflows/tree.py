"""`tree`: what is needed by what in a lock."""

from packaging.utils import NormalizedName

from buildlock.graph.view import View, view_all, view_dependents
from buildlock.workflows.graphs import Scope, check_name, read_graphs
from buildlock.workflows.workspace import Workspace


def tree(
    workspace: Workspace, scope: Scope, *, invert: NormalizedName | None = None, depth: int | None = None
) -> tuple[View, ...]:
    """What each section of the lock is made of; or, inverted, what needs a package.

    Args:
        workspace: Where the lock is.
        scope: Of the lock.
        invert: The package whose dependents are asked for; sections without it are left out.
        depth: How many steps to go.

    Raises:
        LockfileError: There is no such lock, or it is invalid.
        UsageError: There is no such target or package.
    """
    graphs = read_graphs(workspace, scope)
    if invert is None:
        return tuple(view_all(graph, depth) for graph in graphs)
    check_name(graphs, invert)
    return tuple(view_dependents(graph, invert, depth) for graph in graphs if graph.find(invert))
