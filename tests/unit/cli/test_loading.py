"""What is told where buildlock itself cannot be loaded."""

import errno
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from buildlock.cli import explain_loading


def test_a_file_of_it_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "part.py"
    with pytest.raises(FileNotFoundError) as caught:
        SourceFileLoader("part", str(path)).get_code("part")
    assert explain_loading(caught.value) == (
        f"error: buildlock cannot go on: No such file or directory: `{path}`\n\n"
        "hint: install buildlock again, where all of it can be read\n"
    )


def test_a_library_that_is_missing_or_too_old() -> None:
    with pytest.raises(ImportError) as caught:
        from buildlock.cli import nothing  # type: ignore[attr-defined]  # noqa: F401, PLC0415
    told = explain_loading(caught.value)
    assert told is not None
    assert told.startswith("error: buildlock cannot go on: cannot import name 'nothing' from 'buildlock.cli'")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files", "a.py"),
        OSError(errno.ENFILE, "Too many open files in system"),
        ImportError("a.so: cannot open shared object file: Too many open files"),
    ],
)
def test_no_further_file_that_may_be_open(error: OSError | ImportError) -> None:
    told = explain_loading(error)
    assert told is not None
    assert "Too many open files" in told
    assert told.endswith("\n\nhint: raise `ulimit -n`\n")


def test_other_errors_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reads_a_file.py").write_text("open('not there')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        import reads_a_file  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    assert explain_loading(caught.value) is None
