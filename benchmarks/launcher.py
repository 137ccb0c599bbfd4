"""Start commands and measure them, from a process too small to show in what is measured.

On Linux a child's peak of memory begins with its parent's, so a measuring Python with all its modules would be the peak
of every small tool. This imports nothing but what is built in. It reads a line with the `repr` of (arguments,
environment, folder, log) and answers two: the process's number, and the `repr` of (exit code, seconds, seconds of
processor time, peak of memory in KiB).
"""

import posix
import sys
import time

NOT_STARTED = 127
"""As a shell says that there is no such command."""


def launch(arguments: list[str], environ: dict[str, str], folder: str, log: str) -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC
    actions = [
        (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
        (posix.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
        (posix.POSIX_SPAWN_DUP2, 1, 2),
    ]
    started = time.perf_counter()
    try:
        posix.chdir(folder)
        process = posix.posix_spawn(arguments[0], arguments, environ, file_actions=actions, setpgroup=0)
    except OSError:
        answer(0)
        answer((NOT_STARTED, 0.0, 0.0, 0))
        return
    answer(process)
    _, status, usage = posix.wait4(process, 0)
    seconds = time.perf_counter() - started
    code = posix.waitstatus_to_exitcode(status)
    answer((code, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))


def answer(value: object) -> None:
    sys.stdout.write(f"{value!r}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        launch(*eval(line))
