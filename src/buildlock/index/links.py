"""From the links of a page to artifacts: what is offered, and what is left out and why."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import NormalizedName, is_normalized_name
from packaging.version import Version

from buildlock.artifacts import Artifact, ArtifactKind, parse_filename
from buildlock.index.hashes import MalformedHashError, parse_hashes
from buildlock.index.urls import parse_address
from buildlock.patterns import compile_pattern
from buildlock.reporting import Noted, Reporter, Warned
from buildlock.text import excerpt, without_credentials

_FILENAME = compile_pattern(r"[A-Za-z0-9_.+!-]+")
# Nearly every file's: nothing in it needs a closer look.
_PLAIN_URL = compile_pattern(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_TIME = compile_pattern(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)", re.ASCII)


class MalformedPageError(ValueError):
    """Where a page breaks the specification, and how."""


class LinkCollector:
    """Collects the artifacts of one page, in its order.

    A file whose name, URL or hash is not what it must be is left out and noted: the rest of the page is still good.
    Two files of one name with different hashes are both left out, with a warning: one of them is not what it says.

    Args:
        page_url: Where the page is; relative links start there.
        name: The package whose page it is; `None` for a page with files of many.
        report: Told what is left out.
    """

    def __init__(self, *, page_url: str, name: NormalizedName | None, report: Reporter) -> None:
        self.page_url = without_credentials(page_url)
        self._name = name
        self._report = report
        self._artifacts: dict[str, Artifact] = {}
        self._contradictory: set[str] = set()
        self._start_at(self.page_url)

    @property
    def contradictory(self) -> frozenset[str]:
        """The files that have two hashes."""
        return frozenset(self._contradictory)

    def begin_again(self) -> "LinkCollector":
        """Another one for the same page, which has collected nothing."""
        return LinkCollector(page_url=self.page_url, name=self._name, report=self._report)

    def find_version(self, stem: str, filenames: Iterable[str]) -> Version | None:
        """The version of some files, whose names all have this `stem_of`.

        `None`, once that is noted, where none of them would be collected for its name. Of wheels only the stem is
        judged here, and the rest of the name when they are collected.
        """
        try:
            return self._identify(stem)[1]
        except ValueError as error:
            for filename in filenames:
                self._leave_out(filename, error)
            return None

    def finish(self) -> tuple[Artifact, ...]:
        """What has been collected. Warns, once, of the files that have two hashes."""
        if self._contradictory:
            first, *others = sorted(self._contradictory)
            more = f" and {len(others)} more" if others else ""
            self._report(
                Warned(
                    f"`{self.page_url}` lists `{first}`{more} with two different hashes: "
                    + ("they are not used" if others else "it is not used"),
                    hint="one of the two is not the file it claims to be; tell whoever runs the index",
                )
            )
        return tuple(self._artifacts.values())

    def rebase(self, href: str) -> None:
        """Start relative links elsewhere (HTML's `<base href>`)."""
        try:
            self._start_at(urljoin(self.page_url, href))
        except ValueError as error:
            self._leave_out(href, error)

    def add(
        self,
        href: str,
        *,
        hashes: Mapping[str, object],
        filename: str | None = None,
        size: int | None = None,
        upload_time: datetime | None = None,
        requires_python: str | None = None,
        yanked: str | None = None,
        core_metadata: Mapping[str, object] | None = None,
        provenance: str | None = None,
    ) -> None:
        """Collect one link, everything as the page has it, or leave it out.

        Args:
            href: The link; its fragment says nothing here.
            hashes: Of the file.
            filename: By default the last segment of the URL.
            size: In bytes.
            upload_time: Aware.
            requires_python: Any text.
            yanked: The reason, perhaps empty; `None` for a file that is not yanked.
            core_metadata: Hashes of the metadata file beside this one, perhaps empty; `None` where there is none.
            provenance: The link to its attestations; one that may not be asked is none.
        """
        address = href.partition("#")[0]
        if filename is None:
            filename = unquote(address.partition("?")[0].rpartition("/")[2])
        if filename in self._contradictory:
            return
        try:
            name, version, kind = self._identify(filename)
            checked = parse_hashes(hashes)
            url = self._resolve(address, hashed=bool(checked))
        except ValueError as error:
            self._leave_out(filename or href, error)
            return
        artifact = Artifact(
            name=name,
            version=version,
            kind=kind,
            filename=filename,
            url=url,
            hashes=checked,
            size=size,
            upload_time=upload_time,
            requires_python=requires_python,
            yanked=yanked,
            core_metadata=None if core_metadata is None else _trusted(core_metadata),
            provenance=self._find_provenance(provenance) if provenance else None,
        )
        if filename in self._artifacts:
            self._merge(self._artifacts[filename], artifact)
        else:
            self._artifacts[filename] = artifact

    def _start_at(self, base: str) -> None:
        parts = urlsplit(base)
        self._base = base
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def _identify(self, filename: str) -> tuple[NormalizedName, Version, ArtifactKind]:
        if not _FILENAME.fullmatch(filename):
            raise ValueError("it is not the name of a wheel or sdist")
        name, version, kind = parse_filename(filename)
        if self._name is not None and name != self._name:
            raise ValueError(f"it is a file of `{name}`")
        if self._name is None and not is_normalized_name(name):
            raise ValueError("its package name is invalid")
        return name, version, kind

    def _resolve(self, address: str, *, hashed: bool) -> str:
        url = self._origin + address if address.startswith("/") and not address.startswith("//") else address
        if not _PLAIN_URL.fullmatch(url):
            url = parse_address(urljoin(self._base, address)).url
        if self.page_url.startswith("file:") or url.startswith("https:"):
            return url
        if url.startswith("file:"):
            raise ValueError("a page of a server links to a local file")
        if self.page_url.startswith("https:") and not hashed:
            raise ValueError("the link leaves https, and no hash protects the file")
        return url

    def _find_provenance(self, href: str) -> str | None:
        try:
            return self._resolve(href.partition("#")[0], hashed=False)
        except ValueError:
            return None

    def _merge(self, known: Artifact, other: Artifact) -> None:
        """Keep one of two links of the same name: the one that says more of the file."""
        if any(known.hashes[algorithm] != other.hashes[algorithm] for algorithm in known.hashes.keys() & other.hashes):
            del self._artifacts[known.filename]
            self._contradictory.add(known.filename)
        elif len(other.hashes) > len(known.hashes):
            self._artifacts[known.filename] = other

    def _leave_out(self, what: str, reason: ValueError) -> None:
        self._report(Noted(f"left out `{excerpt(what)}` on `{self.page_url}`: {excerpt(str(reason))}"))


def stem_of(filename: str) -> str:
    """What the wheels of one version have in common, as the name of a wheel; of any other file its name.

    >>> stem_of("numpy-2.4.0-cp311-cp311-win_amd64.whl")
    'numpy-2.4.0-py3-none-any.whl'
    """
    if filename.endswith(".whl") and (end := filename.find("-", filename.find("-") + 1)) > 0:
        return f"{filename[:end]}-py3-none-any.whl"
    return filename


def parse_time(text: str) -> datetime | None:
    """An upload time (PEP 700); `None` where it cannot be understood."""
    try:
        if len(text) == 27 and text[-1] == "Z":  # noqa: PLR2004 - with microseconds, as most are
            return datetime.fromisoformat(f"{text[:-1]}+00:00")
        if found := _TIME.fullmatch(text):
            moment = datetime.fromisoformat(found[1])
            return moment.replace(microsecond=int((found[2] or "0").ljust(6, "0")), tzinfo=timezone.utc)
    except ValueError:
        pass
    return None


def _trusted(hashes: Mapping[str, object]) -> Mapping[str, str] | None:
    """The hashes of a metadata file. One that is malformed makes it worthless: the file itself has to tell."""
    try:
        return parse_hashes(hashes)
    except MalformedHashError:
        return None
