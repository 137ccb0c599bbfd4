"""`why`: what a package is locked for, and where it is from."""

from collections.abc import Mapping, Sequence

from packaging.utils import NormalizedName

from buildlock.graph.why import Reason, find_reasons
from buildlock.workflows.graphs import Scope, check_name, read_graphs
from buildlock.workflows.outdated import OutdatedOptions, survey
from buildlock.workflows.workspace import Workspace


def why(
    workspace: Workspace, name: NormalizedName, scope: Scope, *, online: OutdatedOptions | None = None
) -> Mapping[Reason, Sequence[str]]:
    """Why a package is locked, and for each reason the sections where it is the reason.

    Args:
        workspace: Where the lock is.
        name: The package.
        scope: Of the lock.
        online: How to ask the indexes for newer versions; `None` asks the lock alone.

    Raises:
        LockfileError: There is no such lock, or it is invalid.
        UsageError: There is no such target or package.
        BuildlockError: As of `outdated`, where the indexes are asked.
    """
    graphs = read_graphs(workspace, scope)
    check_name(graphs, name)
    if online is None:
        return find_reasons(graphs, name)
    sections = [graph.section for graph in graphs if graph.find(name)]
    return find_reasons(graphs, name, survey(workspace, sections, online, name))
