"""The Pythons and platforms that targets are derived from where the project describes them rather than names them."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from buildlock.targets import parse_python

PYTHONS = tuple(f"3.{minor}" for minor in range(8, 15))
"""Every CPython that is released and not too old."""


def supports(requires_python: str | None, python: str) -> bool:
    """Whether the project's `requires-python` admits some patch release of a Python."""
    if requires_python is None:
        return True
    try:
        specifier = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return True  # the build backend tells of it
    # As cibuildwheel does it: the newest patch release stands for all.
    return specifier.contains("{}.{}.99".format(*parse_python(python).release))
