"""The rows about environments: made new, there already, made of an empty cache, and first used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from benchmarks.bench import PIP_CACHES, Bench
from benchmarks.measuring import Step
from benchmarks.projects import BUILD_LIST, INSTALL_LIST, read_locked, write_project, write_requirements
from benchmarks.rows import Contender, Row

CPU = "cpu/simple"
UV_SHOWN = "uv venv E && uv pip sync --python E --require-hashes R"


@dataclass(frozen=True)
class Locked:
    """A list of packages, locked: a project for buildlock, a file of the same versions and hashes for uv and pip."""

    project: Path
    hashed: Path
    plain: Path
    cache: Path
    """Has all that an install needs."""
    index: str


@cache
def lock_list(bench: Bench, requires: tuple[str, ...], index: str, mode: str | None = None) -> Locked:
    """Lock a list, once for all the rows that install it in a mode: they share its caches.

    Rows of another mode do not: hard links change what the file system says of the files that a cache holds.
    """
    del mode
    folder = bench.make_folder("locked")
    project = write_project(folder / "project", requires)
    filled = folder / "cache"
    lock = [str(bench.tools.buildlock), "lock", "--quiet", "--no-dynamic", "--project", str(project)]
    bench.run(Step(arguments=lock, folder=folder, environ=bench.environ(filled, index)))
    lines = {hashes: read_locked(project / "build-lock.toml", hashes=hashes) for hashes in (True, False)}
    return Locked(
        project=project,
        hashed=write_requirements(folder / "hashed.txt", lines[True]),
        plain=write_requirements(folder / "plain.txt", lines[False]),
        cache=filled,
        index=index,
    )


def _choose(mode: str | None) -> dict[str, str]:
    return {"UV_LINK_MODE": mode} if mode else {}


def install_with_buildlock(
    locked: Locked, bench: Bench, folder: Path, *, cold: bool = False, fast: bool = False, mode: str | None = None
) -> list[Step]:
    tool = bench.tools.fast if fast else bench.tools.buildlock
    known = bench.environ(folder / "cache" if cold else locked.cache, locked.index, **_choose(mode))
    command = [str(tool), "install", "--quiet", "--target", str(folder / "E")]
    return [Step(arguments=command, folder=locked.project, environ=known)]


def install_with_uv(
    locked: Locked, bench: Bench, folder: Path, *, cold: bool = False, hashes: bool = True, mode: str | None = None
) -> list[Step]:
    known = bench.environ(folder / "cache" if cold else locked.cache, locked.index, **_choose(mode))
    uv = str(bench.tools.uv)
    make = [uv, "venv", "--quiet", "--python", str(bench.tools.python), str(folder / "E")]
    what = ["--require-hashes", str(locked.hashed)] if hashes else [str(locked.plain)]
    fill = [uv, "pip", "sync", "--quiet", "--python", str(folder / "E"), *what]
    return [Step(arguments=each, folder=locked.project, environ=known) for each in (make, fill)]


def install_with_pip(locked: Locked, bench: Bench, folder: Path, *, cold: bool = False) -> list[Step]:
    known = bench.environ(folder / "cache" if cold else locked.cache, locked.index, **PIP_CACHES)
    python = str(bench.tools.python)
    make = [python, "-m", "venv", "--without-pip", str(folder / "E")]
    to = [python, "-m", "pip", "--python", str(folder / "E"), "install", "--quiet", "--no-compile", "--no-deps"]
    fill = [*to, "--require-hashes", "--requirement", str(locked.hashed)]
    return [Step(arguments=each, folder=locked.project, environ=known) for each in (make, fill)]


PIP_SHOWN = "python -m venv --without-pip E && pip --python E install --no-deps --no-compile --require-hashes -r R"


def install_warm(
    bench: Bench,
    *,
    mode: str | None,
    requires: Sequence[str] = INSTALL_LIST,
    index: str = CPU,
    peers: bool = True,
) -> list[Contender]:
    """From what is in the caches. With `peers`, also in other ways than the one that is compared, and by pip."""
    locked = lock_list(bench, tuple(requires), index, mode)
    note = f" (UV_LINK_MODE={mode})" if mode else ""
    contenders = [
        Contender(
            name="buildlock",
            shown=f"buildlock install --target E{note}",
            prepare=partial(install_with_buildlock, locked, mode=mode),
        ),
        Contender(name="uv", shown=f"{UV_SHOWN}{note}", prepare=partial(install_with_uv, locked, mode=mode)),
    ]
    if peers and mode is None:
        contenders += [
            Contender(
                name="uv, no hashes",
                shown="the same without --require-hashes",
                prepare=partial(install_with_uv, locked, hashes=False),
                rounds=3,
            ),
            Contender(
                name="uv, symlinks",
                shown="the same with UV_LINK_MODE=symlink",
                prepare=partial(install_with_uv, locked, mode="symlink"),
                rounds=2,
            ),
            Contender(name="pip", shown=PIP_SHOWN, prepare=partial(install_with_pip, locked), rounds=1),
        ]
    return contenders


def install_cold(
    bench: Bench,
    *,
    requires: Sequence[str] = INSTALL_LIST,
    index: str = CPU,
    fast: bool = False,
    pip: bool = False,
) -> list[Contender]:
    """Every run has an empty cache. `fast` is buildlock with its extra of that name."""
    locked = lock_list(bench, tuple(requires), index)
    ours = partial(install_with_buildlock, locked, cold=True, fast=fast)
    contenders = [
        Contender(name="buildlock", shown="buildlock install --target E", prepare=ours),
        Contender(name="uv", shown=UV_SHOWN, prepare=partial(install_with_uv, locked, cold=True)),
    ]
    if pip:
        theirs = partial(install_with_pip, locked, cold=True)
        contenders.append(Contender(name="pip", shown=PIP_SHOWN, prepare=theirs, rounds=1, rehearsed=False))
    return contenders


def _once_made(make: Callable[..., list[Step]], again: Callable[[Path], Sequence[str]]) -> Callable[..., list[Step]]:
    """Make an environment unmeasured, then measure a command."""

    def prepare(bench: Bench, folder: Path) -> list[Step]:
        steps = make(bench, folder)
        bench.run(*steps)
        return [Step(arguments=list(again(folder)), folder=folder, environ=steps[-1].environ)]

    return prepare


def first_import(bench: Bench) -> list[Contender]:
    locked = lock_list(bench, INSTALL_LIST, CPU)

    def use(folder: Path) -> list[str]:
        return [str(folder / "E" / "bin" / "python"), "-c", "import torch"]

    makers: Mapping[str, Callable[..., list[Step]]] = {
        "buildlock": partial(install_with_buildlock, locked),
        "uv": partial(install_with_uv, locked),
    }
    return [
        Contender(name=name, shown='E/bin/python -c "import torch"', prepare=_once_made(make, use))
        for name, make in makers.items()
    ]


def install_again(bench: Bench) -> list[Contender]:
    """The environment is there and has all that is wanted."""
    locked = lock_list(bench, INSTALL_LIST, CPU)
    folder = bench.make_folder("installed")
    known = bench.environ(locked.cache, locked.index)
    bench.run(*install_with_uv(locked, bench, folder))
    ours = [str(bench.tools.buildlock), "install", "--quiet", "--project", str(locked.project)]
    bench.run(Step(arguments=ours, folder=folder, environ=known))
    to = ["--python", str(folder / "E")]
    commands: Mapping[str, tuple[str, Sequence[str]]] = {
        "buildlock": ("buildlock install", ours),
        "uv": (
            "uv pip sync --python E --require-hashes R",
            [str(bench.tools.uv), "pip", "sync", "--quiet", *to, "--require-hashes", str(locked.hashed)],
        ),
        "uv, no hashes": (
            "uv pip sync --python E R",
            [str(bench.tools.uv), "pip", "sync", "--quiet", *to, str(locked.plain)],
        ),
        "pip": (
            "pip --python E install --no-deps --require-hashes -r R",
            [str(bench.tools.python), "-m", "pip", *to, "install", "--quiet", "--no-deps", "-r", str(locked.hashed)],
        ),
    }

    def steps(command: Sequence[str], _bench: Bench, _own: Path) -> list[Step]:
        # In one folder, as a user would: what buildlock remembers is of the folder that it runs in.
        return [Step(arguments=command, folder=locked.project, environ=known)]

    return [
        Contender(name=name, shown=shown, prepare=partial(steps, command), rounds=3 if name == "pip" else None)
        for name, (shown, command) in commands.items()
    ]


ROWS = (
    Row(
        name="install-warm",
        title="install, warm, new environment: CPU torch and 17 more wheels",
        contenders=partial(install_warm, mode=None),
        goal=0.2,
    ),
    Row(
        name="install-warm-hardlink",
        title="the same with hardlinks",
        contenders=partial(install_warm, mode="hardlink"),
        goal=1.05,
        rounds=3,
    ),
    Row(
        name="install-warm-copy", title="the same with copies", contenders=partial(install_warm, mode="copy"), rounds=3
    ),
    Row(
        name="install-warm-clone",
        title="the same with reflinks",
        contenders=partial(install_warm, mode="clone"),
        rounds=3,
        needs="reflinks",
    ),
    Row(
        name="install-warm-cuda",
        title="install, warm, new environment: CUDA torch",
        contenders=partial(install_warm, mode=None, requires=BUILD_LIST, index="real/simple", peers=False),
        goal=0.2,
        rounds=3,
        needs="cuda",
    ),
    Row(
        name="first-import",
        title="first `import torch` in a new environment",
        contenders=first_import,
        goal=0.45,
        rounds=3,
    ),
    Row(
        name="install-cold",
        title="install, empty cache, from the mirror on loopback",
        contenders=partial(install_cold, pip=True),
        goal=1.0,
        rounds=3,
    ),
    Row(
        name="install-cold-fast",
        title="the same with `buildlock[fast]`",
        contenders=partial(install_cold, fast=True),
        goal=0.8,
        rounds=3,
        needs="fast",
    ),
    Row(name="install-again", title="install, the environment exists", contenders=install_again, goal=1.0, rounds=15),
)
