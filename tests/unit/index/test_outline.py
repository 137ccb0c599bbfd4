"""What is kept of a page beside it says the same as the page."""

import json
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from buildlock.artifacts import Artifact, LazyArtifacts
from buildlock.errors import InvalidPageError
from buildlock.index.outline import Outline, read_outline, write_outline
from buildlock.index.page import ProjectPage, parse_outlined_page, parse_page
from buildlock.reporting import Event, Noted

URL = "https://pkgs.example/simple/torch/"
NAME = canonicalize_name("torch")
PAGE_SHA = "ab" * 32


def make_file(filename: str, **changes: object) -> dict[str, Any]:
    return {"filename": filename, "url": f"../files/{filename}", "hashes": {"sha256": "0" * 64}, **changes}


FILES = [
    make_file("torch-2.0-py3-none-any.whl", **{"upload-time": "2024-01-01T00:00:00.000000Z", "size": 3}),
    make_file("torch-10.0.0-py3-none-any.whl", **{"core-metadata": {"sha256": "1" * 64}, "yanked": "broken"}),
    make_file("torch-10.0.tar.gz", **{"dist-info-metadata": True, "requires-python": ">=3.8", "yanked": True}),
    make_file("torch-2.0-py2-none-any.whl", provenance="https://pkgs.example/provenance", unknown=[1]),
    make_file("torch-1.0.tar.gz", url="https://files.example/torch-1.0.tar.gz", hashes={"sha256": "no"}),
    make_file("numpy-1.0.tar.gz"),
    make_file("torch.exe"),
]


def read(*files: object, seen: list[Event] | None = None, status: object = None) -> ProjectPage:
    page = {"meta": {"api-version": "1.1"}, "name": "torch", "files": list(files), "project-status": status or {}}
    report = (seen if seen is not None else []).append
    kind = "application/vnd.pypi.simple.v1+json"
    return parse_page(json.dumps(page).encode(), url=URL, content_type=kind, name=NAME, report=report)


def keep(page: ProjectPage) -> bytes:
    assert page.outline is not None
    return write_outline(page.outline, PAGE_SHA)


def reread(content: bytes, seen: list[Event] | None = None) -> ProjectPage:
    outline = read_outline(content, PAGE_SHA)
    assert outline is not None
    return parse_outlined_page(outline, url=URL, name=NAME, report=(seen if seen is not None else []).append)


def describe(page: ProjectPage) -> object:
    versions = [
        (version, list(files), getattr(files, "yanked", None), getattr(files, "requires_python", None))
        for version, files in page.versions
    ]
    return versions, page.status, page.status_reason, page.contradictory


def test_it_says_what_the_page_says() -> None:
    before: list[Event] = []
    after: list[Event] = []
    page = read(*FILES, seen=before, status={"status": "archived", "reason": "old"})
    again = reread(keep(page), after)
    assert describe(again) == describe(page)
    assert [str(version) for version, _ in again.versions] == ["10.0.0", "2.0", "1.0"]
    assert before == after
    assert len([event for event in after if isinstance(event, Noted)]) == 3


def test_it_can_be_kept_again() -> None:
    content = keep(read(*FILES))
    assert keep(reread(content)) == content


def test_files_are_read_when_they_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    content = keep(read(*(make_file(f"torch-{n}.0.tar.gz") for n in range(100))))
    looked_at: list[str] = []
    monkeypatch.setattr(
        "buildlock.index.links.LinkCollector.add", lambda *_, filename, **__: looked_at.append(filename)
    )
    page = reread(content)
    assert len(page.versions) == 100
    assert not looked_at
    assert list(page.versions[0][1]) == []
    assert looked_at == ["torch-99.0.tar.gz"]


def test_of_a_version_only_files_for_a_wanted_platform_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = ("win_amd64", "macosx_11_0_arm64", "linux_x86_64")
    names = [f"torch-1.0-py3-none-{tag}.whl" for tag in tags]
    page = reread(keep(read(*map(make_file, names), make_file("torch-1.0.tar.gz", hashes={"sha256": "no"}))))
    built: list[str] = []

    def build(**fields: Any) -> Artifact:
        built.append(fields["filename"])
        return Artifact(**fields)

    monkeypatch.setattr("buildlock.index.links.Artifact", build)
    ((_, files),) = page.versions
    assert isinstance(files, LazyArtifacts)
    for platforms, chosen in (("linux_x86_64", "any"), names[2:]), (("linux_x86_64",), names[2:]), (("such",), []):
        assert [file.filename for file in files.select(frozenset(platforms))] == chosen
        assert built == names[2:]
    assert [file.filename for file in files] == names
    assert built == [names[2], *names[:2]]


def test_nothing_is_kept_of_a_quarantined_project_but_that() -> None:
    page = reread(keep(read(*FILES, status={"status": "quarantined"})))
    assert page == ProjectPage(status="quarantined")


def test_a_page_with_two_files_of_one_name_has_none() -> None:
    assert read(make_file("torch-1.0.tar.gz"), make_file("torch-1.0.tar.gz")).outline is None


def test_that_of_another_page_does_not_count() -> None:
    assert read_outline(keep(read(*FILES)), "cd" * 32) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 100_000,
        *(
            json.dumps({"sha256": PAGE_SHA, "status": {}, "refused": [], "groups": [], **changes}).encode()
            for changes in (
                {"status": 1},
                {"refused": 1},
                {"groups": 1},
                {"groups": [["1.0", False, None]]},
                {"groups": [["1.0", False, None, "2"]]},
            )
        ),
    ],
)
def test_what_is_none_is_passed_over(content: bytes) -> None:
    assert read_outline(content, PAGE_SHA) is None


@pytest.mark.parametrize("version", ["x", 1.5e300, None])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    groups = [["1.0", False, None, 2], [version, False, None, 2]]
    head = {"sha256": PAGE_SHA, "status": {}, "refused": [], "groups": groups}
    page = reread(json.dumps(head).encode() + b"\n[][]")
    assert str(next(iter(page.versions))[0]) == "1.0"
    with pytest.raises(InvalidPageError, match=r"pkgs\.example/simple/torch/.*damaged"):
        _ = page.artifacts


@pytest.mark.parametrize("files", [b"", b"{}", b"[1]", b"[[1]]", b'[["a"]]', b"[[[]]]", b"[" * 100_000])
def test_files_that_are_none_are_refused(files: bytes) -> None:
    head = {"sha256": PAGE_SHA, "status": {}, "refused": [], "groups": [["1.0", False, None, len(files)]]}
    page = reread(json.dumps(head).encode() + b"\n" + files)
    if files == b"{}":
        assert page.artifacts == ()
        return
    with pytest.raises(InvalidPageError, match=r"pkgs\.example/simple/torch/.*damaged"):
        _ = page.artifacts


def test_of_an_outline_without_versions() -> None:
    assert read_outline(write_outline(Outline(status={}, groups=(), refused=()), PAGE_SHA), PAGE_SHA) is not None
