# SPDX-License-Identifier: Apache-2.0
"""A form made from a kind's schema asks for all of it, and gives back what was typed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clients.web.dates import TypedDay
from clients.web.forms import Form
from clients.web.information.answers import Answers, filled, kept, tidied
from clients.web.information.problems import TOP, of_server
from clients.web.information.questions import questions
from clients.wording.published import Kind
from tests.unit.web.forms_of_kinds import (
    BY_FORM,
    NAMES,
    Shown,
    invalid,
    kind_from,
    kind_of,
    valid,
    words,
)
from vault.evidence_types import load_seeds
from vault.evidence_types.messages import _SENTENCES
from vault.evidence_types.schema import Schemas

GOOD = [(name, case) for name in BY_FORM for case in valid(name)]
BAD = [(name, case) for name in BY_FORM for case in invalid(name)]
SCHEMAS = {seed.evidence_type: Schemas().compile(seed.schema) for seed in load_seeds()}


def sent_back(kind: Kind, values: dict[str, Any], language: str = "en") -> dict[str, Any]:
    """Return what the server gets when a form is shown with values, and sent as it is."""
    shown = Shown(questions(kind, filled(kind, values), words(language)), language)
    answers = Answers(kind, questions(kind, shown.form, words(language)), words(language))
    assert answers.problems == {}
    return answers.values


def without_blanks(value: Any) -> Any:
    """Return a value without what a form cannot tell from nothing: "" and empty lists."""
    if isinstance(value, dict):
        stripped = {name: without_blanks(one) for name, one in value.items()}
        return {name: one for name, one in stripped.items() if one not in ("", [], {})}
    return [without_blanks(one) for one in value] if isinstance(value, list) else value


def typed(name: str, **texts: str) -> dict[str, Any]:
    """Return the values of a form into which somebody types."""
    kind = kind_of(name)
    form = Form({f"v.{part.replace('_', '-', 1)}": (text,) for part, text in texts.items()})
    return Answers(kind, questions(kind, form, words()), words()).values


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize(("name", "case"), GOOD)
def test_what_is_good_comes_back_as_it_was_shown(name: str, case: str, language: str) -> None:
    values = valid(name)[case]

    found = sent_back(kind_of(name, language), values, language)

    assert _sorted(without_blanks(found)) == _sorted(without_blanks(values))
    assert SCHEMAS[name].violations(found) == ()


@pytest.mark.parametrize(("name", "case"), GOOD)
def test_what_she_leaves_as_it_is_stays_exactly_so(name: str, case: str) -> None:
    values, kind = valid(name)[case], kind_of(name)

    assert kept(kind, values, sent_back(kind, values), words()) == values


def test_a_part_that_she_changes_is_changed_and_no_other() -> None:
    kind = kind_of("household")
    before = {"adultCount": 1, "childCount": 0, "relationships": ["child", "partner"]}
    answers = sent_back(kind, before) | {"childCount": 2}

    assert kept(kind, before, answers, words()) == {**before, "childCount": 2}


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_asked_for_once_with_a_label(name: str, language: str) -> None:
    kind = kind_of(name, language)
    asked = questions(kind, Form(), words(language))
    shown = Shown(asked, language)

    assert [question.key for question in asked] == [field.name for field in kind.fields]
    assert len(shown.ids) == len(set(shown.ids))
    assert shown.inputs <= shown.labels
    for field in kind.fields:
        if len(field.schema.get("enum", "  ")) == 1 and field.is_required:
            continue  # where there is no choice there is no question
        assert field.label in shown.html.replace("&#39;", "'")


@pytest.mark.parametrize("name", BY_FORM)
def test_a_blank_form_has_no_values_but_those_without_a_choice(name: str) -> None:
    kind = kind_of(name)
    asked = questions(kind, Form(), words())
    fixed = {one.key for one in asked if one.form == "fixed"}

    assert set(Answers(kind, asked, words()).values) == fixed


@pytest.mark.parametrize(("name", "case"), BAD)
def test_what_the_server_refuses_is_said_at_a_question_that_is_there(name: str, case: str) -> None:
    kind = kind_of(name)
    known = {key: one for key, one in invalid(name)[case].items() if kind.field(key)}
    asked = questions(kind, filled(kind, known), words())
    answers = Answers(kind, asked, words())
    found = [(one.path, one.message) for one in SCHEMAS[name].violations(answers.values)]

    errors = of_server(kind, asked, found, words())

    assert bool(errors) == bool(found)
    assert set(errors) <= {*Shown(asked).ids, TOP}


def test_what_is_missing_is_said_where_it_is_asked() -> None:
    kind = kind_of("income")
    asked = questions(kind, Form(), words())

    errors = of_server(kind, asked, [("/amountPence", "This field is missing.")], words("cy"))

    assert list(errors) == ["v.amountPence"]
    assert "llenwch hwn" in errors["v.amountPence"]


def test_a_blank_entry_between_others_does_not_move_what_is_wrong() -> None:
    kind = kind_of("care_needs")
    names = {"v.diagnoses.0": "a", "v.diagnoses.1": "", "v.diagnoses.2": "b"}
    form = Form({name: (text,) for name, text in names.items()})
    asked = questions(kind, form, words())

    assert Answers(kind, asked, words()).values == {"diagnoses": ["a", "b"]}
    errors = of_server(kind, asked, [("/diagnoses/1", "This is empty.")], words())
    assert list(errors) == ["v.diagnoses.2"]


@pytest.mark.parametrize("sentence", sorted(set(_SENTENCES.values())))
def test_every_sentence_of_the_server_is_said_in_welsh(sentence: str) -> None:
    kind = kind_of("postal_address", "cy")
    asked = questions(kind, Form(), words("cy"))

    said = of_server(kind, asked, [("/streetName", sentence.format(limit=3))], words("cy"))

    assert sentence.partition(" ")[0] not in said["v.streetName"].partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "pence"),
    [("10.50", 1050), ("10.5", 1050), ("1,200", 120000), ("£3", 300), ("0.07", 7)],
)
def test_pounds_become_pence(text: str, pence: int) -> None:
    assert typed("income", amountPence=text) == {"amountPence": pence}


@pytest.mark.parametrize("text", ["ten", "10.505", "-3", "1.2.3", "£", "٣"])
def test_what_is_no_amount_is_said_to_be_none(text: str) -> None:
    kind = kind_of("income")
    asked = questions(kind, Form({"v.amountPence": (text,)}), words())

    assert list(Answers(kind, asked, words()).problems) == ["/amountPence"]


@pytest.mark.parametrize("day", [("31", "2", "2026"), ("1", "", "2026"), ("x", "1", "2026")])
def test_what_is_no_day_is_said_to_be_none(day: tuple[str, str, str]) -> None:
    kind = kind_of("postal_address")
    parts = zip(("day", "month", "year"), day, strict=True)
    form = Form({f"v.validFrom-{part}": (text,) for part, text in parts})
    asked = questions(kind, form, words())

    assert list(Answers(kind, asked, words()).problems) == ["/validFrom"]


@pytest.mark.parametrize(
    ("name", "part", "text", "value"),
    [
        ("postal_address", "postalCode", "cf10 3nq", "CF10 3NQ"),
        ("bank_account", "sortCode", "01-23-45", "012345"),
        ("bank_account", "sortCode", "01 23 45", "012345"),
        ("social_security_record", "personalNumber", "qq 12 34 56 c", "qq 12 34 56 c"),
        ("social_security_record", "personalNumber", "ab 12 34 56 c", "AB123456C"),
        ("postal_address", "streetName", "Heol y Bont", "Heol y Bont"),
        ("bank_account", "accountHolder", "m pugh", "m pugh"),
    ],
)
def test_what_fits_but_for_capitals_or_spaces_is_tidied(
    name: str, part: str, text: str, value: str
) -> None:
    assert typed(name, **{part: text}) == {part: value}


def test_without_a_rule_nothing_is_tidied() -> None:
    assert tidied("a b-c", []) == "a b-c"


def test_a_name_is_asked_by_its_parts_and_may_have_more_of_each() -> None:
    kind = kind_of("identity")
    blank = questions(kind, Form(), words(), grown="v.name.0.nameParts:GivenName")
    (name,) = blank[0].parts
    parts = name.parts[0].parts

    assert [part.label for part in parts] == ["First name", "First name", "Last name"]
    texts = zip(parts, ["Mair", "Eluned", "Pugh"], strict=True)
    form = {**Shown(blank).fields, **{part.name: (text,) for part, text in texts}}
    found = Answers(kind, questions(kind, Form(form), words()), words()).values
    assert found == {
        "name": [
            {
                "nameParts": [
                    {"value": "Mair", "type": "GivenName"},
                    {"value": "Eluned", "type": "GivenName"},
                    {"value": "Pugh", "type": "FamilyName"},
                ]
            }
        ]
    }


def test_a_list_grows_by_one_and_no_further_than_it_may() -> None:
    kind = kind_of("care_needs")
    full = filled(kind, {"diagnoses": [f"illness {number}" for number in range(30)]})
    some = filled(kind, {"diagnoses": ["one", "two"]})

    def entries(form: Form) -> tuple[int, bool]:
        asked = {one.key: one for one in questions(kind, form, words(), grown="v.diagnoses")}
        return len(asked["diagnoses"].parts), asked["diagnoses"].may_grow

    assert entries(some) == (3, True)
    assert entries(full) == (31, False)


def test_a_hostile_place_in_a_list_makes_no_long_list() -> None:
    kind = kind_of("care_needs")
    form = Form({f"v.diagnoses.{place}": ("x",) for place in ("9" * 30, "9999", "-1", "²")})

    asked = {one.key: one for one in questions(kind, form, words())}

    assert len(asked["diagnoses"].parts) == 1


def test_a_country_stands_once_and_hers_is_the_one_that_is_chosen() -> None:
    kind = kind_of("postal_address")

    def countries(form: Form) -> dict[str, str]:
        asked = {one.key: one for one in questions(kind, form, words())}
        return {text: code for code, text in asked["addressCountry"].codes}

    assert countries(Form())["United Kingdom"] == "GB"
    assert countries(filled(kind, {"addressCountry": "GBR"}))["United Kingdom"] == "GBR"


def test_what_few_people_need_is_asked_last_and_opens_where_it_is_filled_in() -> None:
    kind = kind_of("postal_address")
    closed = Shown(questions(kind, Form(), words())).html
    opened = Shown(questions(kind, filled(kind, {"poBoxNumber": "7"}), words())).html

    assert closed.index("v.postalCode") < closed.index("<details") < closed.index("v.poBoxNumber")
    assert '<details class="govuk-details">' in closed
    assert '<details class="govuk-details" open>' in opened


def test_typed_days_come_back_as_they_were_typed() -> None:
    kind = kind_of("postal_address")
    parts = {"day": "31", "month": "2", "year": "2026"}
    form = Form({f"v.validFrom-{part}": (text,) for part, text in parts.items()})

    asked = {one.key: one for one in questions(kind, form, words())}

    assert asked["validFrom"].day == TypedDay(("31", "2", "2026"))


LINES = st.from_regex(r"[^\s\x00](?:[^\n\r\x00]{0,20}[^\s\x00])?", fullmatch=True)
DATES = st.dates(dt.date(1800, 1, 1), dt.date(2199, 12, 31)).map(str)


def schemas() -> st.SearchStrategy[tuple[dict[str, Any], st.SearchStrategy[Any]]]:
    """Return schemas as kinds have them, each with its values."""
    leaves = st.sampled_from(
        [
            ({"type": "string", "maxLength": 60}, LINES),
            ({"type": "string", "maxLength": 600}, LINES),
            ({"type": "integer"}, st.integers(-(2**53) + 1, 2**53 - 1)),
            ({"type": "boolean"}, st.booleans()),
            ({"type": "string", "format": "date"}, DATES),
            ({"type": "string", "enum": ["a", "b_c", "d"]}, st.sampled_from(["a", "b_c", "d"])),
            (
                {"type": "array", "maxItems": 3, "uniqueItems": True,
                 "items": {"type": "string", "enum": ["a", "b", "c"]}},
                st.lists(st.sampled_from("abc"), unique=True, min_size=1),
            ),
        ]
    )  # fmt: skip
    return st.recursive(leaves, _within, max_leaves=4)


def _within(
    inner: st.SearchStrategy[tuple[dict[str, Any], st.SearchStrategy[Any]]],
) -> st.SearchStrategy[tuple[dict[str, Any], st.SearchStrategy[Any]]]:
    lists = inner.map(
        lambda one: (
            {"type": "array", "maxItems": 4, "items": one[0]},
            st.lists(one[1], min_size=1, max_size=4),
        )
    )
    objects = st.tuples(inner, inner).map(
        lambda two: (
            {"type": "object", "properties": {"one": two[0][0], "two": two[1][0]}},
            st.fixed_dictionaries({"one": two[0][1]}, optional={"two": two[1][1]}),
        )
    )
    return lists | objects


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.data())
def test_whatever_a_kind_is_made_of_comes_back(data: st.DataObject) -> None:
    parts = data.draw(st.lists(schemas(), min_size=1, max_size=3))
    names = [f"part{number}" for number in range(len(parts))]
    text = {"en": "Text", "cy": "Testun"}
    kind = kind_from(
        {
            "evidence_type": "anything",
            "schema_version": 1,
            "title": text,
            "description": text,
            "fields": [
                {"name": name, "label": text, "hint": text, "sensitivity": "ordinary"}
                for name in names
            ],
            "schema": {
                "type": "object",
                "properties": dict(zip(names, (part[0] for part in parts), strict=True)),
            },
        }
    )
    values = {name: data.draw(part[1]) for name, part in zip(names, parts, strict=True)}

    assert _sorted(sent_back(kind, values)) == _sorted(values)


def _sorted(value: Any) -> Any:
    """Return a value with its lists of codes in one order: ticks have none."""
    if isinstance(value, dict):
        return {name: _sorted(one) for name, one in value.items()}
    if isinstance(value, list):
        return sorted(
            (_sorted(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True)
        )
    return value
