"""Many at once, processes that are killed, and machines that refuse: nothing is lost, and the next run succeeds."""

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, CopyProject, Result, run_process
from support.load import MANY, count_downloads, find_damage, find_leftovers, kill_half, start_many

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="processes, signals and limits are those of POSIX"),
    pytest.mark.slow,
]

CU124 = ("--variant", "cu124", "--no-dynamic")
CLOCK = """
import time
_real, _start = time.time, time.time()
def _now():
    return {start} + _real() - _start
time.time, time.time_ns = _now, lambda: int(_now() * 1e9)
"""


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


def check_sound(project: Checkout, *arguments: str) -> None:
    """The next run succeeds, and nothing damaged or half made is left of those before."""
    project.succeed("install", *arguments)
    assert find_damage(project) == []
    assert find_leftovers(project) == []


def is_told(result: Result) -> bool:
    """Whether it succeeded, or failed with one clear error."""
    errors = re.findall(r"^error: ", result.stderr, re.MULTILINE)
    assert "Traceback" not in result.stderr
    return result.code == 0 or (result.code == 1 and len(errors) == 1)


class TestManyAtOnce:
    def test_on_one_cold_cache_each_file_is_downloaded_once(self, seed: Checkout, server: IndexServer) -> None:
        results = [running.wait() for running in start_many(seed, "install", "-q", "--variant", "cu124")]
        assert [result.code for result in results] == [0] * MANY
        assert len({result.stdout for result in results}) == 1
        downloads = count_downloads(server)
        assert len(downloads) == len(seed.packages("cu124"))
        assert set(downloads.values()) == {1}
        check_sound(seed, "--variant", "cu124")

    def test_into_one_environment_all_get_it(self, seed: Checkout) -> None:
        runs = start_many(seed, "install", "-q", "--variant", "cu124", "--target", "env")
        assert [running.wait().code for running in runs] == [0] * MANY
        assert sorted(path.name for path in seed.root.iterdir() if "env" in path.name) == ["env"]
        check_sound(seed, "--variant", "cu124")

    @pytest.mark.parametrize("trial", range(3))
    def test_half_of_them_killed(self, seed: Checkout, trial: int) -> None:
        runs = start_many(seed, "install", "-q", "--variant", "cu124")
        kill_half(runs, random.Random(trial))
        codes = Counter(running.wait().code for running in runs)
        assert codes[0] >= MANY // 2
        assert set(codes) <= {0, -9}
        check_sound(seed, "--variant", "cu124")

    def test_commands_share_one_environment(self, seed: Checkout) -> None:
        seed.succeed("install", "-q", "--variant", "cu124")
        runs = start_many(seed, "run", "-q", "--variant", "cu124", "--", "python", "-I", "-c", "import sys")
        assert [running.wait().code for running in runs] == [0] * MANY
        check_sound(seed, "--variant", "cu124")


class TestKilled:
    def test_the_lock_is_the_old_or_the_new_one(self, checkout: CopyProject) -> None:
        project = checkout("seed")
        project.succeed("lock", *CU124)
        old = project.lock_path.read_bytes()
        started = time.monotonic()
        project.replace('"torch==2.4.0", "numpy"', '"torch==2.4.0"')
        project.succeed("lock", *CU124)
        duration = time.monotonic() - started
        new = project.lock_path.read_bytes()
        assert old != new
        for trial in range(16):
            project.lock_path.write_bytes(old)
            running = project.start("lock", *CU124)
            time.sleep(duration * trial / 15)
            running.kill()
            running.wait()
            assert project.lock_path.read_bytes() in {old, new}
        project.succeed("lock", *CU124)
        assert project.lock_path.read_bytes() == new
        assert find_leftovers(project) == []

    def test_an_install_at_any_moment(self, seed: Checkout) -> None:
        for trial in range(10):
            running = seed.start("install", "-q", "--variant", "cu124")
            time.sleep(trial / 25)
            running.kill()
            running.wait()
        check_sound(seed, "--variant", "cu124")


class TestRefusingMachines:
    @pytest.mark.parametrize("limit", ["-f 0", "-f 1", "-f 8", "-n 12", "-n 24", "-n 48"])
    def test_limits(self, seed: Checkout, limit: str) -> None:
        lock = seed.lock_path.read_bytes()
        for command in ("install --variant cu124", "lock --variant cu124 --no-dynamic --upgrade"):
            words = f'ulimit {limit} && exec "$0" -m buildlock {command}'
            result = run_process("bash", "-c", words, sys.executable, cwd=seed.root, environment=seed.environment)
            assert is_told(result), result
            assert seed.lock_path.read_bytes() == lock
        check_sound(seed, "--variant", "cu124")

    def test_a_full_disk(self, seed: Checkout, tmp_path: Path) -> None:
        (tmp_path / "small").mkdir()
        words = (
            'mount -t tmpfs -o size=96k none "$1" || exit 77\n'
            'BUILDLOCK_CACHE_DIR="$1" "$0" -m buildlock install --variant cu124; code=$?\n'
            'ls -A "$1/store-v2/scratch" "$1/environments-v2"; exit $code'
        )
        command = ["unshare", "--mount", "bash", "-c", words, sys.executable, str(tmp_path / "small")]
        try:
            result = run_process(*command, cwd=seed.root, environment=seed.environment)
        except FileNotFoundError:
            pytest.skip("there is no `unshare`")
        if result.code == 77 or "unshare" in result.stderr:
            pytest.skip("no file system can be mounted here")
        assert result.code == 1
        assert "No space left on device" in result.stderr
        assert is_told(result)

    @pytest.mark.parametrize("start", [0, 86_400, 4_102_444_800], ids=["1970", "second day", "2100"])
    def test_clocks(self, seed: Checkout, tmp_path: Path, start: int) -> None:
        (tmp_path / "clock").mkdir()
        (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK.format(start=start))
        for command in (("lock", *CU124), ("install", "--variant", "cu124"), ("cache", "prune"), ("cache", "verify")):
            assert seed.run(*command, PYTHONPATH=str(tmp_path / "clock")).code == 0
        check_sound(seed, "--variant", "cu124")

    def test_no_home(self, seed: Checkout) -> None:
        environment = {
            name: value for name, value in seed.environment.items() if name not in {"HOME", "XDG_CACHE_HOME"}
        }
        homeless = Checkout(root=seed.root, environment=environment)
        homeless.succeed("install", "--variant", "cu124")
        nowhere = {**environment, "HOME": "/dev/null/home"}
        del nowhere["BUILDLOCK_CACHE_DIR"]
        result = Checkout(root=seed.root, environment=nowhere).run("install", "--variant", "cu124")
        assert (result.code, is_told(result)) == (1, True)
        assert "BUILDLOCK_CACHE_DIR" in result.stderr
