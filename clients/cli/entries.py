# SPDX-License-Identifier: Apache-2.0
"""Lines of a citizen's history, as commands ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.cli.errors import CommandError
from clients.wording.published import whole_list

if TYPE_CHECKING:
    from clients.cli.session import Session
    from vault.api.v1.vault_pb2 import HistoryEntry
    from vault.api.v1.vault_service_pb2 import ListHistoryResponse


def history(session: Session, limit: int, *, only_disclosures: bool) -> ListHistoryResponse:
    """Return lines of her history, newest first."""
    from vault.api.v1.vault_service_pb2 import ListHistoryRequest  # noqa: PLC0415

    request = ListHistoryRequest(acting=session.acting, only_disclosures=only_disclosures)
    whole: ListHistoryResponse = whole_list(
        session.connection.vaults.ListHistory, request, "entries", limit
    )
    return whole


def entry_of(session: Session, entry: int, *, only_disclosures: bool = False) -> HistoryEntry:
    """Return the line with this number.

    Raises:
        CommandError: if there is none of hers.
    """
    whole = history(session, 0, only_disclosures=only_disclosures)
    found = next((one for one in whole.entries if one.receipt.leaf_index == entry), None)
    if found is None:
        listing = "seen list" if only_disclosures else "history list"
        raise CommandError(
            session.words("no.such.entry", entry=entry), f"citizen-vault {listing} --limit 0"
        )
    return found
