# SPDX-License-Identifier: Apache-2.0
"""HTML in which everything that was said is escaped: elements in, one text out."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

_EMPTY: Final = frozenset({"meta", "rect", "line", "circle", "path", "polygon"})
_HIDDEN: Final = "".join(chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127))
_CONTROLS: Final = str.maketrans(dict.fromkeys(_HIDDEN, "\ufffd"))


class Html(str):
    """A text that is HTML already: all else is escaped."""

    __slots__ = ()


def element(tag: str, /, *inner: object, **attributes: object) -> Html:
    """Return an element; an attribute's name ends in `_` where Python has that word.

    An attribute that is None or False is left out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _EMPTY:
        return Html(f"<{tag}{said}>" if tag == "meta" else f"<{tag}{said}/>")
    return Html(f"<{tag}{said}>{joined(inner)}</{tag}>")


def joined(parts: Iterable[object]) -> Html:
    """Return parts one after the other, each escaped unless it is HTML; None is nothing."""
    return Html(
        "".join(
            part if isinstance(part, Html) else _escaped(str(part))
            for part in parts
            if part is not None
        )
    )


def when(text: str) -> Html:
    """Return a time of a report as people write it; what it is exactly stands in its attributes."""
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return joined((text,))
    seconds = f"{found:%S}" if not found.microsecond else f"{found:%S.%f}".rstrip("0")
    written = f"{found.day} {found:%b %Y %H:%M}:{seconds}"
    return element("time", written, datetime=text, title=f"{text} (UTC)")


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] = (),
) -> Html:
    """Return a table with a caption; the first cell of a row names the row.

    Args:
        numbers: the columns that hold numbers.
    """
    head = [
        element("th", column, scope="col", class_="number" if place in numbers else None)
        for place, column in enumerate(columns)
    ]
    body = [
        element(
            "tr",
            *(
                element(
                    "td" if place else "th",
                    cell,
                    scope=None if place else "row",
                    class_="number" if place in numbers else None,
                )
                for place, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    # Wide on a small screen: it scrolls by itself, also by keyboard.
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption)


def _escaped(text: str) -> str:
    return html.escape(text.translate(_CONTROLS))
