"""Locks the environment that a Python package is built in, per accelerator variant."""

from importlib.metadata import version as _version

__version__ = _version("buildlock")
