"""`[tool.buildlock.packages]`."""

import pytest
from packaging.utils import canonicalize_name

from unit.project.conftest import Faults, Read

VARIANTS = "[tool.buildlock.variants]\ncpu = {}\nCu124 = {}\n"


def test_packages_from_elsewhere(read: Read) -> None:
    packages = read(f"""{VARIANTS}
[tool.buildlock.packages]
Flash_Attn = "==2.8.3"
apex = {{ version = ">=1,<2", variants = ["cu124"], requires = ["ninja", "foo @ https://a.example/foo.zip"] }}
any = ""
""").packages
    assert list(packages) == ["flash-attn", "apex", "any"]
    assert [str(each.requirement.requirement) for each in packages.values()] == [
        "flash-attn==2.8.3",
        "apex<2,>=1",
        "any",
    ]
    apex = packages[canonicalize_name("apex")]
    assert apex.variants == ("Cu124",)
    assert [str(each.requirement) for each in apex.requires] == ["ninja", "foo @ https://a.example/foo.zip"]
    assert apex.origin == "pyproject.toml: [tool.buildlock.packages.apex]"
    assert packages[canonicalize_name("flash-attn")].variants is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a b' = '==1'", "a b` is not the name of a package"),
        ("a = 1", "a` must be a version specifier or a table, not an integer"),
        ("a = '1.0'", "a` is `1.0`, which is not a version specifier such as `==1.0`; did you mean `==1.0`?"),
        ("a = '==" + "9" * 5000 + "'", "which is not a version specifier"),
        ("a = '==1'\nA = '==1'", "A` is the package `a` again"),
        ("a = {}", "[tool.buildlock.packages.a].version` is missing"),
        ("a = {version = 1}", "version` must be a string"),
        ("a = {version = '==1', variant = 'cpu'}", "variant` is not a known key; did you mean `variants`?"),
        ("a = {version = '==1', variants = []}", "variants` is empty"),
        ("a = {version = '==1', variants = ['cu125']}", "`cu125`, which the project does not have; did you mean"),
        ("a = {version = '==1', requires = ['=']}", "requires` has `=`, which is not a requirement"),
        ("a = {version = '==1', requires = ['b @ xy:']}", "requires` has `b` from a URL that has the scheme `xy`"),
    ],
)  # fmt: skip
def test_what_cannot_be_said(faults: Faults, text: str, message: str) -> None:
    assert message in faults(f"{VARIANTS}[tool.buildlock.packages]\n{text}")
