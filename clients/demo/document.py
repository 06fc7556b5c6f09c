# SPDX-License-Identifier: Apache-2.0
"""Chapter 11: the hospital's letter as it is: added, asked for directly, received, and cut off."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

from clients.demo import asking, fetching, letter, transfer
from clients.demo.counter import DISCLOSED
from clients.demo.giving import HERSELF
from clients.demo.people import COUNCIL_CASE, COUNCIL_STAFF, LETTER, friday
from clients.demo.recipient import Recipient
from clients.demo.slow_line import SlowLine
from clients.demo.story import Story, new_id
from clients.demo.things import things_of
from clients.demo.traces import typed_texts
from clients.demo.wording import clock, megabytes, moment, said
from clients.receipts import unb64
from vault.api.v1 import consent_service_pb2 as wire
from vault.api.v1.consent_pb2 import ConsentRequest, Frequency, RequestedScope
from vault.api.v1.disclosure_service_pb2 import (
    CONSENT_CHANGE_KIND_GRANTED,
    CONSENT_CHANGE_KIND_REVOKED,
)
from vault.api.v1.registry_pb2 import DECISION_FORM_ANOTHER_WAY

_KIND: Final = LETTER.evidence_type
_ALL: Final = 500
QUESTION: Final = asking.Question(
    purpose_code="care-at-home",
    scope=(RequestedScope(evidence_type=_KIND, required=["content", "kind", "title"]),),
    frequency=Frequency(count=2, period_seconds=42 * 86_400),
    retention_days=42,
    case_ref=COUNCIL_CASE,
    staff_ref=COUNCIL_STAFF,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """How much of the letter came before she stopped them, and what it could be known by."""

    size_bytes: int
    cut_off_bytes: int
    texts: frozenset[bytes]


def share_letter(
    story: Story, council: Recipient, slow: SlowLine, *, typed: int, shared: int
) -> Sent:
    """Tell the chapter."""
    came_home = friday(story.today)
    document = letter.scan(came_home)
    texts = letter.texts(document, came_home)
    texts |= typed_texts([LETTER], story.directory.definitions)
    story.screen.begin("The letter as it is")
    _add(story, document, texts)
    receiving = replace(council, permission=_say_yes(story, council, _ask(story, council)))
    story.expect.equal("shared now", story.counter().shared, shared + 1)
    _receive(story, receiving, document)
    arrived = _cut_off(story, receiving, slow, len(document))
    story.end_screen(typed=typed, shared=shared, seen=(story.council_team, story.brightcare_team))
    return Sent(size_bytes=len(document), cut_off_bytes=arrived, texts=texts)


def _add(story: Story, document: bytes, texts: frozenset[bytes]) -> None:
    screen, who = story.screen, story.council_team.organisation
    screen.say(
        f"{who} would like to see the hospital's letter itself. Nia scans it: one page, "
        f"{megabytes(len(document))}. Mair adds it, and it is locked like everything else."
    )
    kept = transfer.upload(story.mair, document, LETTER.answers, letter.MEDIA_TYPE)
    back = transfer.download(story.mair, kept.evidence_id)
    story.expect.true("she gets back what she added", came=back == document)
    found = story.search(texts)
    screen.blank()
    screen.facts(
        [
            ("Added", f"{LETTER.answers['title']}; it comes back as it went in"),
            ("Its fingerprint", _fingerprint(document)),
            ("On the disk", f"no line and no piece of it, in {found.where}"),
        ]
    )


def _ask(story: Story, council: Recipient) -> ConsentRequest:
    """Have it asked for; return the question as it reached her."""
    story.screen.blank()
    story.screen.say(
        f"{story.council_team.organisation} knows Mair by now. It needs no link: its question "
        "waits among hers."
    )
    asked = asking.ask_directly(council.connection, QUESTION, council.permission.subject_id)
    pending = wire.ListRequestsRequest(acting=HERSELF, page_size=_ALL, only_pending=True)
    waiting = story.mair.consents.ListRequests(pending).consent_requests
    ids = [request.consent_request_id for request in waiting]
    story.expect.equal("what waits for her", ids, [asked.consent_request_id])
    reached: ConsentRequest = waiting[0]
    return reached


def _say_yes(story: Story, council: Recipient, request: ConsentRequest) -> fetching.Permission:
    """Share the letter, as it is shown to her; return what it may be fetched under."""
    screen, expect, words = story.screen, story.expect, story.directory.words
    things = things_of(request.scope)
    expect.equal("whose choice it is", request.decision_form, DECISION_FORM_ANOTHER_WAY)
    shown = fetching.values_of(asking.preview(story.mair, request, things))
    expect.equal("what she is shown", shown.keys(), things[0].fields)
    consent = asking.share(story.mair, request, things, expect)
    told = council.news.next(CONSENT_CHANGE_KIND_GRANTED)
    expect.equal("which question of theirs", told.consent_request_id, request.consent_request_id)
    expect.equal("what they are told of", told.consent_id, consent.consent_id)
    screen.blank()
    screen.facts(
        [
            ("It asks for", f"{words.title(things[0])}: {words.listed(things[0])}"),
            ("Whose choice", "They need this, but you can send it another way."),
            ("Exactly this is sent", _listed(shown)),
            ("Her answer", f"yes, at {clock(moment(told.time))}"),
        ]
    )
    return replace(council.permission, consent_id=told.consent_id)


def _receive(story: Story, council: Recipient, document: bytes) -> None:
    expect, thing = story.expect, things_of(QUESTION.scope)[0]
    call = council.connection.disclosures.DiscloseDocument
    arriving = transfer.fetch_document(call, council.permission, thing)
    fetched = fetching.read(arriving.disclosure, story.directory.receipt_keys, expect)
    pieces = list(arriving.pieces)
    came = b"".join(pieces)
    expect.equal("the fields that came", fetched.values.keys(), thing.fields)
    content = fetched.values[_KIND, "content"]
    expect.equal("its size in the record", content["sizeBytes"], len(came))
    digest = hashlib.sha256(came).digest()
    expect.true("its fingerprint in the record", came=unb64(content["sha256"]) == digest)
    expect.true("what came is what she added", came=came == document)
    story.screen.blank()
    story.screen.facts(
        [
            ("Received", f"{megabytes(len(came))} in {len(pieces)} pieces"),
            ("Its fingerprint", f"{_fingerprint(came)}, as recorded before it left"),
        ]
    )


def _cut_off(story: Story, council: Recipient, slow: SlowLine, size_bytes: int) -> int:
    """Have it fetched once more, and stop it on the way; return how much of it came."""
    screen, expect, thing = story.screen, story.expect, things_of(QUESTION.scope)[0]
    screen.blank()
    screen.say(
        "Later it fetches the letter once more, on a slow line. While it is on its way, Mair stops "
        "them."
    )
    arriving = transfer.fetch_document(slow.disclose_document, council.permission, thing)
    received = [next(arriving.pieces)]
    stopped = story.mair.consents.RevokeConsent(
        wire.RevokeConsentRequest(
            request_id=new_id(), acting=HERSELF, consent_id=council.permission.consent_id
        )
    ).consent
    expect.refused(
        "the rest does not come",
        "CONSENT_REVOKED",
        lambda: received.extend(arriving.pieces),
    )
    came = sum(map(len, received))
    expect.true("less than the letter came", came=0 < came < size_bytes)
    told = council.news.next(CONSENT_CHANGE_KIND_REVOKED)
    expect.equal("what they are told of", told.consent_id, stopped.consent_id)
    times = [
        use
        for use in story.uses()
        if use.consent_id == stopped.consent_id and use.type == DISCLOSED and not use.repeated
    ]
    expect.equal("uses in her list", len(times), 2)
    screen.blank()
    screen.facts(
        [
            ("Stopped", f"at {clock(moment(stopped.revoke_time))}"),
            ("Arrived", f"{megabytes(came)} of {megabytes(size_bytes)}; nothing more was sent"),
            ("In her list", "both times. It may say more than came, never less"),
        ]
    )
    return came


def _listed(shown: dict[tuple[str, str], Any]) -> str:
    title, kind, content = (shown[_KIND, name] for name in ("title", "kind", "content"))
    return f"{title}; {said('kind', kind)}; {content['mediaType']}, {content['sizeBytes']:,} bytes"


def _fingerprint(document: bytes) -> str:
    """Return the beginning of a document's SHA-256, in groups."""
    text = hashlib.sha256(document).hexdigest()
    return " ".join(text[begin : begin + 4] for begin in range(0, 16, 4)) + " …"
