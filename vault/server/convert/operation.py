# SPDX-License-Identifier: Apache-2.0
"""The operator's history on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import operation_pb2 as pb
from vault.application.history import FaultLine
from vault.application.operations import Notice, Operation
from vault.domain.canonical import unb64
from vault.domain.events import stored_name_of
from vault.domain.operation import (
    Act,
    AdministratorActed,
    EntryRange,
    KeyUsed,
    KnownFaultPublished,
    ReleaseStarted,
    StoreMigrated,
    StoreRestored,
)
from vault.server.convert.log import receipt_message
from vault.server.convert.times import timestamp

ACTS: Final[Mapping[pb.AdministratorAct.ValueType, Act]] = {
    pb.ADMINISTRATOR_ACT_ACCESS_TO_HOST: "access-to-host",
    pb.ADMINISTRATOR_ACT_ACCESS_TO_DATABASE: "access-to-database",
    pb.ADMINISTRATOR_ACT_ACCESS_TO_BACKUP: "access-to-backup",
    pb.ADMINISTRATOR_ACT_ACCESS_TO_KEYS: "access-to-keys",
    pb.ADMINISTRATOR_ACT_CONFIGURATION: "configuration",
    pb.ADMINISTRATOR_ACT_OTHER: "other",
}
_ACT_VALUES: Final = {value: key for key, value in ACTS.items()}


def range_from(message: pb.EntryRange) -> EntryRange:
    """Return a range of entries."""
    return EntryRange(
        origin=message.origin, first=message.first_leaf_index, end=message.end_leaf_index
    )


def notice_from(message: pb.FaultNotice) -> Notice:
    """Return what people read of a fault."""
    return Notice(
        language=message.language,
        title=message.title,
        text=message.text,
        help_line=message.help_line,
    )


def fault_message(line: FaultLine) -> pb.KnownFault:
    """Return a known fault as it stands in a citizen's history."""
    return pb.KnownFault(
        fault_id=line.fault,
        notices=[_notice(notice) for notice in line.notices],
        leaf_indexes=line.leaf_indexes,
        has_more=line.has_more,
    )


def operation_message(made: Operation) -> pb.Operation:
    """Return a line of the operator's history."""
    event = made.event
    message = pb.Operation(
        version=event.link.version,
        time=timestamp(event.facts.time),
        type=stored_name_of(type(event.facts)),
        receipt=receipt_message(made.receipt),
    )
    match event.facts:
        case ReleaseStarted() as facts:
            message.release_started.CopyFrom(_release(facts))
        case StoreMigrated(store=store, before=before, after=after):
            migrated = pb.StoreMigrated(store=store, before=before, after=after)
            message.store_migrated.CopyFrom(migrated)
        case StoreRestored(lane=lane, size=size, appended=appended):
            restored = pb.StoreRestored(lane=lane, size=size, appended=appended)
            message.store_restored.CopyFrom(restored)
        case KeyUsed(key=key, key_id=key_id, use=use):
            message.key_used.CopyFrom(pb.KeyUsed(key=key, key_id=key_id, use=use))
        case AdministratorActed(act=act):
            acted = pb.AdministratorActed(act=_ACT_VALUES[act], note=made.note)
            message.administrator_acted.CopyFrom(acted)
        case KnownFaultPublished() as facts:
            message.known_fault.CopyFrom(_fault(facts, made.notices))
        case _:
            pass
    return message


def _release(facts: ReleaseStarted) -> pb.ReleaseStarted:
    return pb.ReleaseStarted(
        release=facts.release,
        program_hash=unb64(facts.program_hash),
        configuration_hash=unb64(facts.configuration_hash),
        events_form=facts.events_form,
        keys_form=facts.keys_form,
    )


def _fault(facts: KnownFaultPublished, notices: tuple[Notice, ...]) -> pb.KnownFault:
    return pb.KnownFault(
        fault_id=facts.fault,
        ranges=[
            pb.EntryRange(origin=one.origin, first_leaf_index=one.first, end_leaf_index=one.end)
            for one in facts.ranges
        ],
        notices=[_notice(notice) for notice in notices],
    )


def _notice(notice: Notice) -> pb.FaultNotice:
    return pb.FaultNotice(
        language=notice.language,
        title=notice.title,
        text=notice.text,
        help_line=notice.help_line,
    )
