# SPDX-License-Identifier: Apache-2.0
"""`--explain`: one RPC as it goes, in a few lines: who, which, how long, and what matters in it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.connection import CallRecord

_COLUMNS: Final = 66
_LINES: Final = 3
_LONGEST_TEXT: Final = 36
# What every call has, or what nobody can read: it would hide what the call is about.
_LEFT_OUT: Final = frozenset({"request_id", "position_token", "acting", "page_size"})
_LONG_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_.-]{40,}")


def explained(caller: str, call: CallRecord) -> tuple[str, ...]:
    """Return what to print of a call: a headline, the request, and the answer or the refusal."""
    outcome = call.error.code if call.error else "OK"
    headline = f"{caller} → {call.service}/{call.method}  {outcome}  {call.milliseconds:.1f} ms"
    lines = [headline, *_part("asks", call.request)]
    if call.error is not None:
        fields = "".join(f" [{path}]" for path, _ in call.error.fields)
        lines.append(f"  refused  {call.error.reason}{fields}")
    elif call.response is not None:
        lines += _part("answers", call.response)
    return tuple(lines)


def _part(label: str, message: Message) -> list[str]:
    """Return a message as short JSON, on as many lines as it may take."""
    text = json.dumps(_object(message), ensure_ascii=False, separators=(",", ":"))
    lines = list(_wrapped(text))
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: _COLUMNS - 1] + "…"]
    return [f"  {label if at == 0 else '':9}{line}" for at, line in enumerate(lines)]


def _wrapped(text: str) -> Iterator[str]:
    """Break after a comma where there is one."""
    line = ""
    for piece in re.findall(rf"[^,]{{0,{_COLUMNS - 1}}},|[^,]{{1,{_COLUMNS}}}", text):
        if len(line) + len(piece) > _COLUMNS:
            yield line
            line = ""
        line += piece
    yield line


def _object(message: Message) -> dict[str, object]:
    return {
        field.name: _value(field, value)
        for field, value in message.ListFields()
        if field.name not in _LEFT_OUT
    }


def _value(field: FieldDescriptor, value: object) -> object:
    match value:
        case Timestamp():
            shown: object = value.ToJsonString()[:23]
        case Message():
            shown = _object(value)
        case bytes():
            shown = f"{len(value)} bytes"
        case str():
            shown = _text(value)
        case int() if field.enum_type is not None:
            shown = _enum(field.enum_type, value)
        case Iterable():
            shown = [_value(field, part) for part in value]
        case _:
            shown = value
    return shown


def _text(value: str) -> str:
    if _LONG_ID.fullmatch(value):
        return value[:8] + "…"
    return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"


def _enum(kind: EnumDescriptor, number: int) -> str:
    """Return the name of a value, without what all names of its kind begin with."""
    names = kind.values_by_number
    return names[number].name.removeprefix(names[0].name.removesuffix("UNSPECIFIED"))
