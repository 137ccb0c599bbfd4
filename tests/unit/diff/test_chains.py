"""What brings a package into an environment."""

from buildlock.diff.chains import Chains
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from support.locks import make_environment, make_package


def make_line(length: int) -> LockedEnvironment:
    """`p0` needs `p1`, which needs `p2`, and so on."""
    names = [f"p{position}" for position in range(length)]
    return make_environment(
        *(make_package(name, requires=names[position + 1 :][:1]) for position, name in enumerate(names)),
        inputs=LockedInputs(requires=("p0>=1",)),
    )


def test_a_chain_is_told_whole() -> None:
    assert Chains(make_line(16)).find("p15") == ("p0>=1", *(f"p{position}" for position in range(1, 16)))
    assert Chains(make_line(1)).find("p0") == ("p0>=1",)
    assert Chains(make_line(1)).find("other") == ()


def test_a_long_chain_is_told_by_its_ends() -> None:
    first = [f"p{position}" for position in range(1, 8)]
    last = [f"p{position}" for position in range(4992, 5000)]
    assert Chains(make_line(5000)).find("p4999") == ("p0>=1", *first, "…", *last)
    assert Chains(make_line(17)).find("p16") == (
        "p0>=1",
        *first,
        "…",
        *(f"p{position}" for position in range(9, 17)),
    )
