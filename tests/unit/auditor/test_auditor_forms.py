# SPDX-License-Identifier: Apache-2.0
"""Every form that the server stores is one that the auditor can read."""

from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from clients.auditor.facts import (
    AUDIT_FACTS,
    OPERATION_FACTS,
    REGISTRY_FACTS,
    REQUEST_FACTS,
    VAULT_FACTS,
    Link,
)
from vault.domain import events
from vault.domain.stored_names import STORED_NAMES, StoredFacts

OURS = VAULT_FACTS | REGISTRY_FACTS | REQUEST_FACTS | AUDIT_FACTS | OPERATION_FACTS
STORED = {str(kind.__struct_config__.tag): kind for kind in get_args(StoredFacts)}


def test_every_stored_name_is_known() -> None:
    assert set(OURS) == STORED_NAMES


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_stored_name_has_the_same_fields_on_both_sides(name: str) -> None:
    ours = _shape(OURS[name])
    ours.pop("type")

    assert ours == _shape(STORED[name])


def test_the_link_has_the_same_fields_on_both_sides() -> None:
    assert _shape(Link) == _shape(events.Link)


def _shape(kind: Any) -> Any:
    """Return the fields of a type, down to lists of plain values and literals."""
    if hasattr(kind, "__supertype__"):
        return _shape(kind.__supertype__)
    if get_origin(kind) is tuple:
        return [_shape(get_args(kind)[0])]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {field.name: _shape(hints[field.name]) for field in fields(kind)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return {name: _shape(hints[name]) for name in kind.__struct_fields__}
    return sorted(get_args(kind)) or kind
