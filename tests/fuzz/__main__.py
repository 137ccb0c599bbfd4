"""Fuzz one target, or all: `python -m fuzz lock --seconds 60`, or `nox -s fuzz -- lock --seconds 60`.

With atheris, which watches what the code does with each input; without it, by random changes of the seeds. What breaks
a target is left in a file, whose name is said: `python -m fuzz lock FILE` runs it once more.
"""

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

NAMES = ("archive", "page", "answer", "metadata", "lock", "backend", "settings")
_EXECUTED = re.compile(r"number_of_executed_units: *(\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("file", nargs="?", type=Path, help="run this input instead")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--no-atheris", action="store_true")
    arguments = parser.parse_args()
    names = NAMES if arguments.target == "all" else (arguments.target,)
    if arguments.file:
        return run_once(names[0], arguments.file)
    watched = not arguments.no_atheris and importlib.util.find_spec("atheris") is not None
    return max((fuzz_with_atheris if watched else fuzz_at_random)(name, arguments.seconds) for name in names)


def run_once(name: str, file: Path) -> int:
    from fuzz.targets import TARGETS  # noqa: PLC0415 - only where atheris has not to watch its import

    sys.stdout.write("accepted\n" if TARGETS[name].run(file.read_bytes()) else "refused\n")
    return 0


def fuzz_at_random(name: str, seconds: int) -> int:
    from fuzz.mutation import mutate  # noqa: PLC0415 - as above
    from fuzz.targets import TARGETS  # noqa: PLC0415 - as above

    random, target = Random(time.time_ns()), TARGETS[name]
    seeds = target.seeds()
    end = time.monotonic() + seconds
    executed = 0
    while time.monotonic() < end:
        content = mutate(random, seeds)
        try:
            target.run(content)
        except BaseException:
            path = Path(f"crash-{name}-{hashlib.sha256(content).hexdigest()[:16]}")
            path.write_bytes(content)
            sys.stderr.write(f"{name}: broken by `{path}`\n")
            raise
        executed += 1
    sys.stdout.write(f"{name}: {executed} executions\n")
    return 0


def fuzz_with_atheris(name: str, seconds: int) -> int:
    """In a process of its own, as atheris ends it."""
    with tempfile.TemporaryDirectory() as corpus:
        command = [
            sys.executable,
            "-m",
            "fuzz.with_atheris",
            name,
            corpus,
            f"-max_total_time={seconds}",
            f"-artifact_prefix=crash-{name}-",
            "-print_final_stats=1",
            "-rss_limit_mb=4096",
            "-timeout=60",
            "-max_len=65536",
            "-verbosity=0",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            said = process.stdout.read()
    if process.returncode:
        sys.stderr.write(said[-8000:])
        return 1
    executed = _EXECUTED.search(said)
    sys.stdout.write(f"{name}: {executed[1] if executed else 0} executions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
