"""A target from its marker alone."""

import pytest
from packaging.markers import Marker

from buildlock.runtime.marker_values import values_of
from buildlock.targets import current_target


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("python_version == '3.10' and sys_platform == 'linux'", "python_full_version < '3.11' and os_name == 'posix'"),
        ("python_version == '3.13' and sys_platform == 'win32'", "platform_system == 'Windows' and os_name == 'nt'"),
        ("sys_platform == 'darwin' and platform_machine == 'arm64'", "platform_system == 'Darwin'"),
        ("implementation_name == 'pypy'", "platform_python_implementation == 'PyPy'"),
        ("python_version == '3.11'", "implementation_name == 'cpython' and implementation_version >= '3.11'"),
    ],
)
def test_all_that_follows_is_there(marker: str, holds: str) -> None:
    values = {key: str(value) for key, value in values_of(Marker(marker)).items()}
    assert Marker(f"({marker}) and {holds}").evaluate(values)


def test_a_target_answers_to_its_own_marker() -> None:
    target = current_target()
    values = values_of(target.marker)
    own = dict(target.environment)
    same = ("os_name", "sys_platform", "platform_system", "platform_machine", "python_version", "implementation_name")
    assert {key: dict(values)[key] for key in same} == {key: own[key] for key in same}
