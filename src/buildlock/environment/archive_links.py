"""Symbolic links in an archive: they become copies of what they lead to, a file or a whole folder of the archive."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from buildlock.environment.entry_names import find_extent_fault

_MAX_HOPS = 40
"""Links on the way to one place; Linux follows as many."""


class InvalidLinkError(Exception):
    """What is wrong with a link: a sentence without its subject, the archive."""


class LinkedTree:
    """The files, folders and links of an archive.

    Args:
        files: The names of its files.
        folders: Those of all folders that it makes, without a slash at the end.
        links: By its name, where each link leads: a path from the top, as it is written.
        limit: How many copies there may be.
    """

    def __init__(
        self,
        *,
        files: Sequence[str],
        folders: Sequence[str],
        links: Mapping[str, str],
        limit: int,
    ) -> None:
        self._files = frozenset(files)
        self._folders = frozenset(folders)
        self._links = links
        self._left = limit
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        for name in (*files, *folders, *links):
            self._children[posixpath.dirname(name)].append(name)

    def copy(self, link: str) -> Iterator[tuple[str, str | None]]:
        """What a link becomes: the name of each copy, and the file that it is a copy of; `None` for a folder.

        Raises:
            InvalidLinkError: It leads to nothing of the archive, or in a circle; or there are too many copies.
        """
        above = [link]
        while above[-1]:
            above.append(posixpath.dirname(above[-1]))
        return self._copy(link, self._follow(link), frozenset(above[1:]))

    def _copy(self, name: str, path: str, above: frozenset[str]) -> Iterator[tuple[str, str | None]]:
        """Copy a file or folder to `name`; `above` are the folders on the way there, which it cannot be one of."""
        # Names get longer with each folder, so this is where a nest of links ends.
        if fault := find_extent_fault(name):
            raise InvalidLinkError(f"`{name}`, by a link: {fault}")
        self._left -= 1
        if self._left < 0:
            raise InvalidLinkError("its links make too many copies")
        if path in self._files:
            yield name, path
            return
        if path in above:
            raise InvalidLinkError(f"`{name}` is a link to a folder that it is in, `{path}`")
        yield f"{name}/", None
        for child in self._children[path]:
            place = self._follow(child) if child in self._links else child
            yield from self._copy(f"{name}/{posixpath.basename(child)}", place, above | {path})

    def _follow(self, link: str) -> str:
        """The file or folder that a link leads to in the end, through folders of the archive only."""
        waiting = self._links[link].split("/")[::-1]
        parts: list[str] = []
        hops = 0
        while waiting:
            part = waiting.pop()
            # An absolute path begins with an empty part; behind a folder, one means nothing.
            if ("/".join(parts) not in self._folders) if parts else not part:
                raise self._describe_stray(link)
            if part == "..":
                if len(parts) < 2:  # noqa: PLR2004 - what is above the top folder is not the archive's
                    raise self._describe_stray(link)
                parts.pop()
            elif part not in {".", ""}:
                parts.append(part)
                if target := self._links.get("/".join(parts)):
                    hops += 1
                    if hops > _MAX_HOPS:
                        raise InvalidLinkError(f"`{link}` is a link that leads in a circle")
                    waiting += target.split("/")[::-1]
                    parts = []
        path = "/".join(parts)
        if path not in self._files and path not in self._folders:
            raise self._describe_stray(link)
        return path

    def _describe_stray(self, link: str) -> InvalidLinkError:
        return InvalidLinkError(
            f"`{link}` is a link to `{self._links[link]}`, which is no file of the archive, and no folder"
        )
