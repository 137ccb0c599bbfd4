"""An environment that is installed already: which versions it holds, by the names of their dist-info folders."""

from pathlib import Path

from packaging.markers import Environment
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from buildlock.answers.looking import glob, is_dir, resolve
from buildlock.errors import RuntimeLockError
from buildlock.runtime.model import RuntimePackage, refuse_two
from buildlock.text import excerpt
from buildlock.variants import Variant

_SITE_PACKAGES = ("lib/python*/site-packages", "lib64/python*/site-packages", "lib/pypy*/site-packages")
_ON_WINDOWS = "Lib/site-packages"
_SUFFIX = ".dist-info"


class InstalledEnvironment:
    """A virtual environment, or any other prefix of an interpreter. Nothing in it is run or imported."""

    label = "--runtime-environment"

    def __init__(self, folder: Path) -> None:
        """Look for what is installed.

        Raises:
            RuntimeLockError: The folder is no environment, or cannot be read.
        """
        self.place = f"--runtime-environment {folder}"
        try:
            # `lib64` is a link to `lib`; on Windows there is one folder for all.
            candidates = [*(each for pattern in _SITE_PACKAGES for each in glob(folder, pattern)), folder / _ON_WINDOWS]
            folders = sorted({resolve(each) for each in candidates if is_dir(each)})
            names = {path.name for each in folders for path in each.iterdir() if path.name.endswith(_SUFFIX)}
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
            reason = getattr(error, "strerror", None) or error
            raise RuntimeLockError(f"`{excerpt(self.place)}` cannot be read: {reason}") from error
        if not folders:
            raise RuntimeLockError(
                f"`{excerpt(self.place)}` is not an environment: it has no `site-packages`",
                hint="name the folder of a virtual environment, such as `.venv`",
            )
        self._names = sorted(names)

    def find(self, name: NormalizedName, variant: Variant, environment: Environment) -> RuntimePackage | None:  # noqa: ARG002 - it is what it is, whatever the marker values
        """See `RuntimeLock`."""
        found = []
        for folder in self._names:
            # Recording installed projects: the folder is `{name}-{version}.dist-info`, the name without a hyphen.
            project, _, text = folder.removesuffix(_SUFFIX).partition("-")
            if canonicalize_name(project) != name:
                continue
            try:
                found.append(Version(text))
            except InvalidVersion:
                raise RuntimeLockError(
                    f"`{self.place}` holds `{excerpt(folder)}`, which does not name a version"
                ) from None
        refuse_two([str(version) for version in found], name, self.place, variant)
        return RuntimePackage(name=name, version=found[0]) if found else None
