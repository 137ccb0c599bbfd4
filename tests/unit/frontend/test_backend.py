"""A backend that keeps to the protocol, and many that do not."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from buildlock.errors import BackendError, BuildlockError, EnvironmentPreparationError
from buildlock.frontend.backend import PRODUCTS, Backend, Product
from buildlock.project.model import BuildSystem
from buildlock.reporting import Event, Printed, Warned, silence

from .conftest import Environment, MakeBackend

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class TestRequires:
    @pytest.mark.parametrize("product", PRODUCTS)
    def test_are_what_the_hook_returns(self, make_backend: MakeBackend, product: Product) -> None:
        backend = make_backend(f"""
            def get_requires_for_build_{product}(config_settings):
                return ["ninja>=1.11; sys_platform != 'other'", "torch @ https://example.org/torch-2.4.0.tar.gz"]
        """)
        ninja, torch = backend.requires_for(product)
        assert str(ninja) == 'ninja>=1.11; sys_platform != "other"'
        assert torch.url == "https://example.org/torch-2.4.0.tar.gz"

    @pytest.mark.parametrize("product", PRODUCTS)
    def test_are_none_without_the_optional_hook(self, make_backend: MakeBackend, product: Product) -> None:
        assert make_backend().requires_for(product) == ()

    def test_see_the_config_settings(self, make_backend: MakeBackend) -> None:
        backend = make_backend("""
            def get_requires_for_build_wheel(config_settings):
                return [] if config_settings is None else config_settings["with"]
        """)
        assert backend.requires_for("wheel", {}) == ()
        assert [str(item) for item in backend.requires_for("wheel", {"with": ["ninja", "cmake"]})] == ["ninja", "cmake"]

    @pytest.mark.parametrize(
        ("returned", "shown"),
        [
            ("None", "None"),
            ("'ninja'", "'ninja'"),
            ("{'ninja': 1}", "{'ninja': 1}"),
            ("['ninja', 3, 'no requirement']", "3, 'no requirement'"),
            ("['ninja', None]", "None"),
            ("[['ninja']]", "['ninja']"),
            ("['']", "''"),
            ("['ninja; os_name ~= \"x\"']", "os_name ~="),
            ("['ninja; \"x\" in extras']", "in extras"),
            ("['ninja==' + '1' * 5000]", "ninja==111"),
            ("['ninja; ' + '(' * 2000 + 'os_name' + ')' * 2000]", "((("),
            ("['\\ud800\\x1b[2J']", r"\ud800\x1b[2J"),
        ],
    )
    def test_are_refused_where_they_are_none(self, make_backend: MakeBackend, returned: str, shown: str) -> None:
        backend = make_backend(f"def get_requires_for_build_wheel(config_settings): return {returned}")
        with pytest.raises(BackendError) as caught:
            backend.requires_for("wheel")
        assert "the build backend `house`" in caught.value.message
        assert "`get_requires_for_build_wheel`" in caught.value.message
        assert shown in caught.value.message
        assert "\x1b" not in caught.value.message


class TestProduct:
    @pytest.mark.parametrize(
        ("product", "filename"),
        [
            ("wheel", "demo-1.0-py3-none-any.whl"),
            ("editable", "demo-1.0-py3-none-any.whl"),
            ("sdist", "demo-1.0.tar.gz"),
        ],
    )
    def test_is_the_only_thing_that_is_left(
        self, make_backend: MakeBackend, root: Path, product: Product, filename: str
    ) -> None:
        out_dir = root / "new" / "dist"
        assert make_backend(name="Demo").build(product, out_dir) == out_dir / filename
        assert entries(out_dir) == [filename]

    def test_replaces_the_one_before(self, make_backend: MakeBackend, tmp_path: Path) -> None:
        (tmp_path / "demo-1.0-py3-none-any.whl").write_text("old")
        (tmp_path / "other.txt").write_text("kept")
        assert make_backend().build("wheel", tmp_path).stat().st_size > len("old")
        assert (tmp_path / "other.txt").read_text() == "kept"

    def test_may_go_to_a_relative_folder(
        self, make_backend: MakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert make_backend().build("wheel", Path("out")) == Path("out", "demo-1.0-py3-none-any.whl")
        assert entries(tmp_path / "out") == ["demo-1.0-py3-none-any.whl"]

    def test_is_built_with_the_config_settings(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend("""
            def build_wheel(wheel_directory, config_settings, metadata_directory):
                return write_wheel(wheel_directory, version=config_settings["version"])
        """)
        assert backend.build("wheel", root, {"version": "7.1"}).name == "demo-7.1-py3-none-any.whl"

    def test_may_come_from_a_backend_that_changes_directory(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend("""
            import os
            def build_wheel(wheel_directory, *_):
                os.chdir(wheel_directory)
                return write_wheel(".")
        """)
        assert backend.build("wheel", root).exists()

    @posix_only
    def test_is_what_was_checked_whatever_else_leads_to_it(
        self, make_backend: MakeBackend, root: Path, tmp_path: Path
    ) -> None:
        link = tmp_path / "link"
        backend = make_backend(f"""
            import os
            def build_wheel(wheel_directory, *_):
                name = write_wheel(wheel_directory)
                os.link(os.path.join(wheel_directory, name), {str(link)!r})
                return name
        """)
        built = backend.build("wheel", root / "dist")
        before = built.read_bytes()
        assert link.read_bytes() == before
        link.write_bytes(b"changed after it was checked")
        assert built.read_bytes() == before

    def test_may_come_with_left_overs(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend("""
            import os
            def build_wheel(wheel_directory, *_):
                os.makedirs(os.path.join(wheel_directory, "temp.linux"), 0o500)
                return write_wheel(wheel_directory)
        """)
        backend.build("wheel", root / "dist")
        assert entries(root / "dist") == ["demo-1.0-py3-none-any.whl"]

    @pytest.mark.parametrize(
        ("source", "fault"),
        [
            ("return 3", "returned 3"),
            ("return ''", "returned ''"),
            ("return '..'", "not the name of a file"),
            ("return write_wheel(wheel_directory, tag='py3-none-any\\x1b[2J')", "not the name of a file"),
            ("return '\\ud800'", "not the name of a file"),
            ("return 'x' * 100_000", "made no such file"),
            ("return os.path.join(wheel_directory, write_wheel(wheel_directory))", "not the name of a file"),
            ("return 'C:' + write_wheel(wheel_directory)", "not the name of a file"),
            ("return write_wheel(wheel_directory) + '\\0'", "not the name of a file"),
            ("write_sdist(wheel_directory); return write_wheel(wheel_directory)", "made 'demo-1.0.tar.gz' too"),
            ("return write_sdist(wheel_directory)", "is not the filename of a wheel"),
            ("return write_wheel(wheel_directory, filename='demo.whl')", "is not the filename of a wheel"),
            (
                "return write_wheel(wheel_directory, filename='demo-1.0-py3-none-any.zip')",
                "is not the filename of a wheel",
            ),
            ("return write_wheel(wheel_directory, version='one')", "is not the filename of a wheel"),
            ("return write_wheel(wheel_directory, metadata='\\0\\0')", "METADATA"),
            ("import shutil; shutil.rmtree(wheel_directory); return 'demo-1.0-py3-none-any.whl'", "made no such file"),
        ],
    )
    def test_is_refused_where_the_wheel_is_none(
        self, make_backend: MakeBackend, root: Path, source: str, fault: str
    ) -> None:
        backend = make_backend(
            f"import os\ndef build_wheel(wheel_directory, *_):\n    print('at work')\n    {source}", name="demo"
        )
        with pytest.raises(BackendError) as caught:
            backend.build("wheel", root / "out" / "dist")
        assert "the build backend `house` did not keep to the protocol in `build_wheel`" in caught.value.message
        assert fault in caught.value.message
        assert "  at work" in caught.value.message
        assert not (root / "out" / "dist").exists()

    @pytest.mark.parametrize(
        ("source", "fault"),
        [
            ("return write_sdist(sdist_directory, filename='demo-1.0.zip')", "is not the filename of an sdist"),
            ("return write_sdist(sdist_directory, filename='demo.tar.gz')", "is not the filename of an sdist"),
            ("return write_sdist(sdist_directory, name='impostor')", "for the project `demo`"),
            ("return write_sdist(sdist_directory, filename='demo-2.0.tar.gz')", "has the folder `demo-1.0`, not `dem"),
            ("return write_sdist(sdist_directory, contents={'demo-1.0/setup.py': ''})", "has no `demo-1.0/PKG-INFO`"),
            ("return write_sdist(sdist_directory, contents={'demo-1.0/PKG-INFO': ''})", "no `Metadata-Version`"),
            ("return write_sdist(sdist_directory, contents={'/demo-1.0/PKG-INFO': ''})", "the name is absolute"),
            (
                "open(sdist_directory + '/demo-1.0.tar.gz', 'wb').write(b'x' * 99); return 'demo-1.0.tar.gz'",
                "no sound gzip",
            ),
            ("open(sdist_directory + '/demo-1.0.tar.gz', 'wb'); return 'demo-1.0.tar.gz'", "stops early"),
        ],
    )
    def test_is_refused_where_the_sdist_is_none(
        self, make_backend: MakeBackend, root: Path, source: str, fault: str
    ) -> None:
        backend = make_backend(f"def build_sdist(sdist_directory, *_):\n    {source}", name="demo")
        with pytest.raises(BackendError) as caught:
            backend.build("sdist", root / "dist")
        assert fault in caught.value.message
        assert entries(root / "dist") == []

    def test_leaves_what_was_there_where_the_next_is_refused(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend("""
            def build_wheel(wheel_directory, config_settings, metadata_directory):
                name = write_wheel(wheel_directory)
                if config_settings:
                    raise RuntimeError
                return name
        """)
        built = backend.build("wheel", root / "dist")
        before = built.read_bytes()
        with pytest.raises(BackendError):
            backend.build("wheel", root / "dist", {"fail": "yes"})
        assert entries(root / "dist") == [built.name]
        assert built.read_bytes() == before

    def test_needs_a_folder_that_can_be_written(self, make_backend: MakeBackend, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(BuildlockError, match=r"file` cannot be written"):
            make_backend().build("wheel", tmp_path / "file")

    def test_cannot_replace_a_folder(self, make_backend: MakeBackend, tmp_path: Path) -> None:
        (tmp_path / "demo-1.0-py3-none-any.whl").mkdir()
        with pytest.raises(BuildlockError, match="cannot be written"):
            make_backend().build("wheel", tmp_path)
        assert "demo-1.0-py3-none-any.whl" in entries(tmp_path)


class TestFailure:
    @pytest.mark.parametrize(
        ("source", "fault"),
        [
            ("raise RuntimeError('the compiler is out')", "failed in `build_wheel` (exit code 1)"),
            ("import sys; sys.exit('gone')", "failed in `build_wheel` (exit code 1)"),
            ("import os; os._exit(7)", "(exit code 7)"),
            ("import pathlib; return pathlib.Path('x.whl')", "failed in `build_wheel` (exit code 1)"),
            ("import os, sys; os.dup2(os.open(os.devnull, 0), 1); print('x', flush=True)", "failed in `build_wheel`"),
        ],
    )
    def test_is_the_backends(self, make_backend: MakeBackend, root: Path, source: str, fault: str) -> None:
        backend = make_backend(f"def build_wheel(wheel_directory, *_): {source}")
        with pytest.raises(BackendError) as caught:
            backend.build("wheel", root / "dist")
        assert caught.value.message.startswith("the build backend `house` ")
        assert fault in caught.value.message
        assert not (root / "dist").exists()

    @pytest.mark.parametrize(
        "answer", ["", "{", "null", "[]", "{}", '"text"', "[" * 100_000, "\\xff", '{"return_val": 1, "warnings": [1]}']
    )
    def test_includes_an_answer_that_is_none(self, make_backend: MakeBackend, root: Path, answer: str) -> None:
        backend = make_backend(f"""
            import os, sys
            def build_wheel(wheel_directory, *_):
                with open(os.path.join(sys.argv[2], "output.json"), "wb") as file:
                    file.write({answer!r}.encode("latin-1"))
                os._exit(0)
        """)
        with pytest.raises(BackendError, match="the build backend `house`"):
            backend.build("wheel", root / "dist")

    def test_shows_the_end_of_the_output(self, make_backend: MakeBackend, root: Path, printed: list[str]) -> None:
        backend = make_backend("""
            def build_wheel(wheel_directory, *_):
                for number in range(1000):
                    print("line", number)
                raise RuntimeError("the compiler is out")
        """)
        with pytest.raises(BackendError) as caught:
            backend.build("wheel", root / "dist")
        assert "line 999\n" in caught.value.message
        assert "line 9\n" not in caught.value.message
        assert caught.value.message.endswith("RuntimeError: the compiler is out")
        assert printed[:2] == ["line 0", "line 1"]

    def test_of_an_import_has_a_hint(self, make_backend: MakeBackend, root: Path) -> None:
        with pytest.raises(BackendError) as caught:
            make_backend("def build_wheel(*_): import torch.utils").build("wheel", root / "dist")
        assert caught.value.hint == "add the package that provides `torch` to `[build-system].requires` and lock again"

    @pytest.mark.parametrize("product", PRODUCTS)
    def test_is_a_missing_hook(self, make_backend: MakeBackend, root: Path, product: Product) -> None:
        with pytest.raises(BackendError, match=f"build_{product}"):
            make_backend(f"del build_{product}").build(product, root / "dist")

    def test_of_a_missing_editable_hook_has_a_hint(self, make_backend: MakeBackend, root: Path) -> None:
        with pytest.raises(BackendError, match="has no hook `build_editable`") as caught:
            make_backend("del build_editable").build("editable", root / "dist")
        assert caught.value.hint is not None
        assert "PEP 660" in caught.value.hint

    def test_is_an_sdist_that_is_not_supported(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend("""
            class UnsupportedOperation(Exception):
                pass
            def build_sdist(*_):
                raise UnsupportedOperation("no git here")
        """)
        with pytest.raises(BackendError, match=r"does not support `build_sdist` here[\s\S]*no git here"):
            backend.build("sdist", root / "dist")


class TestImport:
    def test_follows_an_object_path(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend(
            """
            import honest_backend
            class factory:
                hooks = honest_backend
            """,
            backend="house:factory.hooks",
        )
        assert backend.build("wheel", root / "dist").exists()

    def test_names_the_package_that_the_lock_has_not(self, make_backend: MakeBackend) -> None:
        backend = make_backend(backend="setuptools.build_meta:__legacy__", backend_path=())
        with pytest.raises(BackendError, match=r"has no module `setuptools`$") as caught:
            backend.requires_for("wheel")
        assert (
            caught.value.hint
            == "add the package that provides `setuptools` to `[build-system].requires` and lock again"
        )

    def test_names_what_the_backend_imports_in_vain(self, make_backend: MakeBackend) -> None:
        with pytest.raises(BackendError, match=r"has no module `tomlkit.api`|has no module `tomlkit`") as caught:
            make_backend("import tomlkit.api").requires_for("wheel")
        assert "house.py" in caught.value.message

    def test_may_fail_otherwise(self, make_backend: MakeBackend) -> None:
        with pytest.raises(BackendError, match=r"cannot be imported[\s\S]*no_such_name"):
            make_backend("from os import no_such_name").requires_for("wheel")

    def test_is_from_the_backend_path_alone(self, make_backend: MakeBackend) -> None:
        with pytest.raises(BackendError, match=r"`colorsys` is not in its `backend-path`, `backend`"):
            make_backend(backend="colorsys").requires_for("wheel")

    def test_of_an_object_that_is_not_there(self, make_backend: MakeBackend, root: Path) -> None:
        with pytest.raises(BackendError, match="has no attribute 'absent'"):
            make_backend(backend="house:absent").build("wheel", root / "dist")


class TestOutput:
    def test_is_reported_in_the_order_in_which_it_is_printed(
        self, make_backend: MakeBackend, printed: list[str]
    ) -> None:
        make_backend("""
            import os, sys
            def get_requires_for_build_wheel(config_settings):
                print("one")
                print("two", file=sys.stderr)
                os.system("echo three")
                sys.stdout.write("four")
                return []
        """).requires_for("wheel")
        assert printed == ["one", "two", "three", "four"]

    def test_may_be_any_bytes(self, make_backend: MakeBackend, printed: list[str]) -> None:
        make_backend(r"""
            import os
            def get_requires_for_build_wheel(config_settings):
                os.write(1, b"\xff\xfe \xe2\x82\xac\r10%\r\n\x1b[31mred\x1b[0m\x07\x1b]0;title\x07\n\n" + b"x" * 10_000)
                return []
        """).requires_for("wheel")
        assert printed[:4] == ["\ufffd\ufffd €", "10%", "red", ""]
        assert "".join(printed[4:]) == "x" * 10_000
        assert max(map(len, printed)) < 5000

    def test_has_the_warnings_of_the_backend(self, make_backend: MakeBackend, printed: list[str]) -> None:
        make_backend("""
            import warnings
            def get_requires_for_build_wheel(config_settings):
                warnings.warn("old style\\nof project\\ud800")
                return []
        """).requires_for("wheel")
        assert any(line.endswith(": old style") for line in printed)
        assert "of project" in printed

    def test_may_fail_to_be_reported(self, make_backend: MakeBackend) -> None:
        def report(event: Event) -> None:
            if isinstance(event, Printed):
                raise BrokenPipeError

        backend = make_backend("def get_requires_for_build_wheel(_): print('x' * 1_000_000); return []", report=report)
        with pytest.raises(BuildlockError):
            backend.requires_for("wheel")


class TestEnd:
    def test_comes_with_the_timeout(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend(
            """
            import time
            def build_wheel(wheel_directory, *_):
                print("sleeping")
                time.sleep(600)
            """,
            timeout=1,
        )
        with pytest.raises(BackendError, match=r"did not finish `build_wheel` within 1 s[\s\S]*sleeping"):
            backend.build("wheel", root / "dist")
        assert not (root / "dist").exists()

    def test_comes_to_a_backend_that_prints_for_ever(self, make_backend: MakeBackend, root: Path) -> None:
        backend = make_backend(
            """
            import os
            def build_wheel(wheel_directory, *_):
                while True:
                    os.write(1, b"x" * 65536)
            """,
            timeout=1,
            report=silence,
        )
        with pytest.raises(BackendError, match="within 1 s") as caught:
            backend.build("wheel", root / "dist")
        assert len(caught.value.message) < 1_000_000

    @posix_only
    def test_is_that_of_all_processes_that_a_hook_started(
        self, make_backend: MakeBackend, root: Path, tmp_path: Path
    ) -> None:
        backend = make_backend(f"""
            import os, time
            def build_wheel(wheel_directory, *_):
                pid = os.fork()
                if pid == 0:
                    time.sleep(600)
                with open({str(tmp_path / "pid")!r}, "w") as file:
                    file.write(str(pid))
                return write_wheel(wheel_directory)
        """)
        assert backend.build("wheel", root / "dist").exists()
        assert is_gone(int((tmp_path / "pid").read_text()))

    @posix_only
    @pytest.mark.parametrize("leave", ["", "os.setpgid(0, 0)"])
    def test_is_that_of_a_process_with_a_group_of_its_own(
        self, make_backend: MakeBackend, root: Path, tmp_path: Path, leave: str
    ) -> None:
        # As ninja starts compilers.
        pid = tmp_path / "pid"
        backend = make_backend(
            f"""
            import os, time
            def build_wheel(wheel_directory, *_):
                if os.fork() == 0:
                    {leave}
                    with open({str(pid)!r}, "w") as file:
                        file.write(str(os.getpid()))
                time.sleep(600)
            """,
            timeout=1,
        )
        with pytest.raises(BackendError, match="within 1 s"):
            backend.build("wheel", root / "dist")
        assert is_gone(int(pid.read_text()))

    @posix_only
    def test_comes_to_a_process_that_left_with_its_output(
        self, make_backend: MakeBackend, root: Path, tmp_path: Path
    ) -> None:
        pid = tmp_path / "pid"
        events: list[Event] = []
        backend = make_backend(
            f"""
            import os, time
            def build_wheel(wheel_directory, *_):
                if os.fork() == 0:
                    os.setsid()
                    with open({str(pid)!r}, "w") as file:
                        file.write(str(os.getpid()))
                    time.sleep(600)
                while not os.path.exists({str(pid)!r}):
                    time.sleep(0.01)
                return write_wheel(wheel_directory)
            """,
            report=events.append,
        )
        assert backend.build("wheel", root / "dist").exists()
        warned = [event for event in events if isinstance(event, Warned)]
        assert warned == [Warned("the build backend `house` left a process behind in `build_wheel`")]
        if sys.platform == "linux":
            assert is_gone(int(pid.read_text()))
        else:
            os.kill(int(pid.read_text()), signal.SIGKILL)

    @posix_only
    def test_comes_with_the_users_interrupt(self, make_backend: MakeBackend, root: Path, tmp_path: Path) -> None:
        def interrupt(event: Event) -> None:
            if isinstance(event, Printed):
                signal.raise_signal(signal.SIGINT)

        backend = make_backend(
            f"""
            import os, time
            def build_wheel(wheel_directory, *_):
                with open({str(tmp_path / "pid")!r}, "w") as file:
                    file.write(str(os.getpid()))
                print("interrupt me")
                time.sleep(600)
            """,
            report=interrupt,
        )
        with pytest.raises(KeyboardInterrupt):
            backend.build("wheel", root / "dist")
        assert is_gone(int((tmp_path / "pid").read_text()))
        assert not (root / "dist").exists()

    @posix_only
    @pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
    def test_by_a_signal_is_named(self, make_backend: MakeBackend, root: Path, name: str) -> None:
        backend = make_backend(f"import os, signal\ndef build_wheel(*_): os.kill(os.getpid(), signal.{name})")
        with pytest.raises(BackendError, match=name):
            backend.build("wheel", root / "dist")


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or does so within seconds: one that was killed is collected later."""
    for _ in range(500):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/stat")
            if not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.01)
                continue
        return True
    return False


class TestInterpreter:
    def test_that_is_missing_is_not_the_backends_fault(self, tmp_path: Path) -> None:
        backend = Backend(
            BuildSystem(requires=(), backend="house"), tmp_path, Environment(tmp_path / "none"), {}, silence
        )
        with pytest.raises(EnvironmentPreparationError, match=r"none.*cannot be run"):
            backend.requires_for("wheel")

    def test_runs_several_hooks_at_a_time(self, make_backend: MakeBackend, printed: list[str]) -> None:
        backend = make_backend("""
            import time, warnings
            def get_requires_for_build_wheel(config_settings):
                warnings.warn("careful")
                time.sleep(0.1)
                return []
        """)
        threads = [threading.Thread(target=backend.requires_for, args=("wheel",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(line.endswith("careful") for line in printed) == 4
