"""The figures of `nox -s report -- load`, on stdout: in a process of its own, which many others are forked beside."""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from index.server import IndexServer, serve
from projects import copy_project
from support.command import Checkout, hermetic
from support.leaks import FILE_ERRORS, INDEX_ERRORS, WAYS, Place, has_secret, try_credentials
from support.load import MANY, count_downloads, find_damage, find_leftovers, kill_half, start_many

KILLS = 40
"""Of each command."""
CU124 = ("--variant", "cu124")
LOCK = ("lock", "-q", *CU124, "--no-dynamic")
INSTALL = ("install", "-q", *CU124)


def main() -> int:
    with redirect_stdout(None):  # what each command printed
        with serve() as server:
            lines = [*report_many(server), *report_kills(server)]
        lines += report_leaks()
    print(*lines, sep="\n")  # noqa: T201 - it is what this is for
    return 0


@contextmanager
def check_out(server: IndexServer, trait: str) -> Iterator[Checkout]:
    """A project with nothing in its cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = copy_project(trait, folder, server.root)
        yield Checkout(root=root, environment=hermetic(folder, server.environment))


def lock_once(server: IndexServer, trait: str, *arguments: str) -> bytes:
    with check_out(server, trait) as project:
        project.succeed(*arguments)
        return project.lock_path.read_bytes()


def report_many(server: IndexServer) -> Iterator[str]:
    yield f"{MANY} times `buildlock install` at once, each time with nothing in their one cache:\n"
    yield "| | succeeded | killed | failed | downloads of each file | next run | damaged | left half made |"
    yield "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |"
    lock = lock_once(server, "seed", *LOCK)
    for title, arguments, seed in (
        ("into the cache", INSTALL, None),
        ("into one folder, `--target`", (*INSTALL, "--target", "env"), None),
        ("half of them killed", INSTALL, 0),
        ("half of them killed, again", INSTALL, 1),
        ("half of them killed, again", INSTALL, 2),
    ):
        with check_out(server, "seed") as project:
            project.lock_path.write_bytes(lock)
            server.exchanges.clear()
            runs = start_many(project, *arguments)
            if seed is not None:
                kill_half(runs, random.Random(seed))
            codes = Counter(running.wait().code for running in runs)
            downloads = set(count_downloads(server).values())
            succeeded = project.run(*arguments).code == 0
            damage, leftovers = find_damage(project), find_leftovers(project)
        failed = codes.total() - codes[0] - codes[-9]
        times = " to ".join(map(str, sorted({min(downloads), max(downloads)})))
        yield (
            f"| {title} | {codes[0]} | {codes[-9]} | {failed} | {times} | {'succeeded' if succeeded else 'failed'} "
            f"| {len(damage)} | {len(leftovers)} |"
        )


def report_kills(server: IndexServer) -> Iterator[str]:
    """Each command does all of its work anew: nothing is in the cache."""
    old = lock_once(server, "seed", *LOCK)
    yield f"\n{KILLS} kills of each command, at a random moment of the time that it takes:\n"
    yield (
        "| command | killed before it ended | lock as before | lock as after | another lock | next run succeeded "
        "| damaged | left half made |"
    )
    yield f"| --- |{' ---: |' * 7}"
    with check_out(server, "seed") as project:
        project.replace('"torch==2.4.0", "numpy"', '"torch==2.4.0"')
        changed = project.pyproject.read_text(encoding="utf-8")
    yield count_kills(server, "seed", LOCK, old, changed)
    yield count_kills(server, "seed", INSTALL, old)
    yield count_kills(server, "in-tree-backend", ("build", "-q"), lock_once(server, "in-tree-backend", "lock"))


def count_kills(
    server: IndexServer, trait: str, arguments: Sequence[str], lock: bytes, pyproject: str | None = None
) -> str:
    """The row of a command.

    Args:
        lock: The lock before it runs.
        pyproject: What `pyproject.toml` says, where that is another thing since.
    """
    chance = random.Random(arguments[0])
    found: Counter[str] = Counter()

    @contextmanager
    def prepare() -> Iterator[Checkout]:
        with check_out(server, trait) as project:
            project.lock_path.write_bytes(lock)
            if pyproject is not None:
                project.pyproject.write_text(pyproject, encoding="utf-8")
            yield project

    with prepare() as project:
        started = time.monotonic()
        project.succeed(*arguments)
        duration = time.monotonic() - started
        after = project.lock_path.read_bytes()
    for _ in range(KILLS):
        with prepare() as project:
            running = project.start(*arguments)
            time.sleep(duration * chance.random())
            running.kill()
            found["killed"] += running.wait().code == -9
            text = project.lock_path.read_bytes()
            found["before" if text == lock else "after" if text == after else "else"] += 1
            next_run = project.run(*arguments)
            found["succeeded"] += next_run.code == 0 and project.lock_path.read_bytes() == after
            found["damaged"] += bool(find_damage(project))
            found["left"] += bool(find_leftovers(project))
    kinds = ("killed", "before", "after", "else", "succeeded", "damaged", "left")
    return f"| `{arguments[0]}` | {' | '.join(str(found[kind]) for kind in kinds)} |"


def report_leaks() -> Iterator[str]:
    places: list[Place] = []
    for way in WAYS:
        with tempfile.TemporaryDirectory() as name:
            places += try_credentials(way, Path(name))
    yield (
        f"\nThe password of an index, said in {len(WAYS)} ways ({', '.join(WAYS)}) to `lock`, `install`, `build`, "
        f"`check`, `export`, and to {len(INDEX_ERRORS + FILE_ERRORS)} installs that fail:\n"
    )
    yield "| searched | places | with the password |\n| --- | ---: | ---: |"
    kinds = Counter(place.kind for place in places)
    for kind, count in sorted(kinds.items()):
        yield f"| {kind} | {count:,} | {sum(place.kind == kind and has_secret(place.content) for place in places)} |"


if __name__ == "__main__":
    sys.exit(main())
