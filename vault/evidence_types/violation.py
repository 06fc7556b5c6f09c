# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a document, and where, in words that hold nothing of its contents.

A path (RFC 6901) names fields, never values. A field's name comes from whoever sent the document:
one that could not be a name of ours is left out, and the path ends above it.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

MOST_VIOLATIONS = 32
"""A caller who corrects these can ask again; a hostile document must not make the answer long."""

_NAME = re.compile(r"[A-Za-z@$_][A-Za-z0-9@$_]{0,63}")


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong: where, by which rule, and a sentence that a person can act on."""

    path: str
    """A JSON pointer to the offending field, "" for the whole document."""

    rule: str
    """The keyword of JSON Schema that is not met, or a rule of `values.py` or `check.py`."""

    message: str


def pointer(steps: Iterable[str | int]) -> str:
    """Return the JSON pointer of `steps`, ending above the first that is no name of ours."""
    path = ""
    for step in steps:
        if isinstance(step, str) and not _NAME.fullmatch(step):
            break
        path += f"/{step}"
    return path


def first_of_each_field(violations: Iterator[Violation]) -> tuple[Violation, ...]:
    """Return one violation per field, in the order in which they are found, at most 32."""
    found: dict[str, Violation] = {}
    # Bounded before it is thinned out: a hostile document has one path and a million violations.
    for violation in islice(violations, 8 * MOST_VIOLATIONS):
        found.setdefault(violation.path, violation)
    return tuple(islice(found.values(), MOST_VIOLATIONS))
