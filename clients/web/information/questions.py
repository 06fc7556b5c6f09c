# SPDX-License-Identifier: Apache-2.0
"""A form made from the schema of a kind of information: what is asked, and what was typed.

JSON Schema 2020-12, as far as kinds may use it (`vault/evidence_types/check.py`). A list of codes
becomes ticks; a list of texts told apart by a code, as the parts of a name, one input for each
code; any other list may grow, by a button that sends the form. What was typed is turned into values
by `answers.py`; whether they are right is the server's to say.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from clients.web.dates import TypedDay
from clients.web.information.question import LONG_TEXT, MOST_ENTRIES, PENCE, PREFIX, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clients.web.forms import Form
    from clients.wording.published import Field, Kind
    from clients.wording.words import Words

MOST_IN_ORDER: Final = 60
"""More codes than this, as of countries, stand in the order of their words."""

_HOME: Final = frozenset({"GB", "GBR"})


def questions(kind: Kind, form: Form, words: Words, *, grown: str = "") -> tuple[Question, ...]:
    """Return the questions of a kind, with what a form brought.

    Args:
        grown: the list that gets one more entry: its name, or its name, ":" and a code.
    """
    return tuple(
        _Asking(field, form, words, grown).question(
            field.schema,
            f"{PREFIX}.{field.name}",
            f"/{field.name}",
            field.label,
            hint=field.hint,
            is_needed=field.is_required,
        )
        for field in kind.fields
    )


@dataclasses.dataclass(frozen=True)
class _Asking:
    """Makes the questions of one part of a kind."""

    field: Field
    form: Form
    words: Words
    grown: str

    def question(
        self,
        schema: Mapping[str, Any],
        name: str,
        pointer: str,
        label: str,
        *,
        source: str = "",
        hint: str = "",
        is_needed: bool = False,
    ) -> Question:
        """Return the question for a value of a schema.

        Args:
            source: the name under which it was typed, where blank entries before it are gone.
        """
        schema = self.field.resolved(schema)
        source = source or name
        key = pointer.rpartition("/")[2]
        asked = Question(
            "text",
            name,
            pointer,
            key,
            label,
            schema,
            hint=hint,
            is_needed=is_needed,
            is_rare=not is_needed and hint.startswith(self.words("form.rare.mark")),
        )
        match schema.get("type"):
            case "object" if schema.get("properties"):
                return dataclasses.replace(asked, form="object", parts=self._parts(asked, source))
            case "array":
                return self._list(asked, source)
        return self._leaf(asked, source)

    def _leaf(self, asked: Question, source: str) -> Question:
        schema, typed = asked.schema, self.form.text(source)
        codes = _codes_of(schema)
        if len(codes) == 1 and asked.is_needed:
            return dataclasses.replace(asked, form="fixed", typed=codes[0])
        if codes:
            spoken = self._spoken(codes, (typed,))
            # A hint that tells codes to whoever types them helps nobody who chooses words.
            hint = "" if len(spoken) > MOST_IN_ORDER else asked.hint
            return dataclasses.replace(
                asked, form="choice", chosen=(typed,), codes=spoken, hint=hint
            )
        if schema.get("format") == "date":
            return dataclasses.replace(asked, form="date", day=TypedDay.of(self.form, source))
        if schema.get("type") == "integer":
            if not asked.key.endswith(PENCE):
                return dataclasses.replace(asked, form="number", typed=typed)
            hint = self._pounds_hint(asked.hint)
            return dataclasses.replace(asked, form="pounds", typed=typed, hint=hint)
        long = int(schema.get("maxLength", 0)) > LONG_TEXT
        return dataclasses.replace(asked, form="long" if long else "text", typed=typed)

    def _parts(self, asked: Question, source: str) -> tuple[Question, ...]:
        """Return the questions for the parts of an object: of several ways the first, or hers."""
        schema = asked.schema
        ways = [way.get("required", ()) for way in schema.get("oneOf", ())]
        typed = {name for way in ways for name in way if self.form.text(f"{source}.{name}")}
        way = next((way for way in ways if typed & set(way)), ways[0] if ways else ())
        needed = {*schema.get("required", ()), *way}
        left_out = {name for other in ways for name in other} - set(way)
        return tuple(
            self.question(
                part,
                f"{asked.name}.{name}",
                f"{asked.pointer}/{name}",
                self.words.maybe(f"part.{name}") or _plain(name),
                source=f"{source}.{name}",
                is_needed=name in needed,
            )
            for name, part in schema["properties"].items()
            if name not in left_out
        )

    def _list(self, asked: Question, source: str) -> Question:
        items = self.field.resolved(asked.schema.get("items", {}))
        codes = _codes_of(items)
        if is_ticked(self.field, asked.schema):
            chosen = self.form.texts(source)
            spoken = self._spoken(codes, chosen)
            if asked.may_be_empty:
                spoken = (*spoken, ("", self.words("form.none")))
            return dataclasses.replace(asked, form="several", chosen=chosen, codes=spoken)
        tag = _tag_of(self.field, items)
        if tag:
            return dataclasses.replace(
                asked, form="tagged", parts=self._tagged(asked, source, items, tag)
            )
        return dataclasses.replace(asked, form="list", parts=self._entries(asked, source, items))

    def _entries(
        self, asked: Question, source: str, items: Mapping[str, Any]
    ) -> tuple[Question, ...]:
        found: list[Question] = []
        places: list[int | None] = [*_places(self.form, source)]
        if self.grown == asked.name or not places:
            places.append(None)
        place = 0
        for number, index in enumerate(places):
            label = self.words("form.entry", label=asked.label, number=number + 1)
            entry = self.question(
                items,
                f"{asked.name}.{number}",
                f"{asked.pointer}/{place}",
                asked.label if len(places) == 1 else label,
                # "" is no name of an input, so that a new entry is blank.
                source=f"{source}.{'new' if index is None else index}",
                hint=asked.hint if number == 0 and items.get("type") != "object" else "",
                is_needed=asked.is_needed and number == 0,
            )
            place += not entry.is_blank
            found.append(entry)
        return tuple(found)

    def _tagged(
        self, asked: Question, source: str, items: Mapping[str, Any], tag: tuple[str, ...]
    ) -> tuple[Question, ...]:
        """Return an input for each text that is there, and a blank one for each missing code."""
        properties = items["properties"]
        codes = _codes_of(self.field.resolved(properties[tag[0]]))
        rows: list[tuple[str, str, int | None]] = []
        for index in _places(self.form, source):
            name = next((one for one in tag if self.form.text(f"{source}.{index}.{one}")), tag[0])
            code = self.form.text(f"{source}.{index}.{name}")
            if code in codes:
                rows.append((name, code, index))
        for order, code in enumerate(codes):
            if all(row[1] != code for row in rows):
                later = (at for at, row in enumerate(rows) if codes.index(row[1]) > order)
                rows.insert(next(later, len(rows)), (tag[0], code, None))
        if self.grown.startswith(f"{asked.name}:"):
            code = self.grown.rpartition(":")[2]
            same = [at for at, row in enumerate(rows) if row[1] == code]
            if same:
                rows.insert(same[-1] + 1, (tag[0], code, None))
        return tuple(self._texts(asked, source, properties, tag, rows))

    def _texts(
        self,
        asked: Question,
        source: str,
        properties: Mapping[str, Any],
        tag: tuple[str, ...],
        rows: list[tuple[str, str, int | None]],
    ) -> Iterator[Question]:
        place = 0
        for number, (name, code, index) in enumerate(rows):
            begins = f"{source}.{'new' if index is None else index}"
            text = Question(
                "text",
                f"{asked.name}.{number}.value",
                f"{asked.pointer}/{place}/value",
                "value",
                self.spoken(code),
                self.field.resolved(properties["value"]),
                typed=self.form.text(f"{begins}.value"),
                is_needed=asked.is_needed,
                tag=(name, code),
                carried=tuple(
                    (other, typed)
                    for other in properties
                    if other not in {"value", *tag}
                    and (typed := self.form.text(f"{begins}.{other}"))
                ),
            )
            place += not text.is_blank
            yield text

    def spoken(self, code: str) -> str:
        """Return a code in words that begin as a label does."""
        text = self.words.maybe(f"form.code.{code}") or self.field.spoken(code)
        return text[:1].upper() + text[1:]

    def _spoken(
        self, codes: tuple[str, ...], chosen: tuple[str, ...]
    ) -> tuple[tuple[str, str], ...]:
        """Return codes with their words, each words once: of a country's two codes the first."""
        by_words: dict[str, str] = {}
        for code in (*chosen, *codes):
            if code in codes:
                by_words.setdefault(self.spoken(code), code)
        order = {code: place for place, code in enumerate(codes)}
        found = [(code, words) for words, code in by_words.items()]
        if len(found) > MOST_IN_ORDER:
            # Most people's own country stands first, not near the end of 250.
            return tuple(sorted(found, key=lambda one: (one[0] not in _HOME, one[1].casefold())))
        return tuple(sorted(found, key=lambda one: order[one[0]]))

    def _pounds_hint(self, hint: str) -> str:
        """Return a hint for pounds: the registry's speaks of pence, as programs send them."""
        before, mark, _ = hint.partition(self.words("form.pence.mark"))
        ours = self.words("form.pounds")
        return f"{before}. {ours}" if mark else ours


def is_ticked(field: Field, schema: Mapping[str, Any]) -> bool:
    """Say whether a list is one of ticks: of codes, each of which it may have once."""
    items = field.resolved(schema.get("items", {}))
    return bool(schema.get("uniqueItems")) and bool(_codes_of(items))


def _tag_of(field: Field, items: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells the texts of a list apart, in all its spellings; () if nothing does."""
    properties = items.get("properties", {})
    if field.resolved(properties.get("value", {})).get("type") != "string":
        return ()
    if field.resolved(properties["value"]).get("format"):
        return ()
    return tuple(
        name
        for name, schema in properties.items()
        if name != "value" and 1 < len(_codes_of(field.resolved(schema))) <= 4
    )


def _codes_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    if schema.get("type") == "boolean":
        return ("true", "false")
    codes = schema.get("enum", [schema["const"]] if "const" in schema else ())
    return tuple(map(str, codes)) if all(isinstance(code, (str, int)) for code in codes) else ()


def _places(form: Form, source: str) -> list[int]:
    """Return the places of a list of which anything was sent, in order."""
    begins = f"{source}."
    heads = {
        name.removeprefix(begins).partition(".")[0].partition("-")[0]
        for name in form.values
        if name.startswith(begins)
    }
    found = sorted(int(head) for head in heads if head.isdecimal() and len(head) < 5)
    return found[:MOST_ENTRIES]


def _plain(name: str) -> str:
    """Return the name of a part as words: "validFrom" as "Valid from"."""
    spaced = "".join(f" {one.lower()}" if one.isupper() else one for one in name.lstrip("@"))
    return spaced[:1].upper() + spaced[1:]
