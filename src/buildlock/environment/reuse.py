"""An environment once more: the one that is there, or a new one by a recipe. It imports nothing that takes time.

Whatever is out of the ordinary is left to `buildlock.environment.isolated`: there is no error here.
"""

from __future__ import annotations

import os
import sys

from buildlock.environment.marker import describe_marker, is_unchanged, read_marker
from buildlock.environment.recipe import follow, name_scratch, read_recipe
from buildlock.environment.roots import ROOTS, keep_root
from buildlock.environment.seal import Looking, find_broken

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from buildlock.environment.recipe import Recipe

if sys.platform != "win32":
    import fcntl


def find_again(recipe_path: str, environment: str, claim: str) -> bool:
    """Whether an environment of the cache is as it was made. It is shared with the others until this process ends.

    Args:
        recipe_path: The file of its recipe, in the store.
        environment: Its folder.
        claim: The file of the claim on it.
    """
    found, held = False, list[int]()
    try:
        recipe = _read(recipe_path, held)
        if recipe is not None and _share(claim, held):
            with open(claim, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes longer to import
                note = file.read()
            found = note == describe_marker(environment) and _is_made_by(recipe, environment)
        if found:
            os.utime(claim)
    except (OSError, ValueError):
        found = False
    finally:
        if not found:
            _release(held)
    return found


def make_again(recipe_path: str, destination: str) -> bool | None:
    """Have an environment outside of the cache: whether it was there; `None` where there is more to be done.

    Args:
        recipe_path: The file of its recipe, in the store.
        destination: Its folder; made where it is missing.
    """
    done, held = False, list[int]()
    try:
        recipe = _read(recipe_path, held)
        if recipe is None or not destination.isprintable() or os.pathsep in destination:
            return None
        store = os.path.dirname(os.path.dirname(recipe_path))  # noqa: PTH120
        _clear_abandoned(destination)
        there = os.path.lexists(destination)
        done = _is_made_by(recipe, destination) if there else _make(recipe, destination, store)
        if done:
            keep_root(f"{store}/{ROOTS}", destination)
    except (OSError, ValueError):
        done = False
    finally:
        if not done:
            _release(held)
    return there if done else None


def _read(path: str, held: list[int]) -> Recipe | None:
    """The recipe, with the cache held against those who would clear it; `None` where it is out of date."""
    store = os.path.dirname(os.path.dirname(path))  # noqa: PTH120
    if not _share(f"{os.path.dirname(store)}/in-use", held):  # noqa: PTH120
        return None
    recipe = read_recipe(path)
    written = os.listdir(f"{store}/written")  # noqa: PTH208
    # What was written into since is copied now.
    return None if any(entry.rpartition(os.sep)[2][:64] in written for entry in recipe.entries) else recipe


def _is_made_by(recipe: Recipe, environment: str) -> bool:
    marker = read_marker(environment)
    return (
        marker.origin == recipe.origin
        and is_unchanged(environment, marker)
        and os.path.exists(f"{environment}/{recipe.python}")  # noqa: PTH110
        and not find_broken(recipe.entries)
    )


def _make(recipe: Recipe, destination: str, store: str) -> bool:
    parent = os.path.dirname(destination)  # noqa: PTH120
    if os.stat(parent).st_dev != os.stat(store).st_dev:  # noqa: PTH116
        return False
    looking = Looking(recipe.entries)
    if recipe.has_hard_links and not looking.expects_hard_links:
        return False
    # As `private_folder` makes it.
    scratch = f"{parent}/{name_scratch(destination)}{os.urandom(8).hex()}"
    lock = os.open(f"{scratch}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(f"{scratch}.lock")  # noqa: PTH116 - or it was cleared away before it was ours
        os.mkdir(scratch, 0o700)  # noqa: PTH102
        follow(recipe, f"{scratch}/environment", destination)
        intact = not looking.find_broken()
        if intact:
            os.rename(f"{scratch}/environment", destination)  # noqa: PTH104
    finally:
        _remove(scratch)
        os.unlink(f"{scratch}.lock")  # noqa: PTH108
        os.close(lock)
    return intact


def _clear_abandoned(destination: str) -> None:
    """Remove what killed processes left beside an environment."""
    parent, prefix = os.path.dirname(destination), name_scratch(destination)  # noqa: PTH120
    if any(name.startswith(prefix) for name in os.listdir(parent)):  # noqa: PTH208
        from pathlib import Path  # noqa: PLC0415 - most of the time there is nothing

        from buildlock.environment.private_folder import clear_abandoned  # noqa: PLC0415

        clear_abandoned(Path(parent), prefix)


def _remove(folder: str) -> None:
    if not os.listdir(folder):  # noqa: PTH208
        os.rmdir(folder)  # noqa: PTH106
        return
    from pathlib import Path  # noqa: PLC0415 - most of the time nothing goes wrong

    from buildlock.environment.removal import remove_tree  # noqa: PLC0415

    remove_tree(Path(folder))


def _share(path: str, held: list[int]) -> bool:
    """Take a lock that others may have too, and add it to those that are held; whether nobody has it alone."""
    if sys.platform == "win32":
        return False
    try:
        held.append(os.open(path, os.O_RDWR | os.O_NOFOLLOW))
        fcntl.flock(held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _release(held: list[int]) -> None:
    """Whoever has more to do takes locks of its own, and alone."""
    for lock in held:
        os.close(lock)
