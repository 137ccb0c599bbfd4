"""What is said of a package in a tree, whatever the format."""

from collections.abc import Iterable, Iterator

from packaging.pylock import Package

from buildlock.graph.model import Ask, Node
from buildlock.lockfile.model import format_marker, is_source
from buildlock.lockfile.origins import find_kind
from buildlock.text import present


def list_notes(node: Node, asks: Iterable[Ask] = ()) -> Iterator[str]:
    """What is worth knowing of a package beside its version, the requirements first that name it."""
    yield from dict.fromkeys(describe_ask(ask) for ask in asks if not _says_nothing(ask, node))
    if is_source(node.package):
        yield describe_source(node.package)
    if node.package.marker is not None:
        yield present(f"where {format_marker(node.package.marker)}")


def describe_ask(ask: Ask) -> str:
    return present(ask.text if ask.product is None else f"{ask.text} for the {ask.product}")


def describe_source(package: Package) -> str:
    """What a package is built from.

    >>> from packaging.pylock import PackageVcs
    >>> from packaging.utils import NormalizedName
    >>> describe_source(Package(name=NormalizedName("foo"), vcs=PackageVcs(type="git", url="u", commit_id="c")))
    'built from a git repository'
    """
    if package.wheels:
        return "built from an sdist where no wheel fits"
    kind = find_kind(package)
    return f"built from a {kind}" if kind in {"git repository", "folder"} else "built from an sdist"


def _says_nothing(ask: Ask, node: Node) -> bool:
    return ask.product is None and ask.text == node.package.name
