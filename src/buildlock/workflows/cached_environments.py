"""The environments in the cache, which commands share until one of them changes it."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from buildlock.environment.claims import Claim, take_claim
from buildlock.environment.isolated import BuildEnvironment, open_environment
from buildlock.workflows.workspace import Workspace


def claim_environment(
    workspace: Workspace, identity: str, make: Callable[[Path], tuple[BuildEnvironment, bool]]
) -> tuple[tuple[BuildEnvironment, bool], Claim]:
    """An environment of the cache, intact, with a claim on it; shared with the commands that run in it.

    One that a command has changed is made anew where that command has ended; while it runs, another is made beside.

    Args:
        workspace: Whose cache it is.
        identity: A digest of what the environment is made from.
        make: Opens or makes it in a folder, and says whether it was there.
    """
    for number in count():
        name = f"{identity[:32]}-{number}" if number else identity[:32]
        destination = workspace.cache_dir / "environments-v1" / name
        claim = take_claim(workspace.cache_dir / "claims-v1" / name)
        try:
            if claim.alone or open_environment(destination, identity):
                made = make(destination)
                claim.share()
                return made, claim
        except BaseException:
            claim.release()
            raise
        claim.release()
    raise AssertionError  # there is always another number
