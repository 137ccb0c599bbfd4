"""`[tool.buildlock.policy]`."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from buildlock.errors import InvalidProjectError
from buildlock.project.model import DEFAULT_DENIED, Allowance, Policy
from buildlock.project.policy import read_policy
from buildlock.risks import KINDS


def read(folder: Path, text: str) -> Policy:
    (folder / "pyproject.toml").write_text(f"[tool.buildlock.policy]\n{text}", encoding="utf-8")
    return read_policy(folder)


def test_the_default_is_of_codes_there_are() -> None:
    assert KINDS.keys() >= DEFAULT_DENIED


def test_no_file_and_no_table(tmp_path: Path) -> None:
    assert read_policy(tmp_path) == Policy()
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    assert read_policy(tmp_path) == Policy()


def test_everything_it_knows(tmp_path: Path) -> None:
    text = """
deny = ["pin-lowered"]
allow = [
  { code = "pin-lowered", package = "Foo_Bar", reason = "broken", expires = 2026-12-31 },
  { code = "variant-dropped", reason = "gone", expires = "2026-01-01" },
  { code = "vulnerable", package = "foo", id = "EXAMPLE-1", reason = "not reached", expires = 2026-12-31 },
]
indexes = ["https://pkgs.example/simple"]
hosts = ["Files.example", "[::1]:8080"]
sdists = ["Flash_Attn"]
minimum-age = "1 week 1 hour"
"""
    assert read(tmp_path, text) == Policy(
        deny=frozenset({"pin-lowered"}),
        allow=(
            Allowance(code="pin-lowered", package="foo-bar", reason="broken", expires=date(2026, 12, 31)),  # type: ignore[arg-type]
            Allowance(code="variant-dropped", package=None, reason="gone", expires=date(2026, 1, 1)),
            Allowance(
                code="vulnerable",
                package=canonicalize_name("foo"),
                id="EXAMPLE-1",
                reason="not reached",
                expires=date(2026, 12, 31),
            ),
        ),
        indexes=("https://pkgs.example/simple",),
        hosts=("files.example", "[::1]:8080"),
        sdists=frozenset({"flash-attn"}),  # type: ignore[arg-type]
        minimum_age=timedelta(days=7, hours=1),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('deny = ["hash-chnaged"]', "`hash-chnaged`, which is not a code; did you mean `hash-changed`?"),
        ('deny = "hash-changed"', ".deny` must be a list of strings"),
        ('denied = ["hash-changed"]', ".denied` is not a known key"),
        ("minimum-age = '2026-01-31'", ".minimum-age` is `2026-01-31`, which is no duration such as `7 days`"),
        ("minimum-age = 7", ".minimum-age` must be a string"),
        ("min-age = '7 days'", ".min-age` is not a known key; did you mean `minimum-age`?"),
        ("hosts = ['https://pkgs.example']", "`https://pkgs.example`, which is not the name of a host"),
        ("hosts = ['me:secret@pkgs.example']", "which is not the name of a host"),
        ("indexes = ['pkgs.example']", "`pkgs.example`, which is not the URL"),
        ("indexes = ['https://me:secret@pkgs.example']", "which carries credentials"),
        ("sdists = ['-']", "which is not the name of a package"),
        ("allow = [{ code = 'hash-changed', id = 'X-1' }]", ".id` does not go with `hash-changed`, which no advisory"),
        ("allow = [{ code = 'vulnerable', id = 1 }]", ".id` must be a string"),
        ("allow = [{ code = 'nothing' }]", ".code` is `nothing`, which is not a code"),
        ("allow = [{ code = 'hash-changed', reason = 'x', expires = 2026-01-01 }]", ".package` is missing"),
        ("allow = [{ code = 'hash-changed', package = 'foo', expires = 2026-01-01 }]", ".reason` is missing"),
        ("allow = [{ code = 'hash-changed', package = 'foo', reason = 'x' }]", ".expires` is missing"),
        ("allow = [{ code = 'hash-changed', package = 'foo', reason = ' ', expires = 2026-01-01 }]", "say why"),
        ("allow = [{ code = 'hash-changed', package = '-', reason = 'x', expires = 2026-01-01 }]", "is `-`, which"),
        ("allow = [{ code = 'hash-changed', package = 'a', reason = 'x', expires = '2026-13-01' }]", "must be a day"),
        ("allow = [{ code = 'hash-changed', package = 'a', reason = 'x', expires = 2026-01-01T00:00:00 }]", "a day"),
        (
            "allow = [{ code = 'target-dropped', package = 'a', reason = 'x', expires = 2026-01-01 }]",
            "about no package",
        ),
        ("allow = [{ code = 'hash-changed', until = 1 }]", ".until` is not a known key"),
        ("allow = ['hash-changed']", "must be a table"),
    ],
)
def test_what_it_does_not_know_is_a_fault(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InvalidProjectError) as raised:
        read(tmp_path, text)
    assert fault in raised.value.message
    assert "secret" not in raised.value.message
