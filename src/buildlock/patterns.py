"""`re.compile` for what has to start fast: the same patterns, each compiled when it is first used.

Of the patterns in all that a command imports it uses few, and to compile one takes as long as to import a small module.
Type checkers see the original.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing takes long to import
if TYPE_CHECKING:
    from re import compile as compile_pattern
    from typing import Any
else:

    def compile_pattern(pattern: str | bytes, flags: int = 0) -> _Pattern:
        return _Pattern(pattern, flags)


__all__ = ["compile_pattern"]


class _Pattern:
    """A pattern; its methods are those of the compiled one."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._arguments: Any = pattern, flags

    def __getattr__(self, name: str) -> Any:
        method = getattr(re.compile(*self._arguments), name)
        setattr(self, name, method)  # `re` need not be asked again
        return method
