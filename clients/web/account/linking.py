# SPDX-License-Identifier: Apache-2.0
"""Another sign-in for the same information: she makes a code, and types it where she signs in anew.

And the code on paper for an official who helps her.
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING, Final

from clients import approving
from clients.connection import CallError
from clients.web.approvals import approved, completes
from clients.web.failure import NotThereError
from clients.web.passkeys import to_use
from clients.web.room import Room
from clients.wording.times import moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import Approval
    from vault.api.v1.vault_service_pb2 import CreateLinkCodeResponse

room = Room(__name__)

_CODE: Final = "link.code"
_HELP_CODE: Final = "help.code"
_WRONG_CODE: Final = frozenset({"NOT_FOUND", "LINK_CODE_ENDED"})
_HOUR_SECONDS: Final = 3600
_DAY_HOURS: Final = 24


@room.get("/account/sign-ins/add")
def ask_to_add(here: Here) -> Response:
    """Say what another sign-in may do, and from when on; a code is made if she goes on."""
    from vault.api.v1.vault_service_pb2 import CreateLinkCodeRequest  # noqa: PLC0415

    request = CreateLinkCodeRequest(request_id=here.fresh, acting=here.acting, validate_only=True)
    preview = here.vault.vaults.CreateLinkCode(request)
    return here.page(
        "account/add_sign_in.html",
        shown=base64.b64encode(preview.SerializeToString()).decode("ascii"),
        asked=to_use(preview.approval_challenge),
        wait=_wait(here, preview.wait_seconds),
        minutes=preview.good_seconds // 60,
    )


@room.post("/account/sign-ins/add")
def add(here: Here) -> Response:
    """Have her show that she lets another sign-in be linked."""
    from vault.api.v1.vault_service_pb2 import CreateLinkCodeRequest  # noqa: PLC0415

    preview = _previewed(here)
    request = CreateLinkCodeRequest(request_id=here.once, acting=here.acting, shown=preview.shown)
    return here.approve("account.link", request, approving.to_create_link_code(preview))


@completes("account.link")
def added(here: Here, message: bytes, approval: Approval | None) -> Response:
    """Make the code, and show it."""
    from vault.api.v1.vault_service_pb2 import CreateLinkCodeRequest  # noqa: PLC0415

    request = approved(CreateLinkCodeRequest, message, approval)
    made = here.vault.vaults.CreateLinkCode(request)
    here.session.notes[_CODE] = {
        "code": made.link_code,
        "ends": made.expire_time.seconds,
        "wait_seconds": made.wait_seconds,
    }
    return here.to("/account/sign-ins/code")


@room.get("/account/sign-ins/code")
def code(here: Here) -> Response:
    """Show the code that she made in this browser."""
    from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415

    made = here.session.notes.get(_CODE)
    if not made or made["ends"] <= time.time():
        here.session.notes.pop(_CODE, None)
        raise NotThereError
    until = moment(Timestamp(seconds=made["ends"]), here.words)
    wait = _wait(here, made["wait_seconds"])
    return here.page("account/link_code.html", wait=wait, code=made["code"], until=until)


@room.get("/account/link", roles=frozenset({"citizen"}))
def ask_for_code(here: Here) -> Response:
    """Ask for the code by which this sign-in leads to information that is there already."""
    return here.page("account/link.html", typed="")


@room.post("/account/link", roles=frozenset({"citizen"}))
def link(here: Here) -> Response:
    """Link this sign-in."""
    from vault.api.v1.vault_service_pb2 import LinkSignInRequest  # noqa: PLC0415

    typed = here.form.text("code")
    if not 0 < len(typed) <= 60:
        return here.page("account/link.html", errors=_error(here, "link.needed"), typed=typed)
    request = LinkSignInRequest(request_id=here.once, acting=here.acting, link_code=typed)
    try:
        found = here.vault.vaults.LinkSignIn(request).vault
    except CallError as error:
        if error.reason not in _WRONG_CODE:
            raise
        return here.page("account/link.html", errors=_error(here, "link.wrong"), typed=typed)
    waits = [one.wait_end_time for one in found.sign_ins if one.sign_in_id == found.sign_in_id]
    here.tell(here.words("link.done", until=moment(waits[0], here.words)))
    return here.to("/")


@room.get("/account/help-code", roles=frozenset({"citizen"}))
def ask_for_help_code(here: Here) -> Response:
    """Say what a code for somebody who helps is good for; show the one that was made here."""
    return here.page("account/help_code.html", code=here.session.notes.get(_HELP_CODE, ""))


@room.post("/account/help-code", roles=frozenset({"citizen"}))
def make_help_code(here: Here) -> Response:
    """Make such a code."""
    from vault.api.v1.vault_service_pb2 import CreateAssistanceCodeRequest  # noqa: PLC0415

    request = CreateAssistanceCodeRequest(request_id=here.once, acting=here.acting)
    made = here.vault.vaults.CreateAssistanceCode(request)
    here.session.notes[_HELP_CODE] = made.assistance_code
    return here.to("/account/help-code")


def _wait(here: Here, seconds: int) -> str:
    """Return for how long a sign-in waits: in days if they are whole, else in hours begun."""
    hours = -(-seconds // _HOUR_SECONDS)
    if hours % _DAY_HOURS:
        return here.words("wait.hours", count=hours)
    return here.words("wait.days", count=hours // _DAY_HOURS)


def _error(here: Here, key: str) -> dict[str, str]:
    return {"code": here.words(key)}


def _previewed(here: Here) -> CreateLinkCodeResponse:
    """Return what was shown on the page; the server takes nothing else back."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    from vault.api.v1.vault_service_pb2 import CreateLinkCodeResponse  # noqa: PLC0415

    try:
        return CreateLinkCodeResponse.FromString(
            base64.b64decode(here.form.text("shown"), validate=True)
        )
    except (DecodeError, binascii.Error, ValueError):
        raise approving.NotAsShownError from None
