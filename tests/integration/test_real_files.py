"""No wheel and no sdist that build requirements of popular packages resolve to is refused."""

import pytest

from support.real_files import try_real_files


@pytest.mark.heavy
def test_no_legitimate_file_is_refused() -> None:
    files = list(try_real_files())
    assert len(files) >= 500
    assert not [each.refusal for each in files if each.refusal is not None]
