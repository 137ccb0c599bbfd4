"""The isolated environment that a build runs in: a virtual environment that holds exactly the given wheels."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.marker import is_unchanged, read_marker
from buildlock.environment.mending import expect_hard_links
from buildlock.environment.origin import Origin, read_origin
from buildlock.environment.own_files import make_own
from buildlock.environment.placing import choose_mode
from buildlock.environment.planning import Launcher, Plan
from buildlock.environment.private_folder import private_folder
from buildlock.environment.recipe import Recipe, follow, name_scratch, read_recipe
from buildlock.environment.seal import find_broken
from buildlock.environment.skeleton import Layout, create_skeleton, read_skeleton
from buildlock.environment.stored import MANIFEST, StoredWheel
from buildlock.errors import EnvironmentPreparationError
from buildlock.plain_files import write_whole
from buildlock.project.model import LinkMode
from buildlock.reporting import Noted, Reporter
from buildlock.values import dataclass

_ATTEMPTS = 100
_LAUNCHERS: dict[str, Launcher] = {"win32": "win-ia32", "win_amd64": "win-amd64", "win_arm64": "win-arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildEnvironment:
    """An environment in its place."""

    root: Path
    python: Path
    scripts: Path
    site_packages: Path
    """Of pure wheels; some platforms have another folder for the others."""


def create_environment(
    destination: Path,
    interpreter: Interpreter,
    wheels: Sequence[StoredWheel],
    *,
    identity: str,
    report: Reporter,
    mode: LinkMode | None = None,
    recipes: Path | None = None,
) -> BuildEnvironment:
    """Make an environment beside `destination` and put it there by a rename.

    An environment of ours that is there is replaced, unless another process made the same meanwhile. If anything
    fails, what was there is untouched and nothing else is left.

    Args:
        destination: Its folder; the folders above it are made where they are missing.
        interpreter: Whose virtual environment it is.
        wheels: Exactly what it holds.
        identity: A digest of what it is made from, for `open_environment`.
        report: Told what is done.
        mode: How the files of the store come into it; by default as `choose_mode` finds.
        recipes: A folder of ours to keep in how it was made, for the next of the same identity.

    Raises:
        EnvironmentPreparationError: The destination holds something else, it cannot be written, or two wheels claim
            one file.
    """
    destination = _absolute(destination)
    _check_replaceable(destination)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with private_folder(destination.parent, name_scratch(str(destination))) as scratch:
            launcher = _LAUNCHERS.get(interpreter.target.platforms[0], "posix")
            chosen = mode
            if chosen is None:
                chosen = choose_mode(str(wheels[0].entry / MANIFEST), str(scratch)) if wheels else "symlink"
            if chosen == "hardlink":
                expect_hard_links(wheels)
            # Without a mode it is made of links, if it goes to where the store is. On Windows what starts a command
            # holds the path of its Python.
            kept = recipes if chosen == (mode or "symlink") and launcher == "posix" else None
            known = _recall(kept, identity, wheels)
            recipe = known or _devise(
                scratch, destination, interpreter, wheels, identity=identity, mode=chosen, launcher=launcher
            )
            root = scratch / "environment"
            follow(recipe, str(root), str(destination))
            _put_in_place(root, destination, identity, scratch)
            # What a command has put into the store meanwhile is in no recipe.
            if kept is not None and known is None and not find_broken(recipe.entries):
                make_own(kept)
                write_whole(str(kept / identity), recipe.write())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise EnvironmentPreparationError(
            f"the environment `{destination}` cannot be written: {reason or error}"
        ) from error
    report(Noted(f"placed {recipe.count} files and links of {len(wheels)} wheels in `{destination}`"))
    return _describe(destination, read_origin(recipe.origin).layout)


def _recall(recipes: Path | None, identity: str, wheels: Sequence[StoredWheel]) -> Recipe | None:
    """The recipe for these wheels."""
    if recipes is None or any(wheel.written for wheel in wheels):
        return None
    try:
        recipe = read_recipe(str(recipes / identity))
    except (OSError, ValueError):
        return None
    return recipe if list(recipe.entries) == [str(wheel.entry) for wheel in wheels] else None


def _devise(
    scratch: Path,
    destination: Path,
    interpreter: Interpreter,
    wheels: Sequence[StoredWheel],
    *,
    identity: str,
    mode: LinkMode,
    launcher: Launcher,
) -> Recipe:
    """How to make an environment.

    Raises:
        EnvironmentPreparationError: The interpreter cannot make one, or two wheels claim one file.
        OSError, ValueError: The store or the folder cannot be read or written.
    """
    layout = create_skeleton(scratch / "skeleton", interpreter)
    skeleton = read_skeleton(scratch / "skeleton")
    plan = Plan(skeleton, layout, launcher, python=str(destination / layout.python), mode=mode)
    for wheel in wheels:
        plan.add(wheel)
    linked = tuple(str(wheel.entry) for wheel in wheels if not wheel.written) if mode == "symlink" else ()
    return Recipe(
        origin=Origin(identity=identity, layout=layout, entries=linked).write(),
        python=layout.python,
        entries=[str(wheel.entry) for wheel in wheels],
        steps=[*skeleton, *plan.finish()],
    )


def open_environment(destination: Path, identity: str) -> BuildEnvironment | None:
    """The environment at `destination`, if it was made from `identity` and nothing of it changed since.

    Bytecode that its Python wrote is a change too: `renew_bytecode` replaces it.
    """
    destination = _absolute(destination)
    try:
        marker = read_marker(str(destination))
        origin = read_origin(marker.origin)
        if origin.identity != identity or not is_unchanged(str(destination), marker):
            return None
        if find_broken(origin.entries):
            return None
        environment = _describe(destination, origin.layout)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # The Python below it may be gone.
    return environment if environment.python.exists() else None


def _absolute(path: Path) -> Path:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow a link that is to be refused
    # It is the first line of scripts, and a Python refuses an environment in a folder that PATH cannot name.
    if not str(path).isprintable() or os.pathsep in str(path):
        raise EnvironmentPreparationError(
            f"an environment cannot be in the folder {str(path)!r}: `PATH` and scripts cannot name it",
            hint=f"name a folder without `{os.pathsep}` and control characters, or set `BUILDLOCK_CACHE_DIR` to one",
        )
    return path


def _describe(root: Path, layout: Layout) -> BuildEnvironment:
    return BuildEnvironment(
        root=root,
        python=root / layout.python,
        scripts=root / layout.scripts,
        site_packages=root / layout.purelib,
    )


def _check_replaceable(destination: Path) -> None:
    """Refuse to take the place of anything but an empty folder and an environment of ours."""
    try:
        mode = destination.lstat().st_mode
        if not stat.S_ISDIR(mode):
            raise EnvironmentPreparationError(f"`{destination}` is not a folder")
        if any(destination.iterdir()):
            read_origin(read_marker(str(destination)).origin)
    except (FileNotFoundError, NotADirectoryError) as error:
        if os.path.lexists(destination):
            raise EnvironmentPreparationError(
                f"`{destination}` is not empty, and no environment of buildlock", hint="name another folder"
            ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnvironmentPreparationError(
            f"`{destination}` cannot be replaced: {error}", hint="name another folder, or remove it"
        ) from error


def _put_in_place(root: Path, destination: Path, identity: str, scratch: Path) -> None:
    """Give the new environment its name; what had it goes into `scratch`, to be removed with it."""
    for attempt in range(_ATTEMPTS):
        replaced = scratch / f"replaced-{attempt}"
        if os.path.lexists(destination):
            if open_environment(destination, identity):
                return
            _check_replaceable(destination)
            try:
                destination.rename(replaced)
            except FileNotFoundError:
                continue
        try:
            root.rename(destination)
        except OSError:
            # Another process may have been faster; if none was, the old one comes back.
            if os.path.lexists(destination):
                continue
            if os.path.lexists(replaced):
                replaced.rename(destination)
            raise
        return
    raise EnvironmentPreparationError(f"other processes keep replacing `{destination}`")
