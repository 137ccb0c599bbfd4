"""Many commands at once, and commands that are killed: what is asked of an index, and what is left behind."""

import random
import time
from collections import Counter

from index.server import IndexServer
from support.command import Checkout, Running

MANY = 32


def start_many(project: Checkout, *arguments: str) -> list[Running]:
    return [project.start(*arguments) for _ in range(MANY)]


def kill_half(runs: list[Running], chance: random.Random) -> None:
    for running in chance.sample(runs, len(runs) // 2):
        time.sleep(chance.random() / 10)
        running.kill()


def count_downloads(server: IndexServer) -> Counter[str]:
    """How often each wheel was asked for."""
    return Counter(exchange.path for exchange in server.asked(".whl") if not exchange.path.endswith(".metadata"))


def find_damage(project: Checkout) -> list[str]:
    """What `cache verify` tells of the cache."""
    verified = project.run("cache", "verify")
    return verified.stdout.splitlines() or ([verified.stderr] if verified.code else [])


def find_leftovers(project: Checkout) -> list[str]:
    """What is half made: where the cache makes its entries, and beside the project's lock."""
    made = (project.cache / "store-v2" / "scratch").glob("*")  # of wheels that were seen before nothing is stored
    locks = (path for path in project.root.iterdir() if "build-lock" in path.name and path != project.lock_path)
    return sorted(path.name for path in (*made, *locks))
