# SPDX-License-Identifier: Apache-2.0
"""How somebody types a piece of information, and how it is read back to her.

From a JSON file, from stdin, from `--set part=value`, or from questions made of the kind's own
labels, hints and schema (JSON Schema 2020-12, as far as our kinds use it). Whether it is right is
the server's to say.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import UsageError
from clients.cli.times import day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.cli.output import Output
    from clients.cli.published import Kind
    from clients.cli.session import Session
    from clients.cli.words import Words

MOST_CODES_SHOWN: Final = 12
_PENCE: Final = "Pence"


def typed(
    session: Session,
    kind: Kind,
    before: Mapping[str, Any],
    *,
    file: str,
    settings: Sequence[str],
    is_changed: bool = False,
) -> bytes:
    """Return the JSON that somebody typed, in whichever way.

    Args:
        before: what stands there already; a file replaces all of it.
        is_changed: `before` was changed already, so that nothing more needs to be typed.

    Raises:
        UsageError: if it cannot be read, or nobody is there to be asked.
    """
    if file and (settings or is_changed):
        raise UsageError("--file gives all of it; leave out --set and --remove.")
    if file:
        return read_json(file)
    if settings or is_changed:
        values = with_settings(kind, before, settings, session.words)
    elif session.output.is_interactive:
        values = asked_for(kind, before, session.output, session.words)
    else:
        raise UsageError(
            "Nobody is here to be asked.", "--file FILE, --file -, or --set PART=VALUE"
        )
    return json.dumps(values, ensure_ascii=False).encode()


def read_json(file: str) -> bytes:
    """Return the bytes of a JSON object from a file, or from stdin for "-".

    Raises:
        UsageError: if there is none; the message holds nothing of it.
    """
    where = "What was typed" if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    try:
        found = json.loads(data)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise UsageError(f"{where} is not JSON; look at line {line}.") from None
    if not isinstance(found, dict):
        raise UsageError(f"{where} is not a JSON object.")
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
        schema = kind.resolved(field.schema)
        is_list = schema.get("type") == "array"
        wanted = kind.resolved(schema.get("items", {})) if is_list else schema
        try:
            value = converted(wanted, text, words)
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
        answer = _answer(kind, field.schema, question, output, words)
        if answer is not None:
            values[field.name] = answer
    return values


def converted(schema: Mapping[str, Any], text: str, words: Words) -> Any:
    """Return a typed text as its schema's type.

    Raises:
        ValueError: with a sentence that says why not.
    """
    codes = schema.get("enum")
    if codes and text not in codes:
        # People type what they read: a code in words, in whatever case, or the code itself.
        by_spoken = {str(code).lower().replace("_", " "): code for code in codes}
        by_spoken |= {spoken(str(code), words).lower(): code for code in codes}
        text = by_spoken.get(text.strip().lower().replace("_", " "), "")
        if not text:
            raise ValueError(_choices(codes, words) or words("type.code"))
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
    field = kind.field(name)
    schema = kind.resolved(field.schema) if field else {}
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith(_PENCE):
        return f"£{value // 100:,}.{value % 100:02}"
    return _shown(kind, schema, value, words)


def _shown(kind: Kind, schema: Mapping[str, Any], value: Any, words: Words) -> str:
    schema = kind.resolved(schema)
    if isinstance(value, list):
        items = schema.get("items", {})
        return "\n".join(_shown(kind, items, one, words) for one in value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        parts = [_shown(kind, properties.get(name, {}), one, words) for name, one in value.items()]
        return ", ".join(parts)
    text = str(value)
    if schema.get("format") == "date":
        with contextlib.suppress(ValueError):
            return day(dt.date.fromisoformat(text), words)
    return spoken(text, words) if "enum" in schema else text


def _answer(
    kind: Kind, schema: Mapping[str, Any], question: str, output: Output, words: Words
) -> Any:
    """Ask for a value of a schema; None if it was left out."""
    schema = kind.resolved(schema)
    match schema.get("type"):
        case "array":
            return _answer_list(kind, schema, question, output, words)
        case "object":
            return _answer_object(kind, schema, question, output, words)
    choices = _choices(schema.get("enum", ()), words)
    if choices:
        question = f"{question} {choices}:"
    while True:
        text = output.ask(question)
        if not text:
            return None
        try:
            return converted(schema, text, words)
        except ValueError as error:
            output.tell(words("type.again", why=str(error)))


def _answer_list(
    kind: Kind, schema: Mapping[str, Any], question: str, output: Output, words: Words
) -> Any:
    found: list[Any] = []
    while True:
        answer = _answer(kind, schema.get("items", {}), question, output, words)
        if answer is None:
            return found or None
        found.append(answer)
        if output.ask(words("type.another")).lower() not in words.yes_letters:
            return found


def _answer_object(
    kind: Kind, schema: Mapping[str, Any], question: str, output: Output, words: Words
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
        answer = _answer(kind, properties.get(name, {}), f"  {label}:", output, words)
        if answer is None:
            return None
        found[name] = answer
    return found


def _choices(codes: Sequence[str], words: Words) -> str:
    """Return the codes to choose from, in words; "" if there are none or too many to read."""
    if not 0 < len(codes) <= MOST_CODES_SHOWN:
        return ""
    return words("type.codes", codes=", ".join(spoken(code, words) for code in codes))


def spoken(code: str, words: Words) -> str:
    """Return a code in words: those of the catalogue, or its own without underscores."""
    return words.maybe(f"coded.{code}") or code.replace("_", " ")
