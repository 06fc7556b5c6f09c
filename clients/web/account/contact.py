# SPDX-License-Identifier: Apache-2.0
"""How we tell her that something happened: where, how soon, of what, and how discreetly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.connection import CallError
from clients.web.room import Room

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.contact_pb2 import Contact

room = Room(__name__)

PACES: Final = ("AT_ONCE", "WEEKLY", "SAFETY_ONLY")
KINDS: Final = ("NEW_REQUEST", "FIRST_USE", "REFUSED_ATTEMPT", "END_NEAR", "NEW_SIGN_IN")
_FIELDS: Final = {"email": "email", "telephone": "telephone", "postal_lines": "post"}


@room.get("/account/contact")
def contact(here: Here) -> Response:
    """Return how she is told now, to be changed."""
    from vault.api.v1.contact_pb2 import Contact  # noqa: PLC0415
    from vault.api.v1.vault_service_pb2 import GetContactRequest  # noqa: PLC0415

    found = here.vault.vaults.GetContact(GetContactRequest(acting=here.acting))
    return _page(here, found.contact if found.HasField("contact") else Contact())


@room.post("/account/contact")
def keep(here: Here) -> Response:
    """Tell her that way from now on."""
    from vault.api.v1.vault_service_pb2 import SetContactRequest  # noqa: PLC0415

    said = _typed(here)
    if said is None:
        return here.to("/account/contact")
    request = SetContactRequest(request_id=here.once, acting=here.acting, contact=said)
    try:
        here.vault.vaults.SetContact(request)
    except CallError as error:
        errors = _errors(here, error)
        if not errors:
            raise
        return _page(here, said, errors)
    here.tell(here.words("contact.kept"))
    return here.to("/account")


def _page(here: Here, shown: Contact, errors: dict[str, str] | None = None) -> Response:
    from vault.api.v1.contact_pb2 import ContactPace, NotificationKind  # noqa: PLC0415

    muted = {_code(NotificationKind.Name(kind)) for kind in shown.muted_kinds}
    pace = _code(ContactPace.Name(shown.pace))
    return here.page(
        "account/contact.html",
        errors=errors,
        contact=shown,
        post="\n".join(shown.postal_lines),
        # Of somebody who never chose, all is told at once.
        pace=pace if pace in PACES else "AT_ONCE",
        spoken=shown.language or here.language,
        told_of=[kind for kind in KINDS if kind not in muted],
        paces=PACES,
        kinds=KINDS,
    )


def _typed(here: Here) -> Contact | None:
    """Return the contact of the form; None if something is chosen that is no choice."""
    from vault.api.v1.contact_pb2 import Contact, ContactPace, NotificationKind  # noqa: PLC0415

    form = here.form
    pace, language = form.text("pace"), form.text("spoken")
    if pace not in PACES or language not in {"en", "cy"}:
        return None
    told_of = form.texts("told")
    muted = [kind for kind in KINDS if kind not in told_of]
    return Contact(
        email=form.text("email"),
        telephone=form.text("telephone"),
        postal_lines=[line.strip() for line in form.text("post").splitlines() if line.strip()],
        language=language,
        pace=ContactPace.Value(f"CONTACT_PACE_{pace}"),
        discreet=form.text("discreet") == "yes",
        muted_kinds=[NotificationKind.Value(f"NOTIFICATION_KIND_{kind}") for kind in muted],
    )


def _errors(here: Here, error: CallError) -> dict[str, str]:
    """Return what is wrong with what she typed, by the field in which she typed it."""
    found = {}
    for path, _ in error.fields:
        name = path.removeprefix("contact.").partition("[")[0]
        if field := _FIELDS.get(name):
            found[field] = here.words(f"wrong.{field}")
    return found


def _code(name: str) -> str:
    return name.removeprefix("CONTACT_PACE_").removeprefix("NOTIFICATION_KIND_")
