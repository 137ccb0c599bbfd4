"""What differs between two entries of one package."""

from collections.abc import Collection, Iterator, Sequence

from packaging.pylock import Package
from packaging.version import Version

from buildlock.diff.accelerators import describe_accelerators
from buildlock.diff.known import Known
from buildlock.diff.model import Finding, Place
from buildlock.diff.quoting import quote, quote_all
from buildlock.lockfile.model import format_marker
from buildlock.lockfile.origins import (
    LockedFile,
    describe_origin,
    find_hosts,
    find_insecure,
    find_kind,
    find_location,
    list_files,
    name_file,
)
from buildlock.values import dataclass, field

_SHOWN_DIGITS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry of a package as some targets get it."""

    package: Package
    built: bool
    """Whether these targets build it."""
    siblings: Sequence[Package] = field(repr=False)
    """All entries of this name in its environment."""
    build_size: int = 0
    """How many packages its own build takes."""

    @property
    def version(self) -> Version:
        assert self.package.version is not None
        return self.package.version


def compare_entries(before: Entry, after: Entry, place: Place, known: Known) -> Iterator[Finding]:
    """The findings of one package that stayed."""
    moved = list(_compare_origins(before.package, after.package, place))
    yield from moved
    yield from _compare_built(before, after, place)
    if before.version != after.version:
        yield _move_version(before.version, after, place)
    else:
        yield from _compare_files(before, after, place, moved=bool(moved))
    yield from _find_contradictions(after.package, place, known, but=_name_files(before.package).keys())


def describe_new(entry: Entry, place: Place, known: Known) -> Iterator[Finding]:
    """What there is to say of an entry that has none before it, beyond that it is there."""
    package = entry.package
    yield from _find_contradictions(package, place, known)
    hosts, usual = find_hosts(package), known.find_hosts(package.index) if package.index is not None else frozenset()
    if usual and hosts - usual:
        yield _change_host(package, place, usual, hosts)
    for server in sorted(find_insecure(package)):
        yield _warn_insecure(package, server, place)
    if entry.built:
        yield _find(
            "sdist-added",
            package,
            place,
            f"{quote(entry.version)} {_describe_build(entry)}",
            after=str(entry.version),
        )


def _find_contradictions(
    package: Package, place: Place, known: Known, *, but: Collection[str] = ()
) -> Iterator[Finding]:
    """Files that are new here, and were other ones wherever they were locked before."""
    pairs = [
        (other, file)
        for file in list_files(package)
        if name_file(file) not in but and (other := known.find_file(package, file)) is not None
    ]
    if pairs:
        was, now = (_join_hashes(iter(files)) for files in zip(*pairs, strict=True))
        changed = sorted(line for other, file in pairs for line in _compare_hashes(name_file(file), other, file))
        yield _find("hash-changed", package, place, quote(package.version), was, now, tuple(changed))


def _change_host(package: Package, place: Place, before: frozenset[str], after: frozenset[str]) -> Finding:
    was, now = ", ".join(sorted(before)), ", ".join(sorted(after))
    message = f"files come from {quote(now)}: they came from {quote(was)}"
    return _find("host-changed", package, place, message, before=was, after=now)


def _move_version(before: Version, after: Entry, place: Place) -> Finding:
    lowered = after.version < before
    remark = describe_accelerators(before, after.version)
    return _find(
        "pin-lowered" if lowered else "version-raised",
        after.package,
        place,
        f"{quote(before)} → {quote(after.version)}",
        before=str(before),
        after=str(after.version),
        details=(remark,) if remark else (),
    )


def _compare_origins(before: Package, after: Package, place: Place) -> Iterator[Finding]:
    kind, old, new = find_kind(after), find_location(before), find_location(after)
    same_kind = find_kind(before) == kind
    # A URL or a path of a file has the version in it: with another version it is another one.
    moves = kind in {"index", "git repository", "folder"} or before.version == after.version
    if same_kind and kind == "index" and old != new:
        message = f"from {_quote_place(old)} to {_quote_place(new)}"
        yield _find("index-moved", after, place, message, before=old, after=new)
    elif not same_kind or (old != new and moves):
        was, now = describe_origin(before), describe_origin(after)
        message = f"from the {_quote_origin(before)} to the {_quote_origin(after)}"
        yield _find("source-moved", after, place, message, before=was, after=now)
    elif (hosts := find_hosts(after)) and find_hosts(before) and hosts - find_hosts(before):
        yield _change_host(after, place, find_hosts(before), hosts)
    for server in sorted(find_insecure(after) - find_insecure(before)):
        yield _warn_insecure(after, server, place)
    if before.vcs is not None and after.vcs is not None and before.vcs.commit_id != after.vcs.commit_id:
        was, now = before.vcs.commit_id, after.vcs.commit_id
        asked = after.vcs.requested_revision
        message = f"commit {quote(was[:_SHOWN_DIGITS])} → {quote(now[:_SHOWN_DIGITS])}"
        message += f" of {quote(asked)}" if asked is not None else ""
        yield _find("commit-moved", after, place, message, before=was, after=now)
    if before.directory is not None and after.directory is not None and before.tool != after.tool:
        was, now = _content_hash(before), _content_hash(after)
        message = (
            f"content {quote(was[:_SHOWN_DIGITS])} → {quote(now[:_SHOWN_DIGITS])} of {quote(after.directory.path)}"
        )
        yield _find("content-changed", after, place, message, before=was, after=now)


def _compare_built(before: Entry, after: Entry, place: Place) -> Iterator[Finding]:
    if after.built and not before.built:
        message = f"{quote(after.version)} {_describe_build(after)}; it was a wheel"
        yield _find("wheel-became-sdist", after.package, place, message, before="wheel", after="source")
    elif before.built and not after.built:
        message = f"{quote(after.version)} is a wheel; {quote(before.version)} was built from source"
        if before.version == after.version:
            message = f"{quote(after.version)} is a wheel; it was built from source"
        yield _find("sdist-became-wheel", after.package, place, message, before="source", after="wheel")


def _describe_build(entry: Entry) -> str:
    """What it takes to have a package that is built, in words."""
    names = [name_file(file) for file in list_files(entry.package) if not name_file(file).endswith(".whl")]
    what = quote(names[0]) if names else f"the {find_kind(entry.package)}"
    return f"is built from {what}, with {entry.build_size} package{'' if entry.build_size == 1 else 's'}"


def _compare_files(before: Entry, after: Entry, place: Place, *, moved: bool) -> Iterator[Finding]:
    """What became of the files of a version; where they are, only if nothing says already that they `moved`."""
    package, version = after.package, str(after.version)
    old, new = _name_files(before.package), _name_files(package)
    changed = [line for name in old.keys() & new.keys() for line in _compare_hashes(name, old[name], new[name])]
    if changed:
        hashes = [_join_hashes(each[name] for name in sorted(old.keys() & new.keys())) for each in (old, new)]
        yield _find("hash-changed", package, place, quote(version), hashes[0], hashes[1], tuple(sorted(changed)))
    known = {name for each in before.siblings if each.version == after.version for name in _name_files(each)}
    kept = {name for each in after.siblings if each.version == after.version for name in _name_files(each)}
    for code, names, verb in (
        ("artifact-added", sorted(new.keys() - known), "also has"),
        ("artifact-removed", sorted(old.keys() - kept), "no longer has"),
    ):
        # What is built now, or was, has other files for that reason.
        if names and before.built == after.built:
            yield _find(code, package, place, f"{quote(version)} {verb} {quote_all(names)}", version, version)
    if details := tuple(_compare_details(before.package, package, moved=moved)):
        yield _find(
            "details-changed", package, place, f"{quote(version)} has the same files", version, version, details
        )


def _name_files(package: Package) -> dict[str, LockedFile]:
    return {name_file(file): file for file in list_files(package)}


def _compare_hashes(name: str, old: LockedFile, new: LockedFile) -> Iterator[str]:
    if old.hashes != new.hashes:
        hashes = [quote(f"{file.hashes['sha256'][:_SHOWN_DIGITS]}…") for file in (old, new)]
        yield f"{quote(name)}: sha256 {hashes[0]} → {hashes[1]}{_compare_sizes(old, new)}"
    elif old.size is not None and new.size is not None and old.size != new.size:
        yield f"{quote(name)}: the same sha256 and another size{_compare_sizes(old, new)}"


def _compare_sizes(old: LockedFile, new: LockedFile) -> str:
    if old.size == new.size or old.size is None or new.size is None:
        return ""
    return f", {old.size:,} → {new.size:,} bytes"


def _compare_details(old: Package, new: Package, *, moved: bool) -> Iterator[str]:
    """What else the lock says of the same version."""
    if old.marker != new.marker:
        was, now = (format_marker(each.marker) if each.marker else None for each in (old, new))
        yield f"locked for {quote(now) if now else 'every target'}: it was for {quote(was) if was else 'every target'}"
    was_needed, needed = (
        {str(dependency["name"]): dependency for dependency in each.dependencies or ()} for each in (old, new)
    )
    if gone := sorted(was_needed.keys() - needed.keys()):
        yield f"no longer needs {quote_all(gone)}"
    if come := sorted(needed.keys() - was_needed.keys()):
        yield f"also needs {quote_all(come)}"
    if pinned := sorted(name for name in needed.keys() & was_needed.keys() if needed[name] != was_needed[name]):
        yield f"needs another version of {quote_all(pinned)}"
    files = _name_files(old)
    for name, file in _name_files(new).items():
        if (before := files.get(name)) is None or before.hashes != file.hashes:
            continue
        if not moved and (before.url, before.path) != (file.url, file.path):
            yield f"{quote(name)} is at {quote(file.url or file.path)}: it was at {quote(before.url or before.path)}"
        if before.size != file.size and None in {before.size, file.size}:
            yield f"{quote(name)} {'has a size' if before.size is None else 'has no size any more'}"
    if old.vcs is not None and new.vcs is not None and old.vcs.requested_revision != new.vcs.requested_revision:
        was, now = old.vcs.requested_revision, new.vcs.requested_revision
        yield f"follows {_quote_place(now)}: it followed {_quote_place(was)}"


def _warn_insecure(package: Package, server: str, place: Place) -> Finding:
    return _find("insecure-index", package, place, f"over {quote(server)}", after=server)


def _content_hash(package: Package) -> str:
    return str((package.tool or {})["buildlock"]["sha256"])


def _join_hashes(files: Iterator[LockedFile]) -> str:
    return ", ".join(file.hashes["sha256"] for file in files)


def _quote_place(location: str | None) -> str:
    return quote(location) if location is not None else "no name"


def _quote_origin(package: Package) -> str:
    return f"{find_kind(package)} {_quote_place(find_location(package))}"


def _find(  # noqa: PLR0917 - a finding's parts in the order in which it is read
    code: str,
    package: Package,
    place: Place,
    message: str,
    before: str | None = None,
    after: str | None = None,
    details: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        code=code,
        packages=(package.name,),
        message=message,
        before=before,
        after=after,
        places=(place,),
        details=details,
    )
