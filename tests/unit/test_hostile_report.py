"""The figures of docs/hostility.md are those of what was tried, and each part is written for itself."""

from pathlib import Path

import pytest

from index.archives import make_sdist, make_wheel
from support import hostile_report, malformed_wheels
from support.leaks import has_secret, read_deep
from support.other_installers import install


def test_a_part_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    marks = ["<!-- figures: nox -s report -- real -->\n", "<!-- end of real -->\n"]
    document.write_text(f"before\n{marks[0]}old\n{marks[1]}after\n", encoding="utf-8")
    hostile_report.write(document, "real", ["new", "lines"])
    assert document.read_text(encoding="utf-8") == f"before\n{marks[0]}\nnew\nlines\n\n{marks[1]}after\n"


@pytest.mark.parametrize("part", hostile_report.PARTS)
def test_the_document_has_a_place_for_each_part(part: str) -> None:
    text = hostile_report.DOCUMENT.read_text(encoding="utf-8")
    assert text.count(f"<!-- figures: nox -s report -- {part} -->\n") == 1
    assert text.count(f"<!-- end of {part} -->\n") == 1


def test_mutations_are_counted_alike_each_time() -> None:
    first, second = (hostile_report.count_mutations("metadata", 200) for _ in range(2))
    assert first == second
    assert sum(first) == 200


def test_what_others_do_with_a_wheel() -> None:
    assert install("uv", malformed_wheels.SOUND["plain"]()) == "accepted"
    assert install("uv", b"no wheel") == "refused"


@pytest.mark.parametrize(
    "text",
    ["password hunter2/+s3cret", "http://ada:hunter2%2F%2Bs3cret@a.example", "Basic YWRhOmh1bnRlcjIvK3MzY3JldA=="],
)
def test_a_password_is_found_in_whatever_holds_it(text: str) -> None:
    sdist = make_sdist(files={"a/b.txt": text})
    wheel = make_wheel(files={"c.tar.gz": sdist})
    assert [name for name, content in read_deep("wheel", wheel) if has_secret(content) and name.endswith("b.txt")]
    assert not [name for name, content in read_deep("wheel", make_wheel(files={"c": "s3cret"})) if has_secret(content)]
