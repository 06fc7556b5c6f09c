# SPDX-License-Identifier: Apache-2.0
"""Offending fields under the names that they have in the message that was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vault.domain.errors import VaultError


@contextmanager
def renamed(rename: Callable[[str], str]) -> Iterator[None]:
    """Tell the offending field of whatever fails within by another name."""
    try:
        yield
    except VaultError as error:
        if error.field:
            error.field = rename(error.field)
        raise


def of_header(field: str) -> str:
    """Return where a field of an upload stands: all but the parts themselves in its header."""
    return field if field in {"header", "chunk"} else f"header.{field}"


def of_import(field: str) -> str:
    """Return where a field of an import stands: in the header, a part, or the document of bytes."""
    if field in {"media_type", "sha256"}:
        return "document"
    parts = {"header", "record", "payload", "document", "chunk"}
    return field if field in parts else f"header.{field}"


def of_narrowing(field: str) -> str:
    """Return where it stands what a narrowing leaves: if it changes nothing, in its items."""
    return "items" if field == "narrowing" else field


def of_check(index: int) -> Callable[[str], str]:
    """Return where a field of one of many checks stands."""
    return lambda field: f"checks[{index}].{field}"


def of_one_selection(field: str) -> str:
    """Return where a selection stands that is the only one."""
    return field.replace("fields[0]", "fields", 1)
