# SPDX-License-Identifier: Apache-2.0
"""What of an event is to be told, and what has to be remembered of it: no names, no values.

She is not told what she has just done herself, but for what her safety needs: that an address of
hers was changed, and that there is a new way into her vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.contact import ContactSet
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.passkey import PasskeyAdded
from vault.domain.request import ConsentRequested
from vault.domain.sign_in import SignInLinked
from vault.domain.values import later
from vault.notifications.notice import Notice

if TYPE_CHECKING:
    from vault.domain.events import Event, Facts
    from vault.domain.values import Terms, Time
    from vault.notifications.notice import Kind
    from vault.notifications.outbox import Outbox

DAYS_BEFORE_END: Final = 14


def notice_of(outbox: Outbox, event: Event) -> Notice | None:
    """Return what of an event is to be told, and remember of it what later ones need."""
    facts = event.facts.upcast()
    _remember(outbox, event.link.stream, facts)
    told = _of_service(outbox, event, facts) or _of_hers(facts)
    if told is None:
        return None
    return Notice(
        stream=event.link.stream,
        version=event.link.version,
        kind=told.kind,
        service=told.service,
        time=facts.time,
        detail=told.detail,
    )


class _Told(NamedTuple):
    kind: Kind
    service: str = ""
    detail: str = ""


def _of_service(outbox: Outbox, event: Event, facts: Facts) -> _Told | None:
    match facts:
        # Who opened a link herself has the question before her.
        case ConsentRequested() if event.link.acting.capacity != "self":
            return _Told("new-request", facts.asked.recipient.service)
        case EvidenceDisclosed() if outbox.is_first_use(facts.consent_id):
            return _Told("first-use", facts.service)
        case DisclosureRefused() if outbox.is_first_refusal(facts.consent_id, facts.time[:10]):
            return _Told("refused-attempt", facts.service)
        case _:
            return None


def _of_hers(facts: Facts) -> _Told | None:
    match facts:
        case SignInLinked(means="provider"):
            return _Told("sign-in-linked")
        case SignInLinked():
            return _Told("new-sign-in", detail="assistance-code")
        case PasskeyAdded():
            return _Told("new-sign-in", detail="passkey")
        case ContactSet():
            return _Told("contact-changed")
        case _:
            return None


def _remember(outbox: Outbox, stream: str, facts: Facts) -> None:
    match facts:
        case ConsentGranted():
            ends = _end_to_tell(facts.terms, facts.time)
            outbox.add_consent(facts.consent_id, stream, facts.service, ends)
        case ConsentNarrowed() | ConsentExtended():
            outbox.change_end(facts.consent_id, _end_to_tell(facts.terms, facts.time))
        case ConsentRevoked():
            outbox.change_end(facts.consent_id, "")
        case _:
            pass


def _end_to_tell(terms: Terms, decided: Time) -> str:
    """Return an end that is far enough away; of a nearer one she has just read."""
    return terms.end if terms.end > later(decided, days=DAYS_BEFORE_END) else ""
