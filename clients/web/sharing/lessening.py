# SPDX-License-Identifier: Apache-2.0
"""Sharing less: fewer parts, an earlier end, fewer times; and a pause. None of it needs a proof.

What is left out is never shared again under the same agreement: they would have to ask anew.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from clients.connection import CallError
from clients.web.dates import TypedDay, end_of
from clients.web.room import Room
from clients.web.sharing import shown
from clients.wording.terms import difference_rows, often, parts_of
from clients.wording.times import is_past, last_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.consent_pb2 import Consent, ItemScope
    from vault.api.v1.consent_service_pb2 import NarrowConsentRequest

room = Room(__name__)

_NUMBER: Final = re.compile(r"[0-9]{1,7}")


@room.get("/sharing/{consent_id:uuid}/pause")
def before_pausing(here: Here) -> Response:
    """Say what a pause does."""
    sharing = shown.sharing_here(here)
    if shown.state(sharing) not in {"ACTIVE", "LATER"}:
        return here.to(shown.address(sharing))
    return here.page(
        "sharing/pause.html",
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        until=last_day(sharing.end_time, here.words),
    )


@room.post("/sharing/{consent_id:uuid}/pause")
def pause(here: Here) -> Response:
    """Pause it, at once."""
    from vault.api.v1.consent_service_pb2 import PauseConsentRequest  # noqa: PLC0415

    consent_id = here.path("consent_id")
    request = PauseConsentRequest(request_id=here.once, acting=here.acting, consent_id=consent_id)
    try:
        found = here.vault.consents.PauseConsent(request).consent
    except CallError as error:
        if error.reason != "CONSENT_PAUSED":
            raise
    else:
        here.tell(here.words("pause.done", who=here.published.who(found.service_id)))
    return here.to(f"/sharing/{consent_id}")


@room.get("/sharing/{consent_id:uuid}/less")
def choose_less(here: Here) -> Response:
    """Ask what they may still see, until when, and how often."""
    sharing = shown.sharing_here(here)
    if not shown.is_live(sharing):
        return here.to(shown.address(sharing))
    everything = {item.item: _names(item) for item in sharing.scope}
    return _form(here, sharing, everything, day=TypedDay(), times="")


@room.get("/sharing/{consent_id:uuid}/less/check")
def choose_less_again(here: Here) -> Response:
    """Lead back to the choice: what was chosen came with a form."""
    return here.to(f"/sharing/{here.path('consent_id')}/less")


@room.post("/sharing/{consent_id:uuid}/less/check")
def check_less(here: Here) -> Response:
    """Show what would change, before it does."""
    sharing = shown.sharing_here(here)
    request, errors = _wanted(here, sharing)
    if errors:
        day, times = TypedDay.of(here.form, "end"), here.form.text("times")
        return _form(here, sharing, _ticked(here, sharing), day=day, times=times, errors=errors)
    request.request_id, request.validate_only = str(uuid.uuid4()), True
    found = here.vault.consents.NarrowConsent(request)
    return here.page(
        "sharing/less_check.html",
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        changes=difference_rows(here, found.difference),
        parts=parts_of(here, found.consent),
        fields=list(here.form.pairs()),
        if_stopped=_if_stopped(here, sharing),
    )


@room.post("/sharing/{consent_id:uuid}/less")
def less(here: Here) -> Response:
    """Share less from now on, as it was shown."""
    sharing = shown.sharing_here(here)
    request, errors = _wanted(here, sharing)
    if errors:
        return here.to(shown.address(sharing, "less"))
    request.request_id = here.once
    found = here.vault.consents.NarrowConsent(request).consent
    here.tell(here.words("less.done", who=here.published.who(found.service_id)))
    return here.to(shown.address(sharing))


def _form(
    here: Here,
    sharing: Consent,
    ticked: Mapping[int, Sequence[str]],
    *,
    day: TypedDay,
    times: str,
    errors: dict[str, str] | None = None,
) -> Response:
    words = here.words
    return here.page(
        "sharing/less.html",
        errors=errors,
        path=shown.address(sharing),
        name=here.published.who(sharing.service_id),
        kinds=[_choices(here, item, ticked[item.item]) for item in sharing.scope],
        typed=day.texts,
        until=last_day(sharing.end_time, words),
        has_times=sharing.frequency.count > 1 and not sharing.one_time,
        often=often(sharing.frequency, words),
        times=times,
    )


def _choices(here: Here, item: ItemScope, ticked: Sequence[str]) -> dict[str, Any]:
    kind, needed = here.published.kind(item.evidence_type), here.words("less.needed")
    return {
        "field": _field(item),
        "title": kind.title,
        "parts": [
            (name, kind.label(name), needed if name in item.required else "")
            for name in kind.in_order(_names(item))
        ],
        "ticked": ticked,
    }


def _wanted(here: Here, sharing: Consent) -> tuple[NarrowConsentRequest, dict[str, str]]:
    """Return what asks for less as it was typed, and what is wrong with that."""
    from vault.api.v1.consent_service_pb2 import NarrowConsentRequest  # noqa: PLC0415

    words = here.words
    request = NarrowConsentRequest(acting=here.acting, consent_id=sharing.consent_id)
    errors = {
        **_take_parts(here, sharing, request),
        **_take_end(here, sharing, request),
        **_take_times(here, sharing, request),
    }
    is_less = request.items or request.frequency_count or request.HasField("end_time")
    if not errors and not is_less:
        errors = {_first(sharing): words("less.nothing")}
    return request, errors


def _take_parts(here: Here, sharing: Consent, request: NarrowConsentRequest) -> dict[str, str]:
    from vault.api.v1.consent_pb2 import RemainingFields  # noqa: PLC0415

    ticked = _ticked(here, sharing)
    if all(len(ticked[item.item]) == len(_names(item)) for item in sharing.scope):
        return {}
    for item in sharing.scope:
        if names := ticked[item.item]:
            request.items.append(RemainingFields(item=item.item, names=names))
    return {} if request.items else {_first(sharing): here.words("less.all")}


def _take_end(here: Here, sharing: Consent, request: NarrowConsentRequest) -> dict[str, str]:
    typed, words = TypedDay.of(here.form, "end"), here.words
    if typed.is_empty:
        return {}
    if typed.day is None:
        return {"end-day": words("page.date.wrong")}
    try:
        end = end_of(typed.day)
    except OverflowError:
        return {"end-day": words("page.date.wrong")}
    if is_past(end) or end.ToNanoseconds() <= sharing.start_time.ToNanoseconds():
        return {"end-day": words("less.end.past")}
    if end.ToNanoseconds() > sharing.end_time.ToNanoseconds():
        return {"end-day": words("less.end.late", time=last_day(sharing.end_time, words))}
    if end != sharing.end_time:
        request.end_time.CopyFrom(end)
    return {}


def _take_times(here: Here, sharing: Consent, request: NarrowConsentRequest) -> dict[str, str]:
    typed, now = here.form.text("times"), sharing.frequency.count
    if not typed:
        return {}
    if not _NUMBER.fullmatch(typed) or not 0 < int(typed) <= now:
        return {"times": here.words("less.times.wrong", most=now)}
    if int(typed) != now:
        request.frequency_count = int(typed)
    return {}


def _if_stopped(here: Here, sharing: Consent) -> str:
    texts = shown.texts_of(here, sharing)
    return texts.if_stopped if texts else ""


def _ticked(here: Here, sharing: Consent) -> dict[int, list[str]]:
    """Return the parts of each item that stay ticked, and nothing that is not shared."""
    return {
        item.item: [name for name in _names(item) if name in here.form.texts(_field(item))]
        for item in sharing.scope
    }


def _first(sharing: Consent) -> str:
    """Return the first field of the form, to which what is wrong with all of it leads."""
    return _field(sharing.scope[0]) if sharing.scope else "end-day"


def _field(item: ItemScope) -> str:
    return f"keep-{item.item}"


def _names(item: ItemScope) -> tuple[str, ...]:
    return (*item.required, *item.optional)
