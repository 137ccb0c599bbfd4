"""What a policy says of a change, and of a lock as it is."""

from dataclasses import replace
from datetime import date

import pytest
from packaging.pylock import PackageVcs
from packaging.utils import NormalizedName

from buildlock.diff.compute import compare_locks
from buildlock.diff.model import Diff
from buildlock.diff.policy import inspect_lock, judge
from buildlock.diff.wording import summarize
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Lockfile
from buildlock.project.model import Allowance, Policy
from support.locks import make_direct, make_environment, make_package, make_sdist, make_source, make_wheel

TODAY = date(2026, 1, 31)
OLD = make_environment(make_package("foo", index="https://a.example"), make_package("bar", index="https://a.example"))
MOVED = make_environment(make_package("foo", index="https://b.example"), make_package("bar", index="https://b.example"))


def judge_change(policy: Policy, old: LockedEnvironment = OLD, new: LockedEnvironment = MOVED) -> Diff:
    before, after = Lockfile(variants={"cpu": old}), Lockfile(variants={"cpu": new})
    return judge(compare_locks(before, after, old_label="old", new_label="new"), before, after, policy, TODAY)


def allow(package: str, *, code: str = "index-moved", expires: date = TODAY) -> Allowance:
    return Allowance(code=code, package=NormalizedName(package), reason="agreed", expires=expires)


class TestJudge:
    def test_by_default_what_no_update_does_is_denied(self) -> None:
        diff = judge_change(Policy())
        assert diff.refused
        assert [finding.code for finding in diff.findings if finding.refused] == ["index-moved"]

    def test_an_update_is_not(self) -> None:
        assert not judge_change(
            Policy(), OLD, replace(OLD, packages=(make_package("foo", "2.0", index="https://a.example"),))
        ).refused

    def test_deny_replaces_the_default(self) -> None:
        assert not judge_change(Policy(deny=frozenset())).refused

    def test_all_packages_have_to_be_allowed(self) -> None:
        assert judge_change(Policy(allow=(allow("foo"),))).refused
        [finding] = judge_change(Policy(allow=(allow("foo"), allow("bar")))).findings
        assert finding.verdict is not None
        assert (finding.verdict.state, finding.verdict.reason) == ("allowed", "agreed (until 2026-01-31)")

    def test_an_allowance_ends_after_its_last_day(self) -> None:
        over = date(2026, 1, 30)
        diff = judge_change(Policy(allow=(allow("foo", expires=over), allow("bar", expires=over))))
        assert [finding.verdict and finding.verdict.state for finding in diff.findings] == ["expired"]
        assert diff.refused

    def test_what_the_project_may_ask_is_allowed_without_a_package(self) -> None:
        old, new = (
            make_environment(inputs=LockedInputs(settings={"allow-insecure-host": hosts} if hosts else {}))
            for hosts in ((), ("a.example", "127.0.0.1"))
        )
        diff = judge_change(Policy(), old, new)
        assert [(each.code, each.after) for each in diff.findings if each.refused] == [("insecure-index", "a.example")]
        assert not judge_change(Policy(), new, new).refused
        allowed = Allowance(code="insecure-index", package=None, reason="the lab", expires=TODAY)
        assert not judge_change(Policy(allow=(allowed,)), old, new).refused

    def test_of_two_allowances_the_longer_one_holds(self) -> None:
        over = date(2026, 1, 30)
        policy = Policy(allow=(allow("foo", expires=over), allow("foo"), allow("bar")))
        assert not judge_change(policy).refused

    def test_what_is_not_shown_is_counted(self) -> None:
        diff = judge_change(Policy())
        assert summarize(diff.only_risk("high")) == "1 high risk; the policy denies 1"
        assert (
            summarize(diff.only_risk("low"))
            == "nothing of this risk; 1 of others not shown, of which the policy denies 1"
        )

    def test_a_code_of_no_package(self) -> None:
        new = make_environment()
        policy = Policy(deny=frozenset({"variant-dropped"}))
        before, after = Lockfile(variants={"cpu": new, "gpu": new}), Lockfile(variants={"cpu": new})
        diff = compare_locks(before, after, old_label="old", new_label="new")
        assert judge(diff, before, after, policy, TODAY).refused
        allowance = Allowance(code="variant-dropped", package=None, reason="gone", expires=TODAY)
        assert not judge(diff, before, after, replace(policy, allow=(allowance,)), TODAY).refused

    def test_what_is_denied_does_not_hide_behind_what_explains_it(self) -> None:
        old, new = (
            make_environment(
                make_package("torch", version, requires=["nvidia-nccl-cu12"]), make_package("nvidia-nccl-cu12", version)
            )
            for version in ("2.0", "1.0")
        )
        assert judge_change(Policy(deny=frozenset({"pin-lowered"})), old, new).refused

    def test_a_diff_tells_only_the_places_that_are_new(self) -> None:
        policy = Policy(deny=frozenset(), indexes=("https://a.example",))
        diff = judge_change(policy)
        assert [(finding.code, finding.packages) for finding in diff.findings if finding.refused] == [
            ("index-not-allowed", ("bar", "foo"))
        ]
        assert not judge_change(policy, MOVED, MOVED).findings


class TestInspect:
    def codes(self, policy: Policy, environment: LockedEnvironment) -> dict[str, tuple[str, ...]]:
        found = inspect_lock(Lockfile(variants={"cpu": environment}), policy, TODAY)
        return {finding.code: finding.packages for finding in found if finding.refused}

    def test_nothing_is_wrong_by_default(self) -> None:
        assert self.codes(Policy(), OLD) == {}

    def test_an_index_and_what_is_below_it(self) -> None:
        for place in ("https://a.example", "https://a.example/"):
            assert self.codes(Policy(indexes=(place,)), OLD) == {}
        assert self.codes(Policy(indexes=("https://a.exam",)), OLD) == {"index-not-allowed": ("bar", "foo")}
        assert self.codes(Policy(indexes=()), OLD) == {"index-not-allowed": ("bar", "foo")}

    @pytest.mark.parametrize("up", ["..", "%2e%2E", ".%2e", "x%2f..%2f..", "x%5C..%5c.."])
    def test_a_way_up_does_not_lead_below_it(self, up: str) -> None:
        environment = make_environment(make_package("foo", index=f"https://a.example/ours/{up}/theirs"))
        assert self.codes(Policy(indexes=("https://a.example/ours",)), environment) == {"index-not-allowed": ("foo",)}

    def test_each_file_of_no_index_is_somewhere(self) -> None:
        mixed = replace(
            make_package("foo", base="https://a.example", index=None),
            sdist=make_sdist("foo-1.0.tar.gz", base="https://a.example"),
            wheels=[
                make_wheel("foo-1.0-py3-none-any.whl", base="https://a.example"),
                make_wheel("foo-1.0-cp311-cp311-linux_x86_64.whl", base="https://b.example"),
            ],
        )
        policy = Policy(indexes=("https://a.example",))
        assert self.codes(policy, make_environment(mixed)) == {"index-not-allowed": ("foo",)}
        assert (
            self.codes(replace(policy, indexes=("https://a.example", "https://b.example")), make_environment(mixed))
            == {}
        )

    def test_the_hosts_of_files(self) -> None:
        assert self.codes(Policy(hosts=("index.example",)), OLD) == {}
        assert self.codes(Policy(hosts=()), OLD) == {"host-not-allowed": ("bar", "foo")}
        at_home = make_environment(make_package("foo", index="https://index.example/simple"))
        assert self.codes(Policy(hosts=()), at_home) == {}

    def test_repositories_are_places_too_and_local_files_are_not(self) -> None:
        vcs = PackageVcs(
            type="git",
            url="https://git.example/foo",
            path=None,
            requested_revision=None,
            commit_id="a" * 40,
            subdirectory=None,
        )
        environment = make_environment(
            make_direct("foo", vcs=vcs), make_package("bar", base="wheels"), builds={"foo==1.0": make_environment()}
        )
        assert self.codes(Policy(indexes=("https://a.example",)), environment) == {"index-not-allowed": ("foo",)}
        assert self.codes(Policy(indexes=("https://git.example",)), environment) == {}

    def test_sdists(self) -> None:
        environment = make_environment(make_source("foo"), builds={"foo==1.0": make_environment(make_package("bar"))})
        assert self.codes(Policy(sdists=frozenset()), environment) == {"sdist-not-allowed": ("foo",)}
        assert self.codes(Policy(sdists=frozenset({NormalizedName("foo")})), environment) == {}
        permitted = Policy(sdists=frozenset(), allow=(allow("foo", code="sdist-not-allowed"),))
        assert self.codes(permitted, environment) == {}

    def test_what_is_not_encrypted(self) -> None:
        environment = make_environment(make_package("foo", index="http://a.example/simple"))
        assert self.codes(Policy(), environment) == {"insecure-index": ("foo",)}
        assert self.codes(Policy(deny=frozenset()), environment) == {}
        assert self.codes(Policy(), make_environment(make_package("foo", index="http://127.0.0.1:8000/simple"))) == {}

    def test_what_is_asked_whatever_certificate_it_shows(self) -> None:
        packages = make_package("foo", index="https://a.example/simple"), make_package("bar", index="https://b.example")
        inputs = LockedInputs(settings={"allow-insecure-host": ("a.example:443",)})
        environment = make_environment(*packages, inputs=inputs)
        assert self.codes(Policy(), environment) == {"insecure-index": ("foo",)}
        assert self.codes(Policy(allow=(allow("foo", code="insecure-index"),)), environment) == {}
        elsewhere = replace(inputs, settings={"allow-insecure-host": ("a.example:8443", "localhost")})
        assert self.codes(Policy(), make_environment(*packages, inputs=elsewhere)) == {}
