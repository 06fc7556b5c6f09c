# SPDX-License-Identifier: Apache-2.0
"""Lines of a citizen's history: who, what, why, and what came of it, in her words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.wording.terms import difference_rows, labels
from clients.wording.times import exact, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clients.wording.reader import Reader
    from vault.api.v1.consent_pb2 import Consent
    from vault.api.v1.disclosure_pb2 import RecipientReport
    from vault.api.v1.vault_pb2 import HistoryEntry

_ACTORS: Final = {
    0: "SELF",
    1: "SELF",
    2: "HELPER",
    7: "OFFICIAL",
    8: "SERVICE",
    9: "OPERATOR",
    10: "AUDITOR",
}
_OFFICIAL: Final = 7
WAYS: Final = {1: "code", 2: "provider"}
"""What leads to her information: a code on paper for officials, or a sign-in at a provider."""
_APPROVALS: Final = {2: "OIDC_STEP_UP", 3: "WEBAUTHN"}
_REPORTS: Final = {
    1: "RECEIVED",
    2: "IN_PROGRESS",
    3: "MORE_NEEDED",
    4: "GRANTED",
    5: "REFUSED",
    6: "WITHDRAWN",
    7: "DONE",
}
_CHANNELS: Final = {4: "COUNTER", 5: "PHONE", 6: "LETTER"}


def who(reader: Reader, entry: HistoryEntry) -> str:
    """Return whom a line is about: the service, or whoever acted."""
    if entry.service_id:
        return reader.published.who(entry.service_id)
    return reader.words.one_of("actor", _ACTORS.get(entry.acting.capacity, ""))


def what(reader: Reader, entry: HistoryEntry) -> str:
    """Return the information concerned, by its labels, and what changed of an agreement."""
    changed = difference_rows(reader, entry.difference) if entry.HasField("difference") else []
    return lines(
        *(_what(reader, item.evidence_type, item.names) for item in entry.items),
        *(f"{name}: {text}" for name, text in changed if text),
    )


def happened(reader: Reader, entry: HistoryEntry) -> str:
    """Return what happened in a line of history, and who did it where that was not she herself."""
    words = reader.words
    kind = entry.type.partition(".")[0]
    if way := WAYS.get(entry.sign_in.means):
        kind = kind.replace("sign-in", way)
    text = lines(words.one_of("happened", kind), told(reader, entry))
    if entry.acting.capacity != _OFFICIAL:
        return lines(text, words.maybe(f"confirmed.{_APPROVALS.get(entry.approval_kind, '')}"))
    if kind == "vault-read":
        text = words("happened.read.official")
    channel = _CHANNELS.get(entry.acting.channel, "")
    return lines(text, words.maybe(f"by.official.{channel}") or words("by.official.other"))


def told(reader: Reader, entry: HistoryEntry) -> str:
    """Return how far the matter is, where a service told her; "" elsewhere."""
    return reported(reader, entry.report) if entry.HasField("report") else ""


def last_told(reader: Reader, sharing: Consent) -> str:
    """Return how far the matter of a sharing is, as its service last told; "" if it never did."""
    if not sharing.HasField("last_report"):
        return ""
    told = sharing.last_report
    time = moment(told.report_time, reader.words)
    return reader.words("told.when", what=reported(reader, told), time=time)


def reported(reader: Reader, report: RecipientReport) -> str:
    """Return how far a matter is, in her words."""
    return reader.words.one_of("report", _REPORTS.get(report.status, ""))


def attempts(
    reader: Reader, entries: Iterable[HistoryEntry]
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return who saw something, or tried to, as the heads and the rows of a table."""
    words = reader.words
    heads = ("when", "who", "what", "why", "outcome", "entry")
    return [words(f"column.{head}") for head in heads], [
        (
            exact(entry.time, words),
            lines(who(reader, entry), *references(reader, entry)),
            what(reader, entry),
            reason_for(reader, entry),
            outcome(reader, entry),
            str(entry.receipt.leaf_index),
        )
        for entry in entries
    ]


def outcome(reader: Reader, entry: HistoryEntry) -> str:
    """Return what came of an attempt to see something."""
    words = reader.words
    if entry.reason:
        return words("outcome.refused", why=words.one_of("refused", entry.reason))
    return words("outcome.again") if entry.repeated else words("outcome.seen")


def reason_for(reader: Reader, entry: HistoryEntry) -> str:
    """Return what it was for."""
    return reader.published.purpose_title(entry.purpose) if entry.purpose else ""


def references(reader: Reader, entry: HistoryEntry) -> tuple[str, ...]:
    """Return the service's own case and member of staff, as far as they are known."""
    words = reader.words
    return (
        words("their.case", ref=entry.case_ref) if entry.case_ref else "",
        words("their.staff", ref=entry.staff_ref) if entry.staff_ref else "",
    )


def lines(*texts: str) -> str:
    """Return texts one below the other, without those that are empty."""
    return "\n".join(text for text in texts if text)


def _what(reader: Reader, evidence_type: str, names: Sequence[str]) -> str:
    title = reader.published.kind(evidence_type).title
    parts = labels(reader, evidence_type, names)
    return f"{title}: {parts}" if parts else title
