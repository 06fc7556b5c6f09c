# SPDX-License-Identifier: Apache-2.0
"""The terms of a sharing, as a citizen reads them: whose choice, how long, how often, what for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clients.wording.times import is_past, last_day, moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.wording.reader import Reader
    from clients.wording.words import Words
    from vault.api.v1.audit_pb2 import Explanation
    from vault.api.v1.consent_pb2 import (
        Consent,
        ConsentDifference,
        ConsentRequest,
        Frequency,
        ItemScope,
    )
    from vault.api.v1.registry_pb2 import LegalBasis

STATES: Final = {1: "ACTIVE", 2: "EXPIRED", 3: "REVOKED", 4: "PAUSED"}
_FORMS: Final = {1: "HERS", 2: "ANOTHER_WAY", 3: "LAW"}
_VIEW: Final = 1
_PINNED: Final = 1
_PERIODS: Final = (
    (86400, "often.daily", "often.days"),
    (3600, "often.hourly", "often.hours"),
    (60, "often.minutely", "often.minutes"),
    (1, "often.seconds", "often.seconds"),
)


def whose_choice(form: int, words: Words) -> str:
    """Return whose choice it honestly is that they get it."""
    return words.maybe(f"choice.{_FORMS.get(form, '')}")


def law(basis: LegalBasis, words: Words) -> str:
    """Return the receiver's reason in law, with its statute."""
    from vault.api.v1.registry_pb2 import LegalBasisCode  # noqa: PLC0415

    name = LegalBasisCode.Name(basis.code).removeprefix("LEGAL_BASIS_CODE_")
    text = words.maybe(f"law.{name}")
    return f"{text} ({basis.statute})" if basis.statute else text


def asked_terms(asked: ConsentRequest, words: Words) -> list[tuple[str, str]]:
    """Return from when, until when, how often and what is kept, as somebody asks for it."""
    start = moment(asked.start_time, words) if asked.HasField("start_time") else ""
    rate = often(asked.frequency, words) if asked.HasField("frequency") else words("once")
    return [
        (words("from"), words("from.earliest", time=start) if start else ""),
        (words("until"), words("until.latest", time=last_day(asked.end_time, words))),
        (words("how.often"), rate),
        (words("age"), _age(asked.largest_age_days, words)),
        (words("kept"), kept(asked.method, asked.retention_days, words)),
    ]


def terms_of(reader: Reader, sharing: Consent) -> list[tuple[str, str]]:
    """Return from when, until when, how often and what is kept, as they are agreed."""
    words = reader.words
    rate = words("once") if sharing.one_time else often(sharing.frequency, words)
    where = words.maybe(f"country.{sharing.storage}") or sharing.storage
    return [
        (words("from"), moment(sharing.start_time, words)),
        (words("until"), last_day(sharing.end_time, words)),
        (words("how.often"), rate),
        (words("age"), _age(sharing.largest_age_days, words)),
        (words("versions"), _versions(reader, sharing)),
        (words("kept"), kept(sharing.method, sharing.retention_days, words)),
        (words("kept.where"), where if sharing.retention_days else ""),
        (words("law"), law(sharing.legal_basis, words)),
        (words("choice"), whose_choice(sharing.decision_form, words)),
    ]


def texts_read(found: Explanation, words: Words) -> list[tuple[str, str]]:
    """Return the texts of the purpose as she read them when she agreed; none if they are gone."""
    read = found.consent.language
    return [
        row
        for texts in found.purpose.texts
        if texts.language == read
        for row in (
            (words("for"), texts.title),
            (words("why"), texts.why),
            (words("needed.by"), texts.needed_by),
            (words("if.refused"), texts.if_refused),
            (words("if.stopped"), texts.if_stopped),
            (words("other.ways"), texts.other_ways),
        )
    ]


def parts_of(reader: Reader, sharing: Consent) -> list[tuple[str, str]]:
    """Return what they can see: each kind of information, and its parts."""
    return [
        (
            reader.published.kind(item.evidence_type).title,
            labels(reader, item.evidence_type, [*item.required, *item.optional]),
        )
        for item in sharing.scope
    ]


def difference_rows(reader: Reader, difference: ConsentDifference) -> list[tuple[str, str]]:
    """Return what changed between two agreements, as names and texts."""
    words, published = reader.words, reader.published
    removed = "\n".join(
        f"{published.kind(one.evidence_type).title}: {labels(reader, one.evidence_type, one.names)}"
        for one in difference.removed
    )
    end = often_changed = ""
    if difference.HasField("end_time_after"):
        end = words(
            "instead.of",
            after=last_day(difference.end_time_after, words),
            before=last_day(difference.end_time_before, words),
        )
    if difference.HasField("frequency_after"):
        often_changed = words(
            "instead.of",
            after=often(difference.frequency_after, words),
            before=often(difference.frequency_before, words),
        )
    return [
        (words("no.longer.seen"), removed),
        (words("until"), end),
        (words("how.often"), often_changed),
    ]


def labels(reader: Reader, evidence_type: str, names: Iterable[str]) -> str:
    """Return parts of a kind of information by their labels, in its order."""
    kind = reader.published.kind(evidence_type)
    return ", ".join(kind.label(name) for name in kind.in_order(names))


def often(frequency: Frequency, words: Words) -> str:
    """Return a frequency, its period in the largest unit of which it is a whole number."""
    if frequency.count == 0:
        return words("once")
    seconds, one, many = next(unit for unit in _PERIODS if frequency.period_seconds % unit[0] == 0)
    length = frequency.period_seconds // seconds
    period = words(one, count=1) if length == 1 else words(many, count=length)
    count = words("once") if frequency.count == 1 else words("often.times", count=frequency.count)
    return words("often", count=count, period=period)


def kept(method: int, days: int, words: Words) -> str:
    """Return what they keep, and how long."""
    if method == _VIEW or not days:
        return words("keep.view")
    return words("keep.day") if days == 1 else words("keep.days", days=days)


def state_key(sharing: Consent) -> str:
    """Return the name of the state of a sharing."""
    return STATES.get(sharing.state, "EXPIRED")


def state_of(reader: Reader, sharing: Consent) -> str:
    """Return the state of a sharing in her words; before its start it says when that is."""
    words, state = reader.words, state_key(sharing)
    if state == "ACTIVE" and not has_begun(sharing):
        return words("sharing.begins", time=moment(sharing.start_time, words))
    return words(f"sharing.{state}")


def has_begun(sharing: Consent) -> bool:
    """Say whether its start has come."""
    return is_past(sharing.start_time)


def _age(days: int, words: Words) -> str:
    return words("too.old", days=days) if days else ""


def _versions(reader: Reader, sharing: Consent) -> str:
    """Return what they see of later versions: one sentence, or one for each kind if they differ."""
    words = reader.words
    if len({item.mode for item in sharing.scope}) <= 1:
        return "".join(_version(item, words) for item in sharing.scope[:1])
    return "\n".join(
        f"{reader.published.kind(item.evidence_type).title}: {_version(item, words)}"
        for item in sharing.scope
    )


def _version(item: ItemScope, words: Words) -> str:
    return words("versions.PINNED" if item.mode == _PINNED else "versions.FOLLOWING")
