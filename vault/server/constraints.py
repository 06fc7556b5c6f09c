# SPDX-License-Identifier: Apache-2.0
"""Whether a message keeps the constraints that stand in the protos (`buf.validate`).

A violation is told by its field and a sentence of ours for the rule, never by what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import protovalidate
from google.protobuf.message import Message

from vault.server.errors import FieldsInvalidError

MOST_VIOLATIONS: Final = 20

_SENTENCES: Final = {
    "required": "It is required.",
    "string.uuid": "It must be a UUID.",
    "string.uuid_empty": "It is required: a UUID.",
    "string.pattern": "It does not have the required form.",
    "string.min_len": "It is too short.",
    "string.max_len": "It is too long.",
    "bytes.min_len": "It is too short.",
    "bytes.max_len": "It is too long.",
    "bytes.len": "It does not have the required length.",
    "repeated.min_items": "It has too few entries.",
    "repeated.max_items": "It has too many entries.",
    "repeated.unique": "It names something twice.",
    "enum.defined_only": "It is not a known value.",
    "enum.in": "It is not a value that is allowed here.",
    "enum.not_in": "It is not a value that is allowed here.",
    "uint32.lte": "It is too large.",
    "uint32.gte": "It is too small.",
    "uint32.gte_lte": "It is out of range.",
    "requested_scope.not_empty": "Name at least one field.",
}
_OTHERWISE: Final = "It breaks a constraint; see the description of the field."

_VALIDATOR: Final = protovalidate.Validator()


def check(message: Message) -> None:
    """Check a message.

    Raises:
        FieldsInvalidError: naming the first twenty fields that break a constraint.
    """
    violations = _VALIDATOR.collect_violations(message)
    if violations:
        raise FieldsInvalidError(
            tuple(
                (_path(found.proto), _SENTENCES.get(found.proto.rule_id, _OTHERWISE))
                for found in violations[:MOST_VIOLATIONS]
            )
        )


def warm(types: Iterable[type[Message]]) -> None:
    """Compile the constraints of message types, so that no caller waits for it."""
    for kind in types:
        _VALIDATOR.collect_violations(kind())


def _path(violation: protovalidate.ViolationPb) -> str:
    names: list[str] = []
    for element in violation.field.elements if violation.field else ():
        place = element.subscript
        index = f"[{place.value}]" if place is not None and place.field == "index" else ""
        names.append(f"{element.field_name}{index}")
    return ".".join(names)
