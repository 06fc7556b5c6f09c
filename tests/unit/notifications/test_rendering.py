# SPDX-License-Identifier: Apache-2.0
"""What messages say: in both languages, plain, and nothing more than she needs to read there."""

from __future__ import annotations

import re
from typing import Final, get_args

import pytest

from vault.application.contacts import Subject
from vault.notifications.notice import WAYS, Kind, Notice, Way
from vault.notifications.rendering import catalogue, render

STREAM: Final = "0000aaaa-1111-8000-8000-000000000001"
SERVICE: Final = "5e5e5e5e-1111-4000-8000-000000000001"
NAMES: Final = {SERVICE: "Home care"}
START: Final = "https://aber.example/"
TIME: Final = "2026-03-02T09:00:00.000000Z"
OURS: Final = re.compile(
    r"\b(vault|grant|disclos\w*|subject|consent|revok\w*|narrow|evidence|receipt)\b", re.IGNORECASE
)
"""Words that stand on no page of hers, in either language."""


def notice(kind: Kind, detail: str = "", time: str = TIME) -> Notice:
    return Notice(stream=STREAM, version=7, kind=kind, service=SERVICE, time=time, detail=detail)


NOTICES: Final = [
    notice("new-request"),
    notice("first-use"),
    notice("refused-attempt"),
    notice("end-near"),
    notice("new-sign-in", "assistance-code"),
    notice("new-sign-in", "passkey"),
    notice("sign-in-linked"),
    notice("contact-changed"),
]


def rendered(
    *notices: Notice, way: Way = "email", language: str = "en", discreet: bool = False
) -> tuple[str, str]:
    return render(notices, way, language=language, discreet=discreet, names=NAMES, start=START)


def test_the_samples_are_of_every_kind() -> None:
    kinds = {*get_args(Subject), "contact-changed", "sign-in-linked"}

    assert {one.kind for one in NOTICES} == kinds


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("one", NOTICES, ids=lambda one: one.kind + one.detail)
def test_a_message_is_whole_and_plain(one: Notice, way: Way, language: str) -> None:
    subject, text = rendered(one, way=way, language=language)

    assert subject
    assert text.count(START) == 1
    assert re.findall(r"https?://\S+", text) == [START]
    assert not re.search(r"[{}]", subject + text)
    assert not OURS.search(subject + text)
    assert "\n" not in subject
    assert all(len(sentence.split()) <= 25 for sentence in re.split(r"[.:]\s", text))


@pytest.mark.parametrize("one", NOTICES, ids=lambda one: one.kind + one.detail)
def test_the_languages_differ(one: Notice) -> None:
    english, welsh = rendered(one), rendered(one, language="cy")

    assert english[0] != welsh[0]
    assert english[1] != welsh[1]


def test_every_text_is_there_in_both_languages() -> None:
    assert catalogue()
    for key, texts in catalogue().items():
        assert texts.keys() == {"en", "cy"}, key
        assert all(texts.values()), key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in texts.values()]
        assert fields[0] == fields[1], key


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("way", WAYS)
def test_a_discreet_message_says_nothing_but_that_there_is_one(way: Way, language: str) -> None:
    discreet = {
        rendered(*told, way=way, language=language, discreet=True)
        for told in ([one] for one in NOTICES)
    }
    discreet.add(rendered(*NOTICES, way=way, language=language, discreet=True))

    ((subject, text),) = discreet
    assert text.split() == [*subject.split(), START]


def test_a_text_message_is_short() -> None:
    for one in NOTICES:
        for language in ("en", "cy"):
            _, text = rendered(one, way="telephone", language=language)
            assert len(text) <= 160


def test_several_are_told_as_the_weeks() -> None:
    subject, text = rendered(*NOTICES)

    assert subject == "What happened this week"
    assert [line[2:] for line in text.splitlines() if line.startswith("- ")] == [
        rendered(one)[0] for one in NOTICES
    ]


def test_a_service_whose_name_is_not_known_is_somebody() -> None:
    stranger = Notice(stream=STREAM, version=7, kind="first-use", service=STREAM, time=TIME)

    assert rendered(stranger)[0] == "An organisation looked for the first time"
    assert STREAM not in "".join(rendered(stranger))


def test_an_end_is_the_day_that_it_closes() -> None:
    """24:00 of the 30th in Cardiff is 23:00 UTC in summer, midnight in winter."""
    for end in ("2026-06-30T23:00:00.000000Z", "2026-12-01T00:00:00.000000Z"):
        subject, _ = rendered(notice("end-near", time=end))

        assert subject.startswith("Sharing with Home care ends on 30 ")
