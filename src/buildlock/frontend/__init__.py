"""Calling a build backend through its PEP 517 and PEP 660 hooks."""
