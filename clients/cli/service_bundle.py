# SPDX-License-Identifier: Apache-2.0
"""What a service fetched: verified first, then shown to whoever works with it.

Values that she says are wrong are marked, with what she says where she lets it travel; then what
the service owes for having them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import CommandError
from clients.receipts import ReceiptError, SignedRecord, verify_bundle
from clients.wording.values import shown

if TYPE_CHECKING:
    from clients.cli.service_permission import Permission
    from clients.cli.session import Session
    from vault.api.v1.disclosure_service_pb2 import DiscloseEvidenceResponse

BUNDLE: Final = "bundle.2"
_ORDINARY: Final = "ordinary"
_SOURCES: Final = {
    "self-declared": "She stated it herself",
    "document": "She copied it from a document of hers",
    "issuer": "Attested by an issuer",
}


def verified(
    wanted: Permission, response: DiscloseEvidenceResponse, keys: dict[str, bytes]
) -> SignedRecord:
    """Return the receipt, if it is that of this bundle and of what was asked for.

    Raises:
        CommandError: if it is not.
    """
    record = SignedRecord.of(response.receipt)
    try:
        _must_be_of(wanted, verify_bundle(record, response.bundle, keys))
    except ReceiptError as error:
        raise CommandError(
            f"What was fetched does not verify, and is not shown: {error}",
            "Tell the operator and your auditor; do not rely on it.",
        ) from None
    return record


def _must_be_of(wanted: Permission, facts: dict[str, Any]) -> None:
    named = (facts.get("subject"), facts.get("consent_id"))
    if named != (wanted.subject_id, wanted.consent_id):
        raise ReceiptError("content")


def read_bundle(bundle: bytes) -> dict[str, Any]:
    """Return what a bundle holds.

    Raises:
        CommandError: if it is of a form that this program does not know.
    """
    found: dict[str, Any] = json.loads(bundle)
    if found.get("type") != BUNDLE:
        raise CommandError(
            "The bundle is of another form.", "Write it with --bundle FILE, or use --json."
        )
    return found


def show_fetched(
    session: Session, response: DiscloseEvidenceResponse, record: SignedRecord, trust: str
) -> None:
    """Print a bundle that was verified, what is owed for it, and what its receipt shows.

    Args:
        trust: where the key stands that signed it.
    """
    bundle = read_bundle(response.bundle)
    for item in bundle["items"]:
        _show_item(session, item)
    _show_obligations(session, bundle["obligations"])
    facts = json.loads(record.facts)
    session.output.heading("Receipt")
    session.output.facts(
        [
            ("Recorded", f"{facts['time']}, before it left"),
            ("Entry", f"{record.leaf_index} of {record.origin}"),
            ("Receipt", "verified: leaf, signature, and the digest of this bundle"),
            ("Signed with", f"{record.key_id}, {trust}"),
            ("Repeated", "the same bytes as before" if response.repeated else ""),
            ("Reference", response.external_reference),
        ]
    )


def _show_item(session: Session, item: dict[str, Any]) -> None:
    output, kind = session.output, session.published.kind(item["evidence_type"])
    issuer = f" ({item['issuer']})" if item["issuer"] else ""
    issued = f", issued {item['issued_date']}" if item["issued_date"] else ""
    source = _SOURCES.get(item["source"], item["source"])
    output.heading(f"{kind.title} (item {item['item']})")
    output.say(f"{source}{issuer}{issued}; provided {item['provided'][:10]}.")
    output.table(
        ["Field", "Value", "Care", "Updated", ""],
        [
            (
                kind.label(field["name"]),
                shown(kind, field["name"], field["value"], session.words),
                "" if field["sensitivity"] == _ORDINARY else field["sensitivity"],
                field["updated"][:10],
                "DISPUTED" if field["is_disputed"] else "",
            )
            for field in item["fields"]
        ],
        unbroken=(2, 3, 4),
    )
    for dispute in item["disputes"]:
        names = ", ".join(kind.label(name) for name in dispute["names"])
        output.say(f"She says that this is wrong, since {dispute['time'][:10]}: {names}.")
        if dispute["statement"]:
            output.say(f"In her words: {dispute['statement']}")


def _show_obligations(session: Session, owed: dict[str, Any]) -> None:
    statute = f", {owed['statute']}" if owed["statute"] else ""
    until = f"{owed['retain_until']}, then delete it ({owed['retention_days']} days)"
    session.output.heading("What you owe for it")
    session.output.facts(
        [
            ("Legal basis", f"{owed['basis'].replace('-', ' ')}{statute}"),
            ("Keep it until", until if owed["retain_until"] else "look at it; keep no copy"),
            ("Store it in", owed["storage"]),
            ("Law of", owed["jurisdiction"]),
        ]
    )
