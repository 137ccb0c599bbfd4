"""The bill of materials: valid, deterministic, and whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.pylock import PackageDirectory, PackageVcs

from buildlock.export.cyclonedx import export_cyclonedx
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.lockfile.reader import read_lockfile
from support.locks import LOCKS, make_archive, make_direct, make_environment, make_package, make_source

DEFAULT = "https://index.example/simple"
CU124 = "https://download.pytorch.org/whl/cu124"


def export(environment: LockedEnvironment, default: str | None = DEFAULT) -> dict[str, Any]:
    text = export_cyclonedx(environment, variant="cu124", project="seed", default_index=default)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert fault is None, fault
    bill: dict[str, Any] = json.loads(text)
    defined = [bill["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in list_components(bill))]
    assert len(set(defined)) == len(defined)
    named = [edge["ref"] for edge in bill["dependencies"]]
    assert sorted(named) == sorted(defined)
    assert {ref for edge in bill["dependencies"] for ref in edge.get("dependsOn", ())} <= set(defined)
    for component in list_components(bill):
        assert PackageURL.from_string(component["purl"]).to_string() == component["purl"]
    return bill


def list_components(bill: dict[str, Any]) -> list[dict[str, Any]]:
    formulas = [component for formula in bill.get("formulation", ()) for component in formula["components"]]
    return [*bill["components"], *formulas]


@pytest.mark.parametrize("path", sorted((LOCKS / "valid").glob("*.toml")), ids=lambda path: path.stem)
def test_every_lock_gives_a_valid_one(path: Path) -> None:
    for environment in read_lockfile(path).variants.values():
        bill = export(environment)
        names = {(component["name"], component["version"]) for component in list_components(bill)}
        sections = (environment, *environment.builds.values())
        assert names == {(p.name, str(p.version)) for section in sections for p in section.packages}


def test_components_and_edges() -> None:
    environment = make_environment(
        make_package("torch", "2.4.0+cu124", requires=["filelock"], tags=["cp311-cp311-linux_x86_64"], index=CU124),
        make_package("filelock", "3.16.1"),
        make_package("wheel", tags=["py2-none-any", "py3-none-any"], marker="python_version > '3'"),
        inputs=LockedInputs(requires=("torch==2.4.0", "wheel"), dynamic={"wheel": ("filelock",)}),
    )
    bill = export(environment)
    filelock, torch, wheel = bill["components"]
    (file,) = environment.packages[1].wheels or ()
    assert torch == {
        "type": "library",
        "bom-ref": "torch==2.4.0+cu124",
        "name": "torch",
        "version": "2.4.0+cu124",
        "purl": f"pkg:pypi/torch@2.4.0%2Bcu124?repository_url={CU124}",
        "hashes": [{"alg": "SHA-256", "content": file.hashes["sha256"]}],
        "externalReferences": [
            {
                "type": "distribution",
                "url": file.url,
                "hashes": [{"alg": "SHA-256", "content": file.hashes["sha256"]}],
            }
        ],
        "properties": [{"name": "buildlock:index", "value": CU124}],
    }
    assert filelock["purl"] == "pkg:pypi/filelock@3.16.1"
    # Of several files none is the component's: each has its own hash.
    assert "hashes" not in wheel
    assert len(wheel["externalReferences"]) == 2
    marked = "wheel==1.0;python_version > '3'"
    assert bill["dependencies"] == [
        {"ref": "project", "dependsOn": ["filelock==3.16.1", "torch==2.4.0+cu124", marked]},
        {"ref": "filelock==3.16.1"},
        {"ref": "torch==2.4.0+cu124", "dependsOn": ["filelock==3.16.1"]},
        {"ref": marked},
    ]


def test_where_the_default_index_is_not_known() -> None:
    bill = export(make_environment(make_package("wheel")), default=None)
    assert bill["components"][0]["purl"] == f"pkg:pypi/wheel@1.0?repository_url={DEFAULT}"


def test_what_comes_from_no_index() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    environment = make_environment(
        make_direct("alpha", archive=make_archive("alpha-1.0.tar.gz")),
        make_direct("beta", vcs=PackageVcs(type="git", url="https://git.example/beta", commit_id=commit)),
        make_direct("delta", directory=PackageDirectory(path="my libs/delta")),
        make_package("local", base="wheel house"),
        builds={f"{name}==1.0": make_environment() for name in ("alpha", "beta", "delta")},
    )
    alpha, beta, delta, local = export(environment)["components"]
    digest = alpha["hashes"][0]["content"]
    assert alpha["purl"] == (
        f"pkg:generic/alpha@1.0?checksum=sha256:{digest}&download_url=https://index.example/files/alpha-1.0.tar.gz"
    )
    assert beta["purl"] == f"pkg:generic/beta@1.0?vcs_url=git%2Bhttps://git.example/beta@{commit}".replace("@0", "%400")
    assert beta["externalReferences"] == [{"type": "vcs", "url": "https://git.example/beta"}]
    assert delta["properties"][0]["name"] == "buildlock:content-sha256"
    assert delta["externalReferences"][0]["url"] == "my%20libs/delta"
    assert local["externalReferences"][0]["url"].startswith("wheel%20house/")


def test_what_sources_are_built_in() -> None:
    environment = make_environment(
        make_source("outer"),
        builds={
            "outer==1.0": make_environment(make_source("inner"), make_package("wheel", requires=["inner"])),
            "inner==1.0": make_environment(make_package("wheel")),
        },
    )
    bill = export(environment)
    inner, outer = bill["formulation"]
    assert inner["properties"] == [{"name": "buildlock:builds", "value": "outer==1.0/inner==1.0"}]
    assert outer["properties"] == [{"name": "buildlock:builds", "value": "outer==1.0"}]
    assert [component["bom-ref"] for component in outer["components"]] == [
        "outer==1.0/inner==1.0",
        "outer==1.0/wheel==1.0",
    ]
    assert {"ref": "outer==1.0/wheel==1.0", "dependsOn": ["outer==1.0/inner==1.0"]} in bill["dependencies"]


def test_the_same_lock_gives_the_same_bytes_and_another_another_number() -> None:
    one, same, other = (make_environment(make_package("wheel", version)) for version in ("1.0", "1.0", "2.0"))
    assert export(one) == export(same)
    assert export(one)["serialNumber"] != export(other)["serialNumber"]
    assert "timestamp" not in export(one)["metadata"]
