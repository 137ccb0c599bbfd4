"""The command line: one module a command."""

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line, and exit."""
    if sys.argv[1:2] == ["git-text"]:
        from buildlock.cli.git_text import git_text  # noqa: PLC0415 - without all that the other commands import

        sys.exit(git_text(sys.argv[2:]))
    from buildlock.cli import app  # noqa: PLC0415 - the other way round

    app.main()
