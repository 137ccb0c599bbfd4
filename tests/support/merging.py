"""A project of two variants whose lock two branches have changed, each locked from the fixture index."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.workflows.lock import lock
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.workspace import Workspace
from index.server import IndexServer

PYPROJECT = """\
[build-system]
requires = ["tinybackend", "filelock", "sympy", "typing-extensions"]
build-backend = "tinybackend"

[tool.buildlock]
default-variant = "cpu"

[tool.buildlock.variants.cpu]

[tool.buildlock.variants.gpu]
requires = ["ninja"]
"""
OLD = 'constraint-dependencies = ["filelock<3.16", "sympy<1.13", "typing-extensions<4.10", "ninja<1.11.1.3"]\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Branches:
    """A folder with a project, and its lock as branches have it: `branches.upgrade("filelock")`."""

    root: Path
    server: IndexServer
    cache: Path
    locks: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        environ = {"PATH": os.environ["PATH"], **self.server.environment}
        return Workspace(root=self.root, cache_dir=self.cache, environ=environ)

    def lock_base(self) -> bytes:
        """The lock that has the older version of everything; locked in the folder where it is not."""
        if () not in self.locks:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
            (self.root / "uv.toml").write_text(OLD, encoding="utf-8")
            self.lock(all_variants=True)
            (self.root / "uv.toml").unlink()
            self.lock(all_variants=True)
            self.locks[()] = self.workspace.lock_path.read_bytes()
        return self.locks[()]

    def upgrade(self, *names: str, variant: str = "cpu") -> bytes:
        """The lock of a branch that has upgraded some packages of a variant since."""
        key = (variant, *names)
        if key not in self.locks:
            self.workspace.lock_path.write_bytes(self.lock_base())
            self.lock(variants=(variant,), upgrade_packages=frozenset(map(NormalizedName, names)))
            self.locks[key] = self.workspace.lock_path.read_bytes()
        return self.locks[key]

    def lock(
        self,
        *,
        variants: tuple[str, ...] = (),
        all_variants: bool = False,
        upgrade_packages: frozenset[NormalizedName] = frozenset(),
    ) -> None:
        lock(
            self.workspace,
            LockOptions(variants=variants, all_variants=all_variants, upgrade_packages=upgrade_packages, dynamic=False),
        )
