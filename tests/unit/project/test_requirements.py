"""Files of constraints in pip's format."""

from pathlib import Path

import pytest

from buildlock.errors import InvalidProjectError
from buildlock.project.faults import Faults
from buildlock.project.requirements import read_requirements_file


def test_a_file_is_read_with_the_files_it_includes(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "main.txt").write_text(
        "# a comment\n\ntorch==2.4 # why\nnumpy \\\n  <2\n-c more/other.txt\n--constraint=more/../main.txt\n"
    )
    (tmp_path / "more/other.txt").write_text(
        "wheel; python_version < '3.12'\r\n-r ../main.txt\r\n-r ../more/../main.txt"
    )
    faults = Faults()
    requirements, unsupported = read_requirements_file(tmp_path / "main.txt", faults=faults)
    faults.raise_collected()
    assert [(str(each.requirement), each.line) for each in requirements] == [
        ("torch==2.4", 3),
        ("numpy<2", 4),
        ('wheel; python_version < "3.12"', 1),
    ]
    assert requirements[0].origin == f"{tmp_path / 'main.txt'}: line 3"
    assert unsupported == ()


def test_options_are_told_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("--index-url https://a.example\ntorch==2.4 --hash=sha256:00 \\\n --hash=sha256:11\n-e .\n")
    requirements, unsupported = read_requirements_file(path, faults=Faults())
    assert [str(each.requirement) for each in requirements] == ["torch==2.4"]
    assert unsupported == (f"--index-url in {path}", f"--hash in {path}", f"-e in {path}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"torch=2", "line 1` has `torch=2`, which is not a requirement"),
        (b"\xff", "is not UTF-8"),
        (b"-c https://a.example/c.txt", "URLs are not supported yet"),
        (b"-c none.txt", "none.txt` cannot be read"),
        (b"-c a\0b", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_fault(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "constraints.txt").write_bytes(content)
    faults = Faults()
    read_requirements_file(tmp_path / "constraints.txt", faults=faults)
    with pytest.raises(InvalidProjectError) as caught:
        faults.raise_collected()
    assert message in caught.value.message
