"""Which package a pylock.toml installs."""

from pathlib import Path

import pytest
from packaging.markers import Environment
from packaging.utils import NormalizedName

from buildlock.errors import BuildlockError
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.runtime.pylock import StandardLock
from buildlock.variants import Variant
from unit.runtime.conftest import message_of

TORCH = NormalizedName("torch")
SHA256 = "ab" * 32
LOCK = f"""\
lock-version = "1.0"
created-by = "someone"
extras = ["cu124", "cpu"]
dependency-groups = ["bench"]
default-groups = ["bench"]

[[packages]]
name = "torch"
version = "2.4.0+cpu"
marker = "'cpu' in extras"
wheels = [
  {{ url = "https://a.example/torch-2.4.0%2Bcpu-py3-none-any.whl", hashes = {{ sha256 = "{SHA256.upper()}" }} }},
]

[[packages]]
name = "torch"
version = "2.4.0+cu124"
marker = "'cu124' in extras and sys_platform == 'linux'"
wheels = [{{ name = "torch-2.4.0+cu124-py3-none-any.whl", path = "wheels/x.whl", hashes = {{ md5 = "00" }} }}]

[[packages]]
name = "helper"
version = "1.0"
marker = "'bench' in dependency_groups"
sdist = {{ path = "helper-1.0.tar.gz", hashes = {{ sha256 = "{SHA256}" }} }}
"""


def read(folder: Path, text: str) -> StandardLock:
    path = folder / "pylock.toml"
    path.write_text(text, encoding="utf-8")
    return StandardLock(path)


@pytest.mark.parametrize(("extra", "version"), [("cpu", "2.4.0+cpu"), ("cu124", "2.4.0+cu124")])
def test_follows_the_extra(tmp_path: Path, linux: Environment, extra: str, version: str) -> None:
    found = read(tmp_path, LOCK).find(TORCH, Variant(name="x", extra=extra), linux)
    assert found is not None
    (file,) = found.files
    assert (str(found.version), file.filename) == (version, f"torch-{version}-py3-none-any.whl")
    assert file.sha256 == (SHA256 if extra == "cpu" else None)


def test_what_nobody_asks_for_is_not_installed(tmp_path: Path, linux: Environment) -> None:
    lock = read(tmp_path, LOCK)
    assert lock.find(TORCH, Variant(name="x", extra="other"), linux) is None
    assert lock.find(TORCH, Variant(name="x"), linux) is None
    # The default groups are installed where no group is asked for.
    assert lock.find(NormalizedName("helper"), Variant(name="x"), linux) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "not-toml": ("lock-version", "`pylock.toml` is not valid TOML"),
        "version": ('lock-version = "1.0"\ncreated-by = "x"\npackages = 1', "is not a lock as PEP 751 defines it"),
        "types": ('lock-version = "1.0"\ncreated-by = "x"\npackages = [1]', "is not a lock as PEP 751 defines it"),
        "later": ('lock-version = "2.0"\ncreated-by = "x"\npackages = []', "is not a lock as PEP 751 defines it"),
        "marker": (LOCK.replace("'cpu' in extras", "os_name"), "is not a lock as PEP 751 defines it"),
        "marker-deep": (LOCK.replace("'cpu' in extras", "(" * 5000), "is not a lock as PEP 751 defines it"),
        "marker-meaning": (LOCK.replace("'cpu' in extras", "extra == 'a'"), "that has no meaning"),
        "two": (
            LOCK.replace("'cpu' in", "'cu124' in"),
            "installs 2 versions of `torch` for extra cu124: 2.4.0+cpu, 2.4",
        ),
        "url": (LOCK.replace("'cpu' in", "'cu124' in").replace("https://a.example", "http://["), "pylock.toml"),
        "directory": (
            'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "torch"\ndirectory = { path = "torch" }',
            "only what comes from an index can be matched",
        ),
    }.values(),
)
def test_what_cannot_be_used_is_one_error(tmp_path: Path, linux: Environment, text: str, said: str) -> None:
    message = message_of(lambda: read(tmp_path, text).find(TORCH, Variant(name="x", extra="cu124"), linux))
    assert said in message
    assert len(message) < 1000


class TestDiscovery:
    def test_the_order(self, tmp_path: Path) -> None:
        variant = Variant(name="rocm6.1")

        def label() -> str | None:
            lock = RuntimeLocks(tmp_path).find(variant)
            return lock.label if lock else None

        assert label() is None
        (tmp_path / "pylock.other.toml").touch()
        assert label() is None
        for name, text in (("pylock.toml", LOCK), ("pylock.rocm6-1.toml", LOCK), ("uv.lock", "version = 1")):
            (tmp_path / name).write_text(text)
            assert label() == name

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "uv.lock").mkdir()
        with pytest.raises(BuildlockError, match="is not a regular file"):
            RuntimeLocks(tmp_path).find(Variant(name="x"))


def test_lists_all_that_is_installed(tmp_path: Path, linux: Environment) -> None:
    text = (
        LOCK
        + f"""
[[packages]]
name = "demo"
directory = {{ path = ".", editable = true }}

[[packages]]
name = "own"
vcs = {{ type = "git", url = "https://git.example/own", commit-id = "0123" }}

[[packages]]
name = "archived"
version = "1.0"
archive = {{ url = "https://a.example/archived.zip", hashes = {{ sha256 = "{SHA256}" }} }}
"""
    )
    installed = read(tmp_path, text).list_installed(Variant(name="cu124", extra="cu124"), linux)
    torch, helper = installed.packages
    assert (torch.name, torch.sdist) == ("torch", None)
    assert helper.sdist is not None
    assert (helper.sdist.filename, helper.sdist.sha256) == ("helper-1.0.tar.gz", SHA256)
    assert installed.elsewhere == {"own": "vcs", "archived": "archive"}
