# SPDX-License-Identifier: Apache-2.0
"""What a campaign of the soak is: it looks for faults for so long, and reports what it found."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

SEED: Final = "FAULTS_SEED"
"""The environment variable that makes random tests draw what they drew in an earlier run."""


@dataclass(frozen=True)
class Report:
    """What a campaign did and found.

    Attributes:
        trials: how often it tried, in units of its own.
        units: what it counts, such as "histories".
        findings: one sentence each, with the seed that leads there; none if all is well.
        notes: what else is worth a line in the table.
    """

    trials: int
    units: str
    findings: Sequence[str] = ()
    notes: str = ""


Campaign: TypeAlias = Callable[[float, str], Report]
"""Takes for how many seconds to look, about, and a seed."""


def new_seed() -> str:
    """Return the seed that was asked for, or a new one."""
    return os.environ.get(SEED) or secrets.token_hex(4)
