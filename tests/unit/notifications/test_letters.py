# SPDX-License-Identifier: Apache-2.0
"""Letters and files: whole, for their owner alone, and one for each delivery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vault.notifications.files import FileChannel
from vault.notifications.letters import LetterChannel, page_of
from vault.notifications.message import Message, NotSentError

ADDRESS = ("Mair <Evans>", "14 Heol y Bont", "SY29 4ZZ")


def message(**changed: Any) -> Message:
    standard = {
        "delivery_id": "d0d0d0d0-1111-4000-8000-000000000001",
        "made": "2026-03-02T09:00:00.000000Z",
        "again": False,
        "way": "post",
        "language": "cy",
        "address": ADDRESS,
        "subject": "Smith & Sons <looked>",
        "text": "First.\nSecond.\n\nTo see more, go to https://vault.aber.example/",
    }
    return Message(**{**standard, **changed})


def test_a_letter_is_one_page_with_the_address_in_the_window() -> None:
    page = page_of(message())

    assert '<html lang="cy">' in page
    assert "Mair &lt;Evans&gt;<br>\n14 Heol y Bont<br>\nSY29 4ZZ" in page
    assert "<h1>Smith &amp; Sons &lt;looked&gt;</h1>" in page
    assert "<p>First.<br>Second.</p>" in page
    assert "@page" in page


def test_a_letter_loads_nothing() -> None:
    page = page_of(message(text="Nothing."))

    assert "http" not in page
    assert "<script" not in page


@pytest.mark.parametrize("make", [FileChannel, LetterChannel])
def test_what_is_sent_again_takes_its_own_place(
    tmp_path: Path, make: type[FileChannel | LetterChannel]
) -> None:
    channel = make(tmp_path / "out")

    channel.send(message())
    once = sorted((tmp_path / "out").iterdir())
    channel.send(message(again=True))

    assert sorted((tmp_path / "out").iterdir()) == once
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in once)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_file_is_read_by_people_and_by_programs(tmp_path: Path) -> None:
    FileChannel(tmp_path).send(message())

    (text,), (program,) = tmp_path.glob("*.txt"), tmp_path.glob("*.json")
    assert text.name.startswith("20260302T090000-000000-")
    assert "To: Mair <Evans>, 14 Heol y Bont, SY29 4ZZ\n" in text.read_text(encoding="utf-8")
    said = json.loads(program.read_text(encoding="utf-8"))
    assert (said["way"], said["address"]) == ("post", list(ADDRESS))


@pytest.mark.parametrize("make", [FileChannel, LetterChannel])
def test_a_folder_that_is_gone_is_not_a_message_that_was_sent(
    tmp_path: Path, make: type[FileChannel | LetterChannel]
) -> None:
    channel = make(tmp_path / "out")
    (tmp_path / "out").rmdir()

    with pytest.raises(NotSentError) as refused:
        channel.send(message())

    assert not refused.value.for_good
    assert "Mair" not in str(refused.value)


def test_a_message_does_not_print_whom_it_goes_to() -> None:
    printed = repr(message())

    assert "Mair" not in printed
    assert "looked" not in printed
