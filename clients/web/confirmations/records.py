# SPDX-License-Identifier: Apache-2.0
"""What happened, as signed records: found by their number, and checked here.

A record is checked with the keys that the registry lists, and with the log's own word of its key.
That shows whether anything was changed since; whoever wants not to believe us takes the file away.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.connection import CallError
from clients.receipts import ReceiptError, SignedRecord, listed_keys
from clients.web.failure import NotThereError
from clients.wording.published import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.web.here import Here
    from vault.api.v1.vault_pb2 import HistoryEntry

WAIT_SECONDS: Final = 2.0
"""For how long a page waits for the log to sign what has only just happened."""

LOG: Final = "log"
"""The parameter that names a log in which her own records do not stand."""

_NOT_YET: Final = frozenset(
    {"DEADLINE_EXCEEDED", "UNAVAILABLE", "FAILED_PRECONDITION", "UNIMPLEMENTED"}
)


@dataclasses.dataclass(frozen=True)
class Checked:
    """A record and what a check of it found.

    Attributes:
        wrong: the check that failed (`ReceiptError.kind`), "contradicted" if something else stands
            in its place in the log; "" if nothing is wrong.
        log_size: how many records the log had in which it was found; 0: no proof yet.
    """

    record: SignedRecord
    wrong: str = ""
    log_size: int = 0


def entry_here(here: Here) -> HistoryEntry:
    """Return what happened under the number that the path of a visit names.

    Raises:
        NotThereError: if nothing of hers has that number.
    """
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    wanted, log = int(here.path("entry")), here.asked(LOG)
    request = ListHistoryRequest(acting=here.acting, page_size=PAGE_SIZE)
    hers = ""
    while True:
        page = here.vault.vaults.ListHistory(request)
        hers = hers or next((one.receipt.origin for one in page.entries if one.version), "")
        for entry in page.entries:
            found = entry.receipt
            if (found.origin, found.leaf_index) == (log or hers, wanted):
                return entry
        # In her own log the record goes backwards; what others did stands wherever it does.
        is_past = any(one.version and one.receipt.leaf_index < wanted for one in page.entries)
        if (is_past and not log) or not page.next_page_token:
            raise NotThereError
        request.page_token = page.next_page_token


def address(entry: HistoryEntry) -> str:
    """Return the path of a confirmation; it names the log of what was recorded elsewhere."""
    path = f"/confirmations/{entry.receipt.leaf_index}"
    return (
        path if entry.version else f"{path}?{urllib.parse.urlencode({LOG: entry.receipt.origin})}"
    )


def checked(here: Here, entry: HistoryEntry) -> Checked:
    """Check a record: its signature, and that it stands in the log."""
    record = SignedRecord.of(entry.receipt)
    try:
        record.verify(listed_keys(here.vault))
    except ReceiptError as error:
        return Checked(record, error.kind)
    try:
        proved = dataclasses.replace(record, proof=_proof_of(here, record))
        return Checked(proved, log_size=proved.verify_proof(_log_key(here, record)))
    except ReceiptError as error:
        return Checked(record, error.kind)
    except CallError as error:
        if error.reason == "NOT_FOUND":
            return Checked(record, "contradicted")
        if error.code not in _NOT_YET:
            raise
        return Checked(record)


def is_genuine(entry: HistoryEntry, known: Mapping[str, bytes]) -> bool:
    """Say whether the signature of a record is good."""
    try:
        SignedRecord.of(entry.receipt).verify(known)
    except ReceiptError:
        return False
    return True


def _proof_of(here: Here, record: SignedRecord) -> str:
    from vault.api.v1.audit_service_pb2 import GetInclusionProofRequest  # noqa: PLC0415

    request = GetInclusionProofRequest(
        origin=record.origin, leaf_index=record.leaf_index, leaf_hash=record.leaf_hash
    )
    return here.vault.audits.GetInclusionProof(request, timeout=WAIT_SECONDS).proof


def _log_key(here: Here, record: SignedRecord) -> str:
    from vault.api.v1.audit_service_pb2 import GetCheckpointRequest  # noqa: PLC0415

    request = GetCheckpointRequest(origin=record.origin)
    return here.vault.audits.GetCheckpoint(request).log_key
