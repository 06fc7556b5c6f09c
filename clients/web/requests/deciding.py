# SPDX-License-Identifier: Apache-2.0
"""Her decision: what would be sent, checked by her; sharing it or saying no; and what follows."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from clients.connection import CallError
from clients.receipts import SignedRecord
from clients.web import passkeys
from clients.web.approvals import approved, completes
from clients.web.requests import asked as asking
from clients.web.requests import choosing, offering, way_back
from clients.web.requests.pages import request_page
from clients.web.room import Room
from clients.web.templates import sentence
from clients.wording.published import PAGE_SIZE, all_pages
from clients.wording.terms import has_begun, labels, terms_of
from clients.wording.times import last_day, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clients.web.here import Here
    from clients.web.requests.asked import Asking
    from vault.api.v1.consent_pb2 import Consent, ConsentRequest
    from vault.api.v1.log_pb2 import Receipt
    from vault.api.v1.vault_pb2 import Approval

room = Room(__name__)

_LOOK_AGAIN: Final = frozenset({"SHOWN_DIFFERS", "APPROVAL_INVALID", "APPROVAL_REQUIRED"})
"""After these the page of what would be sent is shown again, made anew."""

_CHOOSE_AGAIN: Final = frozenset({"CHOICE_NOT_OFFERED", "EVIDENCE_TOO_OLD"})
_OVER: Final = frozenset({"REQUEST_ALREADY_DECIDED", "REQUEST_CANCELLED", "REQUEST_EXPIRED"})
_DECIDED: Final = frozenset({"GRANTED", "REFUSED"})
_DECISIONS: Final = ("consent-granted.", "consent-refused.")

MOST_PAGES: Final = 20
"""Pages of her history that are read for one decision."""


@room.get("/requests/{consent_request_id:uuid}/check")
def check(here: Here) -> Response:
    """Show exactly what would be sent, and on which terms, before she shares it."""
    asked = asking.request_here(here)
    request_id = asked.consent_request_id
    typed = choosing.typed_before(here, request_id)
    if not asking.is_waiting(asked) or not typed.values:
        return here.to(f"/requests/{request_id}")
    askings = asking.askings_of(here, asked, asking.pieces_of(here))
    chosen = choosing.chosen_in(here, asked, askings, typed)
    if chosen.choice is None:
        return request_page(here, asked, typed, chosen.errors)
    try:
        offer = offering.offer_of(here, asked, chosen.choice)
    except CallError as error:
        if error.reason not in _CHOOSE_AGAIN | _OVER:
            raise
        return _asked_again(here, asked, error.reason)
    note = choosing.note_of(here, request_id)
    note["offer"] = offer.as_note()
    trouble = str(note.pop("trouble", ""))
    texts = asking.texts_of(here, asked)
    return here.page(
        "requests/check.html",
        path=f"/requests/{request_id}",
        name=here.published.who(asked.service_id),
        texts=texts,
        offer=offer,
        not_seen=_not_seen(here, askings, chosen),
        terms=[(name, sentence(text)) for name, text in terms_of(here, offer.consent)],
        digest=offering.digest_of(offer.shown),
        passkey=passkeys.to_use(offer.challenge),
        trouble=here.words.one_of("error", trouble) if trouble else "",
    )


@room.post("/requests/{consent_request_id:uuid}/check")
def share(here: Here) -> Response:
    """Share what was shown, once she has shown that she decides it."""
    from vault.api.v1.consent_service_pb2 import GrantConsentRequest  # noqa: PLC0415

    request_id = asking.request_here(here).consent_request_id
    kept = choosing.known_note(here, request_id).get("offer")
    if not kept:
        return here.to(f"/requests/{request_id}/check")
    offer = offering.KeptOffer.of_note(kept)
    if here.form.text("shown") != offering.digest_of(offer.shown):
        # Another window of hers shows something else by now.
        return _again(here, request_id, "SHOWN_DIFFERS")
    message = GrantConsentRequest(
        request_id=here.once,
        acting=here.acting,
        consent_request_id=request_id,
        choice=offer.choice,
        shown=offer.shown,
    )
    return here.approve("grant", message, offer.challenge)


@completes("grant")
def granted(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Share it, or say what came in between."""
    from vault.api.v1.consent_service_pb2 import GrantConsentRequest  # noqa: PLC0415

    request = approved(GrantConsentRequest, message, approval)
    request_id = request.consent_request_id
    try:
        response = here.vault.consents.GrantConsent(request)
    except CallError as error:
        if error.reason not in _LOOK_AGAIN | _CHOOSE_AGAIN | _OVER:
            raise
        return _again(here, request_id, error.reason)
    return _decided(here, request_id, response.receipt)


@room.get("/requests/{consent_request_id:uuid}/no")
def before_no(here: Here) -> Response:
    """Say what it means to say no."""
    asked = asking.request_here(here)
    path = f"/requests/{asked.consent_request_id}"
    if not asking.is_waiting(asked):
        return here.to(path)
    choice, _ = asking.choice_of(here, asked)
    return here.page(
        "requests/no.html",
        path=path,
        name=here.published.who(asked.service_id),
        texts=asking.texts_of(here, asked),
        choice=choice,
        is_law=asking.is_law(asked),
    )


@room.post("/requests/{consent_request_id:uuid}/no")
def say_no(here: Here) -> Response:
    """Say no. It needs no proof."""
    from vault.api.v1.consent_service_pb2 import RefuseConsentRequest  # noqa: PLC0415

    message = RefuseConsentRequest(
        request_id=here.once,
        acting=here.acting,
        consent_request_id=here.path("consent_request_id"),
    )
    return here.approve("refuse", message, None)


@completes("refuse")
def refused(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Say no, or say what came in between."""
    from vault.api.v1.consent_service_pb2 import RefuseConsentRequest  # noqa: PLC0415

    request = approved(RefuseConsentRequest, message, approval)
    try:
        response = here.vault.consents.RefuseConsent(request)
    except CallError as error:
        if error.reason not in _OVER:
            raise
        return _again(here, request.consent_request_id, error.reason)
    return _decided(here, request.consent_request_id, response.receipt)


@room.get("/requests/{consent_request_id:uuid}/done")
def done(here: Here) -> Response:
    """Say what she decided, what follows, and who waits next."""
    asked = asking.request_here(here)
    request_id, state = asked.consent_request_id, asking.state_of(asked)
    if state not in _DECIDED:
        return here.to(f"/requests/{request_id}")
    receipt = _receipt_of(here, asked)
    waiting = asking.requests_of(here, only_waiting=True)
    sharing = _sharing_of(here, asked) if state == "GRANTED" else None
    return here.page(
        "requests/done.html",
        path=f"/requests/{request_id}",
        name=here.published.who(asked.service_id),
        organisation=here.published.organisation_name(asked.organisation_id),
        state=state,
        texts=asking.texts_of(here, asked),
        sharing=sharing,
        start=""
        if sharing is None or has_begun(sharing)
        else moment(sharing.start_time, here.words),
        until=last_day(sharing.end_time, here.words) if sharing else "",
        reference=str(receipt.leaf_index) if receipt else "",
        back=way_back.of(here, request_id),
        waiting=len(waiting),
        next=waiting[-1] if waiting else None,
    )


@room.get("/requests/{consent_request_id:uuid}/confirmation")
def confirmation(here: Here) -> Response:
    """Return her confirmation as a file, to keep and to have checked elsewhere."""
    asked = asking.request_here(here)
    receipt = _receipt_of(here, asked)
    if receipt is None:
        return here.to(f"/requests/{asked.consent_request_id}")
    name = f"confirmation-{receipt.leaf_index}.json"
    return Response(
        SignedRecord.of(receipt).as_file(),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _decided(here: Here, request_id: str, receipt: Receipt) -> Response:
    note = choosing.note_of(here, request_id)
    for name in ("typed", "offer", "trouble"):
        note.pop(name, None)
    note["receipt"] = base64.b64encode(receipt.SerializeToString()).decode("ascii")
    return here.to(f"/requests/{request_id}/done")


def _again(here: Here, request_id: str, reason: str) -> Response:
    """Lead back to where she can look again, and say there what came in between."""
    choosing.note_of(here, request_id)["trouble"] = reason
    page = "/check" if reason in _LOOK_AGAIN else ""
    return here.to(f"/requests/{request_id}{page}")


def _asked_again(here: Here, asked: ConsentRequest, reason: str) -> Response:
    if reason in _OVER:
        return _again(here, asked.consent_request_id, reason)
    typed = choosing.typed_before(here, asked.consent_request_id)
    return request_page(here, asked, typed, {"what": here.words.one_of("error", reason)})


def _not_seen(
    here: Here, askings: Sequence[Asking], chosen: choosing.Chosen
) -> list[tuple[str, str]]:
    """Return what they ask for and she left out, by its kind."""
    rows = []
    for one in askings:
        left = [name for name, _ in one.may if name not in chosen.names.get(one.number, ())]
        if left:
            rows.append((one.title, labels(here, one.evidence_type, left)))
    return rows


def _sharing_of(here: Here, asked: ConsentRequest) -> Consent:
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    request = GetConsentRequest(acting=here.acting, consent_id=asked.consent_id)
    return here.vault.consents.GetConsent(request).consent


def _receipt_of(here: Here, asked: ConsentRequest) -> Receipt | None:
    """Return the receipt of her decision: as it came, or else from her history."""
    from vault.api.v1.log_pb2 import Receipt  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request_id = asked.consent_request_id
    kept = choosing.known_note(here, request_id).get("receipt")
    if kept:
        return Receipt.FromString(base64.b64decode(kept))
    if asking.state_of(asked) not in _DECIDED:
        return None
    request = ListHistoryRequest(acting=here.acting, page_size=PAGE_SIZE)
    for page in itertools.islice(all_pages(here.vault.vaults.ListHistory, request), MOST_PAGES):
        for entry in page.entries:
            if entry.consent_request_id == request_id and entry.type.startswith(_DECISIONS):
                receipt: Receipt = entry.receipt
                return receipt
    return None
