# SPDX-License-Identifier: Apache-2.0
"""How somebody types a piece of information.

From a JSON file, from stdin, from `--set part=value`, or from questions made of the kind's own
labels, hints and schema (JSON Schema 2020-12, as far as our kinds use it). Whether it is right is
the server's to say.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import UsageError
from clients.wording.values import choices, converted, shown
from clients.wording.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.cli.output import Output
    from clients.cli.session import Session
    from clients.wording.published import Field, Kind

_ENGLISH: Final = Words("en")


def typed(
    session: Session,
    kind: Kind,
    before: Mapping[str, Any],
    *,
    file: str | None,
    settings: Sequence[str],
    is_changed: bool = False,
) -> bytes:
    """Return the JSON that somebody typed, in whichever way.

    Args:
        before: what stands there already; a file replaces all of it.
        file: None where the command takes none.
        is_changed: `before` was changed already, so that nothing more needs to be typed.

    Raises:
        UsageError: if it cannot be read, or nobody is there to be asked.
    """
    if file and (settings or is_changed):
        raise UsageError(session.words("file.gives.all"))
    if file:
        return read_json(file, session.words)
    if settings or is_changed:
        values = with_settings(kind, before, settings, session.words)
    elif session.output.is_interactive:
        values = asked_for(kind, before, session.output, session.words)
    else:
        step = "--set PART=VALUE" if file is None else "--set PART=VALUE, --file FILE, or --file -"
        raise UsageError(session.words("nobody.to.ask"), step)
    return json.dumps(values, ensure_ascii=False).encode()


def read_json(file: str, words: Words = _ENGLISH) -> bytes:
    """Return the bytes of a JSON object from a file, or from stdin for "-".

    Raises:
        UsageError: if there is none; the message holds nothing of it.
    """
    where = words("what.was.typed") if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        why = error.strerror or "?"
        raise UsageError(words("file.unreadable", file=file, why=why)) from None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise UsageError(words("file.not.json", file=where, line=line)) from None
    if not isinstance(found, dict):
        raise UsageError(words("file.no.object", file=where))
    return data


def with_settings(
    kind: Kind, before: Mapping[str, Any], settings: Sequence[str], words: Words
) -> dict[str, Any]:
    """Return values with each `part=value` in place; a list grows with each mention of its part.

    Raises:
        UsageError: naming the part; never its value.
    """
    values = dict(before)
    begun: set[str] = set()
    for setting in settings:
        name, equals, text = setting.partition("=")
        field = kind.field(name)
        if field is None or not equals:
            raise UsageError(
                words("no.such.part", kind=kind.title, part=name if equals else "?"),
                "--set " + "=... --set ".join(one.name for one in kind.fields[:3]) + "=...",
            )
        schema = field.resolved(field.schema)
        is_list = schema.get("type") == "array"
        wanted = field.resolved(schema.get("items", {})) if is_list else schema
        try:
            value = converted(field, wanted, text, words)
        except ValueError as error:
            raise UsageError(words("wrong.field", label=field.label, why=str(error))) from None
        if is_list:
            values[name] = [*(values.get(name, []) if name in begun else []), value]
        else:
            values[name] = value
        begun.add(name)
    return values


def asked_for(
    kind: Kind, before: Mapping[str, Any], output: Output, words: Words
) -> dict[str, Any]:
    """Return what somebody answers to a question for each part; Enter keeps what was there."""
    output.tell(words("type.value", title=kind.title) + "\n")
    values = dict(before)
    for field in kind.fields:
        hint = f" ({field.hint})" if field.hint else ""
        needed = f" [{words('needed.mark')}]" if field.is_required else ""
        question = f"{field.label}{needed}{hint}:"
        if field.name in before:
            question += f"\n  = {shown(kind, field.name, before[field.name], words)}\n"
        answer = _answer(field, field.schema, question, output, words)
        if answer is not None:
            values[field.name] = answer
    return values


def _answer(
    field: Field, schema: Mapping[str, Any], question: str, output: Output, words: Words
) -> Any:
    """Ask for a value of a schema; None if it was left out."""
    schema = field.resolved(schema)
    match schema.get("type"):
        case "array":
            return _answer_list(field, schema, question, output, words)
        case "object":
            return _answer_object(field, schema, question, output, words)
    codes = choices(field, schema.get("enum", ()), words)
    if codes:
        question = f"{question} {codes}:"
    while True:
        text = output.ask(question)
        if not text:
            return None
        try:
            return converted(field, schema, text, words)
        except ValueError as error:
            output.tell(words("type.again", why=str(error)))


def _answer_list(
    field: Field, schema: Mapping[str, Any], question: str, output: Output, words: Words
) -> Any:
    found: list[Any] = []
    while True:
        answer = _answer(field, schema.get("items", {}), question, output, words)
        if answer is None:
            return found or None
        found.append(answer)
        if output.ask(words("type.another")).lower() not in words.yes_letters:
            return found


def _answer_object(
    field: Field, schema: Mapping[str, Any], question: str, output: Output, words: Words
) -> Any:
    """Ask for what an object must have; what it may have as well can be given in a file."""
    output.tell(question)
    required = list(schema.get("required", ()))
    for way in schema.get("oneOf", ())[:1]:
        required += way.get("required", ())
    properties = schema.get("properties", {})
    found: dict[str, Any] = {}
    for name in required:
        label = words.maybe(f"part.{name}") or name
        answer = _answer(field, properties.get(name, {}), f"  {label}:", output, words)
        if answer is None:
            return None
        found[name] = answer
    return found
