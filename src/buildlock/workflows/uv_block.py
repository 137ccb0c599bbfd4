"""Whether the constraints in pyproject.toml are still those of the lock."""

from pathlib import Path

from buildlock.errors import BuildlockError
from buildlock.export.constraints import list_constraints
from buildlock.export.served import list_served
from buildlock.lockfile.model import Lockfile
from buildlock.project.uv_block import BlockError, read_block
from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class UvBlockStatus:
    """What `export --format uv --write` wrote, beside what it would write."""

    variant: str | None
    """`None` where the block does not say."""
    options: str
    """Those of `buildlock export` that write it anew."""
    fault: str | None
    """What is wrong with it; `None` where it is in step."""


def judge_uv_block(path: Path, lockfile: Lockfile) -> UvBlockStatus | None:
    """Compare the block of a pyproject.toml with the lock; `None` where there is no block."""
    try:
        text = path.read_bytes().decode()
    except (OSError, ValueError):
        return None  # a project without one, whose reader has said all else
    command = "--format uv --write"
    try:
        block = read_block(text)
    except BlockError as error:
        return UvBlockStatus(variant=None, options=command, fault=str(error))
    if block is None:
        return None
    options = block.options
    try:
        environment = lockfile.environment(options.variant)
        served = list_served(environment, pythons=options.pythons, platforms=options.platforms)
        same = block.constraints == list_constraints(served)
        fault = None if same else f"the constraints of `{options.variant}` are not those of the lock"
    except BuildlockError as error:
        fault = f"the constraints of `{options.variant}` have no lock to follow: {error.message.splitlines()[0]}"
    return UvBlockStatus(variant=options.variant, options=f"{command} {options}", fault=fault)
