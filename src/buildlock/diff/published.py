"""What an index says of a locked release that whoever locks it should know."""

from collections.abc import Iterator, Mapping, Sequence

from buildlock.diff.model import Finding, Place
from buildlock.diff.quoting import quote, quote_all
from buildlock.published import LockedRelease, Published, PublishedFile

_SHOWN_DIGITS = 12
_SHOWN_REASONS = 3
"""Of one version: there is one, as a rule."""


def inspect_release(
    release: LockedRelease, published: Published, place: Place, chain: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """The findings of one release; none where nothing is known of it.

    Args:
        release: What is locked.
        published: What its index says.
        place: Where it is locked.
        chain: What brings it in there.
    """

    def find(code: str, message: str, *details: str) -> Finding:
        return Finding(
            code=code,
            packages=(release.name,),
            message=message,
            after=str(release.version),
            places=(place,),
            details=details,
            chain=chain,
        )

    version = quote(release.version)
    status_reason = f": {quote(published.status_reason)}" if published.status_reason else ""
    if published.status == "quarantined":
        yield find("quarantined", f"{version}{status_reason}")
    elif published.status is not None:
        yield find("project-status", f"{version} is of a project that is {published.status}{status_reason}")
    changed = [file for file in published.files if file.state == "changed"]
    if changed:
        locked = dict(release.files)
        yield find("index-differs", version, *(_compare(file, locked[file.filename]) for file in changed))
    if removed := [file for file in published.files if file.state == "removed"]:
        yield find("file-removed", version, f"gone: {quote_all(file.filename for file in removed)}")
    if yanked := [file for file in published.files if file.yanked is not None]:
        reasons = sorted({file.yanked for file in yanked if file.yanked})[:_SHOWN_REASONS]
        message = f"{version}: {quote_all(reasons)}" if reasons else f"{version}, for no given reason"
        yield find("yanked", message, *list_some(yanked, published.files))


def _compare(file: PublishedFile, locked: str) -> str:
    index = f"{quote(f'{file.sha256[:_SHOWN_DIGITS]}…')} there" if file.sha256 is not None else "two others there"
    return f"{quote(file.filename)}: sha256 {quote(f'{locked[:_SHOWN_DIGITS]}…')} here, {index}"


def list_some(files: Sequence[PublishedFile], among: Sequence[PublishedFile]) -> Iterator[str]:
    """The files by name, unless it is all of them."""
    if len(files) < len(among):
        yield f"of its files {quote_all(file.filename for file in files)} alone"


def list_silent(facts: Mapping[LockedRelease, Published]) -> Iterator[str]:
    """What indexes did not answer, a sentence for each of them."""
    silent: dict[str, dict[str, str]] = {}
    for release, published in facts.items():
        if published.unknown is not None:
            silent.setdefault(release.index, {})[release.name] = published.unknown
    for index, reasons in sorted(silent.items()):
        yield f"what {quote(index)} says of {quote_all(sorted(reasons))}: {quote(min(reasons.values()))}"
