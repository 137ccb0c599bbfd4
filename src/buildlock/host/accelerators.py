"""Kinds of accelerators, the names that variants have after them, and which variant runs on which accelerator."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from buildlock.values import dataclass
from buildlock.variants import DEFAULT

Kind: TypeAlias = Literal["cuda", "rocm", "xpu", "mps", "cpu"]

_LABELS = {"cuda": "CUDA", "rocm": "ROCm", "xpu": "Intel XPU", "mps": "Apple MPS", "cpu": "the CPU"}
_KINDS: dict[str, Kind] = {"cu": "cuda", "cuda": "cuda", "rocm": "rocm", "xpu": "xpu", "mps": "mps", "cpu": "cpu"}
_NAME = re.compile(
    r"(?P<word>cu|cuda|rocm)(?P<version>[0-9]{1,3}|[0-9]{1,2}([-_.][0-9]{1,2}){1,2})"
    r"|(?P<plain>cuda|rocm|xpu|mps|cpu)",
    re.ASCII,
)
_SEPARATOR = re.compile(r"[-_.]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavour:
    """What a variant's name says that it runs on."""

    kind: Kind
    version: tuple[int, ...] = ()
    """That of CUDA or ROCm, as far as the name gives it: `cu124` is (12, 4), `cuda12` is (12,)."""

    def __str__(self) -> str:
        return f"{_LABELS[self.kind]} {format_version(self.version)}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Accelerator:
    """What was found, and what it can run."""

    kind: Kind
    limit: tuple[int, ...] = ()
    """The newest version of CUDA or ROCm that runs, to the precision that matters: (12,) is every 12.x, () any."""
    what: str
    """`NVIDIA driver 550.54.14, which runs CUDA 12.x and older`."""
    where: str
    """What said so: a library, a file or a command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a variant fits the machine, and why, in words."""

    variant: str
    fits: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The variant for a machine."""

    variant: str | None
    """`None` where none fits."""
    verdicts: tuple[Verdict, ...]
    """One for each variant, in the order in which they were given."""


def parse_flavour(name: str) -> Flavour | None:
    """What a variant of this name runs on; `None` where the name does not say.

    >>> parse_flavour("cu124"), parse_flavour("rocm6.1"), parse_flavour("nightly")
    (Flavour(kind='cuda', version=(12, 4)), Flavour(kind='rocm', version=(6, 1)), None)
    """
    match = _NAME.fullmatch(name.lower())
    if match is None:
        return None
    if match["plain"]:
        return Flavour(kind=_KINDS[match["plain"]])
    kind = _KINDS[match["word"]]
    written = match["version"]
    parts = _split_digits(kind, written) if written.isdecimal() else _SEPARATOR.split(written)
    return Flavour(kind=kind, version=tuple(map(int, parts)))


def _split_digits(kind: Kind, digits: str) -> Sequence[str]:
    """The parts of a version that is written without dots, as PyTorch writes it."""
    if kind == "rocm":
        return list(digits)
    # cu92, cu118, cu124: the last digit is the minor version. cu11, cu12: there is none.
    has_minor = len(digits) > 2 or (len(digits) == 2 and digits[0] not in "12")  # noqa: PLR2004
    return [digits[:-1], digits[-1]] if has_minor else [digits]


def format_version(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def choose_for(accelerators: Sequence[Accelerator], variants: Sequence[str]) -> Choice:
    """The variant for a machine: the newest one of the first accelerator that any fits, else that for the CPU.

    Args:
        accelerators: What the machine has, the weightiest first.
        variants: The names that there are.
    """
    flavours = {name: parse_flavour(name) for name in variants}
    verdicts = tuple(_judge(name, flavour, accelerators) for name, flavour in flavours.items())
    candidates = [(verdict.variant, flavours[verdict.variant]) for verdict in verdicts if verdict.fits]
    for kind in [*(each.kind for each in accelerators), "cpu"]:
        fitting = [(flavour.version, name) for name, flavour in candidates if flavour and flavour.kind == kind]
        if fitting:
            # Of two names for one version, the first.
            _, name = max(fitting, key=lambda item: item[0])
            return Choice(variant=name, verdicts=verdicts)
    # Only `default` is left.
    return Choice(variant=next((name for name, _ in candidates), None), verdicts=verdicts)


def _judge(name: str, flavour: Flavour | None, accelerators: Sequence[Accelerator]) -> Verdict:
    if flavour is None and name == DEFAULT:
        return Verdict(variant=name, fits=True, why="it is for what no other variant fits")
    if flavour is None:
        return Verdict(variant=name, fits=False, why="its name says no accelerator")
    if flavour.kind == "cpu":
        return Verdict(variant=name, fits=True, why="it needs no accelerator")
    found = next((each for each in accelerators if each.kind == flavour.kind), None)
    if found is None:
        return Verdict(variant=name, fits=False, why=f"it needs {flavour}, and none was found")
    # A driver that runs CUDA 12.x runs 12.8: as many parts are compared as matter.
    if found.limit and flavour.version[: len(found.limit)] > found.limit:
        return Verdict(variant=name, fits=False, why=f"it needs {flavour}, and there is {found.what}")
    return Verdict(variant=name, fits=True, why=f"it needs {flavour}, and there is {found.what}")
