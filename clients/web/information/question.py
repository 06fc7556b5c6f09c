# SPDX-License-Identifier: Apache-2.0
"""One question of a form made from a schema, and how it is asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal

from clients.web.dates import TypedDay

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

As = Literal[
    "text", "long", "number", "pounds", "date", "choice", "several", "fixed",
    "list", "tagged", "object",
]  # fmt: skip

PREFIX: Final = "v"
"""Begins the name of every input of a kind, apart from those that all forms have."""

LONG_TEXT: Final = 200
PENCE: Final = "Pence"
MOST_ENTRIES: Final = 100
_PURPOSES: Final = {
    "GivenName": "given-name",
    "FamilyName": "family-name",
    "birthDate.0.value": "bday",
    "addressLocality": "address-level2",
    "postalCode": "postal-code",
    "addressCountry": "country",
}


@dataclasses.dataclass(frozen=True)
class Question:
    """One question, or several that belong together, with what was typed so far.

    Attributes:
        form: how it is asked.
        name: of its input: "v.name.0.nameParts.1.value".
        pointer: where its value will stand (RFC 6901): blank entries of a list have no place.
        key: the name of the value in the object that it belongs to.
        is_rare: it is asked only of those who look for it.
        codes: the codes to choose from, each with its words.
        parts: of an object its parts, of a list its entries.
        tag: of a text told apart by a code: the name of the code, and the code.
        carried: of such a text: what else is known of it, and not asked.
    """

    form: As
    name: str
    pointer: str
    key: str
    label: str
    schema: Mapping[str, Any]
    hint: str = ""
    is_needed: bool = False
    is_rare: bool = False
    typed: str = ""
    chosen: tuple[str, ...] = ()
    day: TypedDay = dataclasses.field(default_factory=TypedDay)
    codes: tuple[tuple[str, str], ...] = ()
    parts: tuple[Question, ...] = ()
    tag: tuple[str, str] = ("", "")
    carried: tuple[tuple[str, str], ...] = ()

    @property
    def is_blank(self) -> bool:
        """Say whether nothing was answered."""
        if self.form == "fixed":
            return True
        if self.parts or self.form in {"list", "tagged", "object"}:
            return all(part.is_blank for part in self.parts)
        if self.form == "several":
            return not self.chosen
        return not (self.typed or any(self.chosen) or not self.day.is_empty)

    @property
    def may_be_empty(self) -> bool:
        """Say whether it is a list that has to be there, if only with nothing in it."""
        return self.is_needed and not self.schema.get("minItems")

    @property
    def target(self) -> str:
        """Return the id of the input to which the summary of what is wrong leads."""
        match self.form:
            case "date":
                return f"{self.name}-day"
            case "list" | "tagged" | "object" if self.asked:
                return self.asked[0].target
        return self.name

    @property
    def asked(self) -> tuple[Question, ...]:
        """Return its parts that people see."""
        return tuple(part for part in self.parts if part.form != "fixed")

    @property
    def usual(self) -> tuple[Question, ...]:
        """Return the parts that are shown at once: those that are needed, if any is."""
        return tuple(part for part in self.asked if part.is_needed) or self.asked

    @property
    def others(self) -> tuple[Question, ...]:
        """Return the parts that are shown to whoever opens them."""
        return tuple(part for part in self.asked if part not in self.usual)

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Return the codes that tell its texts apart, each with its words."""
        return tuple({part.tag[1]: part.label for part in self.parts}.items())

    @property
    def width(self) -> str:
        """Return the class of an input as wide as what it takes."""
        most = int(self.schema.get("maxLength", LONG_TEXT))
        width = next((width for width in (5, 10, 20) if most <= width), 0)
        return f"govuk-input--width-{width}" if width else ""

    @property
    def purpose(self) -> str:
        """Return what a browser may fill in (WCAG 2.2, 1.3.5)."""
        return _PURPOSES.get(self.tag[1] or self.name.removeprefix(f"{PREFIX}."), "")

    def beside(self, name: str) -> str:
        """Return the name of an input beside this one."""
        return f"{self.name.rpartition('.')[0]}.{name}"

    def called(self, other: Question) -> Question:
        """Return it under the label of what it is the only part of."""
        return dataclasses.replace(
            self, label=other.label, hint=other.hint, is_needed=other.is_needed
        )

    def is_wrong(self, errors: Container[str]) -> bool:
        """Say whether something is wrong with it, or within it."""
        return any(one.target in errors for one in self.walk())

    @property
    def may_grow(self) -> bool:
        """Say whether a list may have one more entry."""
        most = min(int(self.schema.get("maxItems", MOST_ENTRIES)), MOST_ENTRIES)
        return self.form in {"list", "tagged"} and len(self.parts) < most

    def walk(self) -> Iterator[Question]:
        """Yield it and all that lies within it."""
        yield self
        for part in self.parts:
            yield from part.walk()
