# SPDX-License-Identifier: Apache-2.0
"""After the whole story no value that anybody typed stands in a file, a log line or an error."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

import pytest

from tests.house import (
    HERSELF,
    OPERATOR,
    House,
    Registered,
    a_choice,
    a_question,
    furnish,
    grant,
    new_id,
    opened,
    provide_address,
    provided,
    said,
)
from tests.house import VERIFIER as CODE_VERIFIER
from vault.application.caller import Caller
from vault.application.evidence import Provided
from vault.domain.disclosure import Attempt, Selection
from vault.domain.errors import EvidenceInvalidError, VaultError

STREET: Final = "KANARIENGASSE"
STAFF: Final = "STAFFKANARIE"
CASE: Final = "CASEKANARIE"
REFERENCE: Final = "REFKANARIE"
STATE: Final = "STATEKANARIE"
CITIZEN: Final = Caller("citizen", "https://sign-in.example", "CITIZENKANARIE")
AUDITOR: Final = Caller("auditor", "https://staff.example", "AUDITORKANARIE")
CANARIES: Final = (STREET, STAFF, CASE, REFERENCE, STATE, CITIZEN.sub, AUDITOR.sub)


async def live(house: House, registered: Registered) -> list[VaultError]:
    """Let everything happen that this house can do, and return every error that was told."""
    errors: list[VaultError] = []
    await house.citizens.open(CITIZEN, HERSELF)
    address = provided(streetName=STREET)
    given = await house.evidence.provide(CITIZEN, HERSELF, new_id(), "postal_address", address)
    evidence_id = given.value.evidence.evidence_id
    for values in (
        {"streetName": STREET, "colour": STREET},
        {"streetName": [STREET], "addressCountry": STREET},
        {f"{STREET} 4": STREET},
        STREET,
    ):
        wrong = Provided(json.dumps(values).encode(), "", "self-declared")
        with pytest.raises(EvidenceInvalidError) as refused:
            await house.evidence.provide(CITIZEN, HERSELF, new_id(), "postal_address", wrong)
        errors.append(refused.value)
    particulars = said(
        staff_ref=STAFF, case_ref=CASE, external_reference=REFERENCE, state=STATE, return_uri=STATE
    )
    asked = await house.requests.ask(registered.service, new_id(), a_question(), particulars)
    token = asked.value.handoff_token
    claimed = (await house.claims.claim(CITIZEN, HERSELF, new_id(), token)).value
    request_id = claimed.view.consent_request_id
    back = await house.requests.redeem(
        registered.service, new_id(), request_id, claimed.code, CODE_VERIFIER
    )
    choice = a_choice(evidence_id, "postalCode", "streetName")
    consent_id = await grant(house, CITIZEN, request_id, choice)
    attempt = Attempt(
        service=registered.service.sub,
        subject=back.value.subject,
        consent_id=consent_id,
        purpose_code="care",
        selections=(Selection(item=0, evidence_type="postal_address", names=("streetName",)),),
    )
    disclose_id = new_id()
    for _ in range(2):
        sent = await house.disclosures.disclose(
            registered.service, disclose_id, attempt, particulars
        )
        assert STREET.encode() in sent.bundle
    too_much = Selection(item=0, evidence_type="bank_account", names=("sortCode",))
    for selections in ((too_much,), ()):
        with pytest.raises(VaultError) as told:
            await house.disclosures.disclose(
                registered.service,
                new_id(),
                Attempt(
                    service=attempt.service,
                    subject=attempt.subject,
                    consent_id=consent_id,
                    purpose_code="care",
                    selections=selections,
                ),
                particulars,
            )
        errors.append(told.value)
    await house.disclosures.drain()
    moved = provided(streetName=STREET.lower())
    await house.evidence.replace(CITIZEN, HERSELF, new_id(), evidence_id, moved)
    await house.amendments.revoke(CITIZEN, HERSELF, new_id(), consent_id)
    with pytest.raises(VaultError) as told:
        await house.disclosures.disclose(registered.service, disclose_id, attempt, particulars)
    errors.append(told.value)
    await house.disclosures.drain()
    vault_id = (await house.citizens.get(CITIZEN, HERSELF)).value.stream
    await house.audits.state(AUDITOR, vault_id, case_ref=CASE)
    await house.citizens.history(CITIZEN, HERSELF, limit=100, only_disclosures=False)
    return errors


def found_in(text: bytes) -> list[str]:
    return [canary for canary in CANARIES if canary.lower().encode() in text.lower()]


def found_in_files(folder: Path) -> dict[str, list[str]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name: found_in(path.read_bytes()) for path in files}


async def test_no_value_stands_in_any_file_log_or_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened(tmp_path) as house:
            errors = await live(house, await furnish(house))
            while_open = found_in_files(tmp_path)

    assert set(while_open) >= {"events.db", "events.db-wal", "keys.db", "keys.db-wal"}
    assert not any(while_open.values()), while_open
    assert not any(found_in_files(tmp_path).values())
    assert found_in(caplog.text.encode()) == []
    for error in errors:
        assert found_in(repr((error, error.args, vars(error))).encode()) == []


async def test_the_search_would_find_a_value(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        await furnish(house)
        await house.registry.register_organisation(
            OPERATOR, new_id(), {"en": STREET}, {"en": "public, and so not sealed"}
        )

        found = found_in_files(tmp_path)

    assert [STREET] in found.values()


async def test_values_lie_sealed_under_a_key_of_their_own(house: House) -> None:
    first = await provide_address(house, CITIZEN)
    second = await provide_address(house, CITIZEN)

    state = (await house.citizens.get(CITIZEN, HERSELF)).value
    marks = [state.evidence[number].current.mark for number in (first, second)]
    assert len({mark.key_id for mark in marks if mark}) == 2
    assert len({mark.hash for mark in marks if mark}) == 2
