"""What a change of the policy lets through, and what it stops."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from buildlock.diff.model import Place
from buildlock.diff.policy_changes import compare_policies
from buildlock.project.model import DEFAULT_DENIED, Allowance, Policy

PLACES = (Place(variant="cpu"), Place(variant="cu124"))
ALLOWANCE = Allowance(code="hash-changed", package="foo", reason="`trust` me", expires=date(2026, 12, 31))  # type: ignore[arg-type]
PLAIN = Policy()
DROPPED = replace(PLAIN, deny=DEFAULT_DENIED - {"hash-changed"})
ALLOWED = replace(PLAIN, allow=(ALLOWANCE,))
INDEXED = replace(PLAIN, indexes=("https://pkgs.example/simple",))
MIRRORED = replace(PLAIN, indexes=("https://mirror.example", "https://pkgs.example/simple"))
NOWHERE = replace(PLAIN, indexes=())
HOSTED = replace(PLAIN, hosts=("a.example",))
AT_HOME = replace(PLAIN, hosts=())
BUILT = replace(PLAIN, sdists=frozenset({"flash-attn", "foo"}))  # type: ignore[arg-type]
AGED = replace(PLAIN, minimum_age=timedelta(days=7))
EXCUSED = replace(PLAIN, allow=(replace(ALLOWANCE, code="vulnerable", id="CVE-2026-1"),))
UNBUILT = replace(PLAIN, sdists=frozenset())


@pytest.mark.parametrize(
    ("strict", "loose", "loosened", "tightened"),
    [
        (PLAIN, DROPPED, "no longer denied: `hash-changed`", "denied: `hash-changed`"),
        (
            PLAIN,
            ALLOWED,
            "`hash-changed` of `foo` is allowed until `2026-12-31`: `'trust' me`",
            "`hash-changed` of `foo` is no longer allowed until `2026-12-31`",
        ),
        (
            INDEXED,
            PLAIN,
            "packages may come from anywhere",
            "packages may come from `https://pkgs.example/simple` alone",
        ),
        (NOWHERE, PLAIN, "packages may come from anywhere", "packages may come from nowhere"),
        (
            INDEXED,
            MIRRORED,
            "packages may come from `https://mirror.example`",
            "packages may no longer come from `https://mirror.example`",
        ),
        (
            HOSTED,
            PLAIN,
            "files may be on any host",
            "files may be on `a.example` alone, beside the host of their index",
        ),
        (AT_HOME, PLAIN, "files may be on any host", "files may be on the host of their index alone"),
        (AT_HOME, HOSTED, "files may be on `a.example`", "files may no longer be on `a.example`"),
        (BUILT, PLAIN, "any package may be built from source", "only `flash-attn`, `foo` may be built from source"),
        (UNBUILT, PLAIN, "any package may be built from source", "nothing may be built from source"),
        (
            UNBUILT,
            BUILT,
            "`flash-attn`, `foo` may be built from source",
            "`flash-attn`, `foo` may no longer be built from source",
        ),
        (
            AGED,
            PLAIN,
            "files need to be no time old: it was 7 days",
            "files need to be 7 days old: it was no time",
        ),
        (
            PLAIN,
            EXCUSED,
            "`vulnerable` of `foo` for `CVE-2026-1` is allowed until `2026-12-31`: `'trust' me`",
            "`vulnerable` of `foo` for `CVE-2026-1` is no longer allowed until `2026-12-31`",
        ),
        (
            PLAIN,
            None,
            "`[tool.buildlock.policy]` cannot be read",
            "`[tool.buildlock.policy]` can be read: it could not",
        ),
    ],
)
def test_both_ways(strict: Policy, loose: Policy | None, loosened: str, tightened: str) -> None:
    (there,) = compare_policies(strict, loose, PLACES)
    assert (there.code, there.message, there.places) == ("policy-loosened", loosened, PLACES)
    (back,) = compare_policies(loose, strict, PLACES)
    assert (back.code, back.message) == ("policy-tightened", tightened)


@pytest.mark.parametrize("policy", [PLAIN, ALLOWED, MIRRORED, BUILT, None])
def test_the_same_is_no_change(policy: Policy | None) -> None:
    assert not list(compare_policies(policy, policy, PLACES))


def test_an_allowance_that_is_prolonged_is_told_both_ways() -> None:
    longer = replace(PLAIN, allow=(replace(ALLOWANCE, expires=date(2027, 1, 1)),))
    assert [finding.code for finding in compare_policies(ALLOWED, longer, PLACES)] == [
        "policy-loosened",
        "policy-tightened",
    ]
