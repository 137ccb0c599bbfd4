"""What inflates and makes checksums: zlib, or where the extra `fast` has brought it zlib-ng.

zlib-ng is zlib made faster, and refuses what zlib refuses. Others that are faster still, such as ISA-L, accept streams
that zlib does not: a wheel would be sound on one machine and refused on the next.
"""

import zlib
from contextlib import suppress
from importlib import import_module
from types import ModuleType

codec: ModuleType = zlib
with suppress(ImportError):
    codec = import_module("zlib_ng.zlib_ng")
