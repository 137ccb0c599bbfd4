"""The environments of a lockfile: those of the project's variants, and those of packages from elsewhere."""

from collections.abc import Callable, Mapping

from packaging.pylock import Package
from packaging.utils import NormalizedName

from buildlock.lockfile.consistency import check_consistency
from buildlock.lockfile.fields import Table, show
from buildlock.lockfile.inputs import read_build_inputs, read_inputs, read_outside_inputs
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.lockfile.packages import read_package, read_source
from buildlock.lockfile.values import parse_build_key, parse_marker
from buildlock.values import replace


def read_variant(table: Table) -> LockedEnvironment | None:
    """What one variant of the project is built in; `None` where it has a fault."""
    return _read_section(table, outside=None)


def read_outside(table: Table, name: NormalizedName) -> LockedEnvironment | None:
    """What a package from elsewhere is built in, for one variant; `None` where it has a fault."""
    return _read_section(table, outside=name)


def _read_section(table: Table, *, outside: NormalizedName | None) -> LockedEnvironment | None:
    before = len(table.faults)
    source = _read_outside_source(table, outside) if outside is not None else None
    environment = _read_body(table, read_inputs if outside is None else read_outside_inputs)
    builds = _read_builds(table.table("builds"))
    table.close()
    if len(table.faults) > before or environment is None:
        return None
    if builds or source is not None:
        environment = replace(environment, builds=builds, source=source)
    table.faults.extend(check_consistency(environment, table.path))
    return environment


def _read_outside_source(table: Table, name: NormalizedName) -> Package | None:
    table.require("source")
    entry = table.table("source")
    source = read_source(entry) if entry else None
    if entry is not None and source is not None and source.name != name:
        entry.fault("name", f"is {show(source.name)}, not {show(name)}")
    return source


def _read_builds(table: Table | None) -> Mapping[str, LockedEnvironment]:
    builds = {}
    for key in table.values if table else ():
        body = table.table(key) if table else None
        if table is not None and body is not None:
            table.check_key(key, parse_build_key)
            environment = _read_body(body, read_build_inputs)
            body.close()
            if environment is not None:
                builds[key] = environment
    return builds


def _read_body(table: Table, read: Callable[[Table], LockedInputs]) -> LockedEnvironment | None:
    """What every environment has, that of the project and those of what is built for it."""
    before = len(table.faults)
    table.require("environments")
    environments = table.texts("environments", parse_marker)
    if table.values.get("environments") == []:
        table.fault("environments", "is empty: it has to name a target")
    table.require("inputs")
    inputs = table.table("inputs")
    locked = read(inputs) if inputs else LockedInputs()
    packages = [read_package(package) for package in table.tables("packages")]
    if len(table.faults) > before:
        return None
    return LockedEnvironment(
        environments=environments, inputs=locked, packages=tuple(package for package in packages if package)
    )
