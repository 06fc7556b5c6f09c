# SPDX-License-Identifier: Apache-2.0
"""A record of an exported folder as a line of her history, as a server would send it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from clients.export.folder import Entry
    from vault.api.v1.disclosure_pb2 import RecipientReport
    from vault.api.v1.vault_pb2 import HistoryEntry


def line_of(entry: Entry, types: Mapping[str, str], codes: Container[str]) -> HistoryEntry:
    """Return what happened in a record that was not deleted.

    Args:
        types: the evidence type of each piece of information.
        codes: the ways to her information that are codes for officials.
    """
    from vault.api.v1 import vault_pb2 as pb  # noqa: PLC0415

    facts, acting = entry.facts, entry.link["acting"]
    said = json.loads(entry.opened.get("command") or "{}")
    line = pb.HistoryEntry(
        version=entry.version,
        type=facts["type"],
        acting=pb.Acting(
            capacity=pb.Capacity.Value(f"CAPACITY_{acting['capacity'].upper()}"),
            channel=pb.Channel.Value(f"CHANNEL_{acting['channel'].upper()}"),
        ),
        service_id=facts.get("service", ""),
        purpose=_purpose(facts),
        items=[
            pb.HistoryItem(evidence_type=kind, names=names) for kind, names in _items(entry, types)
        ],
        reason=facts.get("reason", ""),
        repeated=bool(facts.get("repeats")),
        case_ref=said.get("case_ref", ""),
        staff_ref=said.get("staff_ref", ""),
    )
    line.time.FromJsonString(facts["time"])
    line.receipt.leaf_index = entry.leaf_index
    if entry.kind == "recipient-reported":
        line.report.CopyFrom(report_of(facts))
    if "sign_in" in facts:
        is_code = facts["sign_in"] in codes
        line.sign_in.means = (
            pb.SIGN_IN_MEANS_ASSISTANCE_CODE if is_code else pb.SIGN_IN_MEANS_PROVIDER
        )
    return line


def report_of(facts: Mapping[str, Any]) -> RecipientReport:
    """Return how far a matter is, as its service told her."""
    from vault.api.v1 import disclosure_pb2 as pb  # noqa: PLC0415

    status = f"REPORT_STATUS_{facts['status'].upper().replace('-', '_')}"
    told = pb.RecipientReport(
        kind=pb.ReportKind.Value(f"REPORT_KIND_{facts['kind'].upper()}"),
        status=pb.ReportStatus.Value(status),
    )
    told.report_time.FromJsonString(facts["time"])
    return told


def _purpose(facts: Mapping[str, Any]) -> str:
    purpose = facts.get("purpose", "")
    for part in ("terms", "asked"):
        inner = facts.get(part, {}).get("purpose")
        purpose = f"{inner['code']}@{inner['version']}" if inner else purpose
    return str(purpose)


def _items(entry: Entry, types: Mapping[str, str]) -> Iterator[tuple[str, Iterable[str]]]:
    facts = entry.facts
    by_number = {one["item"]: types.get(one["evidence_id"], "") for one in entry.link["items"]}
    for one in facts.get("fields", ()):
        yield one.get("evidence_type") or by_number.get(one.get("item"), ""), one["names"]
    for part in ("terms", "asked"):
        for one in facts.get(part, {}).get("scope", ()):
            yield one["evidence_type"], [*one["required"], *one["optional"]]
    if entry.kind.startswith(("evidence-provided", "evidence-replaced", "evidence-disputed")):
        yield by_number.get(0, ""), facts.get("changed", facts["names"])
