"""Locks the environment that a Python package is built in, per accelerator variant."""

__version__ = "0.1.0"
