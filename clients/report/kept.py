# SPDX-License-Identifier: Apache-2.0
"""What was held against a history: a whole log, a proof of silence, checkpoints and receipts."""

from __future__ import annotations

from clients.report.answers import Answers, text_in
from clients.report.charts import bars
from clients.report.html import Html, element, joined, table, when


def log_section(answers: Answers) -> Html | None:
    """Return what streams a log holds."""
    streams = [
        (name, count)
        for name, count in answers.part("streams").items()
        if isinstance(count, int) and count
    ]
    if not streams:
        return None
    streams.sort(key=lambda pair: (-pair[1], pair[0]))
    rows = [(name, f"{count:,}") for name, count in streams]
    return element(
        "section",
        element("h2", "What the log holds"),
        bars("Streams of each sort", streams),
        table("Streams of each sort", ("Sort", "How many"), rows, numbers=(1,)),
    )


def silence_section(answers: Answers) -> Html | None:
    """Return from when to when nothing left."""
    revoked, closed = answers.part("revoked"), answers.part("closed")
    if not revoked or not closed:
        return None
    pairs = [
        ("Service", answers.service(answers.text("service"))),
        ("Consent", answers.text("consent_id")),
        ("Revoked", when(text_in(revoked, "time"))),
        ("Closed", when(text_in(closed, "time"))),
        ("Records between", answers.text("records")),
    ]
    listed = [joined((element("dt", what), element("dd", text))) for what, text in pairs]
    return element("section", element("h2", "Silence"), element("dl", *listed))


def kept_section(answers: Answers) -> Html | None:
    """Return whether checkpoints and receipts that somebody kept hold."""
    rows = [
        (
            f"{what} {text_in(row, 'number')}",
            text_in(row, "about") or f"{text_in(row, 'origin')} at {text_in(row, 'size')} entries",
            "yes" if row.get("holds") else element("span", "no", class_="no"),
            text_in(row, "trust"),
            text_in(row, "why"),
        )
        for what, name in (("Checkpoint", "checkpoints"), ("Receipt", "receipts"))
        for row in answers.rows(name)
    ]
    if not rows:
        return None
    columns = ("What", "About", "Holds", "Trust", "Why not")
    return element(
        "section",
        element("h2", "What somebody kept"),
        table("Checkpoints and receipts, held against it", columns, rows),
    )
