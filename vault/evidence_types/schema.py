# SPDX-License-Identifier: Apache-2.0
"""Judges the values of evidence by the schema that the registry published for their type.

Schemas are data (JSON Schema 2020-12); they are checked before they are compiled, compiled once,
and never fetch anything. The answer names fields and rules and never holds a value.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from jsonschema_rs import ValidationError

from vault.evidence_types.check import DEEPEST_SUBSCHEMA, check_schema, compile_schema
from vault.evidence_types.messages import violations_in
from vault.evidence_types.subschemas import extent
from vault.evidence_types.values import count, unfit
from vault.evidence_types.violation import Violation, first_of_each_field

__all__ = ["CompiledSchema", "SchemaError", "Schemas", "Violation", "check_schema"]


_MOST_STEPS_FOR_ALL: Final = 50_000
"""Values times schemas: as long as there are no more, everything that is wrong is told."""


class SchemaError(Exception):
    """A schema is not fit to judge evidence; `violations` point into it."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("The schema cannot be used: see its violations.")
        self.violations = violations


class CompiledSchema:
    """One published schema, ready to judge. May be shared by threads."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Check and compile `schema`.

        Raises:
            SchemaError: `check_schema` finds something.
        """
        if found := check_schema(schema):
            raise SchemaError(found)
        self._validator = compile_schema(schema)
        self._subschemas = extent(schema, DEEPEST_SUBSCHEMA).subschemas

    def violations(self, values: object) -> tuple[Violation, ...]:
        """Return what is wrong with `values`: one violation per field, at most 32; or nothing.

        What no evidence may hold (`values.py`) is looked for first, and alone if there is any. Of
        very many values only the first fault is told.
        """
        return unfit(values) or first_of_each_field(
            violation for error in self._errors(values) for violation in violations_in(error)
        )

    def _errors(self, values: object) -> Iterable[ValidationError]:
        try:
            self._validator.validate(values)
        except ValidationError as first:
            # To tell an error costs a thousand times as much as to find it: gigabytes, for a list
            # that is too long and each of whose entries could have had a hundred forms.
            if count(values) * self._subschemas > _MOST_STEPS_FOR_ALL:
                return [first]
            return self._validator.iter_errors(values)
        return ()


class Schemas:
    """Compiled schemas, each kept for the next piece of evidence of its type."""

    def __init__(self, capacity: int = 256) -> None:
        """Keep at most `capacity` schemas; the one kept longest makes room."""
        self._capacity = capacity
        self._compiled: dict[bytes, CompiledSchema] = {}

    def compile(self, schema: dict[str, Any]) -> CompiledSchema:
        """Return `schema` compiled: the same object for the same schema.

        Raises:
            SchemaError: the schema is not fit to judge evidence.
        """
        # By its contents: a type and version may mean another schema in another registry.
        key = msgspec.json.encode(schema, order="sorted")
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = CompiledSchema(schema)
            if len(self._compiled) >= self._capacity:
                self._compiled.pop(next(iter(self._compiled)), None)
            self._compiled[key] = compiled
        return compiled
