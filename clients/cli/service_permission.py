# SPDX-License-Identifier: Apache-2.0
"""Under which consent a service fetches: that of a request, or one named with its subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clients.cli.errors import CommandError, UsageError
from clients.cli.service_ask import type_and_names

if TYPE_CHECKING:
    from clients.cli.session import Session
    from vault.api.v1.disclosure_pb2 import Authority, FieldSelection

FromRequest = Annotated[
    str,
    typer.Option(
        "--request",
        metavar="CONSENT_REQUEST_ID",
        help="Under the consent that came of this request; instead of the next three.",
    ),
]
ConsentId = Annotated[str, typer.Option("--consent", metavar="CONSENT_ID")]
SubjectId = Annotated[str, typer.Option("--subject", metavar="SUBJECT_ID")]
PurposeCode = Annotated[str, typer.Option("--purpose", metavar="CODE")]


@dataclasses.dataclass(frozen=True)
class Permission:
    """A consent, whose it is and what for."""

    consent_id: str
    subject_id: str
    purpose_code: str

    @property
    def authority(self) -> Authority:
        """Return it as a disclosure names it."""
        from vault.api.v1.disclosure_pb2 import Authority  # noqa: PLC0415

        return Authority(consent_id=self.consent_id)


def permission(
    session: Session, from_request: str, consent_id: str, subject: str, purpose: str
) -> Permission:
    """Return under which consent; what is not named is taken from the request.

    Raises:
        CommandError: if no consent came of the request.
        UsageError: if something is not named.
    """
    from vault.api.v1.consent_service_pb2 import GetRequestRequest  # noqa: PLC0415

    if from_request:
        asked = session.connection.consents.GetRequest(
            GetRequestRequest(consent_request_id=from_request)
        ).consent_request
        if not asked.consent_id:
            raise CommandError(
                "No consent came of this request yet, or its code was not redeemed.",
                f"See how it stands: citizen-vault service request {from_request}",
            )
        consent_id = consent_id or asked.consent_id
        subject = subject or asked.subject_id
        purpose = purpose or asked.purpose.partition("@")[0]
    if not (consent_id and subject and purpose):
        raise UsageError(
            "It is not said under which consent.",
            "--request CONSENT_REQUEST_ID, or --consent, --subject and --purpose",
        )
    return Permission(consent_id, subject, purpose)


def selections(fields: Sequence[str]) -> list[FieldSelection]:
    """Return what TYPE[#ITEM]:FIELD,FIELD names, each.

    Raises:
        UsageError: if one is something else.
    """
    from vault.api.v1.disclosure_pb2 import FieldSelection  # noqa: PLC0415

    found = []
    for typed in fields:
        named, names = type_and_names(typed)
        evidence_type, _, item = named.partition("#")
        if item and not item.isdecimal():
            raise UsageError(f"{item} is not the number of an item.", "TYPE#2:FIELD")
        found.append(FieldSelection(item=int(item or 0), evidence_type=evidence_type, names=names))
    return found
