# SPDX-License-Identifier: Apache-2.0
"""Patterns over which a program that tries one way after another may never end are told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.evidence_types import load_seeds
from vault.evidence_types.pattern import ends_soon
from vault.evidence_types.subschemas import subschemas

OF_SEEDS = sorted(
    {
        schema["pattern"]
        for seed in load_seeds()
        for _, schema in subschemas(seed.schema)
        if "pattern" in schema
    }
)


@pytest.mark.parametrize("pattern", OF_SEEDS)
def test_patterns_of_the_seeds_end_soon(pattern: str) -> None:
    assert ends_soon(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^a*b+c?$",
        "^(?:ab)+$",
        "^(?:[0-9]{3}){2,4}$",
        "^(?:a|b)$",
        "^(?:a|b)?$",
        "^(?:a+b*){1}$",
        "^(?:a+){0,1}$",
        r"^\(a+\)+$",
        "^[(a+)+]+$",
        r"^[\]]+$",
        "^(?<year>[0-9]{4})-(?P<month>[0-9]{2})$",
        "^x{2}{y$",
    ],
)
def test_pattern_that_can_be_read_in_one_way_ends_soon(pattern: str) -> None:
    assert ends_soon(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*",
        "(a+)*b",
        "(a?){30}",
        "(a|a)*",
        "(a|aa)+$",
        "(.*a){20}",
        "(a{1,30}){1,30}",
        "(?:a+)+",
        "(?<x>a+)+",
        "((a+))+",
        "(?:(?:a?)b)*",
        "(a+){2,}",
        "(a+){,5}",
        "(a+)+?",
        "([0-9]+,)*",
    ],
)
def test_repeated_group_that_can_be_read_in_many_ways_does_not(pattern: str) -> None:
    assert not ends_soon(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "(a", "a)", "(()", "[", "[]a]", "[^]", "[[:alpha:]]", "[a&&[b]]", "*a", "(*a)"),
        *("a**", "a+{2}", "a|*", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?i)a", "(?#x)", "\\"),
    ],
)
def test_pattern_that_is_not_understood_does_not(pattern: str) -> None:
    assert not ends_soon(pattern)


@given(st.text(alphabet="ab(|)*+?{2,}[]\\^-:<", max_size=24))
def test_whatever_ends_soon_has_balanced_groups(pattern: str) -> None:
    plain = re.sub(r"\\.|\[\^?(?:\\.|[^\[\]\\])+\]", "", pattern, flags=re.DOTALL)

    if ends_soon(pattern):
        assert plain.count("(") == plain.count(")")
