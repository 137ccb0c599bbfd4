"""The graphs of a lock that a question is about, answered from the lock alone."""

from collections.abc import Sequence
from difflib import get_close_matches

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import MissingLockError, UsageError
from buildlock.graph.model import Graph, Section, make_graph
from buildlock.lockfile.model import FILENAME, Lockfile
from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.seen_targets import choose_targets, see_targets
from buildlock.text import present
from buildlock.values import dataclass
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What is looked at."""

    variants: tuple[str, ...] = ()
    """These alone; all that are locked by default."""
    package: NormalizedName | None = None
    """What this package from elsewhere is built in, in place of the project."""
    target: str | None = None
    """What is for the targets that this describes alone."""


def read_graphs(workspace: Workspace, scope: Scope) -> tuple[Graph, ...]:
    """A graph for each section of the lock that is looked at.

    Raises:
        MissingLockError: There is no lock, or it does not hold one of them.
        InvalidLockError: The lock cannot be read.
        UsageError: It has no such target.
    """
    sections = list_sections(read_lockfile(workspace.lock_path), scope)
    if scope.target is None:
        return tuple(make_graph(section) for section in sections)
    graphs = []
    labels: dict[str, None] = {}
    for section in sections:
        targets = see_targets(section.environment.environments)
        labels |= dict.fromkeys(target.label for target in targets)
        if chosen := choose_targets(targets, scope.target):
            graphs.append(make_graph(section, chosen))
    if not graphs:
        listed = "\n".join(f"  {label}" for label in labels)
        raise UsageError(present(f"`--target {scope.target}` is none of those that are locked:") + f"\n{listed}")
    return tuple(graphs)


def check_name(graphs: Sequence[Graph], name: NormalizedName) -> None:
    """See that a package is there.

    Raises:
        UsageError: It is in none of them.
    """
    names = {str(node.package.name) for graph in graphs for node in graph.nodes}
    if name in names:
        return
    near = ", ".join(f"`{each}`" for each in get_close_matches(name, sorted(names)))
    looked = ", ".join(str(graph.section) for graph in graphs)
    hint = f"did you mean {near}?" if near else "`buildlock tree` shows what is locked"
    raise UsageError(f"`{present(name)}` is not locked in {looked}", hint=hint)


def list_sections(lockfile: Lockfile, scope: Scope) -> tuple[Section, ...]:
    """The sections of the lock that are looked at, whatever their targets.

    Raises:
        MissingLockError: The lock does not hold one of them.
    """
    held = lockfile.variants if scope.package is None else lockfile.packages.get(scope.package, {})
    # Two spellings of an extra or a group are one (PEP 685, PEP 735).
    spellings = {canonicalize_name(name): name for name in held}
    names = [spellings.get(canonicalize_name(name), name) for name in scope.variants] or list(held)
    if scope.package is not None:
        if not held:
            known = ", ".join(f"`{name}`" for name in lockfile.packages) or "none"
            raise MissingLockError(
                f"`{FILENAME}` does not lock the package `{scope.package}`: of packages from elsewhere it has {known}"
            )
        return tuple(
            Section(variant=name, environment=lockfile.outside(scope.package, name), outside=scope.package)
            for name in dict.fromkeys(names)
        )
    if not names:
        packages = ", ".join(f"`--package {name}`" for name in lockfile.packages)
        raise MissingLockError(
            f"`{FILENAME}` locks no variant of the project",
            hint=f"it has packages from elsewhere: {packages}" if packages else "run `buildlock lock --all`",
        )
    return tuple(Section(variant=name, environment=lockfile.environment(name)) for name in dict.fromkeys(names))
