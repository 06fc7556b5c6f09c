# SPDX-License-Identifier: Apache-2.0
"""Letting it go on after a pause, and sharing the same for longer: she shows that it is hers.

The page carries what the vault said would be signed. When she agrees, that is held against what is
shared now, and only the challenge that follows from it is signed (`clients/approving.py`).
"""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar

from clients import approving
from clients.connection import CallError
from clients.web import passkeys
from clients.web.approvals import approved, completes
from clients.web.dates import TypedDay, end_of
from clients.web.room import Room
from clients.web.sharing import shown
from clients.web.templates import sentence
from clients.wording.terms import difference_rows, parts_of, terms_of
from clients.wording.times import last_day

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.vault_pb2 import Approval

Preview = TypeVar("Preview", bound="Message")

room = Room(__name__)

_PAUSED: Final = "PAUSED"


@room.get("/sharing/{consent_id:uuid}/resume")
def before_resuming(here: Here) -> Response:
    """Show what goes on, as it stands."""
    from vault.api.v1.consent_service_pb2 import ResumeConsentRequest  # noqa: PLC0415

    sharing = shown.sharing_here(here)
    if shown.state(sharing) != _PAUSED:
        return here.to(shown.address(sharing))
    request = ResumeConsentRequest(
        request_id=str(uuid.uuid4()),
        acting=here.acting,
        consent_id=sharing.consent_id,
        validate_only=True,
    )
    preview = here.vault.consents.ResumeConsent(request)
    purpose = here.published.purpose(sharing.purpose)
    challenge = approving.to_resume(preview, sharing, purpose)
    return here.page(
        "sharing/resume.html",
        path=shown.address(sharing),
        preview=_packed(preview),
        passkey=passkeys.to_use(challenge),
        **_as_shown(here, preview.consent),
    )


@room.post("/sharing/{consent_id:uuid}/resume")
def resume(here: Here) -> Response:
    """Let it go on, once she has shown that it is her decision."""
    from vault.api.v1 import consent_service_pb2 as pb  # noqa: PLC0415

    sharing = shown.sharing_here(here)
    if shown.state(sharing) != _PAUSED:
        return here.to(shown.address(sharing))
    preview = _unpacked(here, pb.ResumeConsentResponse())
    purpose = here.published.purpose(sharing.purpose)
    challenge = approving.to_resume(preview, sharing, purpose)
    request = pb.ResumeConsentRequest(
        request_id=here.once,
        acting=here.acting,
        consent_id=sharing.consent_id,
        shown=preview.shown,
    )
    return here.approve("resume", request, challenge)


@completes("resume")
def resumed(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Let it go on."""
    from vault.api.v1.consent_service_pb2 import ResumeConsentRequest  # noqa: PLC0415

    request = approved(ResumeConsentRequest, message, approval)
    found = here.vault.consents.ResumeConsent(request).consent
    who, until = here.published.who(found.service_id), last_day(found.end_time, here.words)
    here.tell(here.words("resume.done", who=who, until=until))
    return here.to(shown.address(found))


@room.get("/sharing/{consent_id:uuid}/longer")
def choose_longer(here: Here) -> Response:
    """Ask until when."""
    sharing = shown.sharing_here(here)
    return _elsewhere(here, sharing) or _form(here, sharing, TypedDay())


@room.get("/sharing/{consent_id:uuid}/longer/check")
def choose_longer_again(here: Here) -> Response:
    """Lead back to the choice: what was chosen came with a form."""
    return here.to(f"/sharing/{here.path('consent_id')}/longer")


@room.post("/sharing/{consent_id:uuid}/longer/check")
def check_longer(here: Here) -> Response:
    """Show what would be shared, and until when, before it is."""
    from vault.api.v1.consent_service_pb2 import ExtendConsentRequest  # noqa: PLC0415

    sharing = shown.sharing_here(here)
    if leads := _elsewhere(here, sharing):
        return leads
    typed = TypedDay.of(here.form, "end")
    end, wrong = _later_end(here, sharing, typed)
    if end is None:
        return _form(here, sharing, typed, {"end-day": wrong})
    request = ExtendConsentRequest(
        request_id=str(uuid.uuid4()),
        acting=here.acting,
        consent_id=sharing.consent_id,
        end_time=end,
        validate_only=True,
    )
    purpose = here.published.purpose(sharing.purpose)
    try:
        preview = here.vault.consents.ExtendConsent(request)
    except CallError as error:
        if error.reason != "PURPOSE_EXCEEDED" or purpose is None:
            raise
        most = here.words("longer.most", count=purpose.bounds.longest_days)
        return _form(here, sharing, typed, {"end-day": most})
    challenge = approving.to_extend(preview, sharing, end, purpose)
    return here.page(
        "sharing/longer_check.html",
        path=shown.address(sharing),
        preview=_packed(preview),
        passkey=passkeys.to_use(challenge),
        changes=difference_rows(here, preview.difference),
        **_as_shown(here, preview.consent),
    )


@room.post("/sharing/{consent_id:uuid}/longer")
def longer(here: Here) -> Response:
    """Share for longer, once she has shown that it is her decision."""
    from vault.api.v1 import consent_service_pb2 as pb  # noqa: PLC0415

    sharing = shown.sharing_here(here)
    if leads := _elsewhere(here, sharing):
        return leads
    preview = _unpacked(here, pb.ExtendConsentResponse())
    end = preview.consent.end_time
    purpose = here.published.purpose(sharing.purpose)
    challenge = approving.to_extend(preview, sharing, end, purpose)
    request = pb.ExtendConsentRequest(
        request_id=here.once,
        acting=here.acting,
        consent_id=sharing.consent_id,
        end_time=end,
        shown=preview.shown,
    )
    return here.approve("extend", request, challenge)


@completes("extend")
def extended(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Share for longer."""
    from vault.api.v1.consent_service_pb2 import ExtendConsentRequest  # noqa: PLC0415

    request = approved(ExtendConsentRequest, message, approval)
    found = here.vault.consents.ExtendConsent(request).consent
    who, until = here.published.who(found.service_id), last_day(found.end_time, here.words)
    here.tell(here.words("longer.done", who=who, until=until))
    return here.to(shown.address(found))


def _elsewhere(here: Here, sharing: Consent) -> Response | None:
    """Return where to go if it cannot be for longer: it is over, or she has to do it herself."""
    if not shown.is_live(sharing) or shown.is_used_up(sharing):
        return here.to(shown.address(sharing))
    if here.is_assisted:
        name = here.published.who(sharing.service_id)
        return here.page("sharing/longer_herself.html", path=shown.address(sharing), name=name)
    return None


def _form(
    here: Here, sharing: Consent, typed: TypedDay, errors: dict[str, str] | None = None
) -> Response:
    return here.page(
        "sharing/longer.html",
        errors=errors,
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        until=last_day(sharing.end_time, here.words),
        typed=typed.texts,
    )


def _later_end(here: Here, sharing: Consent, typed: TypedDay) -> tuple[Timestamp | None, str]:
    """Return the end that was typed, or what is wrong with it."""
    words = here.words
    if typed.day is None:
        return None, words("page.needed" if typed.is_empty else "page.date.wrong")
    try:
        end = end_of(typed.day)
    except OverflowError:
        return None, words("page.date.wrong")
    if end.ToNanoseconds() <= sharing.end_time.ToNanoseconds():
        return None, words("longer.not", time=last_day(sharing.end_time, words))
    return end, ""


def _as_shown(here: Here, sharing: Consent) -> dict[str, Any]:
    texts = shown.texts_of(here, sharing)
    return {
        "name": here.published.who(sharing.service_id),
        "purpose": texts.title if texts else "",
        "why": texts.why if texts else "",
        "if_stopped": texts.if_stopped if texts else "",
        "parts": parts_of(here, sharing),
        "terms": [(name, sentence(text)) for name, text in terms_of(here, sharing)],
        "until": last_day(sharing.end_time, here.words),
    }


def _packed(preview: Message) -> str:
    return base64.b64encode(preview.SerializeToString(deterministic=True)).decode("ascii")


def _unpacked(here: Here, preview: Preview) -> Preview:
    """Return what was shown, as the page carried it.

    Raises:
        NotAsShownError: if it is something else.
    """
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        preview.ParseFromString(base64.b64decode(here.form.text("preview"), validate=True))
    except (binascii.Error, ValueError, DecodeError):
        raise approving.NotAsShownError from None
    return preview
