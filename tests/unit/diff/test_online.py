"""What the indexes say of what a change brings in."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from packaging.pylock import Package

from buildlock.diff.compute import compare_locks
from buildlock.diff.model import Diff, Finding
from buildlock.diff.online import add_published, list_questions, note_unasked
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.releases import find_release
from buildlock.project.model import Policy
from buildlock.published import LockedRelease, ProjectLink, Published, PublishedFile, Publisher
from support.locks import make_environment, make_package, make_source

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
WEEK = Policy(minimum_age=timedelta(days=7))
OURS = Publisher(kind="GitHub", source="org/foo", workflow="release.yml")
THEIRS = Publisher(kind="GitHub", source="fork/foo", workflow="release.yml")
FOO, FOO_2 = make_package("foo", "1.0"), make_package("foo", "2.0", sdist=True)


def lock(*packages: Package, variants: tuple[str, ...] = ("cpu",), **more: LockedEnvironment) -> Lockfile:
    return Lockfile(variants={**{name: make_environment(*packages) for name in variants}, **more})


def names(releases: tuple[LockedRelease, ...]) -> list[str]:
    return [f"{release.name} {release.version}" for release in releases]


def release_of(package: Package) -> LockedRelease:
    release = find_release(package)
    assert release is not None
    return release


def publish(package: Package, *, link: ProjectLink | None = None, **more: Any) -> Mapping[LockedRelease, Published]:
    """The same of each file of a package."""
    release = release_of(package)
    files = [
        replace(PublishedFile(filename=name, state="there", sha256=sha256), **more) for name, sha256 in release.files
    ]
    return {release: Published(files=tuple(files), link=link)}


def attest(package: Package, *publishers: Publisher) -> Mapping[LockedRelease, Published]:
    return publish(package, provenance="https://index.example/provenance", publishers=publishers)


def tell(
    facts: Mapping[LockedRelease, Published],
    policy: Policy = Policy(),  # noqa: B008 - frozen
    old: Lockfile = lock(FOO),  # noqa: B008 - frozen
    new: Lockfile = lock(FOO_2),  # noqa: B008 - frozen
) -> Diff:
    compared = compare_locks(old, new, old_label="old", new_label="new")
    return add_published(compared, old, new, facts, policy=policy, now=NOW)


def find(diff: Diff, code: str) -> Finding:
    (finding,) = [finding for finding in diff.findings if finding.code == code]
    return finding


class TestQuestions:
    def test_what_changed_and_what_it_was(self) -> None:
        bar = make_package("bar")
        questions = list_questions(lock(FOO, bar), lock(FOO_2, bar))
        assert (names(questions.new), names(questions.old)) == (["foo 2.0"], ["foo 1.0"])

    def test_a_file_that_is_new(self) -> None:
        more = make_package("foo", "1.0", sdist=True)
        assert names(list_questions(lock(FOO), lock(more)).new) == ["foo 1.0"]
        assert not list_questions(lock(more), lock(FOO)).new

    def test_what_another_variant_had_is_not_new(self) -> None:
        assert not list_questions(lock(FOO), lock(FOO, variants=("cpu", "cu124"))).new

    def test_builds_and_packages_from_elsewhere(self) -> None:
        source, inside = make_source("src"), make_package("inside")
        environment = make_environment(source, builds={"src==1.0": make_environment(inside)}, source=make_source("ext"))
        new = Lockfile(
            variants={"cpu": make_environment(source)}, packages={release_of(FOO).name: {"cpu": environment}}
        )
        assert sorted(names(list_questions(None, new).new)) == ["ext 1.0", "inside 1.0", "src 1.0"]

    def test_one_variant(self) -> None:
        new = lock(cpu=make_environment(FOO), cu124=make_environment(make_package("bar")))
        assert names(list_questions(None, new, {"cu124"}).new) == ["bar 1.0"]

    def test_no_lock(self) -> None:
        assert list_questions(lock(FOO), None).new == ()


class TestPublishers:
    def test_another_one(self) -> None:
        finding = find(tell({**attest(FOO, OURS), **attest(FOO_2, THEIRS)}), "publisher-changed")
        assert (finding.before, finding.after) == ("GitHub org/foo (release.yml)", "GitHub fork/foo (release.yml)")

    @pytest.mark.parametrize("source", ["org/foo", "Org/Foo"])
    def test_the_same_one(self, source: str) -> None:
        diff = tell({**attest(FOO, OURS), **attest(FOO_2, replace(OURS, source=source))})
        assert [finding.code for finding in diff.findings] == ["version-raised"]

    def test_one_of_several(self) -> None:
        assert find(tell({**attest(FOO, OURS), **attest(FOO_2, OURS, THEIRS)}), "publisher-changed")

    def test_the_first_one(self) -> None:
        diff = tell({**publish(FOO), **attest(FOO_2, OURS)})
        assert [finding.code for finding in diff.findings] == ["version-raised"]

    def test_none_any_more(self) -> None:
        assert find(tell({**attest(FOO, OURS), **publish(FOO_2)}), "attestation-dropped").details == ()
        assert find(tell({**attest(FOO, OURS), **attest(FOO_2)}), "attestation-dropped")

    def test_of_some_files_alone(self) -> None:
        (release, published), *_ = attest(FOO_2, OURS).items()
        wheel, sdist = published.files
        partly = {release: replace(published, files=(wheel, replace(sdist, provenance=None, publishers=None)))}
        diff = tell({**attest(FOO, OURS), **partly})
        assert find(diff, "attestation-dropped").details == ("of its files `foo-2.0.tar.gz` alone",)
        assert find(diff, "version-raised").details[-1].startswith("1 of 2 files attested by `GitHub org/foo")

    def test_attestations_that_cannot_be_read_are_no_change(self) -> None:
        unread = publish(FOO_2, provenance="https://index.example/provenance")
        diff = tell({**attest(FOO, OURS), **unread})
        assert [finding.code for finding in diff.findings] == ["version-raised"]
        assert diff.unknown == ("who attests `foo 2.0`: that cannot be read",)


class TestAge:
    @pytest.mark.parametrize(
        ("age", "message"),
        [
            (timedelta(days=7), None),
            (timedelta(days=7) - timedelta(microseconds=1), "`2.0` was uploaded 2026-01-24, 6 days ago: the policy"),
            (timedelta(minutes=1), "`2.0` was uploaded 2026-01-31, 1 minute ago: the policy wants 7 days"),
            (-timedelta(days=1), "`2.0` was uploaded 2026-02-01, in the future: the policy wants 7 days"),
        ],
    )
    def test_the_youngest_file_counts(self, age: timedelta, message: str | None) -> None:
        (release, published), *_ = publish(FOO_2, upload_time=NOW - timedelta(days=400)).items()
        first, second = published.files
        facts = {release: replace(published, files=(first, replace(second, upload_time=NOW - age)))}
        found = [finding.message for finding in tell(facts, WEEK).findings if finding.code == "too-new"]
        assert len(found) == (message is not None)
        assert not found or found[0].startswith(message or "")
        assert all(finding.code != "too-new" for finding in tell(facts).findings)

    @pytest.mark.parametrize(
        "facts", [publish(FOO_2), {release_of(FOO_2): Published(unknown="down")}, publish(FOO_2, state="removed")]
    )
    def test_one_that_nobody_says_is_not_enough(self, facts: Mapping[LockedRelease, Published]) -> None:
        assert "nobody says when it was uploaded" in find(tell(facts, WEEK), "too-new").message

    def test_it_takes_the_indexes_to_know(self) -> None:
        old, new = lock(FOO), lock(FOO_2)
        compared = compare_locks(old, new, old_label="old", new_label="new")
        assert note_unasked(compared, Policy()) == compared
        assert "7 days old" in note_unasked(compared, WEEK).unknown[0]
        removed = compare_locks(old, lock(), old_label="old", new_label="new")
        assert note_unasked(removed, WEEK) == removed


class TestTold:
    def test_of_a_version_that_moved(self) -> None:
        link = ProjectLink(title="source", url="https://foo.example")
        finding = find(tell(publish(FOO_2, link=link, upload_time=NOW - timedelta(hours=5))), "version-raised")
        assert finding.details == ("uploaded 2026-01-31, 5 hours ago",)
        assert finding.facts is not None
        assert (finding.facts.uploaded, finding.facts.link) == (NOW - timedelta(hours=5), link)

    def test_files_of_several_days(self) -> None:
        (release, published), *_ = publish(FOO_2, upload_time=NOW - timedelta(days=400)).items()
        first, second = published.files
        facts = {release: replace(published, files=(first, replace(second, upload_time=NOW)))}
        assert find(tell(facts), "version-raised").details == ("uploaded from 2024-12-27 to 2026-01-31, 0 minutes ago",)

    def test_nothing_that_was_not_asked(self) -> None:
        assert find(tell({}), "version-raised").facts is None

    def test_once_for_all_variants(self) -> None:
        variants = ("cpu", "cu124")
        old, new = lock(FOO, variants=variants), lock(FOO_2, variants=variants)
        finding = find(tell(publish(FOO_2, yanked="no\n`good`"), old=old, new=new), "yanked")
        assert [place.variant for place in finding.places] == ["cpu", "cu124"]
        assert finding.message == "`2.0`: `no\\n'good'`"

    def test_a_quarantined_project_has_lost_no_files(self) -> None:
        diff = tell({release_of(FOO_2): Published(status="quarantined")})
        assert [finding.code for finding in diff.findings] == ["quarantined", "version-raised"]

    def test_an_index_that_is_silent_is_named_once(self) -> None:
        facts = {release_of(package): Published(unknown="`x` is down") for package in (FOO, FOO_2)}
        assert tell(facts).unknown == ("what `https://index.example/simple` says of `foo`: `'x' is down`",)
