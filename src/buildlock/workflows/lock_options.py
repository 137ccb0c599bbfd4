"""What `lock` is asked for."""

from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.project.model import BuildRequirement, Overrides
from buildlock.values import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class LockOptions:
    """What `lock` is asked for."""

    variants: tuple[str, ...] = ()
    """None: the one that `choose_variant` gives."""
    all_variants: bool = False
    pythons: tuple[str, ...] = ()
    """The Pythons to lock for, each a version, a name or a path; those of the project by default, else the one that
    runs buildlock."""
    platforms: tuple[str, ...] = ()
    """The platforms to lock for, by uv's names; those of the project by default, else this one."""
    packages: tuple[BuildRequirement, ...] = ()
    """Packages from elsewhere to lock, in place of the project and of those that it configures."""
    drop_packages: frozenset[NormalizedName] = frozenset()
    """Packages from elsewhere that are to be locked no longer."""
    runtime_lock: Path | None = None
    """Lock what this runtime lock would have to build, in place of the project."""
    upgrade: bool = False
    """Forget every pin of the lock so far."""
    upgrade_packages: frozenset[NormalizedName] = frozenset()
    """Forget the pins of these."""
    dynamic: bool = True
    """Ask the backend what else it requires: it runs the project's code in the environment that was just locked."""
    check: bool = False
    """Write nothing, and fail where something would be written."""
    dry_run: bool = False
    """Write nothing."""
    runtime_environment: Path | None = None
    """What `match-runtime` takes its versions from, in place of the project's runtime lock."""
    overrides: Overrides = field(default_factory=Overrides)
