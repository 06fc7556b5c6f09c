# SPDX-License-Identifier: Apache-2.0
"""`--explain`: one call as it goes, in a few lines: who, which, how long, and what matters in it.

Of a stream up its first message is shown, of a stream down no answer: what matters of either is on
the screen.
"""

import json
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.connection import CallRecord
from clients.demo.over_http import Exchange
from vault.api.v1.vault_pb2 import CAPACITY_SELF, CAPACITY_UNSPECIFIED, Acting

_COLUMNS: Final = 66
_LINES: Final = 3
_LONGEST_TEXT: Final = 36
# What every call has, or what nobody can or should read: it would hide what the call is about.
_LEFT_OUT: Final = frozenset({"request_id", "position_token", "page_size", "assistance_code"})
_LEFT_OUT_OF_JSON: Final = frozenset({"requestId", "positionToken", "pageSize"})
_LONG_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_.-]{40,}")


def explained(caller: str, call: CallRecord | Exchange) -> tuple[str, ...]:
    """Return what to print of a call: a headline, the request, and the answer or the refusal."""
    if isinstance(call, Exchange):
        return _explained_json(caller, call)
    outcome = call.error.code if call.error else "OK"
    headline = f"{caller} → {call.service}/{call.method}  {outcome}  {call.milliseconds:.1f} ms"
    lines = [headline, *_part("asks", _object(call.request))]
    if call.error is not None:
        fields = "".join(f" [{path}]" for path, _ in call.error.fields)
        lines.append(f"  refused  {call.error.reason}{fields}")
    elif call.response is not None:
        lines += _part("answers", _object(call.response))
    return tuple(lines)


def _explained_json(caller: str, call: Exchange) -> tuple[str, ...]:
    headline = f"{caller} → POST {call.method}  {call.status}  {call.milliseconds:.1f} ms"
    answer = (
        [f"  refused  {call.answered.get('code')} {call.reason}"]
        if call.status != HTTPStatus.OK
        else _part("answers", _short(call.answered))
    )
    return (headline, *_part("asks", _short(call.asked)), *answer)


def _part(label: str, shown: object) -> list[str]:
    """Return a message as short JSON, on as many lines as it may take."""
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
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
        if field.name not in _LEFT_OUT and not _is_herself(value)
    }


def _is_herself(value: object) -> bool:
    return isinstance(value, Acting) and value.capacity in {CAPACITY_UNSPECIFIED, CAPACITY_SELF}


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


def _short(value: object) -> object:
    """Return JSON as it came, with what is long cut short."""
    match value:
        case dict():
            return {
                name: _short(part) for name, part in value.items() if name not in _LEFT_OUT_OF_JSON
            }
        case list():
            return [_short(part) for part in value]
        case str():
            return _text(value)
        case _:
            return value


def _text(value: str) -> str:
    if _LONG_ID.fullmatch(value):
        return value[:8] + "…"
    return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"


def _enum(kind: EnumDescriptor, number: int) -> str:
    """Return the name of a value, without what all names of its kind begin with."""
    names = kind.values_by_number
    return names[number].name.removeprefix(names[0].name.removesuffix("UNSPECIFIED"))
