"""`[tool.buildlock.packages]`: packages that are not the project's, to be locked and built for themselves."""

from collections.abc import Collection, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.project.document import Table, describe_type
from buildlock.project.faults import Faults, suggest
from buildlock.project.model import BuildRequirement, OutsidePackage
from buildlock.project.names import read_name
from buildlock.project.requirements import keep_valid, read_requirements
from buildlock.values import replace

_KEYS = ("version", "variants", "requires")
_LONGEST = 200
"""Characters of a specifier: numbers of thousands of digits cannot be compared."""


def read_outside_packages(table: Table) -> Mapping[NormalizedName, OutsidePackage]:
    """Read the table: to each package a version specifier, or a table that has one.

    Whether there are the variants that it names is known later, and looked at by `spell_variants`.
    """
    packages: dict[NormalizedName, OutsidePackage] = {}
    for key in table:
        name = read_name(table, key)
        if name is None:
            continue
        if name in packages:
            table.fault(key, f"is the package `{name}` again")
        value = table.get(key)
        if isinstance(value, dict):
            package = _read_package(name, table.table(key))
        elif isinstance(value, str):
            requirement = _read_version(name, value, table.place(key), table.faults)
            package = OutsidePackage(name=name, requirement=requirement, origin=table.place(key))
        else:
            table.fault(key, f"must be a version specifier or a table, not {describe_type(value)}")
            continue
        packages[name] = package
    return packages


def spell_variants(package: OutsidePackage, variants: Collection[str], faults: Faults) -> OutsidePackage:
    """`package` with its variants as the project spells them; a fault for each that there is not."""
    if package.variants is None:
        return package
    spellings = {canonicalize_name(variant): variant for variant in variants}
    for name in package.variants:
        if canonicalize_name(name) not in spellings:
            what = f"names the variant `{name}`, which the project does not have{suggest(name, variants)}"
            faults.add(package.origin, what)
    known = (spellings[name] for each in package.variants if (name := canonicalize_name(each)) in spellings)
    return replace(package, variants=tuple(dict.fromkeys(known)))


def _read_package(name: NormalizedName, table: Table) -> OutsidePackage:
    table.refuse_unknown(_KEYS)
    if "version" not in table:
        table.fault("version", 'is missing: write the version, such as `"==1.0"`')
    variants = table.strings("variants") if "variants" in table else None
    if table.get("variants") == []:
        table.fault("variants", "is empty: leave it out for all of them")
    return OutsidePackage(
        name=name,
        requirement=_read_version(name, table.string("version") or "", table.place("version"), table.faults),
        variants=variants,
        requires=keep_valid(read_requirements(table, "requires"), table.faults),
        origin=table.place(),
    )


def _read_version(name: NormalizedName, text: str, origin: str, faults: Faults) -> BuildRequirement:
    """The requirement that `name` has a version in a specifier, the empty one after a fault."""
    requirement = Requirement(name)
    try:
        if len(text) > _LONGEST:
            raise InvalidSpecifier  # noqa: TRY301 - one fault for both
        requirement.specifier = SpecifierSet(text)
    except InvalidSpecifier:
        write = f"; did you mean `=={text}`?" if text[:1].isdigit() else ""
        faults.add(origin, f"is `{text}`, which is not a version specifier such as `==1.0`{write}")
    return BuildRequirement(requirement=requirement, origin=origin)
