# SPDX-License-Identifier: Apache-2.0
"""`citizen-vault audit explain`: one page on why something left, or why it did not.

The consent and its terms as they stood, the texts that she was shown, the registry that counted,
what left; and whether the same rules say the same again. Pseudonyms and digests, no values.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from clients.cli.audit import CaseRef
from clients.cli.command import command
from clients.cli.errors import CommandError, ExitCode
from clients.cli.session import Session
from clients.receipts import b64
from clients.wording.terms import kept, law, often, whose_choice
from clients.wording.times import utc

if TYPE_CHECKING:
    from vault.api.v1.audit_pb2 import Explanation
    from vault.api.v1.log_pb2 import Record

top = typer.Typer()

_TEXTS: Final = (
    ("for", "title"),
    ("why", "why"),
    ("needed.by", "needed_by"),
    ("if.refused", "if_refused"),
    ("if.stopped", "if_stopped"),
    ("other.ways", "other_ways"),
    ("help.line", "help_line"),
)


@command(top, "explain")
def explain(
    session: Session,
    *,
    vault: Annotated[str, typer.Option("--vault", metavar="VAULT_ID")],
    version: Annotated[
        int,
        typer.Option(
            "--version", metavar="N", min=1, help="Which record of that vault; see replay."
        ),
    ],
    case: CaseRef = "",
) -> None:
    """Explain one disclosure or refused attempt. The look is recorded in the vault.

    Exit code 1 if the record or the texts are not what was signed for, or the rules now say
    otherwise.
    """
    from vault.api.v1.audit_service_pb2 import ExplainDisclosureRequest  # noqa: PLC0415

    response = session.connection.audits.ExplainDisclosure(
        ExplainDisclosureRequest(vault_id=vault, version=version, case_ref=case)
    )
    found = response.explanation
    facts = _facts_of(found.record)
    if session.output.is_json:
        session.output.message(response)
    else:
        _show(session, found, facts)
    if _differs(found) or not _are_the_texts(found):
        raise typer.Exit(ExitCode.REFUSED)


def _facts_of(record: Record) -> dict[str, Any]:
    """Return the facts of a record that holds together.

    Raises:
        CommandError: if its entry is not that of its link and facts.
    """
    parts = (hashlib.sha256(part).digest() for part in (record.link, record.facts))
    if record.entry != b"\x01" + b"".join(parts):
        raise CommandError(
            "The record does not hold together: its entry is not that of its link and facts.",
            "Replay the vault and judge it: citizen-vault-auditor history.",
        )
    facts: dict[str, Any] = json.loads(record.facts)
    return facts


def _show(session: Session, found: Explanation, facts: dict[str, Any]) -> None:
    words, output = session.words, session.output
    record = found.record
    what = "explain.refused" if found.reason else "explain.disclosed"
    output.say(words(what, version=record.version), "bold")
    output.facts(
        [
            (words("explain.when"), utc(found.time)),
            (words("explain.to"), session.published.who(found.consent.service_id)),
            (words("explain.subject"), str(facts.get("subject", ""))),
            (words("explain.reason"), found.reason),
            (words("explain.repeats"), str(facts.get("repeats", ""))),
            (words("explain.record"), f"{record.leaf_index}; {_leaf_of(record)}"),
        ]
    )
    _show_items(session, found)
    _show_consent(session, found)
    _show_texts(session, found)
    output.heading(words("explain.registry"))
    output.facts(
        [
            (words("explain.registry.size"), str(found.registry_size)),
            (words("explain.registry.time"), utc(found.registry_confirmed_time)),
            (
                words("explain.withdrawn"),
                words("explain.yes" if found.purpose.is_withdrawn else "explain.no"),
            ),
        ]
    )
    output.heading(words("explain.again"))
    output.say(words.one_of("explain.again", _again(found)))


def _show_items(session: Session, found: Explanation) -> None:
    words = session.words
    session.output.heading(words("explain.tried" if found.reason else "explain.left"))
    session.output.table(
        [words("explain.item"), words("explain.evidence"), words("explain.fields")],
        [
            (
                str(one.item or ""),
                "\n".join(
                    text
                    for text in (
                        f"{one.evidence_type}{f', {one.revision}' if one.revision else ''}",
                        one.evidence_id,
                    )
                    if text
                ),
                ", ".join(one.names),
            )
            for one in found.items
        ],
        right=(0,),
    )


def _show_consent(session: Session, found: Explanation) -> None:
    from vault.api.v1.consent_pb2 import ConsentState  # noqa: PLC0415

    words, consent = session.words, found.consent
    state = ConsentState.Name(consent.state).removeprefix("CONSENT_STATE_")
    rate = words("once") if consent.one_time else often(consent.frequency, words)
    age = words("too.old", days=consent.largest_age_days) if consent.largest_age_days else ""
    session.output.heading(words("explain.consent"))
    session.output.facts(
        [
            (words("explain.id"), consent.consent_id),
            (words("explain.state"), words.one_of("explain.state", state)),
            (words("explain.granted"), utc(consent.grant_time)),
            (words("explain.purpose"), consent.purpose),
            (words("law"), law(consent.legal_basis, words)),
            (words("explain.page"), whose_choice(consent.decision_form, words)),
            *(
                (
                    f"{words('explain.item')} {item.item}",
                    f"{item.evidence_type}: {', '.join([*item.required, *item.optional])}",
                )
                for item in consent.scope
            ),
            (words("from"), utc(consent.start_time)),
            (words("until"), utc(consent.end_time)),
            (words("how.often"), rate),
            (words("age"), age),
            (words("kept"), kept(consent.method, consent.retention_days, words)),
            (words("explain.used"), str(consent.disclosure_count)),
        ]
    )


def _show_texts(session: Session, found: Explanation) -> None:
    words, output = session.words, session.output
    language = found.consent.language
    output.heading(words("explain.texts", language=language))
    shown = [texts for texts in found.purpose.texts if texts.language == language]
    output.facts(
        (words(label), getattr(texts, field)) for texts in shown for label, field in _TEXTS
    )
    same = "explain.texts.same" if _are_the_texts(found) else "explain.texts.differ"
    output.say(words(same, digest=b64(found.texts_hash)))


def _are_the_texts(found: Explanation) -> bool:
    return found.texts_hash == found.consent.notice_hash


def _differs(found: Explanation) -> bool:
    return _again(found) == "DIFFERENT"


def _again(found: Explanation) -> str:
    from vault.api.v1.audit_pb2 import DecisionAgain  # noqa: PLC0415

    return DecisionAgain.Name(found.decision_again).removeprefix("DECISION_AGAIN_")


def _leaf_of(record: Record) -> str:
    """Return the leaf of a record's entry (RFC 6962 section 2.1)."""
    return b64(hashlib.sha256(b"\x00" + record.entry).digest())
