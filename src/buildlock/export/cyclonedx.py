"""A locked environment as a software bill of materials: CycloneDX 1.6, JSON.

The JSON is written here rather than by the CycloneDX library, which draws in a dozen packages and dates what it
writes: a lock is committed and compared, so equal locks give equal bytes. The tests have the library validate it.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.lockfile.model import LockedEnvironment, find_key, format_marker, is_source

_PROJECT = "project"


def export_cyclonedx(
    environment: LockedEnvironment, *, variant: str, project: str | None, default_index: str | None
) -> str:
    """The text of a bill of the build environment.

    Every package is a component with the files that are locked of it. What a source is built in is a formula of
    `formulation`, "how a component was manufactured", whose property `buildlock:builds` names the component.

    Args:
        environment: What is locked.
        variant: Its name.
        project: The project's name.
        default_index: What a purl need not name; `None` where it is not known, and each names its own.
    """
    bill = _describe(environment, variant, project or "project", default_index)
    content = json.dumps(bill, sort_keys=True)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, content)
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return json.dumps({**head, **bill}, indent=2) + "\n"


def _describe(environment: LockedEnvironment, variant: str, project: str, default_index: str | None) -> dict[str, Any]:
    inputs = environment.inputs
    asked = [*inputs.requires, *(text for texts in inputs.dynamic.values() for text in texts)]
    wanted = {canonicalize_name(Requirement(text).name) for text in asked}
    bill: dict[str, Any] = {
        "metadata": {
            "lifecycles": [{"phase": "pre-build"}],
            "tools": {"components": [{"type": "application", "name": "buildlock"}]},
            "component": {"type": "library", "bom-ref": _PROJECT, "name": project},
            "properties": [
                {"name": "buildlock:variant", "value": variant},
                *({"name": "buildlock:target", "value": format_marker(each)} for each in environment.environments),
            ],
        },
        "components": [_describe_package(package, "", default_index) for package in environment.packages],
        "dependencies": [
            {"ref": _PROJECT, "dependsOn": [_refer(p) for p in environment.packages if p.name in wanted]},
            *_list_edges(environment.packages, ""),
        ],
    }
    if formulas := list(_list_formulas(environment, default_index)):
        bill["formulation"] = formulas
        bill["dependencies"] += [
            edge for key, build in environment.builds.items() for edge in _list_edges(build.packages, f"{key}/")
        ]
    return bill


def _list_formulas(environment: LockedEnvironment, default_index: str | None) -> Iterator[dict[str, Any]]:
    sections = {"": environment, **{f"{key}/": build for key, build in environment.builds.items()}}
    for key, build in environment.builds.items():
        built = [
            _refer(package, prefix)
            for prefix, section in sections.items()
            for package in section.packages
            if is_source(package) and find_key(package) == key
        ]
        yield {
            "bom-ref": f"build:{key}",
            "components": [_describe_package(package, f"{key}/", default_index) for package in build.packages],
            "properties": [{"name": "buildlock:builds", "value": ref} for ref in built],
        }


def _describe_package(package: Package, prefix: str, default_index: str | None) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _refer(package, prefix),
        "name": package.name,
        "version": str(package.version),
        "purl": _format_purl(package, default_index),
    }
    files = _list_files(package)
    if len(files) == 1:
        component["hashes"] = _format_hashes(files[0].hashes["sha256"])
    if references := list(_list_references(package)):
        component["externalReferences"] = references
    properties = {
        "buildlock:marker": format_marker(package.marker) if package.marker is not None else None,
        "buildlock:index": package.index,
        "buildlock:commit": package.vcs.commit_id if package.vcs else None,
        "buildlock:content-sha256": package.tool["buildlock"]["sha256"] if package.directory and package.tool else None,
    }
    if said := [{"name": name, "value": value} for name, value in properties.items() if value is not None]:
        component["properties"] = said
    return component


def _refer(package: Package, prefix: str = "") -> str:
    """One that is unique: a package may be there in several versions, and in several environments."""
    marker = f";{format_marker(package.marker)}" if package.marker is not None else ""
    return f"{prefix}{find_key(package)}{marker}"


def _list_edges(packages: Sequence[Package], prefix: str) -> Iterator[dict[str, Any]]:
    entries: dict[str, list[Package]] = {}
    for package in packages:
        entries.setdefault(package.name, []).append(package)
    for package in packages:
        found: dict[str, None] = {}
        for dependency in package.dependencies or ():
            name, version = dependency.get("name"), dependency.get("version")
            for entry in entries.get(str(name), ()):
                if version is None or str(entry.version) == str(version):
                    found[_refer(entry, prefix)] = None
        edge: dict[str, Any] = {"ref": _refer(package, prefix)}
        yield {**edge, "dependsOn": list(found)} if found else edge


def _list_files(package: Package) -> Sequence[PackageWheel | PackageSdist | PackageArchive]:
    files = [package.sdist, package.archive, *(package.wheels or ())]
    return [file for file in files if file is not None]


def _list_references(package: Package) -> Iterator[dict[str, Any]]:
    for file in _list_files(package):
        location = file.url or quote(file.path or "")
        yield {"type": "distribution", "url": location, "hashes": _format_hashes(file.hashes["sha256"])}
    if package.vcs is not None:
        yield {"type": "vcs", "url": package.vcs.url or quote(package.vcs.path or "")}
    if package.directory is not None:
        yield {"type": "distribution", "url": quote(package.directory.path)}


def _format_hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _format_purl(package: Package, default_index: str | None) -> str:
    """By the specification of purl; `pypi` for what comes from an index, `generic` for what comes from none.

    >>> from packaging.utils import NormalizedName
    >>> from packaging.version import Version
    >>> torch = Package(name=NormalizedName("torch"), version=Version("2.4.0+cu124"), index="https://torch.example/whl")
    >>> _format_purl(torch, None)
    'pkg:pypi/torch@2.4.0%2Bcu124?repository_url=https://torch.example/whl'
    """
    identity = f"{package.name}@{quote(str(package.version), safe='')}"
    if package.index is not None:
        if default_index is not None and package.index.rstrip("/") == default_index.rstrip("/"):
            return f"pkg:pypi/{identity}"
        return f"pkg:pypi/{identity}{_format_qualifiers({'repository_url': package.index})}"
    files = _list_files(package)
    qualifiers: Mapping[str, str | None] = {
        "checksum": f"sha256:{files[0].hashes['sha256']}" if len(files) == 1 else None,
        "download_url": files[0].url if len(files) == 1 else None,
        "vcs_url": f"git+{package.vcs.url}@{package.vcs.commit_id}" if package.vcs and package.vcs.url else None,
    }
    return f"pkg:generic/{identity}{_format_qualifiers(qualifiers)}"


def _format_qualifiers(values: Mapping[str, str | None]) -> str:
    said: Iterable[str] = (f"{key}={quote(value, safe='/:')}" for key, value in sorted(values.items()) if value)
    return f"?{text}" if (text := "&".join(said)) else ""
