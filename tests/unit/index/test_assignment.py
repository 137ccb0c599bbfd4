import pytest
from packaging.markers import Environment, Marker, default_environment
from packaging.utils import canonicalize_name

from buildlock.artifacts import Origin
from buildlock.errors import InvalidProjectError
from buildlock.index.assignment import Assignment, assign
from buildlock.project.model import BuildInputs, Index, Settings, SourceRule
from buildlock.variants import Variant

TORCH = canonicalize_name("torch")
NUMPY = canonicalize_name("numpy")
LINUX: Environment = {**default_environment(), "sys_platform": "linux", "python_version": "3.11"}


def make_index(name: str, *, explicit: bool = False, default: bool = False) -> Index:
    url = f"https://{name}.example/simple"
    return Index(url=url, location=url, name=name, explicit=explicit, default=default, origin="pyproject.toml")


CU118 = make_index("cu118", explicit=True)
CU124 = make_index("cu124", explicit=True)
MIRROR = make_index("mirror")
MAIN = make_index("main", default=True)


def make_rule(index: Index, marker: str | None = None) -> SourceRule:
    return SourceRule(index=index, marker=Marker(marker) if marker else None, origin="[tool.uv.sources].torch")


WHEEL = Origin(kind="archive", url="https://me:secret@a.example/torch-2.0-py3-none-any.whl")
COMMIT = Origin(kind="vcs", url="https://a.example/torch", revision="main")


def make_direct(origin: Origin, marker: str | None = None) -> SourceRule:
    return SourceRule(direct=origin, marker=Marker(marker) if marker else None, origin="[tool.uv.sources].torch")


def make_inputs(*rules: SourceRule, settings: Settings | None = None) -> BuildInputs:
    settings = settings or Settings(indexes=(CU118, CU124, MIRROR, MAIN), find_links=("/links",))
    return BuildInputs(variant=Variant(name="cu124"), requires=(), sources={TORCH: rules}, settings=settings)


def test_a_package_with_a_source_comes_from_its_index_and_no_other_place() -> None:
    assert assign(TORCH, make_inputs(make_rule(CU124)), LINUX) == Assignment(indexes=(CU124,))


def test_any_other_package_comes_from_what_is_not_explicit() -> None:
    expected = Assignment(indexes=(MIRROR, MAIN), find_links=("/links",))
    assert assign(NUMPY, make_inputs(make_rule(CU124)), LINUX) == expected


@pytest.mark.parametrize(
    ("platform", "indexes"), [("linux", (CU124,)), ("win32", (CU118,)), ("darwin", (MIRROR, MAIN))]
)
def test_markers_choose_the_source(platform: str, indexes: tuple[Index, ...]) -> None:
    inputs = make_inputs(make_rule(CU124, "sys_platform == 'linux'"), make_rule(CU118, "sys_platform == 'win32'"))
    assert assign(TORCH, inputs, {**LINUX, "sys_platform": platform}).indexes == indexes


def test_one_index_named_twice_is_one() -> None:
    inputs = make_inputs(make_rule(CU124), make_rule(CU124, "python_version >= '3.9'"))
    assert assign(TORCH, inputs, LINUX).indexes == (CU124,)


def test_two_indexes_for_one_package_are_an_error() -> None:
    with pytest.raises(InvalidProjectError) as caught:
        assign(TORCH, make_inputs(make_rule(CU124), make_rule(CU118)), LINUX)
    for word in ("torch", "cu118", "cu124", "[tool.uv.sources].torch"):
        assert word in caught.value.message
    assert caught.value.hint


def test_no_place_at_all_is_an_error_with_the_lines_to_add() -> None:
    inputs = make_inputs(settings=Settings(indexes=(CU124,)))
    with pytest.raises(InvalidProjectError, match="no index is configured that could serve `numpy`") as caught:
        assign(NUMPY, inputs, LINUX)
    assert "[[tool.uv.index]]" in (caught.value.hint or "")


def test_find_links_alone_are_a_place() -> None:
    inputs = make_inputs(settings=Settings(find_links=("/links",)))
    assert assign(NUMPY, inputs, LINUX) == Assignment(indexes=(), find_links=("/links",))


class TestOrigins:
    def test_stand_in_for_every_other_place(self) -> None:
        inputs = make_inputs(
            make_direct(COMMIT, "sys_platform == 'linux'"), make_rule(CU118, "sys_platform == 'win32'")
        )
        assert assign(TORCH, inputs, LINUX) == Assignment(indexes=(), origin=COMMIT)
        assert len({assign(TORCH, inputs, LINUX), assign(TORCH, inputs, {**LINUX, "sys_platform": "win32"})}) == 2

    @pytest.mark.parametrize("other", [make_rule(CU118), make_direct(WHEEL)])
    def test_exclude_each_other_and_indexes(self, other: SourceRule) -> None:
        with pytest.raises(InvalidProjectError, match="`torch` comes from") as caught:
            assign(TORCH, make_inputs(make_direct(COMMIT), other), LINUX)
        assert "`torch` comes from `git+https://a.example/torch@main`" in caught.value.message
        assert "secret" not in caught.value.message

    @pytest.mark.parametrize(
        ("origin", "settings", "message"),
        [
            (COMMIT, Settings(no_build=True), "which has to be built, but `no-build` excludes that"),
            (COMMIT, Settings(no_build_package=frozenset({TORCH})), "which has to be built"),
            (WHEEL, Settings(no_binary=True), "which is a wheel, but `no-binary` excludes that"),
        ],
    )
    def test_that_may_not_be_used(self, origin: Origin, settings: Settings, message: str) -> None:
        with pytest.raises(InvalidProjectError, match=message):
            assign(TORCH, make_inputs(make_direct(origin), settings=settings), LINUX)

    def test_that_may_be_used(self) -> None:
        settings = Settings(no_build=True, no_binary_package=frozenset({NUMPY}))
        assert assign(TORCH, make_inputs(make_direct(WHEEL), settings=settings), LINUX).origin == WHEEL
