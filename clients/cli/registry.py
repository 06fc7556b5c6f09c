# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault registry`: organisations, services and receipt keys; operators change them.

Purposes and evidence types are in `registry_definitions.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clients.cli.command import command, noun
from clients.cli.errors import UsageError
from clients.cli.session import Session
from clients.receipts import b64
from clients.wording.published import whole_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.registry_pb2 import LocalizedText, Service

app = noun("What is published: organisations, services, purposes, evidence types, receipt keys.")
organisations = noun("Organisations, which run services.")
services = noun("Services, which ask and receive.")
receipt_keys = noun("The keys with which receipts are signed.")
app.add_typer(organisations, name="organisation")
app.add_typer(services, name="service")
app.add_typer(receipt_keys, name="receipt-key")

RequestId = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="UUID",
        help="Repeat an earlier command safely: the id that it failed with.",
    ),
]
Names = Annotated[
    list[str],
    typer.Option(
        "--name", metavar="LANGUAGE=TEXT", help="Its name; en is needed, cy wanted: repeat it."
    ),
]
ServiceId = Annotated[str, typer.Argument(metavar="SERVICE_ID")]


@command(organisations, "list")
def list_organisations(session: Session) -> None:
    """List organisations."""
    from vault.api.v1.registry_service_pb2 import ListOrganisationsRequest  # noqa: PLC0415

    call = session.connection.registry.ListOrganisations
    whole = whole_list(call, ListOrganisationsRequest(), "organisations")
    if session.output.is_json:
        session.output.message(whole)
        return
    text = session.published.text
    session.output.table(
        ["Organisation", "Name", "Contact"],
        [(one.organisation_id, text(one.name), text(one.contact)) for one in whole.organisations],
        unbroken=(0,),
    )


@command(organisations, "add")
def add_organisation(
    session: Session,
    *,
    names: Names,
    contacts: Annotated[
        list[str],
        typer.Option(
            "--contact", metavar="LANGUAGE=TEXT", help="How to reach it about data protection."
        ),
    ],
    request_id: RequestId = "",
) -> None:
    """Register an organisation. Operators only."""
    from vault.api.v1.registry_service_pb2 import RegisterOrganisationRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    response = session.connection.registry.RegisterOrganisation(
        RegisterOrganisationRequest(
            request_id=session.request_id, name=_texts(names), contact=_texts(contacts)
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    session.output.facts([("Organisation", response.organisation.organisation_id)])


@command(services, "list")
def list_services(session: Session) -> None:
    """List services, with their ids."""
    from vault.api.v1.registry_service_pb2 import ListServicesRequest  # noqa: PLC0415

    call = session.connection.registry.ListServices
    whole = whole_list(call, ListServicesRequest(), "services")
    if session.output.is_json:
        session.output.message(whole)
        return
    published = session.published
    session.output.table(
        ["Service", "Name", "Organisation", "State"],
        [
            (
                one.service_id,
                published.text(one.name),
                published.organisation_name(one.organisation_id),
                _service_state(one),
            )
            for one in whole.services
        ],
        unbroken=(0,),
    )


@command(services, "add")
def add_service(
    session: Session,
    organisation_id: Annotated[str, typer.Argument(metavar="ORGANISATION_ID")],
    *,
    names: Names,
    request_id: RequestId = "",
) -> None:
    """Register a service of an organisation. Operators only."""
    from vault.api.v1.registry_service_pb2 import RegisterServiceRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    response = session.connection.registry.RegisterService(
        RegisterServiceRequest(
            request_id=session.request_id, organisation_id=organisation_id, name=_texts(names)
        )
    )
    _say_service(session, response)


@command(services, "suspend")
def suspend_service(session: Session, service_id: ServiceId, request_id: RequestId = "") -> None:
    """Suspend a service: within a second nothing is disclosed to it any more. Operators only."""
    from vault.api.v1.registry_service_pb2 import SuspendServiceRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    request = SuspendServiceRequest(request_id=session.request_id, service_id=service_id)
    _say_service(session, session.connection.registry.SuspendService(request))


@command(services, "reinstate")
def reinstate_service(session: Session, service_id: ServiceId, request_id: RequestId = "") -> None:
    """Reinstate a suspended service. Operators only."""
    from vault.api.v1.registry_service_pb2 import ReinstateServiceRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    request = ReinstateServiceRequest(request_id=session.request_id, service_id=service_id)
    _say_service(session, session.connection.registry.ReinstateService(request))


@command(receipt_keys, "list")
def list_receipt_keys(session: Session) -> None:
    """List the keys with which receipts were ever signed. Keep them: --json."""
    from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest  # noqa: PLC0415

    call = session.connection.registry.ListReceiptKeys
    whole = whole_list(call, ListReceiptKeysRequest(), "receipt_keys")
    if session.output.is_json:
        session.output.message(whole)
        return
    session.output.table(
        ["Key", "Algorithm", "Public key"],
        [(key.key_id, key.algorithm, b64(key.public_key)) for key in whole.receipt_keys],
        unbroken=(0,),
    )


def _texts(typed: Sequence[str]) -> list[LocalizedText]:
    from vault.api.v1.registry_pb2 import LocalizedText  # noqa: PLC0415

    texts = []
    for one in typed:
        language, equals, text = one.partition("=")
        if not equals or not text:
            raise UsageError(f"{one} is not LANGUAGE=TEXT.", 'en="Aber Council"')
        texts.append(LocalizedText(language=language, text=text))
    return texts


def _service_state(service: Service) -> str:
    return "suspended" if service.is_suspended else "active"


def _say_service(session: Session, response: Any) -> None:
    if session.output.is_json:
        session.output.message(response)
        return
    service = response.service
    session.output.facts([("Service", service.service_id), ("State", _service_state(service))])
