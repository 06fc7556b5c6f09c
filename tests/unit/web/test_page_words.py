# SPDX-License-Identifier: Apache-2.0
"""Every text of the pages is there in both languages, is used, and says none of our own words."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.web.words import PageWords, Text, plural_form, texts_of
from clients.wording.words import LANGUAGES, catalogue

WEB = Path(__file__).parents[3] / "clients" / "web"
ROOMS = ["", *sorted(file.parent.name for file in WEB.glob("*/words.json"))]
HERS = [room for room in ROOMS if room != "staff"]
FORMS = {"en": {"one", "other"}, "cy": {"zero", "one", "two", "few", "many", "other"}}
OURS = re.compile(
    r"vault|grant|disclos|subject|consent|revoke|revocation|narrow|evidence|receipt", re.IGNORECASE
)
LOOKED_UP = re.compile(r"""(?<![\w.])(?:here\.)?words(?:\.maybe)?\(\s*["']([\w.-]+)["']\s*[,)]""")


def sources(room: str) -> Iterator[Path]:
    folder = WEB / room if room else WEB
    yield from (*folder.glob("*.py"), *folder.glob("*.html"))


def forms(text: Text) -> list[str]:
    return list(text.values()) if isinstance(text, dict) else [text]


def test_there_are_rooms() -> None:
    assert "start" in ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_is_there_in_both_languages(room: str) -> None:
    for key, by_language in texts_of(room).items():
        assert set(by_language) == set(LANGUAGES), key
        for language, text in by_language.items():
            assert all(form.strip() for form in forms(text)), (key, language)
            if isinstance(text, dict):
                assert "other" in text, key
                assert set(text) <= FORMS[language], key


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_takes_the_same_values_in_both_languages(room: str) -> None:
    for key, by_language in texts_of(room).items():
        named = {
            language: {
                name
                for form in forms(text)
                for _, name, _, _ in string.Formatter().parse(form)
                if name
            }
            for language, text in by_language.items()
        }
        assert named["en"] == named["cy"], key


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_that_is_looked_up_exists(room: str) -> None:
    known = {*texts_of(room), *texts_of(""), *catalogue()}
    for source in sources(room):
        missing = set(LOOKED_UP.findall(source.read_text(encoding="utf-8"))) - known
        assert not missing, source.name


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_is_used(room: str) -> None:
    rooms = ROOMS if not room else [room]
    said = "\n".join(file.read_text(encoding="utf-8") for one in rooms for file in sources(one))
    # A family's member is put together: words("failed." ~ what), f"failed.{what}.title".
    families = set(re.findall(r"""["']([\w.]+\.)(?:\{|["']\s*[~+])""", said))
    families |= {f"{name}." for name in re.findall(r"""one_of\(\s*["']([\w.]+)["']""", said)}
    unused = {
        key
        for key in texts_of(room)
        # What an official reads instead is looked up under the name of what she reads, and what
        # all clients have may be said another way here.
        if key not in catalogue()
        and not re.search(rf"""["']{re.escape(key.removeprefix("assist."))}["']""", said)
        and not any(key.startswith(family) for family in families)
    }
    assert not unused


@pytest.mark.parametrize("room", HERS)
def test_no_text_for_citizens_says_our_own_words(room: str) -> None:
    for key, by_language in texts_of(room).items():
        for form in forms(by_language["en"]):
            # What stands in braces is a name of ours that nobody reads.
            assert not OURS.search(re.sub(r"\{\w+\}", "", form)), key


@pytest.mark.parametrize(
    ("count", "form"),
    [(0, "zero"), (1, "one"), (2, "two"), (3, "few"), (6, "many"), (4, "other"), (21, "other")],
)
def test_welsh_has_six_forms(count: int, form: str) -> None:
    assert plural_form("cy", count) == form


@pytest.mark.parametrize(("count", "form"), [(0, "other"), (1, "one"), (2, "other")])
def test_english_has_two_forms(count: int, form: str) -> None:
    assert plural_form("en", count) == form


def test_a_room_finds_its_own_text_then_those_of_all() -> None:
    words = PageWords("cy", "start")

    assert words("menu.start") == "Dechrau"
    assert words("months").startswith("Ion")
    with pytest.raises(KeyError):
        words("no.such.text")
