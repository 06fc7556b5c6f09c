# SPDX-License-Identifier: Apache-2.0
"""One visit to a page: who is here, in which language, and what may be asked and shown."""

from __future__ import annotations

import functools
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import RedirectResponse, Response

from clients.web.forms import Form, csrf_token
from clients.web.words import PageWords
from clients.wording.published import Published
from clients.wording.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message
    from starlette.requests import Request

    from clients.connection import Connection
    from clients.web.house import House
    from clients.web.sessions import Session
    from vault.api.v1.vault_pb2 import Acting, ApprovalChallenge

LANGUAGE: Final = "language"
"""The cookie, and the parameter, that chooses the language."""

_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}")


class Here:
    """One visit to a page of a room.

    Attributes:
        house: what all pages stand on.
        session: of this browser.
        form: what was sent; empty for a page that is only looked at.
    """

    def __init__(
        self, house: House, request: Request, session: Session, form: Form, room: str
    ) -> None:
        self.house = house
        self.request = request
        self.session = session
        self.form = form
        self.language = language_of(request)
        self.words = PageWords(self.language, room, is_assisted=self.is_assisted)

    def enter(self, room: str) -> None:
        """Speak with a room's texts from now on: one that goes on where another left off."""
        self.words = PageWords(self.language, room, is_assisted=self.is_assisted)
        self.__dict__.pop("published", None)

    @property
    def vault(self) -> Connection:
        """Return the connection to the vault, on which whoever is signed in calls."""
        return self.house.vault

    @functools.cached_property
    def published(self) -> Published:
        """Return the registry's texts in this language."""
        return Published(self.house.vault, self.words)

    @property
    def is_assisted(self) -> bool:
        """Say whether an official acts for somebody here."""
        return bool(self.session.notes.get("assisting"))

    @functools.cached_property
    def acting(self) -> Acting:
        """Return for whom and how whoever is signed in acts: what every call of hers carries."""
        from vault.api.v1 import vault_pb2  # noqa: PLC0415

        assisting = self.session.notes.get("assisting")
        if assisting:
            return vault_pb2.Acting(
                capacity=vault_pb2.CAPACITY_OFFICIAL,
                channel=vault_pb2.Channel.Value(assisting["channel"]),
                assistance_code=assisting["code"],
            )
        return vault_pb2.Acting(capacity=vault_pb2.CAPACITY_SELF, channel=vault_pb2.CHANNEL_WEB)

    @functools.cached_property
    def once(self) -> str:
        """Return the `request_id` of what this visit does: the same if a form is sent twice."""
        return self.form.once

    def asked(self, name: str) -> str:
        """Return a parameter of the address, "" if it is not there."""
        return str(self.request.query_params.get(name, ""))

    def path(self, name: str) -> str:
        """Return a part of the path, by its name in the route."""
        return str(self.request.path_params[name])

    def in_language(self, language: str) -> str:
        """Return the address of this page in another language, with all that it was asked for."""
        return "?" + self.request.url.include_query_params(language=language).query

    def page(
        self,
        template: str,
        /,
        *,
        status: int = 200,
        errors: Mapping[str, str] | None = None,
        **shown: Any,
    ) -> Response:
        """Return a page.

        Args:
            template: its path from this package: "sharing/stop.html".
            errors: what is wrong with the form, by the id of the field; the page becomes a 422
                with a summary of them on top. The template shows each beside its field.
        """
        content = self.house.templates.render(self, template, errors=errors or {}, **shown)
        return Response(content, 422 if errors else status, media_type="text/html")

    def to(self, path: str) -> Response:
        """Return what leads on to another page, after something was done."""
        return RedirectResponse(path, 303)

    def tell(self, text: str) -> None:
        """Say something on the page that comes next, once."""
        self.session.notes["told"] = text

    def told(self) -> str:
        """Return what was to be said on this page, once."""
        return str(self.session.notes.pop("told", ""))

    def approve(
        self, decision: str, message: Message, challenge: ApprovalChallenge | None
    ) -> Response:
        """Let her show that a decision is hers, and have it carried out: see `approvals.py`.

        Args:
            decision: the name under which a room completes it.
            message: the call without its approval.
            challenge: what has to be signed, as `clients/approving.py` found it to be of what she
                was shown; None: the server asks for nothing.
        """
        from clients.web.approvals import begin  # noqa: PLC0415 - it imports what imports this

        return begin(self, decision, message, challenge)

    @property
    def csrf(self) -> str:
        """Return what every form on this page carries."""
        return csrf_token(self.session.secret)

    @functools.cached_property
    def fresh(self) -> str:
        """Return the id that makes the effect of a form on this page happen once."""
        return str(uuid.uuid4())


def language_of(request: Request) -> str:
    """Return the language of a visit: chosen, or the browser's first that we have."""
    for said in (request.query_params.get(LANGUAGE), request.cookies.get(LANGUAGE)):
        if said in LANGUAGES:
            return said
    for part in request.headers.get("accept-language", "").split(","):
        said = part.strip()[:2].lower()
        if said in LANGUAGES:
            return said
    return LANGUAGES[0]


def local_path(text: str, otherwise: str = "/") -> str:
    """Return a path of ours, and never another site's, whatever somebody puts there."""
    return text if _LOCAL.fullmatch(text) else otherwise
