# SPDX-License-Identifier: Apache-2.0
"""Sentences for what a schema finds, with the place of the offending field.

The library's own messages quote the value; these are made from the schema alone, so that no value
can reach an error, a log or a screen that is not hers. JSON Schema Validation 2020-12 §6.
"""

from collections.abc import Iterator

from jsonschema_rs import ValidationError, ValidationErrorKind

from vault.evidence_types.violation import Violation, pointer

_MOST_CODES = 12
"""A longer list of permitted codes helps nobody in a sentence."""

_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "an object",
    "string": "a text",
}

_FORMATS = {
    "date": "This is not a real date, written as year-month-day (2026-11-30).",
    "date-time": "This is not a real time, written as 2026-11-30T14:02:07Z.",
}

_SENTENCES = {
    "enum": "This is not one of the permitted codes.",
    "pattern": "This is not written in the form that this field has.",
    "minLength": "This has fewer than {limit} characters.",
    "maxLength": "This has more than {limit} characters.",
    "minimum": "This is less than {limit}.",
    "maximum": "This is more than {limit}.",
    "exclusiveMinimum": "This must be more than {limit}.",
    "exclusiveMaximum": "This must be less than {limit}.",
    "minItems": "This has fewer than {limit} entries.",
    "maxItems": "This has more than {limit} entries.",
    "uniqueItems": "The same entry stands here twice.",
    "minProperties": "This has fewer than {limit} fields.",
    "maxProperties": "This has more than {limit} fields.",
    "oneOf": "Fields stand here that exclude each other.",
    "falseSchema": "This is not permitted here.",
    "not": "This is not permitted here.",
}


def violations_in(error: ValidationError) -> Iterator[Violation]:
    """Yield what `error` finds at each field concerned: the missing one, every unknown one."""
    kind = error.kind
    steps = error.instance_path
    match kind:
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in sorted(names):
                yield _violation([*steps, name], kind, "There is no such field here.")
        case ValidationErrorKind.Required(property=name):
            yield _violation([*steps, name], kind, "This field is missing.")
        case _:
            yield _violation(steps, kind, _sentence(kind))


def _violation(steps: list[str | int], kind: ValidationErrorKind, message: str) -> Violation:
    return Violation(pointer(steps), kind.name, message)


def _sentence(kind: ValidationErrorKind) -> str:
    match kind:
        case ValidationErrorKind.Type(types=types):
            return f"This must be {' or '.join(_TYPES.get(name, name) for name in sorted(types))}."
        case ValidationErrorKind.Enum(options=options) if len(options) <= _MOST_CODES:
            return f"This must be one of: {', '.join(str(option) for option in options)}."
        case ValidationErrorKind.Format(format=name):
            return _FORMATS.get(name, f"This is not in the form {name}.")
        case ValidationErrorKind.MinLength(limit=1) | ValidationErrorKind.MinItems(limit=1):
            return "This is empty."
        case (
            ValidationErrorKind.AnyOf(context=branches)
            | ValidationErrorKind.OneOfNotValid(context=branches)
        ):
            return _one_of(branches)
    sentence = _SENTENCES.get(kind.name, "This does not meet the rules of this field.")
    return sentence.format(limit=getattr(kind, "limit", ""))


def _one_of(branches: list[list[ValidationError]]) -> str:
    ways = [" with ".join(_wanted(branch)) for branch in branches]
    if not all(ways):
        return "This has none of the permitted forms."
    return f"At least one of these must be here: {', '.join(dict.fromkeys(ways))}."


def _wanted(branch: list[ValidationError]) -> list[str]:
    """Return the fields whose absence, "" or 0 is all that fails this branch; or nothing."""
    names = []
    for error in branch:
        match error.kind:
            case ValidationErrorKind.Required(property=name):
                names.append(name)
            case ValidationErrorKind.MinLength(limit=1) | ValidationErrorKind.Minimum(limit=1):
                names.append(str(error.instance_path[-1]))
            case _:
                return []
    return names
