# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG: told apart by shape as well as by colour, each beside a table of the same.

Colours and strokes are classes of the page's style: a policy that forbids inline styles is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from clients.report.html import Html, element

WIDTH: Final = 960
LEFT: Final = 270
RIGHT: Final = 24
ROW: Final = 34
TOP: Final = 14
AXIS: Final = 34
MOST_TICKS: Final = 6
_LONG: Final = timedelta(days=6)
_SHORT: Final = timedelta(minutes=10)
LONGEST_LABEL: Final = 36

Sort = Literal["use", "denied", "refusal", "decision", "finding"]
SORTS: Final[dict[Sort, str]] = {
    "use": "Seen, and allowed",
    "denied": "Seen, and not allowed",
    "refusal": "Tried, and refused",
    "decision": "A decision",
    "finding": "A finding",
}


@dataclass(frozen=True)
class Mark:
    """Something that happened at a time."""

    time: datetime
    sort: Sort
    title: str


@dataclass(frozen=True)
class Track:
    """A row of the time line: a span with marks on it."""

    label: str
    title: str
    start: datetime
    end: datetime
    marks: tuple[Mark, ...]
    is_open: bool
    """Whether it was in force at the end of what was shown."""


def moment(text: str) -> datetime | None:
    """Return a time of a report; None if it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def time_line(tracks: Sequence[Track], until: datetime) -> Html:
    """Return a chart of consents over time, up to the last moment that was shown.

    Args:
        until: spans that go on beyond are cut off there, with an arrow.
    """
    marks = [mark.time for track in tracks for mark in track.marks]
    begin = min([track.start for track in tracks] + marks)
    last = max([min(track.end, until) for track in tracks] + marks)
    scale = _Scale(begin, max(last, begin + timedelta(seconds=1)))
    height = TOP + ROW * len(tracks) + AXIS
    rows = [_track(track, TOP + ROW * row, scale) for row, track in enumerate(tracks)]
    return element(
        "svg",
        element("title", "Consents over time"),
        element("desc", "A bar for each consent in force, and marks for what happened under it."),
        *_axis(scale, height),
        *rows,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        class_="chart",
        aria_label="Consents over time; the same stands in the tables below",
    )


def legend(sorts: Sequence[Sort]) -> Html:
    """Return what the marks mean."""
    items = [
        element(
            "li",
            element(
                "svg",
                _shape(sort, 9, 9),
                viewBox="0 0 18 18",
                class_="key",
                aria_hidden="true",
            ),
            SORTS[sort],
        )
        for sort in sorts
    ]
    return element("ul", *items, class_="legend")


def bars(title: str, counts: Sequence[tuple[str, int]]) -> Html:
    """Return a chart of counts, longest first as they come."""
    most = max((count for _, count in counts), default=1) or 1
    height = ROW * len(counts) + 4
    rows = []
    for row, (label, count) in enumerate(counts):
        top, long = ROW * row + 4, round((WIDTH - LEFT - 90) * count / most, 1)
        rows += [
            element("text", cut(label), x=LEFT - 12, y=top + 19, class_="label"),
            element("rect", x=LEFT, y=top, width=max(long, 1), height=ROW - 10, class_="bar"),
            element("text", f"{count:,}", x=LEFT + long + 8, y=top + 18, class_="count"),
        ]
    return element(
        "svg",
        element("title", title),
        *rows,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        class_="chart",
        aria_label=f"{title}; the same stands in the table below",
    )


def cut(label: str) -> str:
    """Return a label that fits."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}\u2026"


@dataclass(frozen=True)
class _Scale:
    begin: datetime
    end: datetime

    def x(self, time: datetime) -> float:
        """Return how far to the right a time is; what lies beyond is at the edge."""
        whole = (self.end - self.begin) / timedelta(microseconds=1)
        part = (min(max(time, self.begin), self.end) - self.begin) / timedelta(microseconds=1)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * part / whole, 1)

    def ticks(self) -> list[datetime]:
        """Return some times at equal distances."""
        step = (self.end - self.begin) / (MOST_TICKS - 1)
        return [self.begin + step * number for number in range(MOST_TICKS)]


def _axis(scale: _Scale, height: int) -> list[Html]:
    length = scale.end - scale.begin
    form = "%d %b %Y" if length > _LONG else "%d %b %H:%M" if length > _SHORT else "%H:%M:%S"
    drawn = []
    for place, time in enumerate(scale.ticks()):
        x = scale.x(time)
        anchor = "start" if not place else "end" if place == MOST_TICKS - 1 else "middle"
        text = time.astimezone(UTC).strftime(form)
        drawn += [
            element("line", x1=x, x2=x, y1=TOP - 6, y2=height - AXIS, class_="grid"),
            element("text", text, x=x, y=height - 12, text_anchor=anchor, class_="tick"),
        ]
    return drawn


def _track(track: Track, top: int, scale: _Scale) -> Html:
    start, end = scale.x(track.start), scale.x(track.end)
    middle = top + ROW / 2 - 2
    span = element(
        "rect",
        x=start,
        y=middle - 5,
        width=max(round(end - start, 1), 2),
        height=10,
        rx=5,
        class_="open" if track.is_open else "ended",
    )
    return element(
        "g",
        element("title", track.title),
        element("text", cut(track.label), x=LEFT - 12, y=middle + 4, class_="label"),
        span,
        *(
            element(
                "g", element("title", mark.title), _shape(mark.sort, scale.x(mark.time), middle)
            )
            for mark in track.marks
        ),
    )


def _shape(sort: Sort, x: float, y: float) -> Html:
    match sort:
        case "use":
            return element("circle", cx=x, cy=y, r=5, class_=sort)
        case "decision":
            points = f"{x},{y - 7} {x + 7},{y} {x},{y + 7} {x - 7},{y}"
            return element("polygon", points=points, class_=sort)
        case "refusal":
            path = f"M{x - 5} {y - 5}L{x + 5} {y + 5}M{x - 5} {y + 5}L{x + 5} {y - 5}"
            return element("path", d=path, class_=sort)
        case _:
            points = f"{x},{y - 8} {x + 8},{y + 6} {x - 8},{y + 6}"
            return element("polygon", points=points, class_=sort)
