# SPDX-License-Identifier: Apache-2.0
"""Proofs of silence: that nothing left under a consent between its revocation and a closing event.

To ask appends the closing event. The records from the one to the other name each other in turn, so
that none can be left out; that both ends stand in the log is proved apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_same,
    sealed_particulars,
)
from vault.application.looks import Looks
from vault.domain import consent, vault
from vault.domain.canonical import unb64
from vault.domain.consent import ConsentRevoked
from vault.domain.errors import ConsentNotRevokedError, HistoryBrokenError
from vault.domain.lane import lane_of
from vault.domain.state import VaultState, fold
from vault.domain.vault import must_be_sound
from vault.store.command import Command, Decision
from vault.store.record import event_of, leaf_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.application.log_proofs import PublishedLogs
    from vault.domain.values import Stamp
    from vault.store.append import StoredRecord
    from vault.store.command import Recorded

CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class BothEnds:
    """The proofs that both ends of the stretch stand in the log."""

    origin: str
    revocation: str
    closing: str


class Silences:
    """Proves silence, for citizens and auditors."""

    def __init__(self, desk: Desk, logs: PublishedLogs) -> None:
        self._desk = desk
        self._looks = Looks(desk)
        self._logs = logs

    async def prove(
        self,
        caller: Caller,
        request_id: str,
        vault_id: str,
        consent_id: str,
        *,
        deadline: float,
        case_ref: str = "",
    ) -> AsyncIterator[StoredRecord | BothEnds]:
        """Yield the records from the revocation to the closing event, then both proofs.

        Args:
            deadline: until when to wait for a checkpoint that covers them, on the monotonic clock.

        Raises:
            NotFoundError: if there is no such vault or consent, or it is not the citizen's.
            ConsentNotRevokedError: if the consent was not revoked.
            DeadlinePassedError: if no published checkpoint covers the closing event in time.
            RequestIdReusedError: if the `request_id` named another consent before.
        """
        closing = await self._close(caller, request_id, vault_id, consent_id, case_ref)
        revocation = await self._revocation(vault_id, consent_id)
        after, last = revocation.version - 1, closing.event.link.version
        while after < last:
            records = await self._desk.vaults.records(
                vault_id, after_version=after, limit=min(CHUNK, last - after)
            )
            if not records:
                raise HistoryBrokenError
            for record in records:
                yield record
            after = records[-1].version
        lane, leaf = lane_of(vault_id), unb64(closing.event.leaf)
        closed = await self._logs.of(lane, closing.position, leaf, deadline)
        began = await self._logs.of(lane, revocation.position, leaf_of(revocation.entry), deadline)
        yield BothEnds(origin=closing.origin, revocation=began, closing=closed)

    async def _close(
        self, caller: Caller, request_id: str, vault_id: str, consent_id: str, case_ref: str
    ) -> Recorded:
        """Append the event that closes the proof, or return the earlier one."""
        desk = self._desk
        acting = await self._looks.acting_of(caller, vault_id)
        key = desk.identifiers.request_key(acting.actor, "ProveSilence", request_id)
        expected = command_digest("ProveSilence", vault_id, consent_id)
        history_key = (await desk.keyrings.of(vault_id)).history
        said = Particulars(digest=expected, case_ref=case_ref)
        beside = sealed_particulars(history_key, vault_id, said)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            if not consent.find(must_be_sound(state), consent_id).revoked:
                raise ConsentNotRevokedError
            return Decision(draft=vault.read(stamp, "proof"), payloads=(beside,))

        command = Command(stream=vault_id, acting=acting, request_key=key)
        recorded = await desk.vaults.execute(command, fold, decide)
        if recorded.is_repeat:
            await must_be_same(desk.vaults, recorded, expected, history_key)
        return recorded

    async def _revocation(self, vault_id: str, consent_id: str) -> StoredRecord:
        after = 0
        while records := await self._desk.vaults.records(
            vault_id, after_version=after, limit=CHUNK
        ):
            for record in records:
                event = event_of(record)
                facts = event.facts if event else None
                if isinstance(facts, ConsentRevoked) and facts.consent_id == consent_id:
                    return record
            after = records[-1].version
        # It was revoked, as the fold said, and its record is gone.
        raise HistoryBrokenError
