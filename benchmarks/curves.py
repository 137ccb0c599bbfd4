"""How time and memory grow: `nox -s benchmark -- --curves`. Each point is measured as a row of the table is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import universe
from benchmarks.bench import MIRROR, Bench
from benchmarks.measuring import Step
from benchmarks.projects import write_project
from benchmarks.rows import Contender, Row
from benchmarks.rows_install import install_cold, install_warm
from benchmarks.rows_lock import OUR_SHOWN, lock_anew, lock_cold, lock_fully, lock_with_buildlock

_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-manylinux_2_17",
    "aarch64-manylinux_2_17",
    "x86_64-apple-darwin",
    "x86_64-unknown-linux-musl",
)
_PACKAGES = 30
"""Of the made universe, where something else grows."""

Operation = Callable[..., Sequence[Contender]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    name: str
    title: str
    sizes: Sequence[int]
    operations: Mapping[str, Callable[[Bench, int], Sequence[Contender]]]

    def row_name(self, operation: str, size: int) -> str:
        return f"{self.name}/{operation}/{size}"

    def rows(self) -> list[Row]:
        return [
            Row(
                name=self.row_name(operation, size),
                title=f"{operation}, {size} {self.title}",
                contenders=partial(_swap, measured, size),
                rounds=3,
            )
            for operation, measured in self.operations.items()
            for size in self.sizes
        ]


def _swap(measured: Callable[[Bench, int], Sequence[Contender]], size: int, bench: Bench) -> Sequence[Contender]:
    return measured(bench, size)


def _make(name: str, packages: Mapping[str, Sequence[universe.Made]]) -> str:
    """Write a universe where the mirror serves it; gives its index."""
    folder = Path("universe") / name
    universe.write_universe(MIRROR / folder, packages)
    return f"{folder.as_posix()}/simple"


def _with_packages(measured: Operation, bench: Bench, size: int) -> Sequence[Contender]:
    packages = universe.many_packages(size)
    return measured(bench, requires=list(packages), index=_make(f"packages-{size}", packages))


def _with_page(measured: Operation, bench: Bench, size: int) -> Sequence[Contender]:
    return measured(bench, requires=["paged"], index=_make(f"page-{size}", universe.large_page(size)))


def _with_wheel(measured: Operation, bench: Bench, size: int) -> Sequence[Contender]:
    return measured(bench, requires=["large"], index=_make(f"wheel-{size}", universe.large_wheel(size)))


def _with_graph(measured: Operation, bench: Bench, size: int) -> Sequence[Contender]:
    index = _make(f"graph-{size}", universe.misleading_graph(size))
    return measured(bench, requires=["first", "third==1.0"], index=index)


def _lock_targets(bench: Bench, size: int) -> list[Contender]:
    pythons = _PYTHONS[: min(size, len(_PYTHONS))]
    platforms = _PLATFORMS[: max(1, size // len(_PYTHONS))]
    tables = f"[tool.buildlock]\npython = {list(pythons)}\nplatforms = {list(platforms)}\n".replace("'", '"')
    return _lock_alone(bench, tables)


def _lock_variants(bench: Bench, size: int) -> list[Contender]:
    tables = [
        f'[tool.buildlock.variants.v{number}]\nrequires = ["p{number + 1}=={2 + number % 2}.0"]\n'
        for number in range(size)
    ]
    return _lock_alone(bench, "\n".join(tables))


def _lock_alone(bench: Bench, tables: str) -> list[Contender]:
    """Lock without a peer, who has neither targets nor variants, and whose time is the sum of its runs."""
    packages = universe.many_packages(_PACKAGES)
    index = _make(f"packages-{_PACKAGES}", packages)
    folder = bench.make_folder("alone")
    write_project(folder, list(packages), tables)

    def lock(bench: Bench, own: Path, cache: Path) -> Step:
        return lock_with_buildlock(bench, own, cache, index, "--all")

    prepare = lock_anew(lock, [folder / "pyproject.toml"], folder / "cache")
    return [Contender(name="buildlock", shown=f"{OUR_SHOWN} --all", prepare=prepare)]


CURVES = (
    Curve(
        name="packages",
        title="build requirements",
        sizes=(10, 100, 1000),
        operations={
            "lock, empty cache": partial(_with_packages, lock_cold),
            "lock, warm": partial(_with_packages, lock_fully),
            "install, warm": partial(_with_packages, partial(install_warm, mode=None, peers=False)),
        },
    ),
    Curve(
        name="files",
        title="files of a wheel",
        sizes=(100, 1000, 10000),
        operations={
            "install, empty cache": partial(_with_wheel, install_cold),
            "install, warm": partial(_with_wheel, partial(install_warm, mode=None, peers=False)),
        },
    ),
    Curve(
        name="targets",
        title="targets",
        sizes=(1, 4, 8, 16, 32),
        operations={"lock, warm": _lock_targets},
    ),
    Curve(
        name="variants",
        title="variants",
        sizes=(1, 2, 4, 8, 16),
        operations={"lock, warm": _lock_variants},
    ),
    Curve(
        name="page",
        title="files on a page",
        sizes=(100, 1000, 10000),
        operations={
            "lock, empty cache": partial(_with_page, lock_cold),
            "lock, warm": partial(_with_page, lock_fully),
        },
    ),
    Curve(
        name="backtracking",
        title="versions to try in vain",
        sizes=(10, 30, 100),
        operations={
            "lock, empty cache": partial(_with_graph, lock_cold),
            "lock, warm": partial(_with_graph, lock_fully),
        },
    ),
)
