# SPDX-License-Identifier: Apache-2.0
"""What the values of evidence may be made of, whatever their schema says.

They are sealed, hashed and disclosed as canonical JSON, and shown to people: so no floats and no
nulls, integers that every reader of JSON holds exactly (RFC 8259 §6), bounded depth and size, and
strings that are Unicode text without control characters or signs that reorder what follows.
"""

import re
from collections.abc import Iterator

import msgspec

from vault.evidence_types.violation import Violation, first_of_each_field, pointer

DEEPEST = 8
"""Objects and lists within each other; the document itself is the first."""

LARGEST_BYTES = 64 * 1024
"""Of the canonical JSON, in UTF-8."""

_LARGEST_INTEGER = 2**53 - 1
# Controls (C0, DEL, C1), line and paragraph separators, surrogates, noncharacters of the basic
# plane; and bidirectional overrides and isolates, for what she reads must be what is stored
# (Unicode TR 36 §2.5).
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def unfit(
    document: object, *, deepest: int = DEEPEST, largest_bytes: int = LARGEST_BYTES
) -> tuple[Violation, ...]:
    """Return what keeps `document` out of canonical JSON, or nothing.

    Args:
        document: anything; an object (`dict`) is expected.
        deepest: how many objects and lists may lie within each other.
        largest_bytes: of the document as canonical JSON.
    """
    if type(document) is not dict:
        return (Violation("", "type", "This must be an object."),)
    found = first_of_each_field(_walk(document, (), deepest))
    if found or len(msgspec.json.encode(document)) <= largest_bytes:
        return found
    return (Violation("", "size", f"This is larger than {largest_bytes} bytes."),)


def count(value: object) -> int:
    """Return how many values there are in `value`: itself, and those in objects and lists."""
    if isinstance(value, dict):
        return 1 + sum(map(count, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(count, value))
    return 1


def _walk(value: object, steps: tuple[str | int, ...], deepest: int) -> Iterator[Violation]:
    # Exact types: a subclass may encode itself otherwise than it is checked.
    if type(value) is not dict and type(value) is not list:
        if wrong := _scalar(value):
            yield Violation(pointer(steps), *wrong)
    elif deepest == 0:
        message = "Too many objects or lists lie within each other here."
        yield Violation(pointer(steps), "depth", message)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*steps, index), deepest - 1)
    else:
        for name, item in value.items():
            if type(name) is not str or _UNFIT.search(name):
                message = "A field here has a name that is not a text."
                yield Violation(pointer(steps), "name", message)
            else:
                yield from _walk(item, (*steps, name), deepest - 1)


def _scalar(value: object) -> tuple[str, str] | None:
    """Return the rule that `value` breaks and what to say about it."""
    if type(value) is str:
        if _UNFIT.search(value):
            return "characters", "This text holds characters that cannot be shown."
    elif type(value) is int:
        if abs(value) > _LARGEST_INTEGER:
            return "range", "This whole number is too large."
    elif value is None:
        return "null", "This has no value. Leave the field out instead."
    elif type(value) is float:
        return "float", "This is not a whole number."
    elif type(value) is not bool:
        return "type", "This is no text, whole number, list, object, true or false."
    return None
