"""`why`: what a package is locked for, and where it is from."""

from collections.abc import Mapping, Sequence

from packaging.utils import NormalizedName

from buildlock.graph.why import Reason, find_reasons
from buildlock.workflows.graphs import Scope, check_name, read_graphs
from buildlock.workflows.workspace import Workspace


def why(workspace: Workspace, name: NormalizedName, scope: Scope) -> Mapping[Reason, Sequence[str]]:
    """Why a package is locked, and for each reason the sections where it is the reason.

    Raises:
        LockfileError: There is no such lock, or it is invalid.
        UsageError: There is no such target or package.
    """
    graphs = read_graphs(workspace, scope)
    check_name(graphs, name)
    return find_reasons(graphs, name)
