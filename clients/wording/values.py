# SPDX-License-Identifier: Apache-2.0
"""Values of a kind of information: as she types them, and as they are read back to her.

By the kind's own labels and schema (JSON Schema 2020-12, as far as our kinds use it). Whether a
value is right is the server's to say.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from clients.wording.published import unknown_field
from clients.wording.times import day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.wording.published import Field, Kind
    from clients.wording.words import Words

MOST_CODES_SHOWN: Final = 20
_PENCE: Final = "Pence"
_OF_A_FILE: Final = frozenset({"mediaType", "sizeBytes"})
_TYPES: Final = frozenset({"type", "@type"})


def converted(field: Field, schema: Mapping[str, Any], text: str, words: Words) -> Any:
    """Return a typed text as its schema's type.

    Args:
        schema: of the field, or of what lies within it.

    Raises:
        ValueError: with a sentence that says why not.
    """
    codes = schema.get("enum")
    if codes and text not in codes:
        # People type what they read: a code in words, in whatever case, or the code itself.
        # Of codes with the same words, as a country's two, the first is meant.
        by_spoken = {str(code).lower().replace("_", " "): code for code in reversed(codes)}
        by_spoken |= {field.spoken(str(code)).lower(): code for code in reversed(codes)}
        text = by_spoken.get(text.strip().lower().replace("_", " "), "")
        if not text:
            raise ValueError(choices(field, codes, words) or words("type.code"))
    match schema.get("type"):
        case "integer":
            try:
                return int(text)
            except ValueError:
                raise ValueError(words("type.number")) from None
        case "object" | "array":
            try:
                return json.loads(text)
            except ValueError:
                raise ValueError("JSON?") from None
    return text


def shown(kind: Kind, name: str, value: Any, words: Words) -> str:
    """Return a value as she reads it: lists in lines, codes as words, pence as pounds."""
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith(_PENCE):
        return f"£{value // 100:,}.{value % 100:02}"
    field = kind.field(name) or unknown_field(name)
    return _shown(field, field.schema, value, words)


def _shown(field: Field, schema: Mapping[str, Any], value: Any, words: Words) -> str:
    schema = field.resolved(schema)
    if isinstance(value, list):
        items = schema.get("items", {})
        between = " " if all(map(_is_part_of_a_name, value)) else "\n"
        return between.join(_shown(field, items, one, words) for one in value)
    if isinstance(value, dict) and _OF_A_FILE.issubset(value):
        return f"{field.spoken(value['mediaType'])}, {size(value['sizeBytes'])}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return ", ".join(
            _shown(field, properties.get(name, {}), one, words)
            for name, one in value.items()
            if not (name in _TYPES and _is_part_of_a_name(value))
        )
    text = str(value)
    if schema.get("format") == "date":
        with contextlib.suppress(ValueError):
            return day(dt.date.fromisoformat(text), words)
    return field.spoken(text) if "enum" in schema else text


def _is_part_of_a_name(value: Any) -> bool:
    """Say whether it is a first or last name, which is read without saying which of them."""
    return isinstance(value, dict) and "value" in value and not _TYPES.isdisjoint(value)


def size(count: int) -> str:
    """Return a number of bytes as people say it: "1.2 MB"."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def choices(field: Field, codes: Sequence[str], words: Words) -> str:
    """Return the codes to choose from, in words; "" if there are none or too many to read."""
    if not 0 < len(codes) <= MOST_CODES_SHOWN:
        return ""
    return words("type.codes", codes=", ".join(map(field.spoken, codes)))
