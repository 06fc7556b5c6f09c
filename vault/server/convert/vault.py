# SPDX-License-Identifier: Apache-2.0
"""Vaults, who acts in them, and lines of their history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vault.api.v1 import vault_pb2 as pb
from vault.application.caller import ActingFor
from vault.application.history import Line
from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.events import Facts
from vault.domain.report import RecipientReported
from vault.domain.request import ConsentRequested
from vault.domain.sign_in import SignIn
from vault.domain.state import VaultState
from vault.domain.values import Acting, Capacity, Channel, Means
from vault.server.convert.approval import APPROVAL_VALUES
from vault.server.convert.consent import difference_message
from vault.server.convert.log import receipt_message
from vault.server.convert.operation import fault_message
from vault.server.convert.report import report_message
from vault.server.convert.times import timestamp

CAPACITIES: Final[Mapping[pb.Capacity.ValueType, Capacity]] = {
    pb.CAPACITY_SELF: "self",
    pb.CAPACITY_HELPER: "helper",
    pb.CAPACITY_ATTORNEY: "attorney",
    pb.CAPACITY_DEPUTY: "deputy",
    pb.CAPACITY_APPOINTEE: "appointee",
    pb.CAPACITY_PARENT: "parent",
    pb.CAPACITY_OFFICIAL: "official",
    pb.CAPACITY_SERVICE: "service",
    pb.CAPACITY_OPERATOR: "operator",
    pb.CAPACITY_AUDITOR: "auditor",
}
CHANNELS: Final[Mapping[pb.Channel.ValueType, Channel]] = {
    pb.CHANNEL_WEB: "web",
    pb.CHANNEL_CLI: "cli",
    pb.CHANNEL_API: "api",
    pb.CHANNEL_COUNTER: "counter",
    pb.CHANNEL_PHONE: "phone",
    pb.CHANNEL_LETTER: "letter",
}
MEANS: Final[Mapping[Means, pb.SignInMeans.ValueType]] = {
    "assistance-code": pb.SIGN_IN_MEANS_ASSISTANCE_CODE,
    "provider": pb.SIGN_IN_MEANS_PROVIDER,
}

_CAPACITY_VALUES: Final = {value: key for key, value in CAPACITIES.items()}
_CHANNEL_VALUES: Final = {value: key for key, value in CHANNELS.items()}


def acting_from(acting: pb.Acting) -> ActingFor:
    """Return for whom and how somebody acts; what is not said is herself, by API."""
    return ActingFor(
        vault_id=acting.vault_id.lower(),
        capacity=CAPACITIES.get(acting.capacity, "self"),
        mandate_id=acting.mandate_id.lower(),
        channel=CHANNELS.get(acting.channel, "api"),
        assistance_code=acting.assistance_code,
    )


def vault_message(state: VaultState, way: str) -> pb.Vault:
    """Return a vault, to whoever came by a way to it."""
    return pb.Vault(
        vault_id=state.stream,
        open_time=timestamp(state.open_time),
        version=state.version,
        sign_ins=[_sign_in_message(known) for known in state.sign_ins.values()],
        sign_in_id=way,
        sign_out_time=timestamp(state.signed_out),
    )


def _sign_in_message(known: SignIn) -> pb.SignIn:
    return pb.SignIn(
        sign_in_id=known.sign_in,
        means=MEANS[known.means],
        link_time=timestamp(known.linked),
        unlink_time=timestamp(known.unlinked),
        wait_end_time=timestamp(known.wait_end),
    )


def line_message(line: Line) -> pb.HistoryEntry:
    """Return a line of history."""
    event, facts, said = line.event, line.event.facts, line.particulars
    return pb.HistoryEntry(
        version=0 if line.is_elsewhere else event.link.version,
        time=timestamp(facts.time),
        type=str(facts.__struct_config__.tag),
        acting=acting_message(event.link.acting),
        service_id=getattr(facts, "service", ""),
        purpose=_purpose(facts),
        consent_request_id=getattr(facts, "consent_request_id", ""),
        consent_id=getattr(facts, "consent_id", ""),
        items=[
            pb.HistoryItem(
                evidence_id=item.evidence_id, evidence_type=item.evidence_type, names=item.names
            )
            for item in line.items
        ],
        reason=facts.reason if isinstance(facts, DisclosureRefused) else "",
        repeated=isinstance(facts, EvidenceDisclosed) and bool(facts.repeats),
        case_ref=said.case_ref if said else "",
        staff_ref=said.staff_ref if said else "",
        receipt=receipt_message(line.receipt),
        difference=difference_message(line.difference) if line.difference else None,
        known_fault=fault_message(line.fault) if line.fault else None,
        report=(
            report_message(facts.kind, facts.status, facts.time)
            if isinstance(facts, RecipientReported)
            else None
        ),
        sign_in=_sign_in_message(line.way) if line.way else None,
        approval_kind=APPROVAL_VALUES.get(event.link.approval.kind, pb.APPROVAL_KIND_UNSPECIFIED),
    )


def acting_message(acting: Acting) -> pb.Acting:
    """Return who acted, without the vault."""
    return pb.Acting(
        capacity=_CAPACITY_VALUES[acting.capacity],
        mandate_id=acting.mandate,
        channel=_CHANNEL_VALUES[acting.channel],
    )


def _purpose(facts: Facts) -> str:
    facts = facts.upcast()
    match facts:
        case EvidenceDisclosed() | DisclosureRefused() | RecipientReported():
            return facts.purpose
        case ConsentGranted() | ConsentNarrowed() | ConsentExtended():
            return facts.terms.purpose.name
        case ConsentRequested():
            return facts.asked.purpose.name
        case _:
            return ""
