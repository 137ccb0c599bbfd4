"""Names of packages as the user writes them, in their normalised form."""

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.project.document import Table
from buildlock.project.faults import Faults


def read_name(table: Table, key: str) -> NormalizedName | None:
    """The package that a key names."""
    try:
        return canonicalize_name(key, validate=True)
    except InvalidName:
        table.fault(key, "is not the name of a package")
        return None


def package_names(given: tuple[str, ...], *, origin: str, faults: Faults) -> frozenset[NormalizedName]:
    """The packages of a list such as `no-binary-package`; a fault for each that cannot be one."""
    names = set()
    for name in given:
        try:
            names.add(canonicalize_name(name, validate=True))
        except InvalidName:  # noqa: PERF203 - each name has its fault
            faults.add(origin, f"has `{name}`, which is not the name of a package")
    return frozenset(names)
