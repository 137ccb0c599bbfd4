"""The pages that indexes have answered with in one run, which more than one variant may ask for."""

from packaging.utils import NormalizedName

from buildlock.index.asking import ask_index, find_kept_page
from buildlock.index.http import HttpClient
from buildlock.index.page import ProjectPage
from buildlock.project.model import Index
from buildlock.reporting import Reporter


class Pages:
    """Safe to share among threads; each page is read once, unless two ask for it at the same time."""

    def __init__(self) -> None:
        self._pages: dict[tuple[Index, NormalizedName], ProjectPage | None] = {}

    def ask(self, index: Index, name: NormalizedName, client: HttpClient, report: Reporter) -> ProjectPage | None:
        """What an index says of a package; `None` where it does not know it.

        Raises:
            IndexError_: As of `ask_index`; that is not kept.
        """
        key = index, name
        if key not in self._pages:
            self._pages[key] = ask_index(index, name, client, report)
        return self._pages[key]

    def find(
        self, index: Index, name: NormalizedName, client: HttpClient, report: Reporter
    ) -> tuple[bool, ProjectPage | None]:
        """The same, where no server has to be asked: whether it is known, and what it is.

        Raises:
            InvalidPageError: As of `ask_index`; that is not kept.
        """
        key = index, name
        if key not in self._pages:
            if index.url.startswith("file:"):
                self._pages[key] = ask_index(index, name, client, report)
            elif page := find_kept_page(index, name, client, report):
                self._pages[key] = page
            else:
                return False, None
        return True, self._pages[key]
