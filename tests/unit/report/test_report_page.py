# SPDX-License-Identifier: Apache-2.0
"""The page for people: everything in one file, nothing that runs, nothing that is fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from clients.auditor.report import as_json
from clients.report.answers import VERDICTS, Answers, ReportError
from clients.report.charts import Mark, Track, moment, time_line
from clients.report.html import element, joined, when
from clients.report.page import page
from tests.unit.auditor.stories import CARE, COUNCIL, a_story_of_changes, an_honest_story

VOID = {"meta"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00'


class Page(HTMLParser):
    """Reads a page, and what would be fetched or run in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def told(found: dict[str, Any], names: bytes = b"") -> Page:
    return Page(page(Answers.read(json.dumps(found).encode(), names)))


@pytest.fixture(scope="module", params=["sharing", "changes"])
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    story = an_honest_story() if request.param == "sharing" else a_story_of_changes()
    return as_json(story.audit())


def test_nothing_runs_and_nothing_is_fetched(report: dict[str, Any]) -> None:
    text = page(Answers.read(json.dumps(report).encode()))
    read = Page(text)

    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {
        tag for tag, _ in read.tags
    }
    for _, attributes in read.tags:
        assert not {"src", "style", "srcset", "xlink:href"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\(|https?://", text)


def test_the_policy_allows_its_own_style_and_nothing_else(report: dict[str, Any]) -> None:
    text = page(Answers.read(json.dumps(report).encode()))

    (policy,) = [m["content"] for m in Page(text).of("meta") if "http-equiv" in m]
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def test_the_verdict_comes_first_and_is_said_in_words(report: dict[str, Any]) -> None:
    text = told(report).text

    assert text.index(report["verdict"]) < text.index("Findings")
    assert report["line"] in text
    assert report["note"] in text
    assert "No independent witness signed" in text


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_has_its_meaning(verdict: str) -> None:
    read = told({"verdict": verdict, "line": f"{verdict} (why)"})

    assert f"{verdict} (why)" in read.text
    assert any(
        attributes.get("class", "").startswith("verdict ") for attributes in read.of("section")
    )


def test_a_failure_never_looks_like_success() -> None:
    sorts = {
        verdict: next(
            attributes["class"]
            for attributes in told({"verdict": verdict, "line": ""}).of("section")
            if "verdict" in attributes.get("class", "")
        )
        for verdict in VERDICTS
    }

    assert sorts == {
        "VERIFIED": "verdict good",
        "CONSISTENT ONLY": "verdict doubt",
        "UNSIGNED": "verdict doubt",
        "WITHHELD": "verdict doubt",
        "NOT SHOWN TO BE HERS": "verdict bad",
        "FAILED": "verdict bad",
    }


def test_everything_that_happened_stands_in_it(report: dict[str, Any]) -> None:
    read = told(report)

    times = {attributes["datetime"] for attributes in read.of("time")}
    for name in ("uses", "refusals", "decisions"):
        assert times >= {row["time"] for row in report[name]}
    for row in report["uses"]:
        for fields in row["fields"]:
            for name in fields["names"]:
                assert f"{fields['evidence_type']}: {name}" in read.text
        assert row["why"] in read.text
    assert all(row["reason"] in read.text for row in report["refusals"])


def test_charts_and_tables_are_told_to_those_who_do_not_see(report: dict[str, Any]) -> None:
    read = told(report)

    charts = [each for each in read.of("svg") if each.get("class") == "chart"]
    assert charts
    assert all(each["role"] == "img" and each["aria-label"] for each in charts)
    assert len(read.of("table")) == len(read.of("caption"))
    assert {each.get("scope") for each in read.of("th")} == {"col", "row"}
    assert read.of("html")[0]["lang"] == "en"
    assert read.of("a")[0]["href"] == "#verdict"
    assert {"id": "verdict"}.items() <= read.of("section")[0].items()


def test_services_stand_under_their_names() -> None:
    listed = [
        {"service_id": CARE, "name": [{"language": "en", "text": "Home care"}]},
        {"service_id": COUNCIL, "name": [{"language": "cy", "text": "Cyngor"}]},
    ]
    report = as_json(an_honest_story().audit())

    text = told(report, json.dumps({"services": listed}).encode()).text

    assert "Home care" in text
    assert "Cyngor" in text


def test_findings_say_where_and_why() -> None:
    where = {"stream": "vault", "version": 7, "leaf_index": 31, "stream_id": "0000abcd-1"}
    finding = {"where": where, "what": "version 7 is missing", "why": "nothing stands there"}
    found = {"verdict": "FAILED", "line": "x", "findings": [finding], "finding_count": 3}

    text = told(found).text

    assert "vault 0000abcd version 7 leaf 31 version 7 is missing nothing stands there" in text
    assert "2 more are not listed." in text


def test_what_was_said_is_never_markup() -> None:
    hostile: dict[str, Any] = {
        "verdict": "FAILED",
        "line": HOSTILE,
        "note": HOSTILE,
        "stream": HOSTILE,
        "trust": HOSTILE,
        "witnesses": [HOSTILE],
        "findings": [{"where": {"stream": HOSTILE}, "what": HOSTILE, "why": HOSTILE}],
        "uses": [
            {
                "time": HOSTILE,
                "service": HOSTILE,
                "purpose": HOSTILE,
                "fields": [{"evidence_type": HOSTILE, "names": [HOSTILE]}],
                "why": HOSTILE,
            }
        ],
        "consents": [
            {
                "consent_id": HOSTILE,
                "service": HOSTILE,
                "purpose": HOSTILE,
                "start": "2026-01-01T00:00:00Z",
                "end": "2026-02-01T00:00:00Z",
                "why": HOSTILE,
            }
        ],
        "streams": {HOSTILE: 3},
        "receipts": [{"number": 1, "about": HOSTILE, "holds": False, "why": HOSTILE}],
    }

    read = told(hostile)

    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert all(not name.startswith("on") for _, found in read.tags for name in found)
    assert "alert(1)" in read.text
    assert "\x00" not in page(Answers.read(json.dumps(hostile).encode()))


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [7], [{}], {"a": None}, True, [[[]]]])
def test_a_report_of_another_version_is_read_as_far_as_it_can_be(value: Any) -> None:
    names = (
        "uses", "refusals", "findings", "consents", "decisions", "checkpoints", "receipts",
        "streams", "proved", "as_of", "witnesses", "revoked", "closed", "withheld", "note", "size",
    )  # fmt: skip
    for name in names:
        told({"verdict": "UNSIGNED", "line": "x", name: value})


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"{}", b'{"verdict":"GOOD","line":""}', b'{"verdict":"FAILED"}', b"\xff"],
)
def test_what_is_no_report_is_told(data: bytes) -> None:
    with pytest.raises(ReportError):
        Answers.read(data)


@pytest.mark.parametrize("names", [b"[]", b"{}", b'{"services":[{}]}', b'{"services":7}', b"x"])
def test_what_is_no_list_of_services_is_told(names: bytes) -> None:
    with pytest.raises(ReportError):
        Answers.read(b'{"verdict":"FAILED","line":""}', names)


def test_a_log_a_silence_and_what_was_kept_have_their_parts() -> None:
    at = {"version": 3, "leaf_index": 9, "time": "2026-03-02T09:00:00.000000Z"}
    text = told(
        {
            "verdict": "VERIFIED",
            "line": "x",
            "size": 1200,
            "streams": {"vault": 12, "request": 3},
            "revoked": at,
            "closed": at,
            "records": 5,
            "checkpoints": [{"number": 1, "origin": "a/0", "size": 7, "holds": True}],
        }
    ).text

    assert "A whole log, 1,200 entries." in text
    assert "Streams of each sort" in text
    assert "Records between 5" in text
    assert "Checkpoint 1 a/0 at 7 entries yes" in text


def test_what_a_report_does_not_say_is_no_nought() -> None:
    counted = {"decisions": {"shown": 1, "not shown": 2, "sealed": 1}, "uses": 1200}

    text = told({"verdict": "UNSIGNED", "line": "x", **counted}).text

    assert "3 Decisions not shown to be hers" in text
    assert "1,200 Uses" in text
    assert "Consents" not in text


def test_what_lies_beyond_the_chart_is_at_its_edge() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    mark = Mark(begin + timedelta(days=9), "use", "late")
    track = Track("a", "a", begin, begin + timedelta(days=400), (mark,), is_open=True)

    drawn = time_line([track], begin + timedelta(days=5))

    places = [float(found) for found in re.findall(r'(?:cx|x|x1|x2)="([\d.]+)"', drawn)]
    assert all(0 <= place <= 960 for place in places)


def test_a_chart_of_a_single_moment_is_drawn() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)

    assert "<svg" in time_line([Track("a", "a", begin, begin, (), is_open=False)], begin)


def test_a_time_is_written_for_people_and_kept_for_programs() -> None:
    assert when("2026-03-02T09:00:27.000000Z") == (
        '<time datetime="2026-03-02T09:00:27.000000Z" title="2026-03-02T09:00:27.000000Z (UTC)">'
        "2 Mar 2026 09:00:27</time>"
    )
    assert "27.5<" in when("2026-03-02T09:00:27.500000Z")
    assert when("<b>") == "&lt;b&gt;"
    assert moment("2026-03-02T09:00:27") is None


def test_attributes_and_texts_are_escaped() -> None:
    assert element("p", "<b>", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;</p>'
    assert joined(("a & b", None, element("b", "c"))) == "a &amp; b<b>c</b>"
