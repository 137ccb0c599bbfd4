"""What names of variants say, and which variant a machine gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.host.accelerators import Accelerator, Kind, choose_for, parse_flavour

FLAVOURS: dict[str, tuple[Kind, tuple[int, ...]]] = {
    "cu118": ("cuda", (11, 8)),
    "CU124": ("cuda", (12, 4)),
    "cu130": ("cuda", (13, 0)),
    "cu92": ("cuda", (9, 2)),
    "cu100": ("cuda", (10, 0)),
    "cu12": ("cuda", (12,)),
    "cuda12": ("cuda", (12,)),
    "cuda12.4": ("cuda", (12, 4)),
    "cuda12-4": ("cuda", (12, 4)),
    "cuda124": ("cuda", (12, 4)),
    "cuda": ("cuda", ()),
    "rocm6.1": ("rocm", (6, 1)),
    "rocm6-1": ("rocm", (6, 1)),
    "rocm63": ("rocm", (6, 3)),
    "rocm5.4.2": ("rocm", (5, 4, 2)),
    "rocm7": ("rocm", (7,)),
    "xpu": ("xpu", ()),
    "mps": ("mps", ()),
    "cpu": ("cpu", ()),
}


@pytest.mark.parametrize("name", FLAVOURS)
def test_names_that_say_what_they_run_on(name: str) -> None:
    flavour = parse_flavour(name)
    assert flavour is not None
    assert (flavour.kind, flavour.version) == FLAVOURS[name]


@pytest.mark.parametrize(
    "name", ["default", "cu", "cu1210", "cu12x", "cucumber", "cpu2", "rocm-6.1", "cu124-debug", "cu٣", ""]
)
def test_names_that_do_not(name: str) -> None:
    assert parse_flavour(name) is None


def cuda(*limit: int) -> Accelerator:
    return Accelerator(kind="cuda", limit=limit, what="a driver", where="a test")


def rocm(*limit: int) -> Accelerator:
    return Accelerator(kind="rocm", limit=limit, what="ROCm", where="a test")


XPU = Accelerator(kind="xpu", what="an Intel GPU", where="a test")


@pytest.mark.parametrize(
    ("accelerators", "variants", "chosen"),
    [
        ([cuda(12)], "cpu cu118 cu124 cu128 cu130", "cu128"),
        ([cuda(11)], "cpu cu118 cu124", "cu118"),
        ([cuda(10, 1)], "cpu cu100 cu102", "cu100"),
        ([cuda(12, 4)], "cu118 cu124 cu128", "cu124"),
        ([cuda(12, 4)], "cuda12 cu118", "cuda12"),
        ([cuda(12)], "cu9 cu100", "cu100"),
        ([cuda()], "cu118 cu130", "cu130"),
        ([cuda(11)], "cpu cu124", "cpu"),
        ([cuda(11)], "cu124 default", "default"),
        ([cuda(11)], "cu124 debug", None),
        ([rocm(6, 2)], "cpu rocm6.1 rocm6.2 rocm6.3", "rocm6.2"),
        ([rocm()], "cpu rocm6.1 rocm63", "rocm63"),
        ([cuda(12), rocm(6, 1)], "rocm6.1 cu124", "cu124"),
        ([cuda(11), rocm(6, 1)], "rocm6.1 cu124", "rocm6.1"),
        ([XPU], "cpu cu124 xpu", "xpu"),
        ([], "cpu cu124 default", "cpu"),
        ([], "cu124", None),
    ],
)
def test_the_newest_that_fits_the_weightiest(
    accelerators: list[Accelerator], variants: str, chosen: str | None
) -> None:
    assert choose_for(accelerators, variants.split()).variant == chosen


def test_says_why() -> None:
    verdicts = choose_for([cuda(12)], ["cu124", "cu130", "rocm6.1", "cpu", "debug"]).verdicts
    assert [(each.variant, each.fits, each.why) for each in verdicts] == [
        ("cu124", True, "it needs CUDA 12.4, and there is a driver"),
        ("cu130", False, "it needs CUDA 13.0, and there is a driver"),
        ("rocm6.1", False, "it needs ROCm 6.1, and none was found"),
        ("cpu", True, "it needs no accelerator"),
        ("debug", False, "its name says no accelerator"),
    ]


@given(st.lists(st.sampled_from([*FLAVOURS, "default", "debug"]), unique=True), st.tuples(st.integers(8, 14)))
def test_what_is_chosen_fits(variants: list[str], limit: tuple[int]) -> None:
    choice = choose_for([cuda(*limit)], variants)
    fitting = [verdict.variant for verdict in choice.verdicts if verdict.fits]
    assert choice.variant in fitting if fitting else choice.variant is None
    # What runs on an older driver runs on a newer one.
    newer = [v.variant for v in choose_for([cuda(limit[0] + 1)], variants).verdicts if v.fits]
    assert set(fitting) <= set(newer)
