"""A program that gives up the network, and most places to write to, and becomes another program.

```
python -I -S confined.py 7 '[["/cache/copy", "/project", true]]' /environment/bin/python hook.py
```

The first argument is a descriptor: nothing is written to it where the other program was started, else what failed. The
second is JSON: `null`, or what is seen where, each with whether it may be written; all else can only be read.

It runs in a process of its own because a namespace is one thread's, and because what it does cannot be undone. It needs
Linux and, where it is not run by root, user namespaces (`namespaces(7)`, `user_namespaces(7)`).
"""

import contextlib
import errno
import json
import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

# <linux/sched.h>, <sys/mount.h>, <linux/if.h>, <linux/sockios.h>, <linux/prctl.h>, <linux/capability.h>
_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
# What a remount has to repeat; how times of access are kept it preserves, where nothing is said of them.
_MOUNT_FLAGS = {"nosuid": 2, "nodev": 4, "noexec": 8, "nosymfollow": 256}
_IFF_UP, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 1, 0x8913, 0x8914
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 23, 24, 38, 47, 4
_CAPABILITIES_VERSION = 0x20080522
# Root keeps what is about files and its own processes: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID.
_KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7)
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Linux has it, and POSIX semaphores
_OCTAL = re.compile(rb"\\([0-7]{3})")
# What is on a mount that a path does not lead to cannot be written either.
_UNREACHABLE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EINVAL)


class _RefusedError(Exception):
    """The kernel refused a step: its name and the error number."""


class _Libc:
    """System calls that Python's own modules have too late, or not at all."""

    def __init__(self) -> None:
        # Some Pythons are built without it.
        import ctypes  # noqa: PLC0415

        self._ctypes = ctypes
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _call(self, step: str, function: str, *arguments: Any) -> int:
        result: int = getattr(self._libc, function)(*arguments)
        if result < 0:
            raise _RefusedError(step, self._ctypes.get_errno())
        return result

    def unshare(self, flags: int) -> None:
        self._call("unshare", "unshare", flags)

    def mount(self, what: bytes, where: bytes, kind: bytes, flags: int, options: bytes = b"") -> None:
        flags_type = self._ctypes.c_ulong(flags)
        self._call(f"mount `{os.fsdecode(where)}`", "mount", what, where, kind, flags_type, options)

    def prctl(self, option: int, *arguments: int) -> int:
        padded = [self._ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
        return self._call(f"prctl {option}", "prctl", option, *padded)

    def keep_capabilities(self, kept: int) -> None:
        """Keep those of a set of bits that there are, and let no program get others."""
        header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
        current = self._ctypes.create_string_buffer(24)
        self._call("capget", "capget", header, current)
        words = struct.unpack("6I", current.raw)
        low, high = kept & 0xFFFFFFFF, kept >> 32
        # Effective, permitted, inheritable of the low word, then of the high one.
        data = struct.pack("6I", words[0] & low, words[1] & low, 0, words[3] & high, words[4] & high, 0)
        self._call("capset", "capset", header, data)


def main(arguments: list[str]) -> None:
    """Become the program that `arguments` name; the first two are as above."""
    status, places, command = int(arguments[0]), json.loads(arguments[1]), arguments[2:]
    os.set_inheritable(status, False)
    try:
        libc = _Libc()
        _leave(libc, _NEWNET | (_NEWNS if places is not None else 0))
        _start_loopback()
        if places is not None:
            _restrict_writes(libc, places)
        _drop_privileges(libc)
    except _RefusedError as refused:
        _fail(status, *refused.args)
    except OSError as error:
        _fail(status, error.filename or "ioctl", error.errno or 0)
    except ImportError:
        _fail(status, "import ctypes", errno.ENOSYS)
    try:
        os.execv(command[0], command)  # noqa: S606 - that is the job
    except OSError as error:
        _fail(status, f"exec `{command[0]}`", error.errno or 0)


def _fail(status: int, step: str, number: int) -> None:
    os.write(status, json.dumps([step, number]).encode())
    sys.exit(1)


def _leave(libc: _Libc, namespaces: int) -> None:
    """Enter new namespaces; as a user who may not, by way of a user namespace in which the user has the same number."""
    try:
        libc.unshare(namespaces)
    except _RefusedError as refused:
        if refused.args[1] != errno.EPERM:
            raise
    else:
        return
    user, group = os.geteuid(), os.getegid()
    libc.unshare(_NEWUSER | namespaces)
    # `user_namespaces(7)`: "setgroups" must be denied before a process without privileges may write its "gid_map".
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        path = f"/proc/self/{name}"
        try:
            descriptor = os.open(path, os.O_WRONLY)
            os.write(descriptor, text.encode())
            os.close(descriptor)
        except OSError as error:
            raise _RefusedError(f"write `{path}`", error.errno) from error


def _start_loopback() -> None:
    """Builds that talk to themselves can: `127.0.0.1` is there, and nobody else."""
    import fcntl  # noqa: PLC0415 - not on Windows, where this module is only looked at

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def _restrict_writes(libc: _Libc, places: list[tuple[str, str, bool]]) -> None:
    """Let only some places be written, and let something else be seen in some."""
    directory = os.getcwd()  # noqa: PTH109 - a program without pathlib starts in half the time
    libc.mount(b"none", b"/", b"", _MS_REC | _MS_PRIVATE)
    # All are opened before one is covered.
    opened = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _, _ in places]
    writable: dict[bytes, bool] = {}
    for descriptor, (_, place, may_write) in zip(opened, places, strict=True):
        os.makedirs(place, exist_ok=True)  # noqa: PTH103
        where = os.fsencode(os.path.realpath(place))
        libc.mount(f"/proc/self/fd/{descriptor}".encode(), where, b"", _MS_BIND | _MS_REC)
        writable[where] = may_write
    for point, options in dict(_list_mounts()).items():
        if not writable.get(_find_place(point, writable), False):
            flags = sum(_MOUNT_FLAGS.get(option, 0) for option in options)
            try:
                libc.mount(b"none", point, b"", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | flags)
            except _RefusedError as refused:
                if refused.args[1] not in _UNREACHABLE:
                    raise
    shared_memory = _SHARED_MEMORY.encode()
    # Who works there, which is fast, must find it there.
    if os.path.isdir(shared_memory) and not any(_is_in(place, shared_memory) for place in writable):  # noqa: PTH112
        libc.mount(b"tmpfs", shared_memory, b"tmpfs", _MOUNT_FLAGS["nosuid"] | _MOUNT_FLAGS["nodev"])
    # The same path, on the mount that is there now.
    os.chdir(directory)


def _list_mounts() -> Iterator[tuple[bytes, list[str]]]:
    """Each mount point and its options; of those at one point the uppermost last."""
    # `proc_pid_mountinfo(5)`: (5) mount point, (6) mount options; a space in a path is written `\040`.
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123
        for line in file:
            fields = line.split(b" ")
            point = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), fields[4])
            yield point, fields[5].decode().split(",")


def _find_place(point: bytes, places: dict[bytes, bool]) -> bytes:
    """The deepest place that a mount point is, or is in."""
    return max((place for place in places if _is_in(point, place)), key=len, default=b"")


def _is_in(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _drop_privileges(libc: _Libc) -> None:
    """Give up what would undo all this: neither root nor a set-user-ID program gets it back."""
    for number in range(64):
        if number not in _KEPT_CAPABILITIES:
            with contextlib.suppress(_RefusedError):
                libc.prctl(_PR_CAPBSET_READ, number)
                libc.prctl(_PR_CAPBSET_DROP, number)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    libc.keep_capabilities(sum(1 << number for number in _KEPT_CAPABILITIES))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)


if __name__ == "__main__":
    main(sys.argv[1:])
