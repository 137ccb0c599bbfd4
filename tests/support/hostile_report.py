"""Write the figures of docs/hostility.md anew: `nox -s report -- malformed`, `real`, `fuzz` or `load`.

Each puts its own part between two marks of the document, and leaves the rest.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from random import Random

from buildlock.environment.sdist import open_sdist
from buildlock.environment.wheel import open_wheel
from buildlock.errors import BuildlockError, InvalidLockError
from buildlock.lockfile.reader import parse_lockfile
from fuzz.mutation import mutate
from fuzz.targets import TARGETS
from support import malformed_sdists, malformed_wheels, tar_forge, wheel_forge
from support.locks import LOCKS
from support.other_installers import INSTALLERS, OUTCOMES, install
from support.real_files import LARGEST, NAMES, RELEASES, try_real_files

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "hostility.md"
MUTATIONS = 20_000
"""Of each kind. The seed is fixed: the figures are the same on each run of the same code."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hostile_report")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seconds", type=int, default=300, help="for each target of `fuzz`")
    arguments = parser.parse_args(argv)
    lines = PARTS[arguments.part](arguments)
    write(DOCUMENT, arguments.part, lines)
    return 0


def write(document: Path, part: str, lines: Iterable[str]) -> None:
    """Put lines between the marks of a part."""
    figures = "\n".join(lines)  # takes minutes: another part may be written meanwhile
    first, last = f"<!-- figures: nox -s report -- {part} -->\n", f"<!-- end of {part} -->\n"
    before, mark, rest = document.read_text(encoding="utf-8").partition(first)
    assert mark, part
    assert last in rest, part
    text = f"{before}{first}\n{figures}\n\n{last}{rest.partition(last)[2]}"
    document.write_text(text, encoding="utf-8", newline="\n")


def report_malformed(_: argparse.Namespace) -> Iterator[str]:
    wheels = dict(malformed_wheels.all_malformed())
    found: dict[str, Counter[str]] = {"buildlock": Counter(map(try_wheel, wheels.values()))}
    # pip takes a second for each.
    with ThreadPoolExecutor(2) as pool:
        for installer in INSTALLERS:
            outcomes = pool.map(install, [installer] * len(wheels), wheels.values())
            found[f"{installer} {version(installer)}"] = Counter(outcomes)
    yield f"Of {len(wheels)} malformed wheels:\n"
    yield f"| installer | {' | '.join(OUTCOMES)} |"
    yield f"| --- |{' ---: |' * len(OUTCOMES)}"
    for installer, counts in found.items():
        yield f"| {installer} | {' | '.join(str(counts[outcome]) for outcome in OUTCOMES)} |"
    sdists = Counter(try_sdist(content) for _, content in malformed_sdists.all_malformed())
    locks = Counter(map(try_lock, sorted((LOCKS / "invalid").glob("*/build-lock.toml"))))
    sound = Counter(try_wheel(make()) for make in malformed_wheels.SOUND.values())
    yield "\n| by buildlock | tried | refused |\n| --- | ---: | ---: |"
    yield f"| malformed sdists | {sdists.total()} | {sdists['refused']} |"
    yield f"| malformed locks | {locks.total()} | {locks['refused']} |"
    yield f"| unusual but sound wheels | {sound.total()} | {sound['refused']} |"
    yield f"\nOf {MUTATIONS:,} mutations of each kind, with a fixed seed:\n"
    yield "| kind | refused | accepted, and what was accepted is consistent |\n| --- | ---: | ---: |"
    for name in TARGETS:
        refused, accepted = count_mutations(name, MUTATIONS)
        yield f"| {name} | {refused:,} | {accepted:,} |"


def try_wheel(content: bytes) -> str:
    return _try(_unpack_wheel, content)


def try_sdist(content: bytes) -> str:
    return _try(_unpack_sdist, content)


def _unpack_wheel(path: Path, tree: Path) -> None:
    with open_wheel(path, filename=wheel_forge.FILENAME) as wheel:
        wheel.unpack(tree)


def _unpack_sdist(path: Path, tree: Path) -> None:
    with open_sdist(path, filename=tar_forge.FILENAME) as sdist:
        sdist.unpack(tree)


def _try(unpack: Callable[[Path, Path], None], content: bytes) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        path, tree = Path(temporary, "archive"), Path(temporary, "tree")
        path.write_bytes(content)
        tree.mkdir()
        try:
            unpack(path, tree)
        except BuildlockError:
            return "refused"
        return "accepted"


def try_lock(path: Path) -> str:
    try:
        parse_lockfile(path.read_bytes(), path.name)
    except InvalidLockError:
        return "refused"
    return "accepted"


def count_mutations(name: str, executions: int) -> tuple[int, int]:
    """How many changed seeds of a target were refused, and how many accepted."""
    random, target = Random(name), TARGETS[name]
    seeds = [seed for seed in target.seeds() if len(seed) <= 1 << 16]
    accepted = sum(target.run(mutate(random, seeds)) for _ in range(executions))
    return executions - accepted, accepted


def report_real(_: argparse.Namespace) -> Iterator[str]:
    files = list(try_real_files())
    refused = [each for each in files if each.refusal is not None]
    kinds = Counter(each.artifact.kind for each in files)
    largest = f"{LARGEST >> 20} MiB"
    yield f"{len(files)} files of {len(NAMES)} packages, the {RELEASES} newest releases of each, up to {largest}:\n"
    yield "| kind | tried | refused |\n| --- | ---: | ---: |"
    for kind, count in sorted(kinds.items()):
        yield f"| {kind} | {count} | {sum(each.artifact.kind == kind for each in refused)} |"
    yield from (f"\n- {each.refusal}" for each in refused)


def report_fuzz(arguments: argparse.Namespace) -> Iterator[str]:
    yield f"{arguments.seconds} seconds of each target by atheris {version('atheris')}:\n"
    yield "| target | executions |\n| --- | ---: |"
    for name in TARGETS:
        command = [sys.executable, "-m", "fuzz", name, "--seconds", str(arguments.seconds)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        executions = int(run.stdout.split()[1])
        yield f"| {name} | {executions:,} |"


def report_load(_: argparse.Namespace) -> Iterator[str]:
    run = subprocess.run([sys.executable, "-m", "support.load_report"], stdout=subprocess.PIPE, text=True, check=True)
    yield from run.stdout.splitlines()


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "malformed": report_malformed,
    "real": report_real,
    "fuzz": report_fuzz,
    "load": report_load,
}


if __name__ == "__main__":
    sys.exit(main())
