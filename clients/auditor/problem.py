# SPDX-License-Identifier: Apache-2.0
"""A reason why a record was not allowed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record was not allowed. `needs_more`: something that was withheld could explain it."""

    why: str
    needs_more: bool = False
