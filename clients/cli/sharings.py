# SPDX-License-Identifier: Apache-2.0
"""With whom a citizen shares: the list of it, and one of them by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.numbers import whole_id
from clients.wording.published import whole_list

if TYPE_CHECKING:
    from clients.cli.session import Session
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.consent_service_pb2 import ListConsentsResponse

Number = Annotated[
    str, typer.Argument(metavar="NUMBER", help="As in the list; its beginning will do.")
]


def all_sharings(session: Session) -> ListConsentsResponse:
    """Return with whom she shares and shared, newest first."""
    from vault.api.v1.consent_service_pb2 import ListConsentsRequest  # noqa: PLC0415

    request = ListConsentsRequest(acting=session.acting)
    whole: ListConsentsResponse = whole_list(
        session.connection.consents.ListConsents, request, "consents"
    )
    return whole


def sharing_of(session: Session, number: str) -> Consent:
    """Return one of them by the number that was typed."""
    from vault.api.v1.consent_service_pb2 import GetConsentRequest  # noqa: PLC0415

    request = GetConsentRequest(acting=session.acting, consent_id=id_of(session, number))
    return session.connection.consents.GetConsent(request).consent


def id_of(session: Session, number: str) -> str:
    """Return the id of one of them by the number that was typed."""
    return whole_id(
        number, lambda: [one.consent_id for one in all_sharings(session).consents], session.words
    )
