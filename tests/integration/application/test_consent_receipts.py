# SPDX-License-Identifier: Apache-2.0
"""Consent receipts: in the form of ISO/IEC TS 27560, with all terms, as of any moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from clients.receipts import SignedRecord
from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    OFFICIAL,
    AdjustableClock,
    House,
    Registered,
    Shared,
    ask,
    claim_and_redeem,
    new_id,
    provide_address,
    share,
)
from vault.application.caller import Caller
from vault.domain.canonical import encode, unb64
from vault.domain.errors import FieldInvalidError, NotFoundError
from vault.domain.values import Time, later

VECTORS = Path(__file__).parents[2] / "vectors" / "dpv"
SCHEMA = jsonschema_rs.validator_for(json.loads((VECTORS / "receipt.schema.json").read_bytes()))
TERMS = frozenset(json.loads((VECTORS / "terms.json").read_bytes())["terms"])
PREFIXES = ("https://w3id.org/dpv",)


async def receipt(
    house: House, shared: Shared, caller: Caller = MAIR, as_of: Time | None = None
) -> dict[str, Any]:
    """Return a consent receipt, which is in its form."""
    subject = shared.subject if caller.role == "service" else ""
    data = await house.consent_receipts.get(caller, HERSELF, shared.consent_id, subject, as_of)
    found: dict[str, Any] = json.loads(data)
    assert encode(found) == data
    SCHEMA.validate(found)
    assert terms_of(found) <= TERMS
    return found


def terms_of(found: dict[str, Any]) -> set[str]:
    """Return every IRI of the vocabulary that a receipt names, spelled out."""
    context = found["@context"]

    def spelled(text: str) -> str:
        prefix, _, name = text.partition(":")
        return context[prefix] + name if prefix in context else text

    texts = (spelled(text) for text in names_in(found))
    return {text for text in texts if text.startswith(PREFIXES) and text not in context.values()}


def names_in(value: Any) -> Iterator[str]:
    """Yield every key, and every text that is a name; what is signed or said is neither."""
    match value:
        case {"@type": "@json"} | {"@value": _}:
            return
        case dict():
            for key, inner in value.items():
                yield key
                if key != "cv:textAsHashed":
                    yield from names_in(inner)
        case list():
            for inner in value:
                yield from names_in(inner)
        case str():
            yield value
        case _:
            pass


def record_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the consent in a receipt."""
    record: dict[str, Any] = found["dpv:hasRecordOfActivity"][0]
    return record


async def test_it_says_all_that_was_agreed(
    house: House, registered: Registered, shared: Shared
) -> None:
    record = record_of(await receipt(house, shared))

    process = record["dpv:hasProcess"]
    assert record["dct:identifier"] == shared.consent_id
    assert record["dpv:hasDataSubject"]["dct:identifier"] == shared.subject
    assert record["dpv:hasDataController"]["dct:identifier"] == registered.organisation
    assert record["dpv:hasDataController"]["dpv:hasContact"] == [{"@language": "en", "@value": "-"}]
    assert process["dpv:hasService"]["dct:identifier"] == shared.service.sub
    assert process["dpv:hasPurpose"] == {
        "@type": ["dpv:Purpose", "https://w3id.org/dpv#ServiceProvision"],
        "dct:identifier": "care@1",
        "dct:title": [{"@language": "en", "@value": "Care at home"}],
    }
    assert process["dpv:hasLegalBasis"] == {"@id": "dpv:PublicInterest"}
    assert process["dpv:hasApplicableLaw"] == {"dct:title": "Care Act 2014"}
    assert process["dpv:hasPersonalData"] == [
        {
            "@type": ["dpv:PersonalData"],
            "dct:identifier": "postal_address.postalCode",
            "dpv:hasNecessity": {"@id": "dpv:Required"},
            "cv:item": 1,
            "cv:mode": "following",
        }
    ]
    assert process["dpv:hasFrequency"] == {
        "@type": "dpv:Frequency",
        "cv:most": 5,
        "cv:within": "P1D",
    }
    assert process["dpv:hasStorageCondition"][1]["dpv:hasDuration"]["rdf:value"] == "P10D"
    assert (record["cv:state"], len(record["dpv:hasConsentStatus"])) == ("active", 1)


async def test_the_notice_is_the_text_that_she_was_shown_and_its_digest(
    house: House, shared: Shared
) -> None:
    notice = record_of(await receipt(house, shared))["dpv:hasNotice"]

    text = notice["cv:textAsHashed"]
    digest = hashlib.sha256(text.encode()).digest()
    assert notice["spdx:checksum"]["spdx:checksumValue"] == digest.hex()
    assert json.loads(text)[0]["if_refused"] == "We ask you by phone."
    (facts,) = await house.facts(shared.vault_id, "consent-granted.1")
    assert unb64(facts.terms.notice_hash) == digest


async def test_the_signed_receipts_in_it_verify(house: House, shared: Shared) -> None:
    await house.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)

    receipts = record_of(await receipt(house, shared))["cv:receipts"]

    keys = {house.receipts.key_id: unb64(house.receipts.public_key)}
    signed = [SignedRecord.read(json.dumps(one["@value"]).encode()) for one in receipts]
    assert [one.verify(keys)["type"] for one in signed] == [
        "consent-granted.1",
        "consent-paused.1",
    ]


async def test_what_she_refused_the_same_service_is_in_it(
    house: House, registered: Registered, shared: Shared
) -> None:
    for service in (registered.service, registered.other_service):
        token = await ask(house, service)
        request_id, _ = await claim_and_redeem(house, MAIR, service, token)
        await house.consents.refuse(MAIR, HERSELF, new_id(), request_id)

    records = (await receipt(house, shared))["dpv:hasRecordOfActivity"]

    assert len(records) == 2
    refused = records[1]
    assert refused["dpv:hasConsentStatus"][0]["@type"] == "dpv:ConsentRefused"
    assert refused["dpv:hasProcess"]["dpv:hasPurpose"]["dct:identifier"] == "care@1"
    assert len((await receipt(house, shared, shared.service))["dpv:hasRecordOfActivity"]) == 1


@pytest.mark.parametrize(
    ("does", "state", "kind"),
    [
        ("pause", "paused", "dpv:ConsentStatusInvalidForProcessing"),
        ("revoke", "revoked", "dpv:ConsentWithdrawn"),
    ],
)
async def test_it_is_as_of_any_moment(
    house: House, shared: Shared, does: str, state: str, kind: str
) -> None:
    before = house.clock.now()
    await getattr(house.amendments, does)(MAIR, HERSELF, new_id(), shared.consent_id)

    now = record_of(await receipt(house, shared))
    then = record_of(await receipt(house, shared, as_of=before))

    assert (now["cv:state"], now["dpv:hasConsentStatus"][-1]["@type"]) == (state, kind)
    assert then["cv:state"] == "active"
    assert then["cv:asOf"]["cv:time"] == before
    assert now["cv:asOf"]["cv:version"] == then["cv:asOf"]["cv:version"] + 1


async def test_the_end_is_no_event_and_still_told(
    house: House, shared: Shared, clock: AdjustableClock
) -> None:
    clock.ahead_seconds = 91 * 86_400

    record = record_of(await receipt(house, shared))

    assert record["cv:state"] == "expired"
    assert record["dpv:hasConsentStatus"][-1]["@type"] == "dpv:ConsentExpired"


async def test_for_once_is_for_once(house: House, registered: Registered) -> None:
    once = await share(house, NIA, registered.service, frequency=None)

    process = record_of(await receipt(house, once, NIA))["dpv:hasProcess"]

    assert process["dpv:hasFrequency"] == {"@id": "dpv:SingularFrequency"}


async def test_a_service_gets_its_own_and_not_how_busy_her_life_is(
    house: House, shared: Shared
) -> None:
    record = record_of(await receipt(house, shared, shared.service))

    assert record["dct:identifier"] == shared.consent_id
    assert "cv:version" not in record["cv:asOf"]
    assert shared.vault_id not in json.dumps(record)
    assert shared.evidence_id not in json.dumps(record)


async def test_nobody_else_gets_it(house: House, registered: Registered, shared: Shared) -> None:
    await provide_address(house, NIA)

    for caller, subject in (
        (NIA, ""),
        (registered.other_service, shared.subject),
        (shared.service, new_id()),
        (shared.service, ""),
    ):
        with pytest.raises(NotFoundError):
            await house.consent_receipts.get(caller, HERSELF, shared.consent_id, subject)


async def test_a_service_gets_no_consent_that_the_same_citizen_gave_another(
    house: House, registered: Registered, shared: Shared
) -> None:
    elsewhere = await share(house, MAIR, registered.other_service)

    with pytest.raises(NotFoundError):
        await house.consent_receipts.get(
            shared.service, HERSELF, elsewhere.consent_id, shared.subject
        )


async def test_before_the_consent_and_in_the_future_there_is_none(
    house: House, shared: Shared
) -> None:
    (granted,) = await house.facts(shared.vault_id, "consent-granted.1")
    for time in (
        later(granted.time, microseconds=-1),
        later(house.clock.now(), seconds=60),
        Time("1970-01-01T00:00:00.000000Z"),
    ):
        with pytest.raises(FieldInvalidError) as caught:
            await house.consent_receipts.get(MAIR, HERSELF, shared.consent_id, "", time)
        assert caught.value.field == "as_of_time"


async def test_an_officials_look_is_recorded(house: House, shared: Shared) -> None:
    made = await house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    acting = type(HERSELF)(
        capacity="official", channel="counter", assistance_code=made.value.assistance_code
    )

    await house.consent_receipts.get(OFFICIAL, acting, shared.consent_id, "")

    assert (await house.names(shared.vault_id))[-1] == "vault-read.1"


def test_a_term_that_does_not_exist_is_found() -> None:
    made_up = {"@context": {"dpv": "https://w3id.org/dpv#"}, "@type": ["dpv:Wishes"]}

    assert terms_of(made_up) - TERMS == {"https://w3id.org/dpv#Wishes"}
