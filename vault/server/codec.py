# SPDX-License-Identifier: Apache-2.0
"""How a message is written down: in bytes of protobuf, or in protobuf's JSON mapping.

JSON is read strictly: a name that no field has, a name twice, or base64 that is none is an error,
where bytes of protobuf may hold what a newer client sends besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from vault.domain.canonical import strict_json
from vault.domain.errors import LimitExceededError
from vault.server.authorization import PACKAGE
from vault.server.errors import MessageMalformedError

MOST_VALUES: Final = 20_000
"""Half a microsecond of protobuf is three of JSON, in which everybody else waits."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_JSON_DETAIL: Final = (
    "Over JSON: names and types as in openapi.json, no name twice, bytes as base64."
)


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to write messages.

    Attributes:
        read: makes a message of a class from bytes, or raises `MessageMalformedError`.
        write: makes bytes from a message.
    """

    read: Callable[[type[Message], bytes], Message]
    write: Callable[[Message], bytes]


def _read_protobuf(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise MessageMalformedError from None


def _write_protobuf(message: Message) -> bytes:
    return message.SerializeToString()


def _read_json(kind: type[Message], data: bytes) -> Message:
    if data.count(b",") > MOST_VALUES:
        raise LimitExceededError(detail="JSON has at most 20,000 values.")
    # What the library says of an error repeats what was sent.
    try:
        value = strict_json(data)
        _check_shape(value, kind.DESCRIPTOR)
        return json_format.ParseDict(value, kind())
    except (ValueError, RecursionError, json_format.ParseError):
        raise MessageMalformedError(detail=_JSON_DETAIL) from None


def _write_json(message: Message) -> bytes:
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()


def _check_shape(value: Any, descriptor: Any) -> None:
    """Refuse what the library reads as if it were something else: lists, loose base64, both names.

    Hashes, signatures and documents are compared byte by byte, so junk in them must not be skipped.
    """
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - it is the caller's value, not our type
    seen: set[str] = set()
    for name, content in value.items():
        field = descriptor.fields_by_camelcase_name.get(name) or descriptor.fields_by_name.get(name)
        if field is None or field.name in seen:
            raise ValueError
        seen.add(field.name)
        if content is None:
            continue
        for one in content if field.is_repeated and isinstance(content, list) else [content]:
            if field.type == FieldDescriptor.TYPE_BYTES:
                if not isinstance(one, str) or not _BASE64.fullmatch(one):
                    raise ValueError
            elif field.message_type is not None and field.message_type.file.package == PACKAGE:
                _check_shape(one, field.message_type)


PROTOBUF: Final = Codec(_read_protobuf, _write_protobuf)
JSON: Final = Codec(_read_json, _write_json)
