"""`buildlock install` once more, where nothing changed but the folder it goes to; without slow imports."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_TARGET: Final = "--target"
INSTALL: Final = "buildlock.cli.again:install_again"
"""For `keep_answer`."""


def ask_once(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command without the folder that `install` goes to: the answer is the same for each."""
    return [*_split(arguments)[0]] if arguments[:1] == ["install"] else [*arguments]


def note_install(recipe: str, environment: str, claim: str, subject: str) -> str:
    """What `install_again` needs: the recipe, the environment in the cache and its claim, and what was installed."""
    return f"{recipe}\n{environment}\n{claim}\n{subject}"


def install_again(note: str, arguments: Sequence[str]) -> list[tuple[str, str]] | None:
    """What `install` says; `None` where it has more to do than to find an environment, or make it by its recipe."""
    from buildlock.environment.reuse import find_again, make_again  # noqa: PLC0415 - no other command needs it

    recipe, environment, claim, subject = note.split("\n")
    target = _split(arguments)[1]
    if target is None:
        found: bool | None = find_again(recipe, environment, claim) or None
    else:
        environment = os.path.abspath(target)  # noqa: PTH100 - pathlib takes longer to import
        found = make_again(recipe, environment)
    if found is None:
        return None
    talk = [] if {"-q", "--quiet"} & set(arguments) else [("e", f"{'Found' if found else 'Installed'} {subject}\n")]
    return [*talk, ("o", f"{environment}\n")]


def _split(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments with a bare `--target` last, and its value, if it is there once."""
    others, targets = list[str](), list[str]()
    waiting = iter(arguments)
    for argument in waiting:
        if argument == _TARGET:
            targets.append(next(waiting, ""))
        elif argument.startswith(f"{_TARGET}="):
            targets.append(argument[len(_TARGET) + 1 :])
        else:
            others.append(argument)
    if len(targets) != 1 or not targets[0]:
        return (others, None) if not targets else ([*arguments], None)
    return [*others, _TARGET], targets[0]
