# SPDX-License-Identifier: Apache-2.0
"""The page: first what to make of it, then what was found, then everything it stands on."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Final

from clients.report.answers import Answers, number_in, text_in
from clients.report.history import (
    consents_section,
    decisions_section,
    refusals_section,
    time_line_section,
    uses_section,
    who_section,
)
from clients.report.html import Html, element, joined, table, when
from clients.report.kept import kept_section, log_section, silence_section

MOST_ROWS: Final = 2_000
"""Of one table: what is beyond stands in the report that programs read."""

_SORTS: Final = {
    "VERIFIED": "good",
    "CONSISTENT ONLY": "doubt",
    "UNSIGNED": "doubt",
    "WITHHELD": "doubt",
    "NOT SHOWN TO BE HERS": "bad",
    "FAILED": "bad",
}
_MEANINGS: Final = {
    "VERIFIED": "Everything that was shown holds together, every use was allowed, and independent "
    "witnesses signed the log in which it stands.",
    "CONSISTENT ONLY": "Everything that was shown holds together and every use was allowed. But "
    "some of it rests on the operator's word alone: on which, the next line says.",
    "UNSIGNED": "Everything that was shown holds together. But no checkpoint of the log was shown "
    "that covers all of it: the operator could still change it.",
    "WITHHELD": "What was shown holds together. But some of it was not shown, so nobody can say "
    "what it holds.",
    "NOT SHOWN TO BE HERS": "A decision that only she can make has no proof that she made it: the "
    "operator could have made it up.",
    "FAILED": "Something was changed, hidden, or not allowed. The findings say where, and why.",
}
_NO_WITNESS: Final = "None. No independent witness signed: the operator alone vouches for the log."


def page(answers: Answers) -> str:
    """Return the report as one HTML page."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = f"{answers.text('verdict')}: what the auditor found"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("style", Html(style)),
    )
    return "<!DOCTYPE html>\n" + element("html", head, _body(answers), lang="en") + "\n"


def _body(answers: Answers) -> Html:
    sections = [
        _findings(answers),
        _trust(answers),
        time_line_section(answers),
        who_section(answers),
        consents_section(answers),
        uses_section(answers),
        refusals_section(answers),
        decisions_section(answers),
        log_section(answers),
        silence_section(answers),
        kept_section(answers),
    ]
    return element(
        "body",
        element("a", "To the verdict", href="#verdict", class_="skip"),
        element("header", element("h1", "What the auditor found"), _about(answers)),
        element("main", _verdict(answers), _tiles(answers), *filter(None, sections)),
        element(
            "footer",
            element("h2", "What no report shows"),
            element("p", answers.text("note")),
            element(
                "p",
                "People and services stand here under pseudonyms, and of what was seen only the "
                "names of fields, never what they said.",
            ),
        ),
    )


def _about(answers: Answers) -> Html:
    origin, stream = answers.text("origin"), answers.text("stream")
    version, size = answers.number("version"), answers.number("size")
    as_of = text_in(answers.part("as_of"), "time")
    parts = [
        f"One history, to its version {version}." if version else None,
        f"A whole log, {size:,} entries." if size and not version else None,
        joined((" As of ", when(as_of), ".")) if as_of else None,
        " All times are UTC.",
    ]
    ids = [element("span", text, class_="id") for text in (stream, origin) if text]
    spaced = [part for one in ids for part in (one, " ")]
    return joined([element("p", *parts), element("p", *spaced, class_="soft") if spaced else None])


def _verdict(answers: Answers) -> Html:
    verdict = answers.text("verdict")
    sort = _SORTS[verdict]
    mark = {"good": "\u2714", "doubt": "\u25d0", "bad": "\u2718"}[sort]
    return element(
        "section",
        element("h2", element("span", f"{mark} ", aria_hidden="true"), verdict),
        element("p", _MEANINGS[verdict]),
        element("p", answers.text("line"), class_="soft"),
        class_=f"verdict {sort}",
        id="verdict",
        aria_label=f"Verdict: {verdict}",
    )


def _tiles(answers: Answers) -> Html:
    counts = [
        ("Findings", max(answers.number("finding_count"), len(answers.rows("findings")))),
        ("Uses", _count(answers, "uses")),
        ("Refused", _count(answers, "refusals")),
        ("Consents", _count(answers, "consents")),
        ("Decisions not shown to be hers", _not_shown(answers)),
        ("Records not shown", _count(answers, "withheld")),
    ]
    tiles = [
        element("li", element("strong", f"{count:,}"), what)
        for what, count in counts
        if count is not None
    ]
    return element("ul", *tiles, class_="tiles")


def _count(answers: Answers, name: str) -> int | None:
    """Return how many there are, listed or counted; None if the report does not say."""
    if name not in answers.found:
        return None
    return len(answers.rows(name)) or answers.number(name)


def _not_shown(answers: Answers) -> int | None:
    if counted := answers.part("decisions"):
        return sum(number_in(counted, name) for name in ("not shown", "sealed"))
    if "decisions" not in answers.found:
        return None
    return sum(1 for row in answers.rows("decisions") if row.get("hers") != "shown")


def _findings(answers: Answers) -> Html:
    rows = [
        (_where(row.get("where")), text_in(row, "what"), text_in(row, "why"))
        for row in answers.rows("findings")
    ]
    heading = element("h2", "Findings")
    if not rows:
        return element("section", heading, element("p", "Nothing was found."))
    count = max(answers.number("finding_count"), len(rows))
    more = (
        element("p", f"{count - len(rows):,} more are not listed.") if count > len(rows) else None
    )
    shown = table("What must not be, and where", ("Where", "What", "Why"), rows[:MOST_ROWS])
    return element("section", heading, shown, more)


def _trust(answers: Answers) -> Html:
    witnesses = answers.found.get("witnesses")
    names = ", ".join(map(str, witnesses)) if isinstance(witnesses, list) else ""
    proved = answers.part("proved")
    pairs = [
        ("Trust", answers.text("trust")),
        ("Key of the log", "pinned" if answers.found.get("key_pinned") else "not pinned"),
        ("Independent witnesses", names or _NO_WITNESS),
        ("Log", text_in(proved, "origin")),
        ("Entries that were signed", text_in(proved, "size")),
        ("Records", text_in(proved, "records")),
        ("Records not shown to stand in the log", text_in(proved, "unproved")),
    ]
    listed = [joined((element("dt", what), element("dd", text))) for what, text in pairs if text]
    return element("section", element("h2", "Under which trust"), element("dl", *listed))


def _where(where: object) -> str:
    if not isinstance(where, dict):
        return ""
    parts = [text_in(where, "stream"), text_in(where, "stream_id")[:8]]
    if version := text_in(where, "version"):
        parts.append(f"version {version}")
    if leaf := text_in(where, "leaf_index"):
        parts.append(f"leaf {leaf}")
    return " ".join(filter(None, parts))
