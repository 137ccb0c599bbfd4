"""The rows about locks: resolved, resolved again, and found to be up to date."""

import itertools
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bench import PIP_CACHES, Bench
from benchmarks.measuring import Step
from benchmarks.projects import BUILD_LIST, write_project, write_requirements, write_uv_project
from benchmarks.rows import Contender, Prepare, Row

REAL = "real/simple"
OUR_LOCK = "build-lock.toml"
THEIR_LOCK = "locked.txt"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
TORCHES = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
"""One for each of the four variants; each has wheels for all of the above."""
OUR_SHOWN = "buildlock lock --no-dynamic"
UV_SHOWN = "uv pip compile --generate-hashes -o locked.txt R"


def lock_with_buildlock(bench: Bench, project: Path, cache: Path, index: str | None, *options: str) -> Step:
    command = [str(bench.tools.buildlock), "lock", "--quiet", "--no-dynamic", "--project", str(project), *options]
    return Step(arguments=command, folder=project, environ=bench.environ(cache, index))


def lock_with_uv(bench: Bench, folder: Path, cache: Path, index: str | None, *options: str) -> Step:
    to = ["--quiet", "--generate-hashes", "-o", THEIR_LOCK]
    if "--python-version" not in options:
        to += ["--python", str(bench.tools.python)]
    command = [str(bench.tools.uv), "pip", "compile", *to, *options, "requirements.in"]
    return Step(arguments=command, folder=folder, environ=bench.environ(cache, index))


def lock_with_pip(bench: Bench, folder: Path, cache: Path, index: str | None) -> Step:
    command = [str(bench.tools.python), "-m", "pip", "lock", "--quiet", "-r", "requirements.in", "-o", "pylock.toml"]
    return Step(arguments=command, folder=folder, environ=bench.environ(cache, index, **PIP_CACHES))


def lock_anew(make: Callable[[Bench, Path, Path], Step], files: Sequence[Path], cache: Path | None) -> Prepare:
    """Lock in a new folder with these files; without a `cache`, with an empty one."""

    def prepare(bench: Bench, folder: Path) -> list[Step]:
        for file in files:
            shutil.copy(file, folder)
        return [make(bench, folder, cache or folder / "cache")]

    return prepare


def _write_both(folder: Path, requires: Sequence[str]) -> list[Path]:
    write_project(folder, requires)
    return [folder / "pyproject.toml", write_requirements(folder / "requirements.in", requires)]


def lock_cold(
    bench: Bench,
    *,
    requires: Sequence[str] = BUILD_LIST,
    index: str | None = REAL,
    pip: bool = False,
    relock: bool = False,
) -> list[Contender]:
    """Every run has an empty cache; a relock has the lock of before."""
    before = bench.make_folder("before")
    files = _write_both(before, requires)
    ours, theirs = partial(lock_with_buildlock, index=index), partial(lock_with_uv, index=index)
    if relock:
        bench.run(*(make(bench, before, before / "cache") for make in (ours, theirs)))
        files += [before / OUR_LOCK, before / THEIR_LOCK]
    contenders = [
        Contender(name="buildlock", shown=OUR_SHOWN, prepare=lock_anew(ours, files, None)),
        Contender(name="uv", shown=UV_SHOWN, prepare=lock_anew(theirs, files, None)),
    ]
    if pip:
        with_pip = lock_anew(partial(lock_with_pip, index=index), files, None)
        contenders.append(Contender(name="pip", shown="pip lock -r R", prepare=with_pip, rounds=1))
    return contenders


def lock_fully(bench: Bench, *, requires: Sequence[str] = BUILD_LIST, index: str = REAL) -> list[Contender]:
    """No lock is there, so that everything is resolved; what the index said is in the caches."""
    folder = bench.make_folder("warm")
    files, cache = _write_both(folder, requires), folder / "cache"
    ours = lock_anew(partial(lock_with_buildlock, index=index), files, cache)
    theirs = lock_anew(partial(lock_with_uv, index=index), files, cache)
    for prepare in (ours, theirs):
        bench.run(*prepare(bench, bench.make_folder("filling")))
    return [
        Contender(name="buildlock", shown=OUR_SHOWN, prepare=ours),
        Contender(name="uv", shown=UV_SHOWN, prepare=theirs),
    ]


def _again(name: str, shown: str, step: Step) -> Contender:
    """The same command again, where it was run before."""
    return Contender(name=name, shown=shown, prepare=lambda _bench, _folder: [step])


def lock_unchanged(bench: Bench) -> list[Contender]:
    folder = bench.make_folder("unchanged")
    write_project(folder, BUILD_LIST)
    write_requirements(folder / "requirements.in", BUILD_LIST)
    ours = lock_with_buildlock(bench, folder, folder / "cache", REAL)
    theirs = _uv_lock(bench, write_uv_project(folder / "uv", BUILD_LIST), folder / "cache")
    compiled = lock_with_uv(bench, folder, folder / "cache", REAL)
    bench.run(ours, theirs, compiled)
    return [
        _again("buildlock", OUR_SHOWN, ours),
        _again("uv", "uv lock", theirs),
        _again("uv pip compile", UV_SHOWN, compiled),
    ]


def _uv_lock(bench: Bench, project: Path, cache: Path, *options: str) -> Step:
    command = [str(bench.tools.uv), "lock", "--quiet", "--python", str(bench.tools.python), *options]
    return Step(arguments=command, folder=project, environ=bench.environ(cache, REAL))


def check_unchanged(bench: Bench) -> list[Contender]:
    folder = bench.make_folder("check")
    write_project(folder, BUILD_LIST)
    own = write_uv_project(folder / "uv", BUILD_LIST)
    cache = folder / "cache"
    bench.run(lock_with_buildlock(bench, folder, cache, REAL), _uv_lock(bench, own, cache))
    command = [str(bench.tools.buildlock), "check", "--quiet"]
    ours = Step(arguments=command, folder=folder, environ=bench.environ(cache, REAL))
    theirs = _uv_lock(bench, own, cache, "--check")
    return [
        _again("buildlock", "buildlock check", ours),
        _again("uv", "uv lock --check", theirs),
    ]


def lock_matrix(bench: Bench) -> list[Contender]:
    """Four variants, each with a torch of its own, for four Pythons on two platforms; no lock is there."""
    before = bench.make_folder("matrix")
    cache = before / "cache"
    tables = [f"python = {list(PYTHONS)}\nplatforms = {list(PLATFORMS)}\n".replace("'", '"')]
    tables += [f'[tool.buildlock.variants.v{i}]\nrequires = ["torch=={torch}"]\n' for i, torch in enumerate(TORCHES)]
    write_project(before, BUILD_LIST, "[tool.buildlock]\n" + "\n".join(tables))

    def lock_all(bench: Bench, folder: Path, cache: Path) -> Step:
        return lock_with_buildlock(bench, folder, cache, REAL, "--all")

    def lock_each(bench: Bench, folder: Path) -> list[Step]:
        steps = []
        for torch, python, platform in itertools.product(TORCHES, PYTHONS, PLATFORMS):
            own = folder / f"{torch}-{python}-{platform}"
            write_requirements(own / "requirements.in", [f"torch=={torch}", *BUILD_LIST[1:]])
            steps.append(
                lock_with_uv(bench, own, cache, REAL, "--python-version", python, "--python-platform", platform)
            )
        return steps

    ours = lock_anew(lock_all, [before / "pyproject.toml"], cache)
    return [
        Contender(name="buildlock", shown=f"{OUR_SHOWN} --all", prepare=ours),
        Contender(name="uv", shown=f"32 runs of {UV_SHOWN} --python-version V --python-platform P", prepare=lock_each),
    ]


ROWS = (
    Row(name="check", title="check, unchanged", contenders=check_unchanged, goal=1.0, rounds=25),
    *(
        Row(
            name=f"lock-cold-{delay}",
            title=f"lock, empty cache, torch list, round trips of {delay} ms",
            contenders=lock_cold,
            goal=0.95,
            delay=delay,
        )
        for delay in (20, 50)
    ),
    *(
        Row(
            name=f"relock-cold-{delay}",
            title=f"lock again, empty cache, the lock of before is there, round trips of {delay} ms",
            contenders=partial(lock_cold, relock=True),
            goal=0.75,
            delay=delay,
        )
        for delay in (20, 50)
    ),
    Row(
        name="lock-cold-cpu",
        title="lock, empty cache, the list with CPU torch, on loopback",
        contenders=partial(lock_cold, index="cpu/simple", pip=True),
        rounds=3,
    ),
    Row(
        name="lock-cold-real",
        title="lock, empty cache, torch list, the real index",
        contenders=partial(lock_cold, index=None),
        goal=0.8,
        needs="real",
    ),
    Row(
        name="lock-warm-full",
        title="lock, warm, full resolution, one environment",
        contenders=lock_fully,
        goal=2.5,
        rounds=15,
    ),
    Row(
        name="lock-warm-unchanged",
        title="lock, warm, nothing changed",
        contenders=lock_unchanged,
        goal=1.0,
        rounds=25,
    ),
    Row(
        name="lock-matrix",
        title="lock, warm: 4 variants, each for 4 Pythons on 2 platforms",
        contenders=lock_matrix,
        goal=0.5,
        rounds=3,
    ),
)
