"""`buildlock cache`, and what code that runs during a build can do to what is kept."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, through_links

posix = pytest.mark.skipif(sys.platform == "win32", reason="the processes and locks are those of POSIX")
PLANT_BYTECODE = """
import importlib.util, pathlib, py_compile, sysconfig
library = pathlib.Path(sysconfig.get_path("purelib"))
evil = pathlib.Path("evil.py")
evil.write_text("print('evil')")
found = importlib.util.cache_from_source(str(library / "tinybackend" / "__init__.py"))
py_compile.compile(str(evil), found, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""
RESEAL = """
import array, os, pathlib, re, sys
def reseal(path, tree):
    content = path.read_bytes()
    head = re.search(rb"(?m)^[01] \\S* ([0-9]+)\\n", content)
    end = head.end() + int(head[1])
    names = content[head.end() : end].split(b"\\0")
    facts = array.array("q", [os.lstat(tree / os.fsdecode(name)).st_ctime_ns for name in names])
    path.write_bytes(content[:end] + facts.tobytes())
"""
FORGE_MARKER = f"""{RESEAL}
root = pathlib.Path(sys.prefix)
(root / "lib").rename(root / "moved")
(root / "moved").rename(root / "lib")
reseal(root / ".buildlock", root)
"""
FORGE_SEAL = f"""{RESEAL}
for path in (pathlib.Path(os.environ["STORE"]) / "wheels").glob("*/tree/tinybackend/__init__.py"):
    path.write_text("print('evil')")
    reseal(path.parents[2] / "seal", path.parents[1])
"""
KEEP_TIMES = """
import os, pathlib, sys
for source in pathlib.Path(sys.prefix).rglob("tinybackend/__init__.py"):
    status = source.stat()
    text = "print('evil')"
    source.write_text(text + " " * (status.st_size - len(text)))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
"""
PLANT_PATH = """
import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "evil.pth").write_text("import sys; print('evil')")
"""
BREAK_MARKER = """
import pathlib, sys
root = pathlib.Path(sys.prefix)
(root / ".buildlock").unlink()
(root / ".buildlock").mkdir()
"""
REPLACE_ALL = """
import os, pathlib, sys
root = pathlib.Path(sys.prefix)
os.rename(root, root.with_name("elsewhere"))
os.symlink(root.with_name("elsewhere"), root)
for source in root.rglob("tinybackend/__init__.py"):
    source.write_text("print('evil')")
"""
EDIT_STORE = """
import os, pathlib
for path in (pathlib.Path(os.environ["STORE"]) / "wheels").rglob("tinybackend/__init__.py"):
    status = path.stat()
    text = "print('evil')"
    path.write_text(text + " " * (status.st_size - len(text)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
"""
FORGE_MANIFEST = f"""{RESEAL}
import base64, hashlib, json
for path in (pathlib.Path(os.environ["STORE"]) / "wheels").glob("*/tree/tinybackend/__init__.py"):
    entry = path.parents[2]
    path.write_text(path.read_text() + "\\nprint('evil')\\n")
    lines = json.loads((entry / "files.json").read_bytes())
    for line in lines:
        if line[0] == "tinybackend/__init__.py":
            line[2] = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
            line[3] = path.stat().st_size
    (entry / "files.json").write_text(json.dumps(lines))
    facts = json.loads((entry / "manifest.json").read_bytes().partition(b"\\n")[2])
    facts["files"] = hashlib.sha256((entry / "files.json").read_bytes()).hexdigest()
    body = json.dumps(facts).encode()
    (entry / "manifest.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\\n" + body)
    reseal(entry / "seal", entry / "tree")
"""
IMPORT = "import tinybackend; print('imported')"


@pytest.fixture
def project(locked: CopyLockedProject) -> Checkout:
    return locked("in-tree-backend")


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


class TestVerbs:
    @through_links
    def test_damage_is_named_and_healed(self, tiny: Checkout, server: IndexServer) -> None:
        tiny.succeed("install", "-q")
        assert tiny.succeed("cache", "dir").stdout == f"{tiny.cache}\n"
        before = json.loads(tiny.succeed("cache", "size", "--json").stdout)
        assert before["bytes"] == sum(kind["bytes"] for kind in before["kinds"]) > 0
        path = next((tiny.cache / "store-v2" / "wheels").glob("*/tree/*/__init__.py"))
        good = path.read_bytes()
        path.write_bytes(b"")
        found = tiny.run("cache", "verify")
        assert found.code == 1
        assert found.stdout == f"{path.parents[2]}: `{path.relative_to(path.parents[1])}` was changed\n"
        server.exchanges.clear()
        tiny.succeed("install", "--target", "env")
        assert len(server.asked(".whl")) == 1
        assert path.read_bytes() == good
        assert tiny.succeed("cache", "verify").stdout == ""

    def test_what_is_removed_is_fetched_again(self, tiny: Checkout) -> None:
        tiny.succeed("install", "-q")
        assert "Removed 0 entries" in tiny.succeed("cache", "prune").stderr
        paths = tiny.succeed("cache", "clean", "--dry-run", "-q").stdout.splitlines()
        assert str(tiny.cache / "store-v2") in paths
        done = json.loads(tiny.succeed("cache", "clean", "--json").stdout)
        assert done["bytes"] > 0
        assert [path.name for path in tiny.cache.iterdir() if path.is_file()] == ["in-use"]
        assert "Installed" in tiny.succeed("install").stderr

    def test_the_source_of_a_package_goes_with_it(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-requirement", "--no-dynamic")
        project.succeed("install", "-q")
        name = next(name for name, package in project.packages().items() if "sdist" in package)
        paths = project.succeed("cache", "clean", name, "--dry-run").stdout.splitlines()
        kinds = {Path(path).relative_to(project.cache).as_posix().rpartition("/")[0] for path in paths}
        assert kinds >= {f"store-v2/{kind}" for kind in ("wheels", "sources", "built")} | {"environments-v2"}

    @pytest.mark.parametrize("arguments", [("prune", "--older-than", "-1"), ("clean", "no/name"), ("wash",)])
    def test_wrong_usage(self, tiny: Checkout, arguments: tuple[str, ...]) -> None:
        assert tiny.run("cache", *arguments).code == 2

    def test_a_folder_that_is_no_cache_is_refused(self, tiny: Checkout) -> None:
        result = tiny.run("cache", "clean", BUILDLOCK_CACHE_DIR=str(tiny.root))
        assert (result.code, "is no cache of buildlock" in result.stderr) == (1, True)
        assert tiny.lock_path.exists()
        assert tiny.run("cache", "size", BUILDLOCK_CACHE_DIR=str(tiny.pyproject)).code == 1


@posix
class TestUse:
    def test_a_build_is_waited_for(self, project: Checkout) -> None:
        with (project.root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
            file.write(
                "\n\nimport os, time\n_build_wheel = build_wheel\ndef build_wheel(*arguments):\n"
                "    open('there', 'w').close()\n"
                "    while not os.path.exists('go'):\n        time.sleep(0.01)\n"
                "    return _build_wheel(*arguments)\n"
            )
        build = project.start("build")
        wait_for((project.root / "there").exists)
        clean = project.start("cache", "clean")
        wait_for(lambda: clean.says("waiting for their end"))
        assert any((project.cache / "store-v2" / "scratch").iterdir())
        (project.root / "go").touch()
        assert build.wait().code == 0
        assert clean.wait().code == 0
        assert not (project.cache / "store-v2").exists()

    @through_links
    def test_a_command_keeps_its_environment(self, tiny: Checkout) -> None:
        """It is not buildlock any more, and holds nothing but its environment."""
        command = [sys.executable, "-m", "buildlock", "run", "-q", "--", "python", "-c"]
        script = f"print('ready', flush=True); input(); {IMPORT}"
        with subprocess.Popen(
            [*command, script],
            cwd=tiny.root,
            env=dict(tiny.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            said = tiny.succeed("cache", "clean").stderr
            assert ": a command runs in it" in said
            assert [path.name for path in (tiny.cache / "store-v2").iterdir()] == ["wheels"]
            assert process.communicate("\n")[0] == "imported\n"
        assert "Kept" not in tiny.succeed("cache", "clean").stderr


@posix
class TestAttacks:
    """What a command or a backend wrote never reaches the next one."""

    @pytest.mark.parametrize(
        "attack",
        [
            pytest.param(PLANT_BYTECODE, id="bytecode"),
            pytest.param(FORGE_MARKER, id="marker"),
            # Of hard links it is known, and documented, that only `cache verify` finds it.
            pytest.param(KEEP_TIMES, id="times", marks=through_links),
            pytest.param(PLANT_PATH, id="pth"),
            pytest.param(BREAK_MARKER, id="no marker"),
            pytest.param(REPLACE_ALL, id="another folder"),
        ],
    )
    def test_of_a_command_on_its_environment(self, tiny: Checkout, attack: str) -> None:
        command = ("run", "-q", "--", "python", "-c")
        assert tiny.succeed(*command, IMPORT).stdout == "imported\n"
        tiny.succeed(*command, f"{attack}\nprint('done')")
        assert tiny.succeed(*command, IMPORT).stdout == "imported\n"
        assert tiny.succeed("cache", "verify").stdout == ""

    @pytest.mark.parametrize("attack", [PLANT_BYTECODE, KEEP_TIMES, PLANT_PATH, EDIT_STORE, FORGE_SEAL, FORGE_MANIFEST])
    def test_of_a_backend(self, project: Checkout, attack: str) -> None:
        with (project.root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
            file.write(f"\n\n_build_wheel = build_wheel\n\ndef build_wheel(*arguments):\n    exec({attack!r}, {{}})\n")
            file.write("    return _build_wheel(*arguments)\n")
        said = project.succeed("build", STORE=str(project.cache / "store-v2")).stderr
        assert ("was changed during a build" in said) == (attack == FORGE_MANIFEST)
        assert "evil" not in project.succeed("build", STORE=os.devnull).stderr
        assert "evil" not in project.succeed("run", "-q", "--", "python", "-c", "print(1)").stdout
        assert project.succeed("cache", "verify").stdout == ""
