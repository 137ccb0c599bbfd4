"""What a confined process can reach; and what is said where the machine cannot confine one."""

import os
import socket
import sys
from pathlib import Path

import pytest

from buildlock.errors import ConfinementError
from buildlock.frontend import confinement
from buildlock.frontend.confinement import Confinement, Mount
from buildlock.frontend.process import Ended
from buildlock.reporting import Event, Printed, silence
from support.namespaces import skip_without_namespaces

SANDBOX = Confinement(mounts=())


def run(confined: Confinement, code: str, *arguments: object, directory: Path | None = None) -> list[str]:
    """Run Python code that must succeed: the lines that it printed."""
    lines: list[str] = []

    def collect(event: Event) -> None:
        if isinstance(event, Printed):
            lines.append(event.line)

    command = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    ended = confined.run(
        command, directory=str(directory) if directory else None, environ=os.environ, report=collect, timeout=60
    )
    assert ended == Ended(returncode=0, output=tuple(lines), outlived=False)
    return lines


class TestConfined:
    """Where the machine can."""

    @pytest.fixture(autouse=True)
    def namespaces(self) -> None:
        skip_without_namespaces()

    CONNECT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
except OSError:
    print("no")
"""

    @pytest.mark.parametrize("confined", [Confinement(), SANDBOX])
    def test_has_no_network(self, confined: Confinement) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert run(confined, self.CONNECT, server.getsockname()[1]) == ["no"]

    def test_can_talk_to_itself(self) -> None:
        code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 5).close()
    print("yes")
"""
        assert run(Confinement(), code) == ["yes"]

    def test_writes_where_the_user_may_if_only_the_network_is_taken(self, tmp_path: Path) -> None:
        run(Confinement(), "import sys; open(sys.argv[1], 'w').close()", tmp_path / "file")
        assert (tmp_path / "file").exists()

    WRITE = """
import sys
for path in sys.argv[1:]:
    try:
        open(path, "w").close()
    except OSError as error:
        print(error.strerror)
    else:
        print("written")
"""

    def test_writes_in_a_sandbox_where_it_is_allowed(self, tmp_path: Path) -> None:
        for name in ("mine", "other"):
            (tmp_path / name).mkdir()
        files = [
            tmp_path / "mine" / "file",
            tmp_path / "other" / "file",
            tmp_path / "file",
            Path.home() / "buildlock-x",
        ]
        refused = "Read-only file system"
        assert run(SANDBOX.allow(tmp_path / "mine"), self.WRITE, *files) == ["written", refused, refused, refused]
        assert [path.exists() for path in files] == [True, False, False, False]
        assert run(SANDBOX, self.WRITE, os.devnull) == ["written"]

    def test_sees_a_copy_in_its_place(self, tmp_path: Path) -> None:
        project, copy = tmp_path / "a project", tmp_path / "copy"
        (project / ".git").mkdir(parents=True)
        (project / ".git" / "HEAD").touch()
        (copy / ".git").mkdir(parents=True)
        (copy / "source").touch()
        history = project / ".git"
        confined = Confinement(
            mounts=(
                Mount(place=project, source=copy, writable=True),
                Mount(place=history, source=history, writable=False),
            )
        ).allow(project / "dist" / "scratch")
        (project / "dist" / "scratch").mkdir(parents=True)
        code = f"import os; print(os.getcwd(), *sorted(os.listdir()), *os.listdir('.git'))\n{self.WRITE}"
        assert run(confined, code, "new", ".git/new", "dist/scratch/new", directory=project) == [
            f"{project} .git dist source HEAD",
            "written",
            "Read-only file system",
            "written",
        ]
        assert (copy / "new").exists()
        assert sorted(path.name for path in project.iterdir()) == [".git", "dist"]
        assert (project / "dist" / "scratch" / "new").exists()

    def test_cannot_undo_it(self, tmp_path: Path) -> None:
        # As root, too.
        code = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
remount = libc.mount(b"none", b"/", b"", ctypes.c_ulong(4096 | 32), b"")
print(remount, libc.umount2(os.fsencode(sys.argv[1]), 2), libc.unshare(0x40000000))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["CapEff"], 16) & ~0xfb, status["NoNewPrivs"].strip())
"""
        assert run(SANDBOX.allow(tmp_path), code, tmp_path) == ["-1 -1 -1", "0 1"]

    def test_cannot_write_to_the_output_of_whoever_runs_it(self) -> None:
        code = """
import os
try:
    open(f"/proc/{os.getppid()}/fd/1", "w")
except PermissionError:
    print("no")
"""
        assert run(SANDBOX, code) == ["no"]

    def test_has_semaphores(self) -> None:
        code = "import multiprocessing; multiprocessing.Lock(); print('yes')"
        assert run(SANDBOX, code) == ["yes"]

    def test_is_the_same_user(self, tmp_path: Path) -> None:
        run(SANDBOX.allow(tmp_path), "import sys; open(sys.argv[1], 'w').close()", tmp_path / "file")
        assert (tmp_path / "file").stat().st_uid == os.geteuid()

    def test_is_what_is_run_or_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ConfinementError, match=r"exec `.*none`: No such file or directory"):
            SANDBOX.run([str(tmp_path / "none")], directory=None, environ={}, report=silence, timeout=60)

    def test_is_stopped_when_its_time_is_over(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
        ended = SANDBOX.run(command, directory=None, environ=os.environ, report=silence, timeout=1)
        assert ended.returncode is None


class TestRefusal:
    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is tried")
    @pytest.mark.parametrize(
        ("switches", "hint"),
        [
            (
                ("max_user_namespaces", "0"),
                "users may not make namespaces on this machine; to allow it: `sudo sysctl x`",
            ),
            (("max_user_namespaces", "-"), "in a container, allow namespaces"),
            (("absent", "0"), "in a container, allow namespaces"),
        ],
    )
    def test_of_the_kernel_says_which_step_and_what_helps(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, switches: tuple[str, str], hint: str
    ) -> None:
        program = tmp_path / "refused.py"
        program.write_text("""import os, sys; os.write(int(sys.argv[1]), b'["unshare", 1]'); print("not shown")""")
        monkeypatch.setattr(confinement, "_PROGRAM", program)
        (tmp_path / "max_user_namespaces").write_text("0\n")
        monkeypatch.setattr(confinement, "_SWITCHES", ((str(tmp_path / switches[0]), switches[1], "x"),))
        with pytest.raises(ConfinementError) as caught:
            Confinement().run(["true"], directory=None, environ={}, report=silence, timeout=60)
        assert caught.value.message == (
            "the kernel does not let the build be cut off from the network: unshare: Operation not permitted"
        )
        assert caught.value.hint is not None
        assert caught.value.hint.startswith(hint)

    def test_of_other_platforms_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(ConfinementError, match="cannot be kept from the network and from writing on this platform"):
            SANDBOX.run(["true"], directory=None, environ={}, report=silence, timeout=60)
