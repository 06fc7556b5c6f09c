# SPDX-License-Identifier: Apache-2.0
"""Her confirmations: what happened, whether its record is genuine, a file to check elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from clients.receipts import b64, listed_keys
from clients.web.confirmations.records import LOG, address, checked, entry_here, is_genuine
from clients.web.room import Room
from clients.web.templates import sentence
from clients.wording.entries import happened, outcome, reason_for, references, what, who
from clients.wording.times import exact, moment

if TYPE_CHECKING:
    from clients.web.confirmations.records import Checked
    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import HistoryEntry

room = Room(__name__)

PAGE_ENTRIES: Final = 20
_HERSELF: Final = (0, 1)
"""Capacities by their numbers on the wire."""
_ATTEMPTS: Final = ("evidence-disclosed.", "disclosure-refused.")


@room.get("/confirmations")
def confirmations(here: Here) -> Response:
    """Return everything that happened, newest first, each with its confirmation."""
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    page = here.vault.vaults.ListHistory(
        ListHistoryRequest(
            acting=here.acting, page_size=PAGE_ENTRIES, page_token=here.asked("older")
        )
    )
    known = listed_keys(here.vault)
    return here.page(
        "confirmations/list.html",
        entries=[
            {
                "number": entry.receipt.leaf_index,
                "path": address(entry),
                "when": moment(entry.time, here.words),
                "happened": happened(here, entry),
                "about": _about(here, entry),
                "is_genuine": is_genuine(entry, known),
            }
            for entry in page.entries
        ],
        older=page.next_page_token,
        is_first=not here.asked("older"),
    )


@room.get("/confirmations/{entry:int}")
def confirmation(here: Here) -> Response:
    """Return one confirmation: what it shows, and whether it checks."""
    entry = entry_here(here)
    found = checked(here, entry)
    return here.page(
        "confirmations/confirmation.html",
        number=entry.receipt.leaf_index,
        rows=_rows(here, entry),
        found=found,
        wrong=_wrong(here, found),
        technical=_technical(here, found),
        sharing=entry.consent_id,
        log=here.asked(LOG),
    )


@room.get("/confirmations/{entry:int}/file")
def confirmation_file(here: Here) -> Response:
    """Return a confirmation as the file that an independent checker's program takes."""
    entry = entry_here(here)
    content = checked(here, entry).record.as_file()
    return to_keep(content, "application/json", f"confirmation-{entry.receipt.leaf_index}.json")


@room.get("/sharing/{consent_id:uuid}/agreement")
def agreement(here: Here) -> Response:
    """Return what she agreed to with somebody, as other programs read it (ISO/IEC TS 27560)."""
    from vault.api.v1.consent_service_pb2 import GetConsentReceiptRequest  # noqa: PLC0415

    consent_id = here.path("consent_id")
    request = GetConsentReceiptRequest(acting=here.acting, consent_id=consent_id)
    content = here.vault.consents.GetConsentReceipt(request).receipt
    return to_keep(content, "application/ld+json", f"agreement-{consent_id[:8]}.jsonld")


def to_keep(content: bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser keeps and does not open."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _rows(here: Here, entry: HistoryEntry) -> list[tuple[str, str]]:
    words = here.words
    is_attempt = entry.type.startswith(_ATTEMPTS)
    return [
        (words("confirmation.what"), sentence(happened(here, entry))),
        (words("column.when"), exact(entry.time, words)),
        (words("column.who"), who(here, entry)),
        (words("column.what"), what(here, entry)),
        (words("column.why"), reason_for(here, entry)),
        (words("column.outcome"), outcome(here, entry) if is_attempt else ""),
        (words("theirs"), sentence("\n".join(filter(None, references(here, entry))))),
    ]


def _about(here: Here, entry: HistoryEntry) -> str:
    """Return whom a line of the list is about, else which information."""
    if entry.service_id or not _is_hers(entry):
        return who(here, entry)
    kinds = dict.fromkeys(item.evidence_type for item in entry.items)
    return ", ".join(here.published.kind(kind).title for kind in kinds)


def _is_hers(entry: HistoryEntry) -> bool:
    """Say whether she did it herself, which goes without saying."""
    return entry.acting.capacity in _HERSELF


def _wrong(here: Here, found: Checked) -> str:
    words = here.words
    if found.wrong == "contradicted":
        return words("wrong.contradicted")
    return words(f"bad.{found.wrong}") if found.wrong else ""


def _technical(here: Here, found: Checked) -> list[Any]:
    words, record = here.words, found.record
    return [
        (words("confirmation.record"), f"{record.origin}, {record.leaf_index}"),
        (words("confirmation.digest"), b64(record.leaf_hash)),
        (words("technical.key"), record.key_id),
        (words("technical.size"), str(found.log_size) if found.log_size else ""),
    ]
