"""What advisories say of a lock: where it holds, once for each vulnerability."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from packaging.utils import canonicalize_name

from buildlock.audit.advisory import Advisory, parse_advisory
from buildlock.audit.findings import find_vulnerable, list_undecided
from buildlock.diff.compute import join_findings, list_sections
from buildlock.diff.locked import list_locked
from buildlock.diff.model import Finding
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile
from support.advisories import make_advisory, make_affected
from support.locks import make_environment, make_package, make_source

FOO = make_affected("foo", introduced="0", fixed="2.0")


def audit(lock: Lockfile | LockedEnvironment, *advisories: Any) -> list[Finding]:
    lockfile = lock if isinstance(lock, Lockfile) else Lockfile(variants={"cpu": lock})
    locked = list(list_locked(list_sections(lockfile)))
    names = {each.name for each in locked}
    parsed: Sequence[Advisory | None] = [parse_advisory(advisory, names) for advisory in advisories]
    return list(join_findings(find_vulnerable(locked, [advisory for advisory in parsed if advisory is not None])))


def find_ids(*advisories: Any) -> list[tuple[str, ...]]:
    return [
        finding.vulnerability.ids
        for finding in audit(make_environment(make_package("foo")), *advisories)
        if finding.vulnerability is not None
    ]


class TestWhere:
    def test_the_same_in_several_variants_and_builds_is_said_once(self) -> None:
        build = make_environment(make_package("foo"), make_package("setuptools"))
        environment = make_environment(
            make_package("foo"), make_source("bar"), builds={"bar==1.0": build}, inputs=LockedInputs(requires=("foo",))
        )
        lockfile = Lockfile(variants={"cpu": environment, "cu124": environment})
        [finding] = audit(lockfile, make_advisory("A-1", FOO))
        assert (finding.packages, finding.chain) == (("foo",), ("foo",))
        assert list(map(str, finding.places)) == ["cpu", "cpu, build of bar 1.0", "cu124", "cu124, build of bar 1.0"]

    def test_each_version_is_a_finding(self) -> None:
        lockfile = Lockfile(
            variants={name: make_environment(make_package("foo", name[3:])) for name in ("cpu1.0", "gpu1.5", "new2.0")}
        )
        findings = audit(lockfile, make_advisory("A-1", FOO))
        assert [(finding.after, str(*finding.places)) for finding in findings] == [("1.0", "cpu1.0"), ("1.5", "gpu1.5")]

    def test_what_is_built_from_elsewhere(self) -> None:
        environment = make_environment(make_package("setuptools"), source=make_source("foo"))
        lockfile = Lockfile(variants={}, packages={canonicalize_name("foo"): {"cpu": environment}})
        [finding] = audit(lockfile, make_advisory("A-1", FOO))
        assert str(*finding.places) == "foo for cpu"

    def test_a_version_with_a_local_label(self) -> None:
        affected = make_affected("torch", introduced="2.0", last_affected="2.4.0")
        environment = make_environment(make_package("torch", "2.4.0+cu124"))
        assert [finding.after for finding in audit(environment, make_advisory("A-1", affected))] == ["2.4.0+cu124"]


class TestAliases:
    def test_names_of_one_vulnerability_are_joined(self) -> None:
        ids = find_ids(
            make_advisory("PYSEC-2026-1", FOO, aliases=["CVE-2026-1"]),
            make_advisory("X-1", FOO),
            make_advisory("GHSA-1", FOO, aliases=["CVE-2026-1", "PYSEC-2026-1"]),
        )
        assert ids == [("GHSA-1", "PYSEC-2026-1", "CVE-2026-1"), ("X-1",)]

    def test_they_are_transitive(self) -> None:
        ids = find_ids(
            make_advisory("A-1", FOO, aliases=["C-1"]),
            make_advisory("A-2", FOO, aliases=["C-2"]),
            make_advisory("A-3", FOO, aliases=["C-1", "C-2"]),
        )
        assert ids == [("A-1", "A-2", "A-3", "C-1", "C-2")]

    def test_what_is_only_related_is_not_joined(self) -> None:
        assert find_ids(make_advisory("A-1", FOO), make_advisory("A-2", FOO, related=["A-1"], upstream=["A-1"])) == [
            ("A-1",),
            ("A-2",),
        ]

    def test_an_alias_that_does_not_affect_the_version_adds_nothing(self) -> None:
        other = make_affected("foo", introduced="3")
        assert find_ids(make_advisory("A-1", FOO), make_advisory("A-2", other, aliases=["A-1", "CVE-1"])) == [("A-1",)]


class TestWhichHold:
    def test_withdrawn_ones_do_not(self) -> None:
        assert find_ids(make_advisory("A-1", FOO, withdrawn="2026-01-01T00:00:00Z")) == []

    def test_of_one_identifier_the_last_modified_does(self) -> None:
        later = {"modified": "2026-02-01T00:00:00Z"}
        fixed = make_affected("foo", introduced="0", fixed="0.5")
        assert find_ids(make_advisory("A-1", FOO), make_advisory("A-1", fixed, **later)) == []
        withdrawn = make_advisory("A-1", FOO, withdrawn="2026-02-01T00:00:00Z", **later)
        assert find_ids(withdrawn, make_advisory("A-1", FOO)) == []

    def test_of_the_same_twice_one_does(self) -> None:
        assert find_ids(make_advisory("A-1", FOO), make_advisory("A-1", FOO)) == [("A-1",)]


class TestWords:
    def test_what_is_known(self) -> None:
        advisory = make_advisory(
            "GHSA-1", FOO, aliases=["CVE-1"], database_specific={"severity": "HIGH"}, summary="Runs `anything`"
        )
        other = make_advisory(
            "PYSEC-1", make_affected("foo", introduced="0", fixed="1.5"), aliases=["CVE-1"], summary=""
        )
        [finding] = audit(make_environment(make_package("foo")), advisory, other)
        assert finding.message == "`1.0`: `GHSA-1` (`PYSEC-1`, `CVE-1`)"
        assert finding.details == ("`Runs 'anything'`", "severity `high`; fixed in `1.5`, `2.0`")

    def test_many_names(self) -> None:
        [finding] = audit(
            make_environment(make_package("foo")),
            make_advisory("A-1", FOO, aliases=[f"B-{number}" for number in range(9)], summary=""),
        )
        assert finding.message.endswith("`B-4`, `B-5` and 3 more)")

    def test_no_fix(self) -> None:
        affected = make_affected("foo", introduced="0", last_affected="1.0")
        affected["severity"] = [{"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}]
        [finding] = audit(make_environment(make_package("foo")), make_advisory("A-1", affected, summary=""))
        assert finding.details == ("severity `CVSS:4.0/AV:N`; no newer version is said to be fixed",)

    def test_a_bound_that_is_no_version(self) -> None:
        unsure = make_advisory("A-1", make_affected("foo", introduced="0", fixed="2019-09-12"), summary="")
        [finding] = audit(make_environment(make_package("foo")), unsure)
        assert finding.details[-1] == "`2019-09-12` is no version, so that this one counts as affected"
        sure = make_advisory("A-2", FOO, aliases=["A-1"], summary="")
        [finding] = audit(make_environment(make_package("foo")), unsure, sure)
        assert finding.details == ("fixed in `2.0`",)


def test_packages_that_nothing_is_known_of() -> None:
    environment = make_environment(make_package("foo", "2.0"), make_package("bar"))
    assert audit(environment, make_advisory("A-1", FOO)) == []
    assert audit(replace(environment, packages=()), make_advisory("A-1", FOO)) == []


def test_an_advisory_without_versions_is_told_of() -> None:
    commits = make_affected("foo", kind="GIT", introduced="0")
    advisories = [
        parse_advisory(make_advisory(identifier, *affected, **more), {"foo"})
        for identifier, affected, more in (
            ("A-1", (commits,), {}),
            ("A-2", (commits, FOO), {}),
            ("A-3", (commits,), {"withdrawn": "2026-01-01T00:00:00Z"}),
        )
    ]
    known = [advisory for advisory in advisories if advisory is not None]
    assert list(list_undecided(known)) == ["the advisory `A-1` names no versions of `foo`: nothing is found by it"]
