# SPDX-License-Identifier: Apache-2.0
"""Whether a message keeps the constraints that stand in the protos (`buf.validate`).

A violation is told by its field and a sentence of ours for the rule, never by what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import protovalidate
from google.protobuf.message import Message

from vault.server.errors import FieldsInvalidError

MOST_VIOLATIONS: Final = 20
LARGEST_SEARCHED_BYTES: Final = 16 * 1024
"""Of a larger message one violation is told: a hundred thousand would keep everybody waiting."""

_SENTENCES: Final = {
    "required": "It is required.",
    "string.uuid": "It must be a UUID.",
    "string.uuid_empty": "It is required: a UUID.",
    "string.pattern": "It does not have the required form.",
    "string.min_len": "It is too short.",
    "string.max_len": "It is too long.",
    "string.in": "It is not a value that is allowed here.",
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
    "uint64.gte": "It is too small.",
    "requested_scope.not_empty": "Name at least one field.",
    "request_consent.one_way": "Give exactly one of these.",
    "claim_request.one_way": "Give exactly one of these.",
    "extend_consent.shown": "Give exactly one of these.",
    "add_passkey.shown": "Give exactly one of these.",
    "create_link_code.shown": "Give exactly one of these.",
    "resume_consent.shown": "Give at most one of these.",
    "replay_vault.one_moment": "Give at most one of these.",
    "get_vault_state.one_moment": "Give at most one of these.",
}
_TOGETHER: Final = {
    "request_consent.one_way": ("code_challenge", "with_short_code", "subject_id"),
    "claim_request.one_way": ("handoff_token", "short_code"),
    "extend_consent.shown": ("shown", "validate_only"),
    "add_passkey.shown": ("shown", "validate_only"),
    "create_link_code.shown": ("shown", "validate_only"),
    "resume_consent.shown": ("shown", "validate_only"),
    "replay_vault.one_moment": ("as_of_token", "as_of_time"),
    "get_vault_state.one_moment": ("as_of_token", "as_of_time"),
}
"""Rules on several fields of a whole message: each of these is named."""
_OTHERWISE: Final = "It breaks a constraint; see the description of the field."

_VALIDATOR: Final = protovalidate.Validator()


def check(message: Message) -> None:
    """Check a message.

    Raises:
        FieldsInvalidError: naming fields that break a constraint, twenty at most.
    """
    violations = _VALIDATOR.collect_violations(message, fail_fast=True)
    if violations:
        if message.ByteSize() <= LARGEST_SEARCHED_BYTES:
            violations = _VALIDATOR.collect_violations(message)
        told = (one for found in violations for one in _told(found.proto))
        raise FieldsInvalidError(tuple(islice(told, MOST_VIOLATIONS)))


def warm(types: Iterable[type[Message]]) -> None:
    """Compile the constraints of message types, so that no caller waits for it."""
    for kind in types:
        _VALIDATOR.collect_violations(kind())


def _told(violation: protovalidate.ViolationPb) -> Iterator[tuple[str, str]]:
    rule = violation.rule_id
    for field in _TOGETHER.get(rule, (_path(violation),)):
        yield field, _SENTENCES.get(rule, _OTHERWISE)


def _path(violation: protovalidate.ViolationPb) -> str:
    names: list[str] = []
    for element in violation.field.elements if violation.field else ():
        place = element.subscript
        index = f"[{place.value}]" if place is not None and place.field == "index" else ""
        names.append(f"{element.field_name}{index}")
    return ".".join(names)
