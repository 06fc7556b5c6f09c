# SPDX-License-Identifier: Apache-2.0
"""What went wrong, on a page: what happened, what to do, and a code for whoever is asked."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.web.provider_flow import SIGNED_IN
from clients.wording.times import moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.connection import CallError
    from clients.web.here import Here

_STATUSES: Final = {
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 404,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 503,
    "RESOURCE_EXHAUSTED": 429,
    "INVALID_ARGUMENT": 422,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
}
_ENDED: Final = frozenset({"CREDENTIAL_EXPIRED", "CREDENTIAL_INVALID", "CREDENTIAL_MISSING"})


class NotThereError(Exception):
    """There is nothing for her at this address, whatever there may be for others."""


def of_call(here: Here, error: CallError) -> Response:
    """Return what follows from a call that failed."""
    # Every form is sent to a path that also has a page; to the provider's way back nobody returns.
    back = here.request.url.path if here.request.url.path != SIGNED_IN else "/"
    quoted = urllib.parse.quote(back, safe="")
    if error.reason == "FRESH_SIGN_IN_REQUIRED":
        return here.page("again.html", status=403, back=back)
    if error.reason in _ENDED or error.code == "UNAUTHENTICATED":
        here.session.lapse()
        return here.to(f"/welcome-back?back={quoted}&lapsed=yes")
    if error.reason == "VAULT_NOT_OPEN" and not here.is_assisted:
        return here.to(f"/welcome?back={quoted}")
    if error.reason == "SIGN_IN_TOO_NEW" and error.until:
        return _too_new(here, error.until)
    # Somebody who helps is told that they may not: whom they help, they know.
    is_helping = error.reason == "CAPACITY_NOT_ALLOWED"
    status = 403 if is_helping else _STATUSES.get(error.code, 409)
    if status == 404:
        return page(here, 404, "not.found")
    reason = error.reason if here.words.maybe(f"error.{error.reason}") else error.code
    return here.page(
        "failed.html",
        status=status,
        title=here.words("failed.title"),
        said=here.words.one_of("error", reason),
        step=_step(here, reason),
        call_id=error.call_id,
    )


def page(here: Here, status: int, what: str, back: str = "") -> Response:
    """Return a page about what went wrong, by its texts: `failed.WHAT.title` and so on.

    Args:
        back: a path of ours to go back to, where she was in the middle of something.
    """
    words = here.words
    return here.page(
        "failed.html",
        status=status,
        title=words(f"failed.{what}.title"),
        said=words(f"failed.{what}.happened"),
        step=words(f"failed.{what}.step"),
        call_id="",
        back=back,
    )


def _too_new(here: Here, until: str) -> Response:
    """Say until when a sign-in that was linked lately has to wait."""
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    time = Timestamp()
    time.FromJsonString(until)
    words = here.words
    return here.page(
        "failed.html",
        status=409,
        title=words("failed.too.new.title"),
        said=words("failed.too.new.happened", time=moment(time, words)),
        step=words("failed.too.new.step"),
        call_id="",
    )


def _step(here: Here, reason: str) -> str:
    """Return what to do next; the command line's steps name commands, which are no use here."""
    return here.words.maybe(f"page.step.{reason}") or here.words("page.step.other")
