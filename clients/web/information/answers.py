# SPDX-License-Identifier: Apache-2.0
"""Answers to the questions of a form, as the values of a kind of information; and back again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clients.web.forms import Form
from clients.web.information.question import PENCE, PREFIX
from clients.web.information.questions import is_ticked, questions
from clients.wording.published import unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clients.web.information.question import Question
    from clients.wording.published import Field, Kind
    from clients.wording.words import Words

_POUNDS: Final = re.compile(r"£?([0-9]{1,12})(?:\.([0-9]{1,2}))?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CONDITIONS: Final = ("then", "else")
_WAYS: Final = ("allOf", "anyOf", "oneOf")


class Answers:
    """What was typed, as values.

    Attributes:
        values: by the names of the parts; what was left blank is not there.
        problems: what cannot be a value at all, by the pointer of its question.
    """

    def __init__(self, kind: Kind, asked: Iterable[Question], words: Words) -> None:
        self._kind = kind
        self._words = words
        self.values: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        for question in asked:
            value = self._value(question)
            if value is not None:
                self.values[question.key] = value

    def _value(self, question: Question) -> Any:
        if question.form in {"list", "tagged"}:
            # An entry of which nothing was answered is none.
            entries = [self._value(part) for part in question.parts if not part.is_blank]
            return entries if entries or question.may_be_empty else None
        if question.form == "object":
            if question.is_blank:
                return None
            found = {part.key: self._value(part) for part in question.parts}
            return {name: value for name, value in found.items() if value is not None}
        return self._of_leaf(question)

    def _of_leaf(self, question: Question) -> Any:
        match question.form:
            case "several":
                # "None of these" is an answer; no tick at all is none.
                found: Any = _ticked(question) if question.chosen else None
            case "choice":
                found = _code(question, question.chosen[0]) if question.chosen[0] else None
            case "fixed":
                found = _code(question, question.typed)
            case "date":
                found = self._day(question)
            case "number":
                found = self._number(question) if question.typed else None
            case "pounds":
                found = self._pence(question) if question.typed else None
            case _:
                found = self._text(question) if question.typed else None
        return found

    def _day(self, question: Question) -> str | None:
        if question.day.is_empty:
            return None
        if question.day.day is None:
            self.problems[question.pointer] = self._words("problem.date")
            return None
        return question.day.day.isoformat()

    def _number(self, question: Question) -> int | None:
        text = re.sub(r"[\s,]", "", question.typed)
        if not _NUMBER.fullmatch(text):
            self.problems[question.pointer] = self._words("problem.number")
            return None
        return int(text)

    def _pence(self, question: Question) -> int | None:
        found = _POUNDS.fullmatch(re.sub(r"[\s,]", "", question.typed))
        if found is None:
            self.problems[question.pointer] = self._words("problem.pounds")
            return None
        return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))

    def _text(self, question: Question) -> Any:
        # A text of more lines is one with spaces: no kind has lines within a text.
        typed = re.sub(r"\s*\n\s*", " ", question.typed)
        text = tidied(typed, patterns(self._kind, question))
        name, code = question.tag
        if not name:
            return text
        return {"value": text, name: code, **dict(question.carried)}


def filled(kind: Kind, values: Mapping[str, Any]) -> Form:
    """Return a form as it is typed by whoever gives these values."""
    typed: dict[str, tuple[str, ...]] = {}
    for name, value in values.items():
        field = kind.field(name) or unknown_field(name)
        typed |= dict(_typed(field, field.schema, f"{PREFIX}.{name}", value))
    return Form(typed)


def kept(
    kind: Kind, before: Mapping[str, Any], answers: Mapping[str, Any], words: Words
) -> dict[str, Any]:
    """Return answers, with every part that she left as it was exactly as it was.

    A form shows less than a value may hold: the order of ticks, a line that is there and empty.
    """
    same = Answers(kind, questions(kind, filled(kind, before), words), words).values
    as_it_was = {
        name: value for name, value in before.items() if same.get(name) == answers.get(name)
    }
    return {**answers, **as_it_was}


def tidied(text: str, rules: Iterable[re.Pattern[str]]) -> str:
    """Return a text as typed, or in capitals, without spaces or dashes, if only that fits."""
    rules = tuple(rules)
    bare, barer = re.sub(r"\s", "", text), re.sub(r"[\s-]", "", text)
    ways = (text, text.upper(), bare, bare.upper(), barer, barer.upper())
    return max(ways, key=lambda way: sum(bool(rule.search(way)) for rule in rules))


def patterns(kind: Kind, question: Question) -> Iterator[re.Pattern[str]]:
    """Yield the patterns that a text may have to fit; one that Python does not know is left out."""
    found = [question.schema.get("pattern", "")]
    if question.pointer == f"/{question.key}":
        found += _conditional(kind.schema, question.key)
    for pattern in filter(None, found):
        try:
            yield re.compile(pattern)
        except re.error:
            continue


def _conditional(schema: Mapping[str, Any], name: str) -> list[str]:
    """Return the patterns of a part that hold under a condition."""
    found: list[str] = []
    for branch in (
        *(schema[key] for key in _CONDITIONS if key in schema),
        *(way for key in _WAYS for way in schema.get(key, ())),
    ):
        found.append(branch.get("properties", {}).get(name, {}).get("pattern", ""))
        found += _conditional(branch, name)
    return found


def _ticked(question: Question) -> list[Any]:
    """Return the codes that are ticked, in the order in which they are shown."""
    order = [code for code, _ in question.codes]
    chosen = dict.fromkeys(filter(None, question.chosen))
    known = [code for code in order if code in chosen]
    return [_code(question, code) for code in (*known, *(chosen.keys() - set(known)))]


def _code(question: Question, text: str) -> Any:
    """Return a code as its schema has it; one that is none is sent, and refused."""
    schema = question.schema
    if schema.get("type") == "array":
        schema = {"enum": [code for code, _ in question.codes]}
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(text, text)
    codes = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return next((code for code in codes if str(code) == text), text)


def _typed(
    field: Field, schema: Mapping[str, Any], name: str, value: Any
) -> Iterator[tuple[str, tuple[str, ...]]]:
    schema = field.resolved(schema)
    if isinstance(value, list) and is_ticked(field, schema):
        yield name, tuple(map(str, value)) or ("",)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _typed(field, schema.get("items", {}), f"{name}.{place}", one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _typed(
                field, schema.get("properties", {}).get(key, {}), f"{name}.{key}", one
            )
    else:
        yield from _typed_leaf(name, value)


def _typed_leaf(name: str, value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, bool):
        yield name, ("true" if value else "false",)
    elif isinstance(value, int) and name.endswith(PENCE):
        yield name, (f"{value // 100}.{value % 100:02}",)
    else:
        yield name, (str(value),)
        day = _DAY.fullmatch(value) if isinstance(value, str) else None
        if day:
            # Whether it is asked as a day, the schema says; a text beside it is not looked at.
            year, month, number = day.groups()
            yield f"{name}-day", (str(int(number)),)
            yield f"{name}-month", (str(int(month)),)
            yield f"{name}-year", (year,)
