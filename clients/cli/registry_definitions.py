# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault registry purpose` and `evidence-type`: what may be asked for, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.command import command, noun
from clients.cli.errors import UsageError
from clients.cli.registry import RequestId
from clients.cli.service_views import basis_of, spoken
from clients.cli.session import Session
from clients.cli.values import read_json
from clients.wording.published import whole_list
from clients.wording.terms import whose_choice
from clients.wording.times import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.api.v1.registry_pb2 import Purpose, TextWarning

purposes = noun("Purposes: why data may be used, within bounds that are enforced.")
evidence_types = noun("Evidence types, with their schemas.")

MOST_PATHS: Final = 3

PurposeCode = Annotated[str, typer.Argument(metavar="CODE")]
JsonFile = Annotated[
    str, typer.Argument(metavar="FILE", help="A file with a JSON object; - reads stdin.")
]
ValidateOnly = Annotated[
    bool,
    typer.Option("--validate-only", help="Say whether it would be accepted; publish nothing."),
]


@command(purposes, "list")
def list_purposes(session: Session) -> None:
    """List the current version of every purpose."""
    from vault.api.v1.registry_service_pb2 import ListPurposesRequest  # noqa: PLC0415

    call = session.connection.registry.ListPurposes
    whole = whole_list(call, ListPurposesRequest(), "purposes")
    if session.output.is_json:
        session.output.message(whole)
        return
    published = session.published
    session.output.table(
        ["Purpose", "Title", "Services", "Published", "State"],
        [
            (
                f"{one.purpose_code}@{one.version}",
                published.purpose_texts(one).title,
                "\n".join(published.who(service_id) for service_id in one.bounds.service_ids),
                moment(one.publish_time, session.words),
                "withdrawn" if one.is_withdrawn else "published",
            )
            for one in whole.purposes
        ],
        unbroken=(0,),
    )


@command(purposes, "show")
def show_purpose(
    session: Session,
    code: PurposeCode,
    *,
    version: Annotated[int, typer.Option("--version", min=0, help="0 is the current one.")] = 0,
) -> None:
    """Show a purpose: its bounds, and its texts in the language."""
    from vault.api.v1.registry_service_pb2 import GetPurposeRequest  # noqa: PLC0415

    response = session.connection.registry.GetPurpose(
        GetPurposeRequest(purpose_code=code, version=version)
    )
    if session.output.is_json:
        session.output.message(response)
        return
    _show_purpose(session, response.purpose)


@command(purposes, "publish")
def publish_purpose(
    session: Session,
    file: JsonFile,
    *,
    validate_only: ValidateOnly = False,
    request_id: RequestId = "",
) -> None:
    """Publish a purpose, or its next version. Operators only.

    FILE holds purpose_code, version, bounds and texts, as `PublishPurposeRequest` names them. What
    would be better in the texts is told; nothing is refused for it.
    """
    from google.protobuf.json_format import ParseDict, ParseError  # noqa: PLC0415

    from vault.api.v1.registry_service_pb2 import PublishPurposeRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    try:
        request = ParseDict(json.loads(read_json(file)), PublishPurposeRequest())
    except ParseError as error:
        raise UsageError(f"{file} is not a purpose: {error}") from None
    request.request_id = session.request_id
    request.validate_only = request.validate_only or validate_only
    response = session.connection.registry.PublishPurpose(request)
    _say_purpose(session, response, is_published=not request.validate_only)
    say_warnings(session, response.warnings, is_published=not request.validate_only)


@command(purposes, "withdraw")
def withdraw_purpose(session: Session, code: PurposeCode, request_id: RequestId = "") -> None:
    """Withdraw a purpose: within a second nothing is disclosed for it any more. Operators only."""
    from vault.api.v1.registry_service_pb2 import WithdrawPurposeRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    request = WithdrawPurposeRequest(request_id=session.request_id, purpose_code=code)
    _say_purpose(session, session.connection.registry.WithdrawPurpose(request))


@command(evidence_types, "list")
def list_evidence_types(session: Session) -> None:
    """List the current version of every evidence type, with its fields."""
    from vault.api.v1.registry_service_pb2 import ListEvidenceTypesRequest  # noqa: PLC0415

    if session.output.is_json:
        call = session.connection.registry.ListEvidenceTypes
        session.output.message(whole_list(call, ListEvidenceTypesRequest(), "evidence_types"))
        return
    session.output.table(
        ["Type", "Version", "Title", "Fields"],
        [
            (
                kind.evidence_type,
                str(kind.schema_version),
                kind.title,
                ", ".join(field.name for field in kind.fields),
            )
            for kind in session.published.kinds.values()
        ],
        unbroken=(0,),
        right=(1,),
    )


@command(evidence_types, "publish")
def publish_evidence_type(
    session: Session,
    file: JsonFile,
    *,
    validate_only: ValidateOnly = False,
    request_id: RequestId = "",
) -> None:
    """Publish an evidence type, or the next version of its schema. Operators only.

    FILE holds evidence_type, schema_version, title, description, fields and schema. What would be
    better in the labels and hints is told; nothing is refused for it.
    """
    from vault.api.v1.registry_service_pb2 import PublishEvidenceTypeRequest  # noqa: PLC0415

    session.request_id = request_id or session.request_id
    response = session.connection.registry.PublishEvidenceType(
        PublishEvidenceTypeRequest(
            request_id=session.request_id, definition=read_json(file), validate_only=validate_only
        )
    )
    if session.output.is_json:
        session.output.message(response)
        return
    published = response.evidence_type
    session.output.facts(
        [("Evidence type", published.evidence_type), ("Version", str(published.schema_version))]
    )
    say_warnings(session, response.warnings, is_published=not validate_only)


def say_warnings(session: Session, warnings: Sequence[TextWarning], *, is_published: bool) -> None:
    """Tell what would be better for those who read the texts, and whether it is published."""
    from vault.api.v1.registry_pb2 import TextWarningKind  # noqa: PLC0415

    words, output = session.words, session.output
    if output.is_json:
        return
    if not is_published:
        output.say(words("publish.validated"))
    fields: dict[tuple[str, str], list[str]] = {}
    for one in warnings:
        kind = TextWarningKind.Name(one.kind).removeprefix("TEXT_WARNING_KIND_")
        fields.setdefault((kind, one.language), []).append(one.field)
    for (kind, language), paths in fields.items():
        more = len(paths) - MOST_PATHS
        where = ", ".join(paths[:MOST_PATHS])
        if more > 0:
            where = words("publish.and.more", where=where, more=more)
        what = words.one_of("publish.warning", kind)
        output.tell(f"{where} ({language}): {what}")


def _say_purpose(session: Session, response: Any, *, is_published: bool = True) -> None:
    if session.output.is_json:
        session.output.message(response)
        return
    _show_purpose(session, response.purpose, is_published=is_published)


def _show_purpose(session: Session, purpose: Purpose, *, is_published: bool = True) -> None:
    from vault.api.v1.registry_pb2 import ProcessingMethod  # noqa: PLC0415

    published, bounds = session.published, purpose.bounds
    texts = published.purpose_texts(purpose)
    hours = bounds.frequency_period_seconds / 3600
    state = "withdrawn" if purpose.is_withdrawn else "published"
    published_on = moment(purpose.publish_time, session.words)
    session.output.facts(
        [
            ("Purpose", f"{purpose.purpose_code}@{purpose.version}"),
            ("State", state if is_published else ""),
            ("Published", published_on if is_published else ""),
            ("Services", "\n".join(published.who(one) for one in bounds.service_ids)),
            ("DPV purpose", bounds.dpv_iri),
            ("Legal basis", basis_of(bounds.legal_basis)),
            ("Her page says", whose_choice(purpose.decision_form, session.words)),
            *((f"May ask {one.evidence_type}", ", ".join(one.names)) for one in bounds.evidence),
            ("Longest", f"{bounds.longest_days} days"),
            ("Most often", f"{bounds.frequency_count} in {hours:g} hours"),
            ("Retention", f"{bounds.retention_days} days"),
            ("Method", spoken(ProcessingMethod.Name(bounds.method), "PROCESSING_METHOD_")),
            ("Stored in", bounds.storage),
            ("Law of", bounds.jurisdiction),
            ("Title", texts.title),
            ("Why", texts.why),
            ("If refused", texts.if_refused),
            ("If stopped", texts.if_stopped),
            ("Other ways", texts.other_ways),
            ("Help line", texts.help_line),
            ("Needed by", texts.needed_by),
        ]
    )
