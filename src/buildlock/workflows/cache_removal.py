"""Taking things out of the cache, never from under those who use it."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TypeAlias

from buildlock.environment.cache_use import be_alone
from buildlock.environment.claims import take_claim
from buildlock.environment.private_folder import private_folder
from buildlock.environment.removal import measure_tree, move_away, remove_tree
from buildlock.errors import EnvironmentPreparationError
from buildlock.reporting import Reporter
from buildlock.values import dataclass
from buildlock.workflows.cache_contents import Contents
from buildlock.workflows.workspace import CLAIMS, ENVIRONMENTS

Choose: TypeAlias = Callable[[Contents], Iterable[Path]]

PREFIX = "removed-"
"""Of the folders in the cache that are on their way out; the next removal clears those of a process that was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What was taken out, or would be."""

    paths: tuple[Path, ...]
    size: int
    """Bytes of the files."""
    kept: tuple[Path, ...]
    """Environments that stay because a command runs in them, and the wheels that such an environment links to."""


def preview(cache: Path, choose: Choose) -> Removal:
    """What `remove` would do.

    Raises:
        EnvironmentPreparationError: The cache cannot be read.
    """
    paths, kept = list[Path](), list[Path]()
    contents = Contents(cache)
    held = contents.list_held()
    for path in choose(contents):
        with _claim(cache, path, held) as free:
            (paths if free else kept).append(path)
    return Removal(paths=tuple(paths), size=sum(map(measure_tree, paths)), kept=tuple(kept))


def remove(cache: Path, choose: Choose, report: Reporter) -> Removal:
    """Move things out of sight while nobody else uses the cache, then delete them.

    Args:
        cache: Its folder.
        choose: Asked what goes when nobody uses it any more.
        report: Told that others use it, which is waited for.

    Raises:
        EnvironmentPreparationError: The cache cannot be read, or something not be removed.
    """
    paths, kept = list[Path](), list[Path]()
    with ExitStack() as stack:
        with be_alone(cache, report):
            going = stack.enter_context(private_folder(cache, PREFIX))
            numbers = count()
            contents = Contents(cache)
            held = contents.list_held()
            for path in choose(contents):
                with _claim(cache, path, held) as free, _refusing(path):
                    if free:
                        move_away(path, going / str(next(numbers)))
                        paths.append(path)
                    else:
                        kept.append(path)
        size = 0
        for moved in sorted(going.iterdir()):
            with _refusing(moved):
                size += remove_tree(moved)
    return Removal(paths=tuple(paths), size=size, kept=tuple(kept))


@contextmanager
def _claim(cache: Path, path: Path, held: Collection[Path]) -> Iterator[bool]:
    """Whether nobody runs in an environment, or in one that links to a wheel; true of all else.

    The claim of an environment goes with it.
    """
    claims = cache / CLAIMS
    if path in held:
        yield False
        return
    if path.parent != cache / ENVIRONMENTS or not (claims / path.name).is_file():
        yield True
        return
    claim = take_claim(claims / path.name)
    try:
        yield claim.alone
        if claim.alone and not path.exists():
            with suppress(OSError):
                (claims / path.name).unlink()
    finally:
        claim.release()


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentPreparationError(f"`{path}` cannot be removed: {error.strerror or error}") from error
