# SPDX-License-Identifier: Apache-2.0
"""Each document in `tests/vectors/evidence` is judged as it says, by the seed of its type."""

import json
from pathlib import Path
from typing import Any

import pytest

from vault.evidence_types import load_seeds
from vault.evidence_types.schema import Schemas

VECTORS = Path(__file__).parents[2] / "vectors" / "evidence"
CASES = sorted(VECTORS.glob("*/*.json"))
SCHEMAS = Schemas()
SEEDS = {seed.evidence_type: seed for seed in load_seeds()}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_document_is_judged_as_its_vector_says(path: Path) -> None:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    compiled = SCHEMAS.compile(SEEDS[path.parent.name].schema)

    violations = compiled.violations(case["values"])

    assert sorted(violation.path for violation in violations) == case["violations"], case["desc"]


def test_every_type_has_documents_that_pass_and_documents_that_do_not() -> None:
    outcomes = {
        (path.parent.name, bool(json.loads(path.read_text(encoding="utf-8"))["violations"]))
        for path in CASES
    }

    assert outcomes == {(name, outcome) for name in SEEDS for outcome in (True, False)}
