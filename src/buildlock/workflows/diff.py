"""`diff`: what changed between two locks, wherever they are, and what the project's policy says of it."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from buildlock.diff.compute import compare_locks
from buildlock.diff.model import Diff, Finding
from buildlock.diff.online import Questions, add_published, list_questions, note_unasked
from buildlock.diff.policy import judge
from buildlock.diff.policy_changes import compare_policies
from buildlock.errors import InvalidLockError, MissingLockError, UnknownVariantError
from buildlock.lockfile.conflicts import split_conflicts
from buildlock.lockfile.model import FILENAME, Lockfile
from buildlock.lockfile.reader import MAX_SIZE, parse_lockfile, read_content
from buildlock.project.model import Policy
from buildlock.project.policy import read_policy
from buildlock.published import LockedRelease, Published
from buildlock.text import present
from buildlock.values import dataclass, replace
from buildlock.workflows.policies import find_policy, try_policy
from buildlock.workflows.published import ask_indexes
from buildlock.workflows.revisions import Revisions, is_file
from buildlock.workflows.workspace import Workspace

WORKING_TREE = "working tree"
_NOTHING = frozenset({os.devnull, "/dev/null"})
"""What git calls a file that is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """One of the two locks."""

    label: str
    content: bytes | None
    """`None` where there is no lock."""
    policy: Callable[[], Policy | None] | None = None
    """Reads the policy that is beside the lock; `None` for a file, of whose project nothing is known."""

    def parse(self) -> Lockfile | None:
        return parse_lockfile(self.content, f"{FILENAME} of {self.label}") if self.content is not None else None


def diff(
    workspace: Workspace,
    old: str | None = None,
    new: str | None = None,
    variants: tuple[str, ...] = (),
    *,
    policy_from: str | None = None,
    online: bool = False,
) -> Diff:
    """Compare two locks.

    A file that git left with conflict markers in it, given alone or as the project's lock, is its two sides.

    Args:
        workspace: The project: its folder, repository and policy.
        old: A file or a revision; by default the last commit.
        new: A file or a revision; by default the lock as it is in the project's folder.
        variants: Compare these alone; all by default.
        policy_from: A `pyproject.toml` or a revision whose policy judges; by default the project's folder.
        online: Ask the indexes what they say today of what is new.

    Raises:
        UsageError: One is neither a file nor a revision, or the indexes are to be asked offline.
        UnknownVariantError: Neither lock has one of the variants.
        LockfileError: A lock is missing on both sides, cannot be read, or is invalid.
        InvalidProjectError: The policy is invalid; or the project, which says how to ask the indexes.
        HostError: A revision is asked for, and there is no git.
    """
    policy = find_policy(workspace, policy_from)
    return _compare(workspace, policy, _find_sides(workspace, old, new), variants, online=online)


def diff_files(workspace: Workspace, old: Path, new: Path, *, labels: tuple[str, str]) -> Diff:
    """Compare two files, as git gives them to a program that shows a difference; one may be the null device.

    Args:
        workspace: The project, whose policy is applied.
        old: The one.
        new: The other.
        labels: What to call them.

    Raises:
        LockfileError: A lock is missing on both sides, cannot be read, or is invalid.
        InvalidProjectError: The policy is invalid.
    """
    contents = [None if str(path) in _NOTHING else read_content(path) for path in (old, new)]
    before, after = (_Side(label=label, content=each) for label, each in zip(labels, contents, strict=True))
    return _compare(workspace, read_policy(workspace.root), (before, after))


def _compare(
    workspace: Workspace,
    policy: Policy,
    sides: tuple[_Side, _Side],
    variants: tuple[str, ...] = (),
    *,
    online: bool = False,
) -> Diff:
    before, after = sides
    if before.content is None and after.content is None:
        raise MissingLockError(f"there is no `{FILENAME}`: neither in {before.label} nor in {after.label}")
    first, second = before.parse(), after.parse()
    compared = compare_locks(
        first,
        second,
        old_label=before.label,
        new_label=after.label,
        same_bytes=before.content == after.content,
    )
    compared = replace(compared, findings=(*compared.findings, *_compare_policies(before, after, compared)))
    chosen = _choose(variants, compared) if variants else None
    now = datetime.now(timezone.utc)
    if online:
        facts = _ask(workspace, list_questions(first, second, chosen))
        compared = add_published(compared, first, second, facts, policy=policy, now=now)
    else:
        compared = note_unasked(compared, policy)
    judged = judge(compared, first, second, policy, now.date())
    return judged.only_variants(chosen) if chosen is not None else judged


def _ask(workspace: Workspace, questions: Questions) -> Mapping[LockedRelease, Published]:
    releases = (*questions.new, *questions.old)
    return ask_indexes(workspace, workspace.read_project(), releases, attested=releases, linked=questions.new)


def _find_sides(workspace: Workspace, old: str | None, new: str | None) -> tuple[_Side, _Side]:
    if new is None:
        alone = _read_file(old) if old is not None else _read_working_tree(workspace)
        if alone is not None and (sides := _split(alone)) is not None:
            return sides
    before = _read(workspace, old if old is not None else "HEAD")
    after = _read(workspace, new) if new is not None else _read_working_tree(workspace)
    return before, after


def _split(side: _Side) -> tuple[_Side, _Side] | None:
    if side.content is None or len(side.content) > MAX_SIZE:
        return None
    found = split_conflicts(side.content, side.label)
    if found is None:
        return None
    ours, theirs = (
        _Side(label=who if side.label in {"", who} else f"{who} ({present(side.label)})", content=side.content)
        for who, side in zip(("ours", "theirs"), found, strict=True)
    )
    return ours, theirs


def _read(workspace: Workspace, name: str) -> _Side:
    """The lock in a file, or at a revision."""
    side = _read_file(name)
    if side is None:
        content = Revisions(root=workspace.root, environ=workspace.environ).read_lock(name)
        side = _Side(label=present(name), content=content, policy=partial(try_policy, workspace, name))
    elif _split(side) is not None:
        raise InvalidLockError(
            side.label,
            ["it has conflict markers, and so is two locks"],
            hint=f"`buildlock diff {side.label}` compares these two",
        )
    return side


def _read_file(name: str) -> _Side | None:
    """The lock in a file; `None` where there is no file of this name."""
    if name in _NOTHING:
        return _Side(label="no lock", content=None)
    return _Side(label=present(name), content=read_content(Path(name))) if is_file(name) else None


def _read_working_tree(workspace: Workspace) -> _Side:
    try:
        content = read_content(workspace.lock_path)
    except MissingLockError:
        content = None
    return _Side(label=WORKING_TREE, content=content, policy=partial(try_policy, workspace))


def _compare_policies(before: _Side, after: _Side, compared: Diff) -> Iterator[Finding]:
    if before.policy is not None and after.policy is not None:
        places = tuple(download.place for download in compared.downloads)
        yield from compare_policies(before.policy(), after.policy(), places)


def _choose(variants: tuple[str, ...], compared: Diff) -> frozenset[str]:
    """The variants as the locks spell them."""
    known = {canonicalize_name(each.place.variant): each.place.variant for each in compared.downloads}
    for name in variants:
        if canonicalize_name(name) not in known:
            names = ", ".join(f"`{each}`" for each in known.values()) or "none"
            raise UnknownVariantError(f"neither lock has the variant `{present(name)}`: they have {names}")
    return frozenset(known[canonicalize_name(name)] for name in variants)
