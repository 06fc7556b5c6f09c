# SPDX-License-Identifier: Apache-2.0
"""Chapter 14: the same for any program: JSON over HTTP, with the same answers and refusals."""

import hashlib
from base64 import b64decode
from typing import Any, Final

from google.protobuf.json_format import ParseDict

from clients.demo import fetching, receipts
from clients.demo.over_http import HttpCaller, curl
from clients.demo.recipient import Recipient
from clients.demo.story import Story, new_id
from clients.demo.things import Thing
from clients.demo.wording import clock, moment
from clients.receipts import b64
from vault.api.v1.log_pb2 import Receipt
from vault.api.v1.vault_pb2 import HistoryEntry

_METHOD: Final = "DisclosureService/DiscloseEvidence"
_POSTCODE: Final = Thing("postal_address", ("postalCode",))


def fetch(
    story: Story,
    council: Recipient,
    http: HttpCaller,
    *,
    typed: int,
    shared: int,
    gone: tuple[Thing, ...],
) -> None:
    """Tell the chapter."""
    story.screen.begin("The same for any program")
    story.screen.say(
        f"{story.council_team.organisation} plans its rounds with a small program, which needs her "
        "postcode and nothing else. It knows neither gRPC nor us, only JSON over HTTP, which "
        "Python speaks by itself. Typed into a terminal, its call is:"
    )
    use = _fetch_postcode(story, council, http)
    _fetch_too_much(story, council, http, gone, use)
    story.end_screen(typed=typed, shared=shared, seen=(story.council_team, story.brightcare_team))


def _fetch_postcode(story: Story, council: Recipient, http: HttpCaller) -> HistoryEntry:
    """Fetch one answer; return the use as it stands in her list."""
    screen, expect = story.screen, story.expect
    asked = _question(council.permission, _POSTCODE)
    screen.commands(curl(http.url, _METHOD, asked))
    answer = http.post(_METHOD, asked)
    expect.equal("the answer", (answer.status, answer.reason), (200, ""))
    bundle = b64decode(answer.answered["bundle"])
    receipt = ParseDict(answer.answered["receipt"], Receipt())
    facts = receipts.check(expect, receipt, story.directory.receipt_keys)
    digest = b64(hashlib.sha256(bundle).digest())
    expect.equal("the entry names exactly what came", facts["bundle_hash"], digest)
    values = fetching.values_of(bundle)
    expect.equal("the fields that came", values.keys(), _POSTCODE.fields)
    use = story.uses()[0]
    expect.equal("the entry in her list", use.receipt.leaf_index, receipt.leaf_index)
    ((field, value),) = values.items()
    screen.facts(
        [
            ("The answer", f"{answer.status}, {story.directory.words.label(*field)}: {value}"),
            ("Confirmation", "signed; it names exactly what came, as always"),
            ("In Mair's list", f"{clock(moment(use.time))}  {_who(story, use)}"),
        ]
    )
    return use


def _fetch_too_much(
    story: Story,
    council: Recipient,
    http: HttpCaller,
    gone: tuple[Thing, ...],
    use: HistoryEntry,
) -> None:
    """Try for what is shared no longer; the refusal is the same over gRPC, word for word."""
    screen, expect = story.screen, story.expect
    screen.blank()
    screen.say("Then it asks for her income the same way.")
    answer = http.post(_METHOD, _question(council.permission, gone[0]))
    expect.equal("too much is refused", (answer.status, answer.reason), (400, "FIELD_NOT_GRANTED"))
    attempt = story.attempt(answer.reason, after_version=use.version)
    refusal = expect.refused(
        "the same over gRPC",
        answer.reason,
        lambda: fetching.fetch(council.connection, council.permission, gone),
    )
    told = (answer.answered["code"].upper(), answer.answered["message"])
    expect.equal("what is told", told, (refusal.code, refusal.message))
    story.attempt(answer.reason, after_version=attempt.version)
    screen.blank()
    screen.facts(
        [
            ("The answer", f"{answer.status}, {answer.reason}, word for word as over gRPC"),
            ("In Mair's list", f"{clock(moment(attempt.time))}  They tried and were refused"),
        ]
    )


def _who(story: Story, use: HistoryEntry) -> str:
    return f"{story.directory.organisation(use.service_id)}, {use.staff_ref}"


def _question(permission: fetching.Permission, thing: Thing) -> dict[str, Any]:
    return {
        "requestId": new_id(),
        "subjectId": permission.subject_id,
        "authority": {"consentId": permission.consent_id},
        "purposeCode": permission.purpose_code,
        "fields": [{"evidenceType": thing.evidence_type, "names": list(thing.names)}],
        "staffRef": permission.staff_ref,
    }
