"""Which names an archive may give its entries, so that they mean the same wherever it is unpacked."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

from buildlock.values import dataclass

MAX_PATH = 1000
"""Bytes of a whole name; leaves room for the folder that it is unpacked into below the 4096 of Linux."""
MAX_COMPONENT = 255
"""Bytes of one component: the limit of every common file system."""
MAX_DEPTH = 40

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
"""Names that Windows opens as a device, whatever their extension."""
_PLAIN = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|(?:com|lpt)[0-9])(?:[./]|\Z))[a-z0-9_.+-]{0,99}[a-z0-9_+-](?:/|\Z)){1,20}",
    re.ASCII | re.IGNORECASE,
)
"""Short names of few folders, of letters and digits for the most part: nearly all are, and such have no fault."""
_PLAIN_PATH = 250
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that are not seen, or that some file systems ignore when they compare names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NameRules:
    """What the names have to suit beyond what is asked of every name."""

    windows: bool = True
    """No devices, no streams, nothing that Windows would change."""
    folding: bool = True
    """A file system that knows neither case nor Unicode forms; on every other, Unicode forms still count as one."""

    @classmethod
    def of_platform(cls, platform: str) -> "NameRules":
        """The rules of one platform, as `sys.platform` names it.

        For what is unpacked here and now: projects do hold `aux.c`, and `Makefile` beside `makefile`.
        """
        return cls(windows=platform == "win32", folding=platform in ("win32", "darwin", "cygwin"))


EVERYWHERE = NameRules()
"""For what is meant for every platform."""

_Faults = tuple[tuple[Callable[[str], bool], str], ...]

_EXTENT_FAULTS: _Faults = (
    (lambda name: len(name.encode()) > MAX_PATH, f"the name is longer than {MAX_PATH} bytes"),
    (lambda name: name.rstrip("/").count("/") >= MAX_DEPTH, f"the name is nested deeper than {MAX_DEPTH} folders"),
)
_NAME_FAULTS: _Faults = (
    (lambda name: not name, "the name is empty"),
    (
        lambda name: (
            not (name.isascii() and name.isprintable())
            and any(unicodedata.category(character) in _UNSEEN for character in name)
        ),
        "the name holds a control or invisible character",
    ),
    (lambda name: "\\" in name, "the name holds a backslash"),
    (lambda name: name.startswith("/"), "the name is absolute"),
    *_EXTENT_FAULTS,
)
_COMPONENT_FAULTS: _Faults = (
    (lambda component: not component, "the name has an empty component"),
    (lambda component: component == "..", "the name leaves the folder it is unpacked into"),
    (lambda component: component == ".", "the name has a `.` component"),
    (
        lambda component: len(component.encode()) > MAX_COMPONENT,
        f"a component of the name is longer than {MAX_COMPONENT} bytes",
    ),
)
_WINDOWS_FAULTS: _Faults = (
    (lambda component: ":" in component, "the name holds a colon, which Windows takes for a drive or a stream"),
    (
        lambda component: component[-1] in ". ",
        "a component of the name ends in a dot or a space, which Windows drops",
    ),
    (
        lambda component: _DEVICE.fullmatch(component.partition(".")[0].rstrip()) is not None,
        "a component of the name is a device on Windows",
    ),
)


def find_name_fault(name: str, rules: NameRules = EVERYWHERE) -> str | None:
    """Why an entry may not have this name; `None` where it may. A folder's name ends in `/`.

    >>> find_name_fault("torch/_C.so"), find_name_fault("../evil.py")
    (None, 'the name leaves the folder it is unpacked into')
    """
    if len(name) <= _PLAIN_PATH and _PLAIN.fullmatch(name):
        return None
    for is_fault, reason in _NAME_FAULTS:
        if is_fault(name):
            return reason
    for component in name.removesuffix("/").split("/"):
        if fault := _find_component_fault(component, windows=rules.windows):
            return fault
    return None


@lru_cache(maxsize=1024)  # most names differ in their last component alone; none is longer than a name may be
def _find_component_fault(component: str, *, windows: bool) -> str | None:
    for is_fault, reason in _COMPONENT_FAULTS + _WINDOWS_FAULTS if windows else _COMPONENT_FAULTS:
        if is_fault(component):
            return reason
    return None


def find_extent_fault(name: str) -> str | None:
    """The same of a name whose components have no fault, each for itself: links can make very many of those."""
    return next((reason for is_fault, reason in _EXTENT_FAULTS if is_fault(name)), None)


def fold_name(name: str) -> str:
    """The name as a file system sees it that knows neither case nor Unicode forms."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _compose(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def find_folders(names: Iterable[str]) -> set[str]:
    """Every folder that unpacking these entries makes.

    >>> sorted(find_folders(["a/b/c.py", "a/d.py"]))
    ['a', 'a/b']
    """
    folders: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def find_clash(names: Iterable[str], rules: NameRules = EVERYWHERE) -> tuple[str, str] | None:
    """Two names that are one where the rules hold, or of which one is a file and the other needs it as a folder.

    >>> find_clash(["a/B.py", "a/b.py"])
    ('a/B.py', 'a/b.py')
    >>> find_clash(["a", "a/b"])
    ('a', 'a/')
    """
    fold = fold_name if rules.folding else _compose
    seen: dict[str, str] = {}
    declared: set[str] = set()
    folders: set[str] = set()
    for name in names:
        if name in declared:
            return name, name
        declared.add(name)
        # The folders above it, each once: `a/b/c` is in `a/` and `a/b/`.
        position = len(name) if name[: name.rfind("/") + 1] in folders else -1
        while (position := name.find("/", position + 1)) != -1:
            folder = name[: position + 1]
            if folder in folders:
                continue
            folders.add(folder)
            if (other := seen.setdefault(fold(folder[:-1]), folder)) != folder:
                return other, folder
        if not name.endswith("/") and (other := seen.setdefault(fold(name), name)) != name:
            return other, name
    return None
