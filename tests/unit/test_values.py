"""Values behave as dataclasses do, whichever decorator made them."""
# mypy: disable-error-code="call-arg, misc, unreachable"
# It cannot know what `kind.dataclass` makes.

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import buildlock
from buildlock import values


@pytest.fixture(params=[values, dataclasses], ids=["ours", "standard"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def point(kind: Any) -> Any:
    @kind.dataclass(frozen=True, kw_only=True, slots=True)
    class Point:
        """A place."""

        x: int
        y: int = 2
        tags: Mapping[str, str] = kind.field(default_factory=dict, hash=False)
        secret: str = kind.field(default="", repr=False)
        seen: int = kind.field(default=0, compare=False)

        def sum(self) -> int:
            return self.x + self.y

    return Point


def test_is_made_from_its_fields(point: Any) -> None:
    made = point(x=1, seen=3)
    assert (made.x, made.y, made.tags, made.secret, made.seen, made.sum()) == (1, 2, {}, "", 3, 3)
    assert point(x=1).tags is not made.tags
    assert list(inspect.signature(point).parameters) == ["x", "y", "tags", "secret", "seen"]
    assert point.__doc__ == "A place."


def test_the_many_are_as_the_first(kind: Any) -> None:
    @kind.dataclass(slots=True)
    class Counted:
        instance: int
        self_made: list[int] = kind.field(init=False, default_factory=lambda: [1])
        more: list[int] = kind.field(default_factory=list)
        values: int = 2

        def __post_init__(self) -> None:
            self.values += 1

    made = [Counted(instance=number, more=[number]) for number in range(40)]
    assert [(each.instance, each.self_made, each.more, each.values) for each in made] == [
        (number, [1], [number], 3) for number in range(40)
    ]
    assert Counted(1, values=5).values == 6


@pytest.mark.parametrize(
    ("arguments", "named"), [((), {}), ((1,), {}), ((), {"x": 1, "z": 2}), ((), {"y": 1})], ids=str
)
def test_refuses_other_arguments(point: Any, arguments: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        point(*arguments, **named)


def test_is_compared_and_hashed_by_its_fields(point: Any) -> None:
    made = point(x=1)
    assert made == point(x=1, seen=9)
    assert hash(made) == hash(point(x=1, seen=9)) == hash(point(x=1, tags={"a": "b"}))
    assert made != point(x=2)
    assert made != point(x=1, secret="s")
    assert made != (1, 2, {}, "", 0)
    assert made.__eq__(1) is NotImplemented


def test_shows_no_more_than_it_should(point: Any) -> None:
    assert repr(point(x=1, secret="s")).endswith("Point(x=1, y=2, tags={}, seen=0)")


def test_stays_as_it_is(point: Any) -> None:
    made = point(x=1)
    for name in ("x", "new"):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(made, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.x
    assert not hasattr(made, "__dict__")


@pytest.mark.parametrize("replace", [values.replace, dataclasses.replace])
def test_is_copied_with_changes(point: Any, replace: Any) -> None:
    made = point(x=1, secret="s")
    assert replace(made, x=3) == point(x=3, secret="s")
    with pytest.raises(TypeError):
        replace(made, z=3)


def test_is_known_to_the_standard_library(point: Any) -> None:
    assert dataclasses.asdict(point(x=point(x=1))) == {
        "x": {"x": 1, "y": 2, "tags": {}, "secret": "", "seen": 0},
        "y": 2,
        "tags": {},
        "secret": "",
        "seen": 0,
    }
    assert [field.name for field in dataclasses.fields(point)] == ["x", "y", "tags", "secret", "seen"]
    assert dataclasses.is_dataclass(point)


def test_is_matched_by_its_positional_fields(kind: Any) -> None:
    @kind.dataclass(frozen=True, slots=True)
    class Said:
        message: str
        hint: str | None = None

    match Said("a"):
        case Said(message, hint):
            assert (message, hint) == ("a", None)
    assert Said("a", "b") == Said(hint="b", message="a")


def test_inherits_fields(kind: Any) -> None:
    @kind.dataclass(frozen=True, kw_only=True, slots=True)
    class First:
        a: int
        b: int = 2

    @kind.dataclass(frozen=True, kw_only=True, slots=True)
    class Second(First):
        c: tuple[int, ...]

    made = Second(a=1, c=(3,))
    assert (made.a, made.b, made.c) == (1, 2, (3,))
    assert repr(made).endswith("Second(a=1, b=2, c=(3,))")
    assert made == Second(a=1, b=2, c=(3,))
    assert First(a=1) != made
    assert isinstance(made, First)


def test_may_define_methods_itself(kind: Any) -> None:
    @kind.dataclass(frozen=True, slots=True)
    class Even:  # noqa: PLW1641 - the decorator does
        number: int

        def __post_init__(self) -> None:
            object.__setattr__(self, "number", self.number // 2 * 2)

        def __repr__(self) -> str:
            return "even"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Even)

    assert Even(3).number == 2
    assert repr(Even(1)) == "even"
    assert Even(2) == Even(4)
    assert hash(Even(2)) == hash(Even(3))


def test_may_be_changed_where_it_is_not_frozen(kind: Any) -> None:
    @kind.dataclass(kw_only=True)
    class Tally:
        count: int = 0
        names: list[str] = kind.field(default_factory=list)
        inner: dict[str, int] = kind.field(default_factory=dict, init=False, repr=False)

    tally = Tally()
    tally.count += 1
    tally.names.append("a")
    assert repr(tally).endswith("Tally(count=1, names=['a'])")
    assert tally == Tally(count=1, names=["a"])
    assert tally.inner == {}
    with pytest.raises(TypeError, match="unhashable"):
        hash(tally)


def test_takes_values_of_other_libraries() -> None:
    @dataclasses.dataclass(frozen=True)
    class Theirs:
        a: int

    assert values.replace(Theirs(1), a=2) == Theirs(2)


def test_needs_nothing_that_takes_time() -> None:
    folder = str(Path(buildlock.__file__).parents[1])
    program = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        "from buildlock.values import dataclass\n"
        "@dataclass(frozen=True, kw_only=True, slots=True)\n"
        "class Value:\n    a: int\n"
        "assert Value(a=1) == Value(a=1) and hash(Value(a=1)) and repr(Value(a=1)); print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"dataclasses", "inspect", "typing", "re"} & set(run.stdout.split())


def test_the_identity_of_a_value_is_no_event_of_an_audit_hook() -> None:
    program = (
        "import sys; from buildlock.values import identity\n"
        "kept = [object() for _ in range(10)] + [{}, [], sys]\n"
        "sys.addaudithook(lambda event, _: print(event) if 'id' in event else None)\n"
        "assert len({identity(each) for each in kept}) == len(kept)\n"
        "assert identity(kept[0]) == identity(kept[0])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == ""
