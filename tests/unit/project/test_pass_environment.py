"""`[tool.buildlock] pass-environment`."""

import pytest

from unit.project.conftest import Faults, Read


def test_names_and_patterns(read: Read) -> None:
    project = read('[tool.buildlock]\npass-environment = ["FLASH_ATTENTION_*", "DS_BUILD_OPS", "DS_BUILD_OPS"]')
    assert project.inputs["default"].pass_environment == ("FLASH_ATTENTION_*", "DS_BUILD_OPS")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'FLASH_*'", "must be a list"),
        ("[1]", "pass-environment"),
        ("['A=1']", "has `A=1`, which is neither the name of a variable nor a pattern such as `NAME_*`"),
        ("['']", "has ``, which is neither"),
        ("['A B']", "has `A B`, which is neither"),
        ("['*']", "has `*`, which would pass every variable, secrets among them"),
        ("['?*']", "would pass every variable"),
        ("['" + "A" * 201 + "']", "has a name of 201 characters"),
    ],
)
def test_what_cannot_be_said(faults: Faults, text: str, message: str) -> None:
    assert message in faults(f"[tool.buildlock]\npass-environment = {text}")
