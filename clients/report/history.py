# SPDX-License-Identifier: Apache-2.0
"""What happened in one history: over time, by who saw what, and line by line."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clients.report.answers import Answers, number_in, text_in
from clients.report.charts import Mark, Sort, Track, bars, legend, moment, time_line
from clients.report.html import Html, element, joined, table, when

MOST_ROWS: Final = 2_000
MOST_TRACKS: Final = 40
MOST_BARS: Final = 20

Row = Mapping[str, Any]
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def time_line_section(answers: Answers) -> Html | None:
    """Return the consents over time, with everything that happened under them."""
    consents = answers.rows("consents")
    tracks = [track for row in consents if (track := _track(answers, row)) is not None]
    if not tracks:
        return None
    shown = sorted(tracks, key=lambda track: track.start)[:MOST_TRACKS]
    times = [mark.time for track in shown for mark in track.marks]
    as_of = moment(text_in(answers.part("as_of"), "time"))
    until = max([*times, *([as_of] if as_of else [])], default=max(t.end for t in shown))
    sorts: list[Sort] = sorted({mark.sort for track in shown for mark in track.marks})
    more = len(tracks) - len(shown)
    return element(
        "section",
        element("h2", "Over time"),
        element("p", "A green bar is a consent that was still in force, a grey one had ended."),
        time_line(shown, until),
        legend(sorts),
        element("p", f"{more} more are not drawn.") if more else None,
    )


def who_section(answers: Answers) -> Html | None:
    """Return who saw what, and how often."""
    counts: dict[str, int] = defaultdict(int)
    fields: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for use in answers.rows("uses"):
        service = answers.service(use.get("service"))
        counts[service] += 1
        for evidence_type, name in _fields(use):
            fields[service, evidence_type, name].append(text_in(use, "time"))
    if not counts:
        return None
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_BARS]
    rows = [
        (service, f"{kind}: {name}", f"{len(times):,}", when(min(times)), when(max(times)))
        for (service, kind, name), times in sorted(fields.items())
    ]
    return element(
        "section",
        element("h2", "Who saw what"),
        bars("Uses by service", most),
        _limited(
            "Each field, how often, first and last",
            ("Service", "Field", "Times", "First", "Last"),
            rows,
            numbers=(2,),
        ),
    )


def consents_section(answers: Answers) -> Html | None:
    """Return how each consent stood."""
    rows = []
    for row in answers.rows("consents"):
        at_end = row.get("at_end")
        ended = at_end if isinstance(at_end, dict) else row
        rows.append(
            (
                _id(text_in(row, "consent_id")),
                answers.service(row.get("service")),
                text_in(row, "purpose"),
                joined((when(text_in(row, "start")), " to ", when(text_in(row, "end")))),
                text_in(row, "state"),
                text_in(ended, "state"),
                f"{number_in(ended, 'uses'):,}",
                text_in(row, "why"),
            )
        )
    if not rows:
        return None
    columns = (
        "Consent", "Service", "Purpose", "From, to", "Then", "At the end", "Uses", "Why",
    )  # fmt: skip
    return element(
        "section",
        element("h2", "Consents"),
        _limited("Each consent, as of the time asked for and at the end", columns, rows, (6,)),
    )


def uses_section(answers: Answers) -> Html | None:
    """Return every use, and why it was or was not allowed."""
    rows = [
        (
            when(text_in(row, "time")),
            answers.service(row.get("service")),
            text_in(row, "purpose"),
            "; ".join(f"{kind}: {name}" for kind, name in _fields(row)),
            _allowed(row),
            text_in(row, "why"),
        )
        for row in answers.rows("uses")
    ]
    if not rows:
        return None
    columns = ("When", "Service", "Purpose", "Fields", "Allowed", "Why")
    return element(
        "section", element("h2", "Every use"), _limited("Every use, oldest first", columns, rows)
    )


def refusals_section(answers: Answers) -> Html | None:
    """Return what was tried and refused."""
    rows = [
        (
            when(text_in(row, "time")),
            answers.service(row.get("service")),
            text_in(row, "purpose"),
            text_in(row, "reason") + (", more are not listed" if row.get("more_unlisted") else ""),
        )
        for row in answers.rows("refusals")
    ]
    if not rows:
        return None
    return element(
        "section",
        element("h2", "Tried, and refused"),
        _limited("Every recorded attempt", ("When", "Service", "Purpose", "Reason"), rows),
    )


def decisions_section(answers: Answers) -> Html | None:
    """Return which decisions are shown to be hers."""
    listed = answers.rows("decisions") or answers.rows("not_shown")
    rows = [
        (
            when(text_in(row, "time")),
            text_in(row, "type").rpartition(".")[0] or text_in(row, "type"),
            text_in(row, "kind") or "nothing",
            element("span", "not shown", class_="no")
            if row.get("hers") == "not shown"
            else text_in(row, "hers"),
            text_in(row, "why"),
        )
        for row in listed
    ]
    if not rows:
        return None
    columns = ("When", "Decision", "Shown by", "Hers", "Why")
    return element(
        "section",
        element("h2", "Whose decisions they were"),
        _limited("Every decision that needs a proof", columns, rows),
    )


def _track(answers: Answers, row: Row) -> Track | None:
    start, end = moment(text_in(row, "start")), moment(text_in(row, "end"))
    if start is None or end is None:
        return None
    consent_id, service = text_in(row, "consent_id"), answers.service(row.get("service"))
    at_end = row.get("at_end")
    last = at_end if isinstance(at_end, dict) else row
    state = text_in(last, "state")
    marks = tuple(_marks(answers, consent_id))
    # The report says when only in words.
    stopped = _TIME.search(text_in(last, "why")) if state == "revoked" else None
    stop = moment(stopped[0]) if stopped else None
    return Track(
        label=f"{service}, {text_in(row, 'purpose')}",
        title=f"{service}, {text_in(row, 'purpose')}: {state}",
        start=start,
        end=min(end, stop) if stop else end,
        marks=marks,
        is_open=state in {"active", "paused"},
    )


def _marks(answers: Answers, consent_id: str) -> list[Mark]:
    found = []
    for name in ("uses", "refusals", "decisions"):
        for row in answers.rows(name):
            time = moment(text_in(row, "time"))
            if time is None or text_in(row, "consent_id") != consent_id:
                continue
            found.append(
                Mark(time, _sort(name, row), f"{_what(name, row)}, {text_in(row, 'time')}")
            )
    return found


def _sort(name: str, row: Row) -> Sort:
    if name == "uses":
        return "use" if row.get("allowed") else "denied"
    return "refusal" if name == "refusals" else "decision"


def _what(name: str, row: Row) -> str:
    if name == "uses":
        return "; ".join(f"{kind}: {field}" for kind, field in _fields(row))
    return text_in(row, "reason") if name == "refusals" else text_in(row, "type")


def _fields(row: Row) -> list[tuple[str, str]]:
    """Return each field of a use, with the type of evidence that it is of."""
    listed = row.get("fields")
    pairs = []
    for fields in listed if isinstance(listed, list) else ():
        names = fields.get("names") if isinstance(fields, dict) else None
        if isinstance(names, list):
            kind = text_in(fields, "evidence_type") or f"item {text_in(fields, 'item')}"
            pairs += [(kind, str(name)) for name in names]
    return pairs


def _allowed(row: Row) -> object:
    if not row.get("allowed"):
        return element("span", "no", class_="no")
    return "yes, a repeat" if row.get("repeats") else "yes"


def _id(text: str) -> Html:
    return element("span", text[:8], class_="id", title=text)


def _limited(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    numbers: Sequence[int] = (),
) -> Html:
    shown = table(caption, columns, rows[:MOST_ROWS], numbers=numbers)
    if len(rows) <= MOST_ROWS:
        return shown
    more = f"{len(rows) - MOST_ROWS:,} more stand in the report for programs."
    return element("div", shown, element("p", more))
