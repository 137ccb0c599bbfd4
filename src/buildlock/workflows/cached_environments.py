"""The environments in the cache, which commands share until one of them changes it."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from buildlock.environment.bytecode import renew_bytecode
from buildlock.environment.claims import Claim, read_note, take_claim
from buildlock.environment.interpreter import Interpreter
from buildlock.environment.isolated import BuildEnvironment, open_environment
from buildlock.environment.marker import describe_marker
from buildlock.environment.own_files import mark_used
from buildlock.environment.private_folder import private_folder
from buildlock.errors import EnvironmentPreparationError
from buildlock.workflows.workspace import CLAIMS, ENVIRONMENTS, Workspace

_LEFT = ".changed.buildlock-"


def claim_environment(
    workspace: Workspace,
    identity: str,
    interpreter: Interpreter,
    make: Callable[[Path], tuple[BuildEnvironment, bool]],
) -> tuple[tuple[BuildEnvironment, bool], Claim]:
    """An environment of the cache, intact, with a claim on it; shared with the commands that run in it.

    One that a command has changed is made anew where that command has ended; while it runs, another is made beside.
    The file of the claim says what the environment's marker was, since the marker is within reach of the commands,
    and its time when the environment was last asked for.

    Args:
        workspace: Whose cache it is.
        identity: A digest of what the environment is made from.
        interpreter: What it is made with.
        make: Opens or makes it in a folder, and says whether it was there.
    """
    environments, claims = workspace.own_folder(ENVIRONMENTS), workspace.own_folder(CLAIMS)
    for number in count():
        name = f"{identity[:32]}-{number}" if number else identity[:32]
        destination = environments / name
        claim = take_claim(claims / name)
        try:
            known = read_note(claims / name) == describe_marker(str(destination))
            if claim.alone:
                if not known:
                    _clear(destination)
                renew_bytecode(destination, identity, interpreter)
                made = make(destination)
                claim.write_note(describe_marker(str(destination)))
                claim.share()
            elif known and open_environment(destination, identity):
                made = make(destination)
            else:
                claim.release()
                continue
            mark_used(claims / name)
        except OSError as error:
            claim.release()
            raise EnvironmentPreparationError(
                f"`{destination}` cannot be claimed: {error.strerror or error}"
            ) from error
        except BaseException:
            claim.release()
            raise
        return made, claim
    raise AssertionError  # there is always another number


def _clear(destination: Path) -> None:
    """Remove what nobody vouches for.

    Raises:
        EnvironmentPreparationError: There is no place to move it to.
        OSError: It cannot be moved.
    """
    if os.path.lexists(destination):
        with private_folder(destination.parent, _LEFT) as scratch:
            destination.rename(scratch / destination.name)
