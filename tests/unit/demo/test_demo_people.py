# SPDX-License-Identifier: Apache-2.0
"""The story's data: complete in both languages, within its own bounds, in citizens' words."""

import datetime as dt
import json
import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.demo import asking, changing, council, document, provider
from clients.demo.people import EMLYN, HELP_NEEDED, LETTER, forms, friday
from clients.demo.registration import fixed_id

_SEEDS = json.loads((files("clients.demo") / "registry.json").read_bytes())
_PURPOSES = {o["purpose"]["code"]: o["purpose"] for o in _SEEDS["organisations"]}
_TYPES = {
    seed["evidence_type"]: seed
    for seed in (
        json.loads(file.read_bytes())
        for file in (files("vault") / "evidence_types").iterdir()
        if file.name.endswith(".json")
    )
}
_NEVER_SAID = re.compile(
    r"\b(vault|grant|disclos|subject|consent|revo(ke|cation)|narrow|evidence|receipt)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("purpose", _PURPOSES.values(), ids=_PURPOSES.keys())
def test_every_text_of_a_purpose_is_there_in_both_languages(purpose: dict[str, object]) -> None:
    texts = {text["language"]: text for text in purpose["texts"]}

    assert set(texts) == {"en", "cy"}
    assert texts["en"].keys() == texts["cy"].keys()
    assert all(text.strip() for by_name in texts.values() for text in by_name.values())


@pytest.mark.parametrize("purpose", _PURPOSES.values(), ids=_PURPOSES.keys())
def test_texts_for_citizens_use_none_of_our_words(purpose: dict[str, object]) -> None:
    said = " ".join(value for text in purpose["texts"] for value in text.values())

    assert not _NEVER_SAID.search(said)


@pytest.mark.parametrize("purpose", _PURPOSES.values(), ids=_PURPOSES.keys())
def test_a_purpose_allows_only_fields_that_exist(purpose: dict[str, object]) -> None:
    for kind, names in purpose["evidence"].items():
        known = {field["name"] for field in _TYPES[kind]["fields"]}

        assert set(names) <= known


@pytest.mark.parametrize("question", [council.QUESTION, document.QUESTION])
def test_what_the_council_asks_for_lies_within_its_purpose(question: asking.Question) -> None:
    allowed = _PURPOSES[question.purpose_code]["evidence"]

    for scope in question.scope:
        assert {*scope.required, *scope.optional} <= set(allowed[scope.evidence_type])


def test_no_purpose_of_the_story_allows_a_bank_account() -> None:
    assert not any("bank_account" in purpose["evidence"] for purpose in _PURPOSES.values())


def test_mair_fills_in_everything_that_is_needed() -> None:
    filled_in = {form.evidence_type: set(form.answers) for form in forms(dt.date(2026, 11, 22))}

    for scope in council.QUESTION.scope:
        assert {*scope.required, *scope.optional} <= filled_in[scope.evidence_type]


def test_what_she_says_of_the_letter_is_all_but_the_file_of_what_is_asked_for() -> None:
    asked = document.QUESTION.scope[0]

    assert set(asked.required) - {"content"} <= set(LETTER.answers)


def test_what_she_shares_no_longer_is_one_of_the_things_that_she_shared() -> None:
    kinds = [scope.evidence_type for scope in council.QUESTION.scope]

    assert kinds.count(changing.NO_LONGER) == 1


def test_what_she_puts_right_differs_in_one_answer() -> None:
    care = next(form for form in forms(dt.date(2026, 11, 22)) if "helpNeeded" in form.answers)

    assert set(HELP_NEEDED) < set(care.answers["helpNeeded"])


def test_emlyn_gives_what_brightcare_needs() -> None:
    assert set(provider.ADDRESS.required) <= set(EMLYN.answers)


@given(st.dates(min_value=dt.date(2020, 1, 1), max_value=dt.date(2090, 1, 1)))
def test_she_comes_home_on_a_friday_within_a_week(today: dt.date) -> None:
    came_home = friday(today)

    assert came_home.weekday() == 4
    assert 0 <= (came_home - today).days < 7


def test_a_second_set_up_makes_the_same_requests() -> None:
    assert fixed_id("service", "A") == fixed_id("service", "A")
    assert fixed_id("service", "A") != fixed_id("service", "B")
