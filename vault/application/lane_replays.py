# SPDX-License-Identifier: Apache-2.0
"""Ranges of a lane's log, for auditors: recorded once in the audit stream, then sent.

An auditor of everything is sent records exactly as stored. An auditor of one service is sent the
facts of that service alone: of every other record, and of every link, only the digest that stands
in its entry, and no stream's id, for that of a vault is told to no service.
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
from vault.domain import audit
from vault.domain.audit import AuditState, LaneReplayed, service_of
from vault.domain.errors import FieldInvalidError, HistoryBrokenError
from vault.store.append import StoredRecord
from vault.store.command import Command, Decision
from vault.store.record import read_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vault.application.caller import Caller
    from vault.application.desk import Desk
    from vault.application.receipts import Receipt, Receipts
    from vault.domain.values import Stamp
    from vault.store.command import Recorded
    from vault.store.lane import Lane

CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """A range of a log; `end` 0 is its head. `resume`: where an earlier call broke off, or 0."""

    origin: str
    first: int
    end: int
    resume: int = 0


@dataclass(frozen=True, slots=True)
class RangeRead:
    """The range as it was recorded, and the receipt of that."""

    facts: LaneReplayed
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class AllSent:
    """That everything was sent, and how many records that were."""

    count: int


class LaneReplays:
    """Replays ranges of lanes, for auditors."""

    def __init__(self, desk: Desk, receipts: Receipts) -> None:
        self._desk = desk
        self._looks = Looks(desk)
        self._receipts = receipts

    async def replay(
        self, caller: Caller, request_id: str, wanted: Wanted, *, case_ref: str = ""
    ) -> AsyncIterator[RangeRead | StoredRecord | AllSent]:
        """Yield the range, its records in their order, then that all were sent.

        Raises:
            NotFoundError: if there is no such log.
            FieldInvalidError: if the log has no such range.
            RequestIdReusedError: if the `request_id` named another range before.
        """
        lane = await self._desk.vaults.lane_named(wanted.origin)
        recorded = await self._record(caller, request_id, wanted, lane, case_ref)
        facts = recorded.event.facts
        if not isinstance(facts, LaneReplayed):
            raise HistoryBrokenError
        _must_lie_in(wanted.resume, facts.first, facts.end)
        yield RangeRead(facts=facts, receipt=self._receipts.of(recorded))
        count, at = 0, wanted.resume or facts.first
        while records := await lane.range(at, facts.end, limit=CHUNK):
            for record in records:
                count += 1
                yield _shown(record, facts.service) if facts.service else record
            at = records[-1].position + 1
        yield AllSent(count=count)

    async def _record(
        self, caller: Caller, request_id: str, wanted: Wanted, lane: Lane, case_ref: str
    ) -> Recorded:
        """Record the look, or return the earlier record of the same one."""
        desk, service = self._desk, caller.audited_service
        stream, acting = desk.identifiers.audit_stream, self._looks.auditor(caller)
        key = desk.identifiers.request_key(acting.actor, "ReplayLane", request_id)
        expected = command_digest("ReplayLane", wanted.origin, wanted.first, wanted.end, service)
        said = Particulars(digest=expected, case_ref=case_ref)
        size = await lane.tree_size()

        async def decide(state: AuditState | None, stamp: Stamp) -> Decision:
            del state
            end = wanted.end or size
            if end > size:
                raise FieldInvalidError("end_leaf_index", "The log does not reach so far yet.")
            if wanted.first >= end:
                raise FieldInvalidError("first_leaf_index", "Nothing stands in this range yet.")
            _must_lie_in(wanted.resume, wanted.first, end)
            draft = audit.replay_lane(stamp, wanted.origin, wanted.first, end, service)
            # Only now: what is turned away leaves no keyring.
            keyring = await desk.keyrings.change(stream, lambda keyring: keyring)
            return Decision(
                draft=draft, payloads=(sealed_particulars(keyring.history, stream, said),)
            )

        # Asked first: the log may have been cut back to a backup since, and end before the range.
        recorded = await desk.vaults.recorded(stream, key)
        if recorded is None:
            command = Command(stream=stream, acting=acting, request_key=key)
            recorded = await desk.vaults.execute(command, audit.fold, decide)
        if recorded.is_repeat:
            history_key = (await desk.keyrings.of(stream)).history
            await must_be_same(desk.vaults, recorded, expected, history_key)
        return recorded


def _must_lie_in(resume: int, first: int, end: int) -> None:
    if resume and not first <= resume <= end:
        raise FieldInvalidError("resume_leaf_index", "It lies outside the range.")


def _shown(record: StoredRecord, service: str) -> StoredRecord:
    """Return what an auditor of one service may see of a record."""
    facts = _facts_of(record, service)
    return StoredRecord(
        position=record.position,
        stream="",
        version=0,
        entry=record.entry,
        request_key="",
        topic=record.topic if facts else None,
        state=b"\n" + facts if facts else None,
    )


def _facts_of(record: StoredRecord, service: str) -> bytes:
    """Return the facts of a record as stored, if they are the service's; else nothing."""
    try:
        event = read_event(record.state or b"")
    except ValueError:
        # Nobody knows whose it is: it is for the auditor of everything.
        return b""
    return event.state.partition(b"\n")[2] if service_of(event.facts) == service else b""
