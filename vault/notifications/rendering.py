# SPDX-License-Identifier: Apache-2.0
"""What a message says, in her language: short, plain, and never more than she needs to read there.

A message names the service and a day; never a purpose, a kind of information, a field or a value,
nor a link that opens anything. A discreet one says only that there is something new, and where the
start page is. The texts stand in `words.json`, by key and language.
"""

from __future__ import annotations

import functools
import json
from datetime import UTC, timedelta, tzinfo
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vault.domain.values import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.notifications.notice import Notice, Way

ZONE: Final = "Europe/London"


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Return every text in every language, by its key."""
    found: dict[str, dict[str, str]] = json.loads(
        files(__package__).joinpath("words.json").read_bytes()
    )
    return found


def render(
    notices: Sequence[Notice],
    way: Way,
    *,
    language: str,
    discreet: bool,
    names: Mapping[str, str],
    start: str,
) -> tuple[str, str]:
    """Return subject and text of a message.

    Args:
        notices: what is told, at least one thing; of several it says that they are the week's.
        names: what services are called in this language, by id.
        start: the address of the start page.
    """
    say = functools.partial(_say, language)
    if discreet:
        subject = say("discreet.subject")
        return subject, _joined((subject, say("discreet.look", start=start)), way)
    told = [_told(notice, language, names) for notice in notices]
    look = say("look", start=start)
    if len(told) > 1:
        lines = [f"- {subject}" for subject, _ in told]
        subject = say("weekly.subject")
        text = "\n".join(lines) if way != "telephone" else subject
        return subject, _joined((text, look), way)
    ((subject, text),) = told
    # A text message is one line or two: what the subject says is enough.
    return subject, _joined((subject if way == "telephone" else text, look), way)


def _told(notice: Notice, language: str, names: Mapping[str, str]) -> tuple[str, str]:
    values = {
        "service": names.get(notice.service) or _say(language, "somebody"),
        "day": _day(notice, language),
    }
    kind = notice.kind
    text = f"{kind}.{notice.detail}.text" if notice.detail else f"{kind}.text"
    return _say(language, f"{kind}.subject", **values), _say(language, text, **values)


def _say(language: str, key: str, **values: str) -> str:
    return catalogue()[key][language].format(**values)


def _joined(paragraphs: Sequence[str], way: Way) -> str:
    return ("\n" if way == "telephone" else "\n\n").join(paragraphs)


def _day(notice: Notice, language: str) -> str:
    """Return a day as she writes it; an end is exclusive, and closes the day before."""
    if not notice.time:
        return ""
    moment = moment_of(notice.time)
    if notice.kind == "end-near":
        moment -= timedelta(microseconds=1)
    local = moment.astimezone(_zone())
    month = _say(language, "months").split()[local.month - 1]
    return f"{local.day} {month} {local.year}"


@functools.cache
def _zone() -> tzinfo:
    try:
        return ZoneInfo(ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        # A machine without a zone database.
        return UTC
