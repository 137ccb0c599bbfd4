"""The command line: one module a command."""

from buildlock.cli.app import main

__all__ = ["main"]
