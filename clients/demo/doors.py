# SPDX-License-Identifier: Apache-2.0
"""Who stands on the page where people sign in, so that a newcomer need only press a name."""

import json
from pathlib import Path
from typing import Final

from clients.demo.directory import Asker
from clients.demo.people import BRIGHTCARE_STAFF, COUNCIL_STAFF, MAIR, OFFICIAL
from clients.demo.story import Story

_FILE: Final = "development-people.json"
"""In the server's folder: its development issuer reads it each time."""


def offer(story: Story) -> None:
    """Offer the people of the story by name."""
    file: Path = story.deployment.data / _FILE
    file.write_text(json.dumps(known(story), ensure_ascii=False), encoding="utf-8")


def known(story: Story) -> list[dict[str, object]]:
    """Return who is offered, in order: as whom, and who it is in both languages."""
    council, brightcare = story.council_team, story.brightcare_team
    return [
        _one("citizen", MAIR, name="Mair", en="81, home from hospital", cy="81, adref o’r ysbyty"),
        _one("citizen", "emlyn", name="Emlyn", en="86, new here", cy="86, newydd yma"),
        _one("official", OFFICIAL, en="helps people at the library", cy="yn helpu yn y llyfrgell"),
        _staff(COUNCIL_STAFF, council, "Gyngor Aber"),
        _staff(BRIGHTCARE_STAFF, brightcare, "Ofal Disglair"),
    ]


def _staff(sub: str, team: Asker, welsh: str) -> dict[str, object]:
    """Return somebody of a service; after "i" the Welsh name is mutated."""
    told = {"en": f"works for {team.organisation}", "cy": f"yn gweithio i {welsh}"}
    return {**_one("staff", sub, **told), "service_id": team.service_id}


def _one(role: str, sub: str, *, en: str, cy: str, name: str = "") -> dict[str, object]:
    return {"role": role, "sub": sub, "name": name or sub, "about": {"en": en, "cy": cy}}
