"""The command line: one module a command."""

import gc
import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line, and exit."""
    if sys.argv[1:2] == ["git-text"]:
        from buildlock.cli.git_text import git_text  # noqa: PLC0415 - without all that the other commands import

        sys.exit(git_text(sys.argv[2:]))
    # A command keeps nearly all that it makes, and is over soon: to look for cycles as often as usual is a tenth of it.
    gc.set_threshold(50_000)
    from buildlock.cli import app  # noqa: PLC0415 - the other way round

    app.main()
