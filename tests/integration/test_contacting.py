# SPDX-License-Identifier: Apache-2.0
"""How she is reached, over the wire: said by herself or by an official, kept for her alone."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.canaries import search
from tests.server import Server
from tests.world import Citizen, World, assisted, new_id
from vault.api.v1 import contact_pb2 as pb
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults

WHOLE: Final = pb.Contact(
    email="Mair.Evans@example.org",
    telephone="+44 1632 960100",
    postal_lines=["Mair Evans", "14 Heol y Bont", "SY29 4ZZ"],
    language="cy",
    pace=pb.CONTACT_PACE_WEEKLY,
    discreet=True,
    muted_kinds=[pb.NOTIFICATION_KIND_NEW_REQUEST, pb.NOTIFICATION_KIND_END_NEAR],
)


def setting(contact: pb.Contact, **changed: Any) -> vaults.SetContactRequest:
    return vaults.SetContactRequest(request_id=new_id(), contact=contact, **changed)


def kept(citizen: Citizen) -> vaults.GetContactResponse:
    answer = citizen.caller.ask("VaultService/GetContact", vaults.GetContactRequest())
    assert isinstance(answer, vaults.GetContactResponse)
    return answer


def types(citizen: Citizen) -> list[str]:
    listed = citizen.caller.ask("VaultService/ListHistory", vaults.ListHistoryRequest())
    return [entry.type for entry in listed.entries]


def test_what_she_says_is_kept_as_she_said_it(world: World) -> None:
    citizen = world.citizen()
    assert not kept(citizen).HasField("contact")

    answer = citizen.caller.ask("VaultService/SetContact", setting(WHOLE))

    assert answer.contact == WHOLE
    assert kept(citizen).contact == WHOLE
    assert kept(citizen).set_time == answer.set_time
    assert kept(citizen).acting.capacity == vault_pb2.CAPACITY_SELF
    assert types(citizen)[0] == "contact-set.1"


def test_what_she_says_next_takes_its_place_whole(world: World) -> None:
    citizen = world.citizen()
    citizen.caller.ask("VaultService/SetContact", setting(WHOLE))

    citizen.caller.ask("VaultService/SetContact", setting(pb.Contact()))

    standard = pb.Contact(language="en", pace=pb.CONTACT_PACE_AT_ONCE)
    assert kept(citizen).contact == standard


def test_an_official_who_looks_leaves_a_line(world: World) -> None:
    citizen = world.citizen()
    world.assist(citizen)
    citizen.caller.ask("VaultService/SetContact", setting(WHOLE))

    seen = world.official.ask(
        "VaultService/GetContact", vaults.GetContactRequest(acting=assisted(citizen))
    )

    assert seen.contact == WHOLE
    assert types(citizen)[0] == "vault-read.1"


def muting(*kinds: int) -> pb.Contact:
    return pb.Contact(muted_kinds=kinds)  # type: ignore[arg-type]


BAD: Final = {
    "no e-mail address": (pb.Contact(email="mair"), "contact.email"),
    "two lines": (pb.Contact(email="mair@example.org\r\nBcc: a@example.org"), "contact.email"),
    "no number": (pb.Contact(telephone="ring me"), "contact.telephone"),
    "half a number": (pb.Contact(telephone="1"), "contact.telephone"),
    "too few lines": (pb.Contact(postal_lines=["one", "two"]), "contact.postal_lines"),
    "too many lines": (pb.Contact(postal_lines=["l"] * 8), "contact.postal_lines"),
    "a blank line": (pb.Contact(postal_lines=["1", " ", "3"]), "contact.postal_lines[1]"),
    "a line of two": (pb.Contact(postal_lines=["1", "t\nwo", "3"]), "contact.postal_lines[1]"),
    "a long line": (pb.Contact(postal_lines=["1", "l" * 101, "3"]), "contact.postal_lines[1]"),
    "no language of ours": (pb.Contact(language="fr"), "contact.language"),
    "no pace": (pb.Contact(pace=9), "contact.pace"),  # type: ignore[arg-type]
    "no kind": (muting(9), "contact.muted_kinds[0]"),
    "nothing muted": (muting(0), "contact.muted_kinds[0]"),
    "muted twice": (muting(1, 1), "contact.muted_kinds"),
}
"""What is refused, and the field that is named."""


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_address_is_named_and_changes_nothing(world: World, name: str) -> None:
    contact, field = BAD[name]
    citizen = world.mair
    before = types(citizen)

    answer = citizen.caller.call("VaultService/SetContact", setting(contact))

    assert answer.reason == "FIELD_INVALID"
    assert answer.fields == [field]
    assert types(citizen) == before


def test_no_value_lies_anywhere_in_the_clear(world: World, server: Server) -> None:
    """Neither in link or facts, nor in any database, nor in what the server writes."""
    citizen = world.citizen()
    words = ["canary-contact@example.org", "01632960177", "Canary Contact", "Canary Lane 9"]
    contact = pb.Contact(
        email=words[0], telephone=words[1], postal_lines=[*words[2:], "SY29 4ZZ"], discreet=True
    )

    citizen.caller.ask("VaultService/SetContact", setting(contact))

    assert search(server.data, words) == []
    written = server.written.read_text(encoding="utf-8")
    assert [word for word in words if word in written] == []
    (record,) = [one for one in world.replay(citizen.vault_id) if b"contact-set.1" in one.facts]
    assert set(json.loads(record.facts)) == {"type", "time", "salt"}
