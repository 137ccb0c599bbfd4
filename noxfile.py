"""The project's tasks, by tag: `demo`, `test`, `heavy`. `dev.py` makes the environment that runs them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
WHEELHOUSE = ROOT / "wheelhouse"
OLDEST, NEWEST = (3, 10), (3, 14)
LOCKED = (3, 11)
"""The Python that buildlock's own build-lock.toml serves."""
REAL_BACKEND = ("setuptools>=69.0.3", "wheel", "packaging")
"""What the fixture indexes serve as it is; everything else is made by them."""
DEMO_REQUIREMENTS = (*REAL_BACKEND, "numpy", "ninja")


def find_pythons() -> Iterator[tuple[tuple[int, int], str]]:
    """Every supported CPython on PATH or under pyenv."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    found = [shutil.which(name) for name in names]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += sorted(str(path) for path in pyenv.glob("3.*/bin/python"))
    for path in [sys.executable, *filter(None, found)]:
        ask = "import platform, sys; print(*sys.version_info[:2], platform.python_implementation())"
        answer = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False).stdout.split()
        if len(answer) == 3 and answer[2] == "CPython" and OLDEST <= (int(answer[0]), int(answer[1])) <= NEWEST:
            yield (int(answer[0]), int(answer[1])), path


PYTHONS = dict(sorted(find_pythons()))
WATCHED = next((f"3.{minor}" for minor in (13, 12, 11) if (3, minor) in PYTHONS), None)
"""A Python that atheris has a wheel for."""
EXTREMES = [f"{major}.{minor}" for major, minor in sorted({min(PYTHONS), max(PYTHONS)})]
# Before pyenv's shims, which stand in for every Python and run only the chosen ones.
os.environ["PATH"] = os.pathsep.join([*(str(Path(path).parent) for path in PYTHONS.values()), os.environ["PATH"]])


def install(session: nox.Session, *groups: str) -> None:
    session.install("--editable", ".", *(part for group in groups for part in ("--group", group)))


def fill_wheelhouse(*arguments: str) -> None:
    """Download files with the pip that runs nox."""
    WHEELHOUSE.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--only-binary=:all:", "--dest", str(WHEELHOUSE), *arguments], check=True)


def has_extra(name: str) -> bool:
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    return name in project.get("optional-dependencies", {})


def locked_requirements() -> str:
    """The build requirements of buildlock itself with their hashes, from its own lock, without buildlock."""
    text = (ROOT / "build-lock.toml").read_text()
    files = re.findall(r'path = "wheelhouse/([^"]+)".*sha256 = "([0-9a-f]{64})"', text)
    return "".join(f"{name.split('-')[0]}=={name.split('-')[1]} --hash=sha256:{digest}\n" for name, digest in files)


@nox.session(tags=["test"])
def lint(session: nox.Session) -> None:
    """Style, types and the import contracts."""
    install(session, "dev")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


def run_tests(session: nox.Session, wanted: str, **environment: str) -> None:
    # Two for each core: many tests wait for a process or a server. Each process that starts would compile every
    # module again where the shell forbids to keep what it compiled.
    command = ("pytest", "-n", str(2 * (os.cpu_count() or 1)), "--dist", "worksteal", "-m", wanted)
    session.run(*command, *session.posargs, env={"PYTHONDONTWRITEBYTECODE": "", **environment})


@nox.session(python=EXTREMES, tags=["test"])
def tests(session: nox.Session) -> None:
    """Everything that is not heavy, on the newest Python there is; on the oldest, what is not slow."""
    install(session, "test")
    fill_wheelhouse(*REAL_BACKEND)
    run_tests(session, "not heavy" if session.python == EXTREMES[-1] else "not heavy and not slow")


@nox.session(python="{}.{}".format(*LOCKED) if LOCKED in PYTHONS else None, tags=["test"])
def own_lock(session: nox.Session) -> None:
    """buildlock built by buildlock, from its own lock and a wheelhouse."""
    if LOCKED not in PYTHONS:
        session.skip(f"build-lock.toml is for Python {LOCKED[0]}.{LOCKED[1]}")
    install(session)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write(locked_requirements())
    fill_wheelhouse("--require-hashes", "--requirement", file.name)
    session.run("buildlock", "lock", "--check")
    session.run("buildlock", "build", "--out-dir", str(Path(session.create_tmp()) / "dist"))


@nox.session(tags=["test"])
def docs(session: nox.Session) -> None:
    """The documentation, every warning an error."""
    session.install("--group", "docs")
    session.run("sphinx-build", "-W", "-n", "--keep-going", "-q", "docs", "site")


@nox.session(tags=["demo"])
def demo(session: nox.Session) -> None:
    """The main job on the project under fixtures/projects/seed, with indexes served from here."""
    install(session, "test")
    fill_wheelhouse(*DEMO_REQUIREMENTS)
    session.run("python", "fixtures/demo.py", env={"PYTHONPATH": "fixtures"})


@nox.session(tags=["heavy"])
def heavy(session: nox.Session) -> None:
    """Real PyTorch, real projects, the real index, a real browser."""
    install(session, "test", "heavy")
    session.run("pytest", "-m", "heavy", *session.posargs)


@nox.session
@nox.parametrize("mode", ["hardlink", "clone", "copy"])
def link_modes(session: nox.Session, mode: str) -> None:
    """The tests, environments made in another way than by links to folders."""
    install(session, "test")
    fill_wheelhouse(*REAL_BACKEND)
    run_tests(session, "not heavy", UV_LINK_MODE=mode)


@nox.session
def frontends(session: nox.Session) -> None:
    """Try every frontend in every way, and write the table in docs/frontends.md; or some: `-- '^hatch'`."""
    install(session, "test", "frontends")
    fill_wheelhouse(*REAL_BACKEND)
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "fixtures"))
    session.run("python", "-m", "support.frontends_table", *session.posargs, env={"PYTHONPATH": path})


@nox.session(python=WATCHED)
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads untrusted bytes: `-- lock --seconds 60`, another target of `tests/fuzz/targets.py`, or `all`."""
    install(session, "test", "fuzz")
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "fixtures"))
    session.run("python", "-m", "fuzz", *(session.posargs or ["all"]), env={"PYTHONPATH": path})


@nox.session(python=WATCHED)
def report(session: nox.Session) -> None:
    """Write the figures of docs/hostility.md: `-- malformed`, `-- real`, `-- fuzz --seconds 300` or `-- load`."""
    install(session, "test", "fuzz")
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "fixtures"))
    session.run("python", "-m", "support.hostile_report", *session.posargs, env={"PYTHONPATH": path})


@nox.session(python="{}.{}".format(*LOCKED) if LOCKED in PYTHONS else None)
def benchmark(session: nox.Session) -> None:
    """Measure buildlock beside the newest uv and pip, and write docs/benchmarks.md; `-- --help` has more."""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "fixtures"))
    if session.posargs == ["--report"]:
        session.run("python", "-m", "benchmarks", "--report", env={"PYTHONPATH": path})
        return
    session.install("--upgrade", "pip", "uv")
    made = Path(session.create_tmp()).resolve()
    shutil.rmtree(made / "dist", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(made / "dist"))
    (wheel,) = (made / "dist").glob("*.whl")
    options = [f"--uv={session.bin}/uv"]
    for name, extra in (("buildlock", ""), *((("fast", "[fast]"),) if has_extra("fast") else ())):
        python = str(made / name / "bin" / "python")
        session.run("uv", "venv", "--quiet", "--clear", "--python", f"{session.bin}/python", str(made / name))
        session.run("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, f"{wheel}{extra}")
        options.append(f"--{name}={made / name / 'bin' / 'buildlock'}")
    session.run(
        "python",
        "-m",
        "benchmarks",
        *options,
        *session.posargs,
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": None},
    )
