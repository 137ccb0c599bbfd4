"""`buildlock outdated`: what is newer than the lock, and what keeps it back."""

import json

from index.server import IndexServer
from support.command import CopyLockedProject, CopyProject


def test_the_seed_is_held_by_its_pin(locked: CopyLockedProject, server: IndexServer) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    before = project.lock_path.read_bytes()
    result = project.succeed("outdated", "--exit-code")
    lines = result.stdout.splitlines()
    assert lines[0] == "cu124"
    row = next(number for number, line in enumerate(lines) if line.split()[:1] == ["torch"])
    assert lines[row].split() == ["torch", "2.4.0+cu124", "2.4.0+cu124", "2.5.1+cu124"]
    assert lines[row + 1].strip() == "held by: torch==2.4.0 ([build-system].requires)"
    assert max(map(len, lines)) <= 80
    assert project.lock_path.read_bytes() == before
    # Whether there is a newer one the pages tell: no wheel is fetched for it.
    assert not [exchange for exchange in server.exchanges if exchange.path.endswith(".whl")]


def test_what_the_inputs_allow_is_exit_3(checkout: CopyProject) -> None:
    project = checkout("dynamic-requires")
    project.append('[tool.uv]\nconstraint-dependencies = ["filelock<3.16"]')
    project.succeed("lock")
    project.replace("filelock<3.16", "filelock<9")
    result = project.run("outdated", "--json", "--exit-code")
    assert result.code == 3
    (standing,) = json.loads(result.stdout)["outdated"]
    assert (standing["name"], standing["allowed"], standing["held"]) == ("filelock", "3.16.1", [])
    offline = project.succeed("outdated", "--offline")
    assert "filelock" in offline.stdout
    assert "hint: `buildlock lock --upgrade` takes what is allowed" in offline.stderr
