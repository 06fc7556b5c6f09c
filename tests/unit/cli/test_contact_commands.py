# SPDX-License-Identifier: Apache-2.0
"""How she is reached, said and shown; what she does not name stays as it is."""

from __future__ import annotations

import pytest

from tests.unit.cli import world
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import contact_pb2 as pb
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults

KEPT = pb.Contact(
    email="mair@example.org",
    telephone="01632 960100",
    postal_lines=["Mair Evans", "14 Heol y Bont", "SY29 4ZZ"],
    language="cy",
    pace=pb.CONTACT_PACE_WEEKLY,
    discreet=True,
    muted_kinds=[pb.NOTIFICATION_KIND_FIRST_USE],
)
EMAIL, POST = ("--email", "nia@example.org"), ("--post", "A", "--post", "B", "--post", "C")


def has(server: FakeServer, contact: pb.Contact, capacity: int = 1) -> None:
    acting = vault_pb2.Acting(capacity=capacity)  # type: ignore[arg-type]
    answer = vaults.GetContactResponse(contact=contact, set_time=world.NOW, acting=acting)
    server.says("GetContact", answer)
    server.says("SetContact", vaults.SetContactResponse(contact=contact, set_time=world.NOW))


def said(server: FakeServer) -> pb.Contact:
    (request,) = server.requests("SetContact")
    assert isinstance(request, vaults.SetContactRequest)
    return request.contact


def changed(**fields: object) -> pb.Contact:
    contact = pb.Contact()
    contact.CopyFrom(KEPT)
    for name in fields:
        contact.ClearField(name)  # type: ignore[arg-type]
    contact.MergeFrom(pb.Contact(**fields))  # type: ignore[arg-type]
    return contact


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ((), changed()),
        (EMAIL, changed(email="nia@example.org")),
        (("--telephone", "01632 960999"), changed(telephone="01632 960999")),
        (POST, changed(postal_lines=["A", "B", "C"])),
        (("--remove", "post", "--remove", "telephone"), changed(postal_lines=[], telephone="")),
        (("--remove", "email", *EMAIL), changed(email="nia@example.org")),
        (("--in", "en"), changed(language="en")),
        (("--pace", "safety-only"), changed(pace=pb.CONTACT_PACE_SAFETY_ONLY)),
        (("--not-discreet",), changed(discreet=False)),
        (("--mute", "end-near"), changed(muted_kinds=[2, 4])),
        (("--tell", "first-use"), changed(muted_kinds=[])),
        (("--tell", "first-use", "--mute", "new-sign-in"), changed(muted_kinds=[5])),
    ],
)
def test_what_she_names_changes_and_the_rest_stays(
    server: FakeServer, terminal: Terminal, typed: tuple[str, ...], becomes: pb.Contact
) -> None:
    has(server, KEPT)

    ran = terminal.run("contact", "set", *typed)

    assert ran.exit_code == 0, ran.err
    assert said(server) == becomes


def test_it_is_shown_as_it_is_kept(server: FakeServer, terminal: Terminal) -> None:
    terminal.environment["COLUMNS"] = "160"
    has(server, KEPT)

    printed = terminal.run("contact", "show").out

    for told in (
        "mair@example.org",
        "01632 960100",
        "Mair Evans, 14 Heol y Bont, SY29 4ZZ",
        "Welsh",
        "once a week",
        "they looked for the first time",
        "You said so on",
    ):
        assert told in printed


def test_what_an_official_said_for_her_is_shown_as_such(
    server: FakeServer, terminal: Terminal
) -> None:
    has(server, KEPT, vault_pb2.CAPACITY_OFFICIAL)

    assert "An official said so for you" in terminal.run("contact", "show").out


def test_who_never_said_how_is_told_what_that_means(server: FakeServer, terminal: Terminal) -> None:
    server.says("GetContact", vaults.GetContactResponse())

    assert "you are told nothing" in terminal.run("contact", "show").out
