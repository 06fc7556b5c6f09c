# SPDX-License-Identifier: Apache-2.0
"""Whoever signed out everywhere is refused by every call that touches her vault, streams too."""

from __future__ import annotations

import time
from typing import Final

import pytest

from tests.samples import KEYS, Samples
from tests.verdict import must_be_told
from tests.wire import Caller
from tests.world import new_id
from vault.api.v1 import vault_service_pb2 as vaults
from vault.server.authorization import ACCESS, PACKAGE, Ownership

NOBODYS: Final = {Ownership.PUBLIC, Ownership.KNOWN_LEAF}
HERS: Final = [
    method
    for method, role in KEYS
    if role == "citizen" and ACCESS[f"/{PACKAGE}.{method}"].ownership not in NOBODYS
]


@pytest.fixture
def early(samples: Samples) -> Caller:
    """Return the caller with a token from before she signed out everywhere."""
    request = vaults.SignOutEverywhereRequest(request_id=new_id())
    samples.citizen.caller.ask("VaultService/SignOutEverywhere", request)
    return samples.world.caller("citizen", samples.citizen.sub, iat=time.time() - 60)


def test_most_calls_of_citizens_are_looked_at() -> None:
    assert len(HERS) > 35
    assert {"VaultService/ExportVault", "EvidenceService/DownloadDocument"} <= set(HERS)
    assert {"AuditService/ReplayVault", "AuditService/ProveSilence"} <= set(HERS)


@pytest.mark.parametrize("method", HERS)
def test_a_token_from_before_is_refused(samples: Samples, early: Caller, method: str) -> None:
    request = samples.make(method, "citizen")

    answer = early.call(method, request)

    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "SIGNED_OUT")
    must_be_told(answer)
    assert answer.answers == ()
    # The same, with a token of now, is taken.
    assert samples.citizen.caller.call(method, request).is_ok
