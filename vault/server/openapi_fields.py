# SPDX-License-Identifier: Apache-2.0
"""A field of the protos as JSON Schema 2020-12: protobuf's JSON mapping, with its constraints.

Rules that JSON Schema cannot say stand in the comments; the server has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from vault.api.buf.validate import validate_pb2

Schema = dict[str, Any]

_TIMESTAMP: Final = "google.protobuf.Timestamp"
_SIMPLE: Final[Mapping[int, Schema]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.TYPE_INT64: {"type": "string", "pattern": "^-?[0-9]{1,19}$"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "pattern": "^[0-9]{1,20}$"},
}


def schema_of(field: FieldDescriptor) -> Schema:
    """Return the schema of a field's value."""
    rules = _rules(field)
    if field.is_repeated:
        return _list(field, rules.repeated)
    schema = _one(field, rules)
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return {"anyOf": [{"const": ""}, schema]}
    return schema


def is_required(field: FieldDescriptor) -> bool:
    """Say whether a message without this field breaks a rule."""
    rules = _rules(field)
    if rules.required:
        return True
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE or field.has_presence:
        return False
    if field.is_repeated:
        return bool(rules.repeated.min_items)
    return not _takes_empty(rules)


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _takes_empty(rules: Any) -> bool:
    """Say whether a field's rules let it be empty: what is absent is so."""
    text, number = rules.string, rules.uint32
    return not (
        text.uuid
        or text.min_len
        or (text.HasField("pattern") and not re.search(text.pattern, ""))
        or ("in" in _names(text) and "" not in getattr(text, "in"))
        or rules.bytes.min_len
        or rules.bytes.len
        or 0 in rules.enum.not_in
        or ("in" in _names(rules.enum) and 0 not in getattr(rules.enum, "in"))
        or number.gte
        or rules.uint64.gte
    )


def _names(rules: Message) -> set[str]:
    return {field.name for field, _ in rules.ListFields()}


def _list(field: FieldDescriptor, rules: Any) -> Schema:
    schema: Schema = {"type": "array", "items": _one(field, rules.items)}
    if rules.min_items:
        schema["minItems"] = rules.min_items
    if rules.max_items:
        schema["maxItems"] = rules.max_items
    if rules.unique:
        schema["uniqueItems"] = True
    return schema


def _one(field: FieldDescriptor, rules: Any) -> Schema:
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        return {"$ref": f"#/components/schemas/{field.message_type.name}"}
    if field.enum_type is not None:
        return _enum(field.enum_type, rules.enum)
    narrower = {
        FieldDescriptor.TYPE_STRING: lambda: _text(rules.string),
        FieldDescriptor.TYPE_BYTES: lambda: _bytes(rules.bytes),
        FieldDescriptor.TYPE_UINT32: lambda: _number(rules.uint32),
    }.get(field.type, dict)()
    return {**_SIMPLE[field.type], **narrower}


def _enum(enum: EnumDescriptor, rules: Any) -> Schema:
    names = {value.number: value.name for value in enum.values}
    allowed = [names[number] for number in getattr(rules, "in")]
    refused = [names[number] for number in rules.not_in]
    return {
        "$ref": f"#/components/schemas/{enum.name}",
        **({"enum": allowed} if allowed else {}),
        **({"not": {"enum": refused}} if refused else {}),
    }


def _text(rules: Any) -> Schema:
    found: Schema = {}
    if rules.uuid:
        found["format"] = "uuid"
    if rules.min_len:
        found["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        found["maxLength"] = rules.max_len
    if rules.HasField("pattern"):
        found["pattern"] = rules.pattern
    allowed = list(getattr(rules, "in"))
    return {**found, **({"enum": allowed} if allowed else {})}


def _bytes(rules: Any) -> Schema:
    """Return how long base64 of so many bytes is: at least without its padding, at most with it."""
    least, most = rules.len or rules.min_len, rules.len or rules.max_len
    return {
        **({"minLength": (least * 4 + 2) // 3} if least else {}),
        **({"maxLength": (most + 2) // 3 * 4} if most else {}),
    }


def _number(rules: Any) -> Schema:
    return {
        **({"minimum": rules.gte} if rules.HasField("gte") else {}),
        **({"maximum": rules.lte} if rules.HasField("lte") else {}),
    }
