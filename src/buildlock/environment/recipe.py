"""All that is done to make an environment, wherever it goes: kept, so that the next one needs no planning.

It imports nothing that takes time.
"""

from __future__ import annotations

import marshal
import os

from buildlock.answers.sights import digest
from buildlock.environment.marker import Marker, write_marker
from buildlock.environment.placing import place
from buildlock.environment.seal import TREE, read_seal, seal_made
from buildlock.plain_files import read_plain

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from buildlock.environment.seal import Seal
    from buildlock.environment.steps import Step

RECIPES: Final = "recipes"
"""The folder of the store that they are in."""
_FORMAT: Final = b"2"


class Recipe:
    """How an environment is made.

    Args:
        origin: What it is made from, as its marker has it.
        python: Where its Python is in it.
        entries: The folders of the store that its files come from.
        steps: What is done, from an empty folder on.
    """

    __slots__ = ("entries", "origin", "python", "steps")

    def __init__(self, *, origin: bytes, python: str, entries: Sequence[str], steps: Sequence[Step]) -> None:
        self.origin = origin
        self.python = python
        self.entries = entries
        self.steps = steps

    @property
    def has_hard_links(self) -> bool:
        return any(step[0] == "hardlink" for step in self.steps)

    @property
    def count(self) -> int:
        """The files, folders and links that it makes."""
        return sum(len(step[4]) if step[0] == "hardlink" else 1 for step in self.steps)

    def write(self) -> bytes:
        """As a file has it: a line with a digest, which tells what a disk did to it, and the rest."""
        body = marshal.dumps((self.origin, self.python, tuple(self.entries), tuple(self.steps)))
        return digest([_FORMAT, body]).encode() + b"\n" + body


def read_recipe(path: str) -> Recipe:
    """A recipe that was written to a file of ours.

    Raises:
        OSError: There is none.
        ValueError: It is not as it was written.
    """
    head, _, body = read_plain(path).partition(b"\n")
    if head != digest([_FORMAT, body]).encode():
        raise ValueError(f"`{path}` was changed, or is of another version")
    try:
        origin, python, entries, steps = marshal.loads(body)  # noqa: S302 - in a folder that is ours alone
    except (EOFError, TypeError) as error:
        raise ValueError(f"`{path}` was changed") from error
    return Recipe(origin=origin, python=python, entries=entries, steps=steps)


def name_scratch(destination: str) -> str:
    """What the names of the folders begin with, beside an environment, in which processes make it."""
    return f".{os.path.basename(destination)[:50]}.buildlock-"  # noqa: PTH119 - pathlib takes longer to import


def follow(recipe: Recipe, root: str, destination: str) -> None:
    """Make an environment.

    Args:
        recipe: How.
        root: Where, in a folder that is there; not there itself.
        destination: Where it will be.

    Raises:
        OSError: It cannot be written, or the store not be read.
        ValueError: A file of the store changed while it was copied.
    """
    os.mkdir(root, 0o777)  # noqa: PTH102
    place(root, recipe.steps, python=f"{destination}/{recipe.python}")
    write_marker(root, Marker(recipe.origin, destination, _seal(recipe, root)))


def _seal(recipe: Recipe, root: str) -> Seal:
    """Look at what was made. Hard links are what they were in the store, where they are looked at anyway."""
    names = [step[1] for step in recipe.steps if step[0] != "hardlink"]
    known: dict[bytes, bytes] = {}
    if recipe.has_hard_links:
        seals = {f"{entry}/{TREE}": read_seal(entry) for entry in recipe.entries}
        facts = {tree: seal.get_facts() for tree, seal in seals.items() if seal.linked}
        try:
            for step in recipe.steps:
                if step[0] == "hardlink":
                    place, tree, inner = _enter(step[1]), facts[step[2]], _enter(step[3])
                    for name in os.fsencode("\0".join(step[4])).split(b"\0"):
                        known[place + name] = tree[inner + name]
        except KeyError as error:
            raise ValueError(f"the store has another `{os.fsdecode(error.args[0])}` now") from error
    return seal_made(root, names, known, linked=recipe.has_hard_links)


def _enter(folder: str) -> bytes:
    return os.fsencode(folder and f"{folder}/")
