"""What an environment that is installed already holds."""

from pathlib import Path

import pytest
from packaging.markers import Environment
from packaging.utils import NormalizedName

from buildlock.errors import RuntimeLockError
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.variants import Variant

TORCH = NormalizedName("torch")
ANY = Variant(name="any")


def install(folder: Path, *names: str, site: str = "lib/python3.11/site-packages") -> InstalledEnvironment:
    for name in names:
        (folder / site / f"{name}.dist-info").mkdir(parents=True)
    return InstalledEnvironment(folder)


@pytest.mark.parametrize("site", ["lib/python3.11/site-packages", "Lib/site-packages"])
def test_finds_a_version_by_its_name(tmp_path: Path, linux: Environment, site: str) -> None:
    environment = install(tmp_path, "torch-2.4.0+cu124", "Typing_Extensions-4.12.2", "torchaudio-1", site=site)
    found = environment.find(TORCH, ANY, linux)
    assert found is not None
    assert (str(found.version), found.files) == ("2.4.0+cu124", ())
    assert environment.find(NormalizedName("typing-extensions"), ANY, linux) is not None
    assert environment.find(NormalizedName("numpy"), ANY, linux) is None


def test_lib64_is_the_same_folder(tmp_path: Path, linux: Environment) -> None:
    (tmp_path / "lib64").symlink_to("lib")
    assert install(tmp_path, "torch-2.4.0").find(TORCH, ANY, linux) is not None


def test_what_is_refused(tmp_path: Path, linux: Environment) -> None:
    with pytest.raises(RuntimeLockError, match="has no `site-packages`"):
        InstalledEnvironment(tmp_path)
    with pytest.raises(RuntimeLockError, match=r"cannot be read|has no `site-packages`"):
        InstalledEnvironment(tmp_path / ("x" * 5000))
    environment = install(tmp_path, "torch-2.4.0", "Torch-2.5.1", "numpy-new")
    with pytest.raises(RuntimeLockError, match=r"installs 2 versions of `torch`: 2\.5\.1, 2\.4\.0"):
        environment.find(TORCH, ANY, linux)
    with pytest.raises(RuntimeLockError, match="does not name a version"):
        environment.find(NormalizedName("numpy"), ANY, linux)
