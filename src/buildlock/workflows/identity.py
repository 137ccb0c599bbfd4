"""What an environment is made from, as one digest."""

import hashlib
import json
from collections.abc import Sequence

from buildlock.environment.interpreter import Interpreter
from buildlock.lockfile.select import LockedArtifact


def identify_environment(artifacts: Sequence[LockedArtifact], interpreter: Interpreter) -> str:
    """A sha256 over the artifacts and the interpreter: two environments of one identity hold the same."""
    facts = {
        "interpreter": [str(interpreter.executable), str(interpreter.target.python)],
        "artifacts": sorted(artifact.sha256 for artifact in artifacts),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
