"""The stable codes of what a lock, or a change of one, can tell a reviewer, and how much of a risk each is."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from buildlock.values import dataclass

Risk: TypeAlias = Literal["high", "medium", "low"]
RISKS: tuple[Risk, ...] = ("high", "medium", "low")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What one code stands for."""

    code: str
    """Kebab-case; what policies, `--json` and pages name it by."""
    risk: Risk
    meaning: str
    """A phrase for documentation and tooltips."""
    of_package: bool = True
    """Whether it is about a package, so that a policy allows it for a named one."""
    of_project: bool = False
    """Whether it may as well be about what the project says, so that a policy allows it without a name."""


_ALL = (
    Kind(code="hash-changed", risk="high", meaning="the same version has another file: republished or tampered with"),
    Kind(code="index-differs", risk="high", meaning="its index has another file of that name today"),
    Kind(code="quarantined", risk="high", meaning="its index holds the project back: it may do harm"),
    Kind(code="vulnerable", risk="high", meaning="an advisory says so of this version"),
    Kind(code="file-removed", risk="high", meaning="its index no longer has the locked file"),
    Kind(code="yanked", risk="high", meaning="it was withdrawn: its index advises against it"),
    Kind(code="publisher-changed", risk="high", meaning="another publisher attests it than the version before"),
    Kind(code="too-new", risk="high", meaning="it is younger than the policy allows"),
    Kind(code="index-moved", risk="high", meaning="another index serves it"),
    Kind(code="source-moved", risk="high", meaning="it comes from another kind of place, URL, repository or folder"),
    Kind(
        code="insecure-index",
        risk="high",
        meaning="anyone on the way can answer: no encryption, or any certificate will do",
        of_project=True,
    ),
    Kind(code="index-not-allowed", risk="high", meaning="it comes from a place that the policy does not allow"),
    Kind(code="host-not-allowed", risk="high", meaning="its files are on a host that the policy does not allow"),
    Kind(code="sdist-not-allowed", risk="high", meaning="it is built from source, which the policy does not allow"),
    Kind(
        code="policy-loosened",
        risk="high",
        meaning="the project's policy lets through what it did not",
        of_package=False,
    ),
    Kind(code="host-changed", risk="high", meaning="the index is the same, and its files are on another host"),
    Kind(code="wheel-became-sdist", risk="high", meaning="it is built from source now: its code runs at build time"),
    Kind(code="sdist-added", risk="high", meaning="it is new, and built from source: its code runs at build time"),
    Kind(code="new-package", risk="medium", meaning="nobody asks for it by name, and it was not locked before"),
    Kind(code="attestation-dropped", risk="medium", meaning="the version before was attested, and it is not"),
    Kind(code="pin-lowered", risk="medium", meaning="an older version than before"),
    Kind(code="commit-moved", risk="medium", meaning="another commit of the same repository"),
    Kind(code="content-changed", risk="medium", meaning="the folder has other content"),
    Kind(code="backend-changed", risk="medium", meaning="another build backend runs", of_package=False),
    Kind(code="dynamic-changed", risk="medium", meaning="the backend asks for something else", of_package=False),
    Kind(code="variant-dropped", risk="medium", meaning="it is no longer locked", of_package=False),
    Kind(code="target-dropped", risk="medium", meaning="the lock no longer serves it", of_package=False),
    Kind(code="sdist-became-wheel", risk="medium", meaning="it was built from source, and is a wheel now"),
    Kind(code="version-raised", risk="low", meaning="a newer version than before"),
    Kind(code="package-added", risk="low", meaning="a package that was asked for, or was locked elsewhere before"),
    Kind(code="package-removed", risk="low", meaning="nothing needs it any more"),
    Kind(code="artifact-added", risk="low", meaning="one more file of the same version"),
    Kind(code="artifact-removed", risk="low", meaning="one file less of the same version"),
    Kind(code="project-status", risk="low", meaning="its project is archived or deprecated"),
    Kind(code="details-changed", risk="low", meaning="the same files, of which the lock says something else"),
    Kind(code="variant-added", risk="low", meaning="it is locked now", of_package=False),
    Kind(code="target-added", risk="low", meaning="the lock serves it now", of_package=False),
    Kind(
        code="policy-tightened", risk="low", meaning="the project's policy stops what it let through", of_package=False
    ),
    Kind(code="inputs-changed", risk="low", meaning="what it is resolved from moved", of_package=False),
)

KINDS: Mapping[str, Kind] = {kind.code: kind for kind in _ALL}
"""By code, the riskiest first."""
