"""Tests of patterns that are compiled when they are first used."""

import re

import pytest

from buildlock.patterns import compile_pattern


def test_does_what_the_compiled_pattern_does() -> None:
    pattern = compile_pattern(r"(?P<name>[a-z]+)-\d", re.IGNORECASE)
    found = pattern.fullmatch("Foo-1")
    assert found is not None
    assert found["name"] == "Foo"
    assert pattern.fullmatch("Foo-1!") is None
    assert pattern.sub("", "a-1 b-2 c") == "  c"
    assert pattern.flags == re.compile("", re.IGNORECASE).flags
    assert compile_pattern(rb"\d").findall(b"1a2") == [b"1", b"2"]


def test_is_compiled_when_it_is_first_used() -> None:
    broken = compile_pattern("(")
    with pytest.raises(re.error, match="unterminated subpattern"):
        broken.match("")
