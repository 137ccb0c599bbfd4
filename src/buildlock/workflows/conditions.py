"""What a package's build depends on besides its source, and the key that all of it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName

from buildlock.environment.interpreter import Interpreter
from buildlock.lockfile.select import Locked, LockedArtifact, LockedSource
from buildlock.project.model import BuildInputs
from buildlock.values import dataclass, field

if TYPE_CHECKING:
    from buildlock.frontend.backend import ConfigSettings


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The variant and the machine that packages are built for.

    What was built for one variant, target or set of variables is never used for another: everything that a build can
    see is part of its key.
    """

    inputs: BuildInputs
    interpreter: Interpreter
    environ: Mapping[str, str]
    """The user's environment variables."""
    _digests: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @property
    def inherited(self) -> Mapping[str, str]:
        """Those of the user's variables that a build sees."""
        from buildlock.frontend.inherited import select_inherited  # noqa: PLC0415 - as long as nothing is built

        return select_inherited(self.environ, self.inputs.pass_environment)

    def variables(self, name: NormalizedName) -> Mapping[str, str]:
        """Those that are set for the build of a package."""
        return {**self.inputs.variant.environment, **self.inputs.extra_variables.get(name, {})}

    def config_settings(self, name: NormalizedName) -> ConfigSettings:
        """PEP 517 `config_settings` for the backend of a package."""
        return {**self.inputs.config_settings, **self.inputs.config_settings_package.get(name, {})}

    def identify(self, locked: Sequence[Locked]) -> str:
        """A sha256 over the packages and the interpreter: two environments of one identity hold the same."""
        facts = {
            "interpreter": [str(self.interpreter.executable), str(self.interpreter.target.python)],
            "packages": sorted(map(self.digest, locked)),
        }
        return _digest(facts)

    def identify_environment(self, locked: Sequence[Locked]) -> str:
        """The same, and that they are made in one way, where the user says in which."""
        identity, mode = self.identify(locked), self.inputs.settings.link_mode
        return _digest({"holds": identity, "link-mode": mode}) if mode else identity

    def digest(self, locked: Locked) -> str:
        """Of a wheel its sha256; of a source the key of what is built from it."""
        if isinstance(locked, LockedArtifact):
            return locked.sha256
        if locked.key not in self._digests:
            self._digests[locked.key] = self._digest_source(locked)
        return self._digests[locked.key]

    def _digest_source(self, source: LockedSource) -> str:
        from buildlock.frontend.inherited import select_inputs  # noqa: PLC0415 - as above

        target = self.interpreter.target
        facts = {
            "source": [source.name, str(source.version), source.sha256 or source.commit, source.subdirectory],
            "environment": self.identify(source.requires),
            "variant": self.inputs.variant.name,
            "target": [str(target), target.abi, target.platforms],
            "config-settings": sorted(self.config_settings(source.name).items()),
            "variables": sorted(self.variables(source.name).items()),
            "inherited": sorted(select_inputs(self.environ, self.inputs.pass_environment).items()),
        }
        return _digest(facts)


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
