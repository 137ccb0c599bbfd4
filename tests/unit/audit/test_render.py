"""An audit in three formats."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from packaging.utils import NormalizedName
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from buildlock.audit.model import Audit, Source
from buildlock.audit.render_json import render_json
from buildlock.audit.render_markdown import render_markdown
from buildlock.audit.render_text import render_text
from buildlock.audit.wording import describe_scope
from buildlock.diff.model import Finding, Place, Verdict, Vulnerability
from buildlock.diff.render_markdown import MAX_LENGTH

SCHEMA: Any = json.loads(files("buildlock.audit").joinpath("audit.schema.json").read_text(encoding="utf-8"))
DIFF: Any = json.loads(files("buildlock.diff").joinpath("diff.schema.json").read_text(encoding="utf-8"))
REGISTRY: Any = Registry().with_resource("../diff/diff.schema.json", DRAFT202012.create_resource(DIFF))
DENIED = Verdict(state="denied")
HOSTILE = "<script>@octocat](https://evil.example)\x1b[2J`x`\n# y"


def make_finding(
    name: str,
    *places: Place,
    code: str = "vulnerable",
    fixed: tuple[str, ...] = ("2.0",),
    verdict: Verdict | None = DENIED,
) -> Finding:
    return Finding(
        code=code,
        packages=(NormalizedName(name),),
        message="`1.0`: `A-1`",
        after="1.0",
        places=places or (Place(variant="cpu"),),
        vulnerability=Vulnerability(ids=("A-1",), fixed=fixed) if code == "vulnerable" else None,
        verdict=verdict,
    )


def make_audit(*findings: Finding, **more: Any) -> Audit:
    source = Source(name="db", advisories=12_345, newest="2026-02-14")
    audit = Audit(sections=("cpu", "cu124"), packages=34, sources=(source,), findings=findings)
    return replace(audit, **more)


class TestHeading:
    def test_what_was_checked_against_what(self) -> None:
        newest = "12,345 advisories of `db`, the newest of 2026-02-14"
        assert describe_scope(make_audit()) == f"34 packages checked against {newest}"
        assert describe_scope(make_audit(packages=1, releases=1)) == (
            f"1 package checked against {newest}; what the indexes say of 1"
        )
        sources = (Source(name="a", advisories=1, newest=None), Source(name="b", advisories=0, newest=None))
        assert describe_scope(make_audit(sources=sources)).endswith("against 1 advisory of `a`; 0 advisories of `b`")

    def test_what_was_found(self) -> None:
        heading = render_text(make_audit(make_finding("foo")), width=999).plain.splitlines()[0]
        assert heading.startswith("1 high risk; the policy denies 1: 34 packages checked against 12,345 advisories of")
        assert render_text(make_audit(), width=999).plain.startswith("nothing is known against this lock: 34 packages")

    def test_what_is_not_known(self) -> None:
        audit = make_audit(unknown=("what `https://index.example` says of `foo`: `nothing`",))
        assert "nothing is known against this lock; incomplete: " in render_text(audit, width=999).plain
        assert "NOT KNOWN\n  what https://index.example says of foo: nothing" in render_text(audit).plain
        assert "**Not known:**\n\n- what `https://index.example` says of `foo`: `nothing`\n" in render_markdown(audit)


class TestUpdates:
    def test_one_command_for_each_section(self) -> None:
        outside = Place(variant="cpu", outside=NormalizedName("flash-attn"))
        audit = make_audit(
            make_finding("foo", Place(variant="cpu"), Place(variant="cu124", build="x==1")),
            make_finding("bar", Place(variant="cpu"), outside),
            make_finding("yanked", code="yanked"),
        )
        names = ("bar", "foo", "yanked")
        assert audit.list_updates() == (
            f"buildlock lock --variant cpu --variant cu124 {' '.join(f'--upgrade-package {each}' for each in names)}",
            "buildlock lock --package flash-attn --variant cpu --upgrade-package bar",
        )

    def test_a_project_without_variants(self) -> None:
        audit = make_audit(make_finding("foo", Place(variant="default")))
        assert audit.list_updates() == ("buildlock lock --upgrade-package foo",)

    @pytest.mark.parametrize(
        "finding",
        [
            make_finding("foo", fixed=()),
            make_finding("foo", verdict=Verdict(state="allowed", reason="agreed")),
            make_finding("foo", code="quarantined"),
        ],
    )
    def test_not_what_no_other_version_mends(self, finding: Finding) -> None:
        assert make_audit(finding).list_updates() == ()

    def test_a_long_command_goes_on_in_the_next_line(self) -> None:
        lines = render_text(make_audit(*(make_finding(f"package-{number}") for number in range(5)))).plain.splitlines()
        command = lines[lines.index("UPDATE") + 1 :]
        assert len(command) > 2
        assert all(len(line) <= 80 for line in command)
        assert all(line.endswith(" \\") for line in command[:-1])
        assert (
            " ".join(" ".join(line.rstrip("\\").split()) for line in command)
            == make_audit(*(make_finding(f"package-{number}") for number in range(5))).list_updates()[0]
        )

    def test_a_comment_has_them_as_they_are(self) -> None:
        audit = make_audit(*(make_finding(f"package-{number}") for number in range(40)))
        assert f"```console\n{audit.list_updates()[0]}\n```\n" in render_markdown(audit)
        many = make_audit(*(make_finding(f"package-{number}") for number in range(400)))
        assert "`buildlock audit` shows the commands." in render_markdown(many)


def test_json_is_of_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA, registry=REGISTRY)
    validator.check_schema(SCHEMA)
    for audit in (make_audit(), make_audit(make_finding("foo"), make_finding("bar", code="yanked"), releases=3)):
        value = json.loads(render_json(audit))
        validator.validate(value)
        assert [error.message for error in validator.iter_errors({**value, "findings": [{}]})] != []


def test_what_is_hostile_is_code() -> None:
    text = render_markdown(make_audit(sources=(Source(name=HOSTILE, advisories=1, newest=None),)))
    assert "`<script>@octocat](https://evil.example)\\x1b[2J'x'\\n# y`" in text
    assert "\x1b" not in render_text(make_audit(sources=(Source(name=HOSTILE, advisories=1, newest=None),))).plain


def test_a_comment_fits() -> None:
    findings = [replace(make_finding(f"package-{number}"), details=("`x`" * 500,)) for number in range(500)]
    text = render_markdown(make_audit(*findings))
    assert len(text.encode()) <= MAX_LENGTH
    assert "more findings do not fit into a comment**: `buildlock audit` shows them all." in text
