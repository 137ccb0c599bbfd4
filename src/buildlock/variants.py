"""A variant: one accelerator flavour of the build."""

import re
from collections.abc import Mapping

from packaging.specifiers import SpecifierSet

from buildlock.patterns import compile_pattern
from buildlock.values import dataclass, field

DEFAULT = "default"
"""The one variant of a project that declares none."""

_NAME = compile_pattern(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


def is_variant_name(name: str) -> bool:
    """Whether `name` may name a variant: the syntax of a package name, at most 64 characters.

    >>> is_variant_name("rocm6.1"), is_variant_name("../cu124")
    (True, False)
    """
    return len(name) <= 64 and _NAME.fullmatch(name) is not None  # noqa: PLR2004


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One accelerator flavour: what chooses it, and what it changes.

    `extra` and `group` are the names of the optional dependencies and the dependency group that the user installs
    with this variant; sources conditioned on them apply, and their pins bind the build.
    """

    name: str
    extra: str | None = None
    group: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set for the backend while it builds."""
    host: Mapping[str, SpecifierSet] = field(default_factory=dict)
    """The tools of the machine that a build needs, such as `nvcc`, and the versions that will do."""
