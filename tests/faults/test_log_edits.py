# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a log is found by the auditor's own program, from what others kept of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from clients.auditor.promises import judge_receipts
from tests.faults.campaign import new_seed
from tests.faults.log_edits import EDITS, Seen, is_found, is_hers_no_more
from tests.unit.auditor.logs import trust

SEED = new_seed()
EACH = 300


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen.made(tmp_path_factory.mktemp("seen") / "log.jsonl")


def test_what_nobody_touched_is_verified(seen: Seen) -> None:
    report = seen.judge(seen.rows)

    assert not is_found(report), report.line
    assert report.verdict == "WITHHELD"
    assert not is_hers_no_more(seen.folder.audit(seen.hers, seen.checkpoints))
    assert judge_receipts(seen.receipts, trust()).exit == 0


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_every_edit_is_found(edit: Callable[[Seen, Random], bool], seen: Seen) -> None:
    missed = [
        number
        for number in range(EACH)
        if not edit(seen, Random(f"{SEED} {edit.__name__} {number}"))
    ]

    assert not missed, f"seed {SEED!r}: {len(missed)} of {EACH}, the first is number {missed[0]}"
