"""`buildlock git-text`: one lock as text. It imports little, as git runs it for every lock that it shows."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from buildlock.errors import BuildlockError
from buildlock.export.lines import list_lines
from buildlock.lockfile.model import FILENAME
from buildlock.lockfile.reader import parse_lockfile, read_content
from buildlock.text import printable

_WRONG_USAGE = 2


def git_text(arguments: Sequence[str]) -> int:
    """Print the lock in a file, as `textconv` (gitattributes); what is no lock as it is. Returns the exit code."""
    for name in ("SIGINT", "SIGPIPE"):  # whoever leaves the pager is not to see a traceback
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    match arguments:
        case [name] | ["--", name]:
            path = Path(name)
        case _:
            sys.stderr.write("error: `git-text` takes one file\n")
            return _WRONG_USAGE
    out = sys.stdout.buffer
    try:
        lines = list_lines(parse_lockfile(read_content(path), FILENAME))
        out.write("".join(f"{line}\n" for line in lines).encode())
    except BuildlockError as error:
        try:
            content = path.read_bytes()
        except OSError:
            sys.stderr.write(f"error: {error.message}\n")
            return 1
        # Were this to fail, git would show nothing more.
        out.write(f"buildlock cannot read this: {printable(error.message.splitlines()[0])}\n".encode() + content)
    out.flush()
    return 0
