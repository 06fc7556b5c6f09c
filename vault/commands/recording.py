# SPDX-License-Identifier: Apache-2.0
"""What commands of the operator record in the operator's history, while no server runs."""

from __future__ import annotations

from contextlib import ExitStack

from vault.application.identifiers import Identifiers
from vault.application.operations import Operations
from vault.application.receipts import Receipts
from vault.configuration.config import Config
from vault.domain.lane import FIRST_LANE
from vault.stores import open_keys, open_vaults


class RestoredTooShortError(Exception):
    """The restored store still ends before what was signed of it."""

    def __init__(self, signed: int, stored: int) -> None:
        super().__init__(
            f"it holds {stored} records and the log has signed {signed}. Put the rest back first:"
            " whatever is appended now would stand in its places."
        )


async def record_restore(config: Config, lane: int, size: int, appended: int) -> None:
    """Record that a lane was restored to a size, and records were put back after that.

    Raises:
        RestoredTooShortError: if lane 0, where this is recorded, ends before what was signed.
        VaultError, PersistenceError, SealingError: if it cannot be recorded.
    """
    with ExitStack() as parts:
        keys = open_keys(config, parts)
        secrets = keys.secrets()
        vaults = open_vaults(config, keys, lambda _: None)
        first = vaults.lanes[FIRST_LANE]
        first.start()
        try:
            log = keys.load_log(first.origin)
            stored = await first.tree_size()
            if log is not None and log.size > stored:
                raise RestoredTooShortError(log.size, stored)
            identifiers = Identifiers(secrets, config.origin)
            operations = Operations(vaults, identifiers, Receipts(secrets))
            await operations.restored(lane, size, appended)
        finally:
            await vaults.aclose()
