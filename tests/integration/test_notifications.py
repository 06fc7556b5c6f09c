# SPDX-License-Identifier: Apache-2.0
"""Citizens are told what happened: each thing, once, as each of them likes; on a real server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from tests.approving import Authenticator, by_step_up
from tests.server import Server
from tests.world import Citizen, Service, World, assisted, disclosing, new_id
from vault.api.v1 import contact_pb2 as pb
from vault.api.v1 import vault_pb2
from vault.api.v1 import vault_service_pb2 as vaults
from vault.commands.notify import compose
from vault.configuration.config import read_config
from vault.configuration.notifications import read_notifications
from vault.domain.values import Time, time_of
from vault.notifications.files import FileChannel
from vault.notifications.message import Message, NotSentError
from vault.notifications.notifier import Notifier
from vault.notifications.outbox import OutboxError

START: Final = "https://vault.aber.example/"
POST: Final = ("Mair Evans", "14 Heol y Bont", "Aber", "SY29 4ZZ")


def after(**later: float) -> Time:
    """Return the time so much from now."""
    return time_of(datetime.now(UTC) + timedelta(**later))


@dataclass
class Teller:
    """The program on a server's folder, one round at a time; its messages lie in a folder."""

    server: Server
    folder: Path
    adapters: str = "file"
    from_start: bool = False
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    parts: AsyncExitStack = field(default_factory=AsyncExitStack)
    notifier: Notifier | None = None

    def begin(self) -> None:
        """Start it, as after a crash: with what its folder holds."""
        environment = {
            "CITIZEN_VAULT_DATA": str(self.server.data),
            "CITIZEN_VAULT_ENVIRONMENT": "development",
            "CITIZEN_VAULT_NOTIFY": self.adapters,
            "CITIZEN_VAULT_NOTIFY_START_PAGE": START,
        }
        config = read_config(environment)
        settings = read_notifications(environment, self.folder, is_development=True)
        self.parts = AsyncExitStack()
        self.notifier = self.runner.run(
            compose(config, settings, self.parts, from_start=self.from_start)
        )

    def end(self) -> None:
        """End it."""
        self.runner.run(self.parts.aclose())

    def round(self, now: Time | None = None, rounds: int = 2) -> None:
        """Make rounds, as of a time: at least so many, and until there is nothing more."""
        assert self.notifier is not None
        while self.runner.run(self.notifier.round(now or after())) or rounds > 1:
            rounds -= 1

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """Return what was written, oldest first."""
        files = sorted((self.folder / "notifications" / "messages").glob("*.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def to(self, address: str) -> list[str]:
        """Return the subjects of what went to an address, oldest first."""
        return [one["subject"] for one in self.messages if address in one["address"]]

    def text(self, address: str) -> str:
        """Return all that is written to an address."""
        return "\n".join(
            f"{one['subject']}\n{one['text']}" for one in self.messages if address in one["address"]
        )


@contextmanager
def telling(server: Server, folder: Path, **how: Any) -> Iterator[Teller]:
    """Run the program."""
    teller = Teller(server, folder, **how)
    teller.begin()
    try:
        teller.round(rounds=1)
        yield teller
    finally:
        teller.end()
        teller.runner.close()


@pytest.fixture
def teller(server: Server, tmp_path: Path) -> Iterator[Teller]:
    """The program, which tells from now on."""
    with telling(server, tmp_path) as running:
        yield running


def reach(citizen: Citizen, **said: Any) -> str:
    """Have a citizen say how she is reached, and return her e-mail address."""
    address = f"{new_id()}@example.org"
    contact = pb.Contact(**{"email": address, **said})
    citizen.caller.ask(
        "VaultService/SetContact", vaults.SetContactRequest(request_id=new_id(), contact=contact)
    )
    return address


def asked_again(world: World, citizen: Citizen, service: Service) -> None:
    """Have a service that knows a citizen ask her once more, directly."""
    shared = world.share(citizen, service)
    world.revoke(shared)
    world.ask(service, subject_id=shared.subject_id)


def refused(world: World, citizen: Citizen, service: Service) -> None:
    """Have a service try after she stopped, twice."""
    shared = world.share(citizen, service)
    world.revoke(shared)
    for _ in range(2):
        assert not world.disclose(shared).is_ok
    # They are recorded after the reply.
    give_up = time.monotonic() + 10
    while attempts(citizen, shared.consent_id) < 2:
        assert time.monotonic() < give_up, "the refusals are not recorded"


def attempts(citizen: Citizen, consent_id: str) -> int:
    """Return how many refused attempts under a consent her history lists."""
    listed = citizen.caller.ask("VaultService/ListHistory", vaults.ListHistoryRequest())
    return sum(one.consent_id == consent_id and bool(one.reason) for one in listed.entries)


def used(world: World, citizen: Citizen, service: Service) -> None:
    """Have a service look twice, and send the first once more."""
    shared = world.share(citizen, service)
    fetch = disclosing(shared)
    for request in (fetch, fetch, disclosing(shared)):
        service.caller.ask("DisclosureService/DiscloseEvidence", request)


def coded(world: World, citizen: Citizen, service: Service) -> None:
    """Have her make a code for officials."""
    del service
    world.assist(citizen)


def keyed(world: World, citizen: Citizen, service: Service) -> None:
    """Have her add a passkey."""
    del service
    key = Authenticator()
    request = vaults.AddPasskeyRequest(
        request_id=new_id(),
        credential=key.credential,
        algorithm=vault_pb2.PASSKEY_ALGORITHM_ES256,
        public_key=key.public_key,
        validate_only=True,
    )
    shown = citizen.caller.ask("VaultService/AddPasskey", request)
    request.validate_only = False
    request.shown.CopyFrom(shown.shown)
    challenge = shown.approval_challenge.challenge
    request.approval.CopyFrom(by_step_up(world.server.issuer, citizen.sub, challenge))
    citizen.caller.ask("VaultService/AddPasskey", request)


ORGANISATION: Final = "Aber Council"
TEAM: Final = "Discharge team"
SERVICE: Final = f"{ORGANISATION}, {TEAM}"
HAPPENED: Final = {
    "a request": (asked_again, f"{SERVICE} is asking to see something", 1),
    "a first use": (used, f"{SERVICE} looked for the first time", 2),
    "a refused attempt": (refused, f"{SERVICE} tried to see something and was refused", 3),
    "a code": (coded, "There is a new way to your information", 5),
    "a passkey": (keyed, "There is a new way to your information", 5),
}
"""What happens, what she is told once, and the kind by which she mutes it."""


@pytest.mark.parametrize("name", HAPPENED)
def test_each_thing_is_told_once(world: World, teller: Teller, name: str) -> None:
    happen, subject, _ = HAPPENED[name]
    citizen = world.citizen()
    address = reach(citizen)

    happen(world, citizen, world.service())
    teller.round()
    teller.round()

    assert teller.to(address) == [subject]
    assert START in teller.text(address)


@pytest.mark.parametrize("name", HAPPENED)
def test_what_she_mutes_is_not_told(world: World, teller: Teller, name: str) -> None:
    happen, _, kind = HAPPENED[name]
    citizen = world.citizen()
    address = reach(citizen, muted_kinds=[kind])

    happen(world, citizen, world.service())
    teller.round()

    assert teller.to(address) == []


def test_who_opened_a_link_herself_is_not_told_of_it(world: World, teller: Teller) -> None:
    citizen, service = world.citizen(), world.service()
    address = reach(citizen)

    world.claim(citizen, world.ask(service))
    teller.round()

    assert teller.to(address) == []


def test_nobody_is_told_who_said_not_how(world: World, teller: Teller) -> None:
    citizen = world.citizen()
    before = len(teller.messages)

    used(world, citizen, world.service())
    teller.round()

    assert len(teller.messages) == before


def test_an_end_is_told_once_fourteen_days_before(world: World, teller: Teller) -> None:
    citizen, service = world.citizen(), world.service()
    address = reach(citizen)
    world.share(citizen, service)
    world.revoke(world.share(citizen, service))
    world.pause(world.share(citizen, service))
    world.disclose(world.share(citizen, service, frequency=None))
    teller.round()
    assert len(teller.to(address)) == 1, "the first use"

    teller.round(after(days=75))
    assert len(teller.to(address)) == 1
    teller.round(after(days=77))
    teller.round(after(days=78))

    _, subject = teller.to(address)
    assert subject.startswith(f"Sharing with {SERVICE} ends on ")


def test_an_end_is_told_once_though_the_program_starts_again(
    world: World, server: Server, tmp_path: Path
) -> None:
    citizen = world.citizen()
    address = reach(citizen)
    with telling(server, tmp_path) as teller:
        world.share(citizen, world.service())
        teller.round()

    for days in (77, 78):
        with telling(server, tmp_path) as teller:
            teller.round(after(days=days))

    assert len(Teller(server, tmp_path).to(address)) == 1


def test_a_near_end_that_she_has_just_chosen_is_not_told(world: World, teller: Teller) -> None:
    citizen = world.citizen()
    address = reach(citizen)
    end = datetime.now(UTC) + timedelta(days=10)

    world.share(citizen, world.service(), {"end_time": end})
    teller.round(after(days=2))

    assert teller.to(address) == []


def test_an_address_that_was_replaced_is_told_whatever_she_prefers(
    world: World, teller: Teller
) -> None:
    citizen = world.citizen()
    old = reach(
        citizen,
        telephone="01632 960100",
        postal_lines=POST,
        pace=pb.CONTACT_PACE_SAFETY_ONLY,
        muted_kinds=[1, 2, 3, 4, 5],
    )
    teller.round()
    before = len(teller.messages)

    new = reach(citizen)
    teller.round()

    told = teller.messages[before:]
    assert {one["subject"] for one in told} == {"How we reach you was changed"}
    assert sorted(one["way"] for one in told) == ["email", "post", "telephone"]
    assert [one["address"] for one in told if one["way"] == "email"] == [[old]]
    assert teller.to(new) == []


def test_what_her_preferences_become_keeps_nothing_from_the_old_contact(
    world: World, teller: Teller
) -> None:
    """Whoever comes in by another door is not to silence it by what he sets next."""
    citizen = world.citizen()
    old = reach(citizen, language="cy")
    teller.round()

    reach(citizen, discreet=True, pace=pb.CONTACT_PACE_SAFETY_ONLY)
    reach(citizen, muted_kinds=[1, 2, 3, 4, 5], discreet=True)
    teller.round()

    assert teller.to(old) == ["Newidiwyd sut rydym yn cysylltu â chi"]


def test_whoever_mutes_new_ways_in_is_told_of_that_once(world: World, teller: Teller) -> None:
    """Else a session that was stolen could mute first, and then let somebody in."""
    citizen = world.citizen()
    address = reach(citizen)

    reach(citizen, email=address, muted_kinds=[1, 2, 3, 4, 5])
    reach(citizen, email=address, muted_kinds=[4, 5])
    teller.round()

    assert teller.to(address) == ["How we reach you was changed"]


def test_other_preferences_for_the_same_address_are_not_told(world: World, teller: Teller) -> None:
    citizen = world.citizen()
    address = reach(citizen)

    reach(citizen, email=address, language="cy", discreet=True)
    teller.round()

    assert teller.to(address) == []


def test_a_further_sign_in_is_told_to_the_old_contact_whatever_comes_next(
    world: World, teller: Teller
) -> None:
    """Whoever linked it cannot keep it from her: for days he cannot say how she is reached."""
    citizen = world.citizen()
    old = reach(citizen, muted_kinds=[1, 2, 3, 4, 5], pace=pb.CONTACT_PACE_SAFETY_ONLY)
    request = vaults.CreateLinkCodeRequest(request_id=new_id(), validate_only=True)
    shown = citizen.caller.ask("VaultService/CreateLinkCode", request)
    request.validate_only = False
    request.shown.CopyFrom(shown.shown)
    challenge = shown.approval_challenge.challenge
    request.approval.CopyFrom(by_step_up(world.server.issuer, citizen.sub, challenge))
    made = citizen.caller.ask("VaultService/CreateLinkCode", request)
    stranger = world.stranger()
    stranger.caller.ask(
        "VaultService/LinkSignIn",
        vaults.LinkSignInRequest(request_id=new_id(), link_code=made.link_code),
    )

    contact = pb.Contact(email=f"{new_id()}@example.org")
    tried = stranger.caller.call(
        "VaultService/SetContact", vaults.SetContactRequest(request_id=new_id(), contact=contact)
    )
    teller.round()

    assert tried.reason == "SIGN_IN_TOO_NEW"
    assert teller.to(old) == ["There is a new way to sign in to your information"]
    assert teller.to(contact.email) == []


def test_a_contact_that_an_official_set_is_shown_as_such_and_told_to_the_old_one(
    world: World, teller: Teller
) -> None:
    citizen = world.citizen()
    old = reach(citizen)
    world.assist(citizen)
    request = vaults.SetContactRequest(
        request_id=new_id(),
        acting=assisted(citizen),
        contact=pb.Contact(telephone="01632 960100"),
    )

    world.official.ask("VaultService/SetContact", request)
    teller.round()

    kept = citizen.caller.ask("VaultService/GetContact", vaults.GetContactRequest())
    assert kept.acting.capacity == vault_pb2.CAPACITY_OFFICIAL
    assert kept.contact.telephone == "01632 960100"
    assert "How we reach you was changed" in teller.to(old)


def test_a_discreet_message_names_nobody_and_nothing(world: World, teller: Teller) -> None:
    """The canary: nothing of what was asked for, by whom and why, stands in any message."""
    citizen, service = world.citizen(), world.service()
    address = reach(citizen, discreet=True, postal_lines=POST)
    for happen in (asked_again, used, refused, coded, keyed):
        happen(world, citizen, service)
    world.share(citizen, service)
    teller.round(after(days=77))
    reach(citizen)
    teller.round(after(days=77))

    assert len(teller.to(address)) >= 7
    assert set(teller.to(address)) == {"There is something new for you"}
    texts = {one["text"] for one in teller.messages if address in one["address"]}
    assert texts == {f"There is something new for you\n\n{START}"}
    (letter,) = [one for one in teller.messages if one["address"] == list(POST)]
    assert letter["text"] in texts


def test_a_week_is_told_in_one_message(world: World, teller: Teller) -> None:
    citizen, service = world.citizen(), world.service()
    address = reach(citizen, pace=pb.CONTACT_PACE_WEEKLY)
    used(world, citizen, service)
    refused(world, citizen, service)
    teller.round()
    asked_again(world, citizen, service)

    teller.round(after(days=6))
    assert teller.to(address) == []
    teller.round(after(days=7, hours=1))

    assert teller.to(address) == ["What happened this week"]
    text = teller.text(address)
    for _, subject, _ in list(HAPPENED.values())[:3]:
        assert text.count(f"- {subject}") == 1


def test_what_her_safety_needs_does_not_wait_for_the_week(world: World, teller: Teller) -> None:
    citizen = world.citizen()
    address = reach(citizen, pace=pb.CONTACT_PACE_WEEKLY)

    coded(world, citizen, world.service())
    teller.round()

    assert teller.to(address) == ["There is a new way to your information"]


def test_who_does_not_want_to_wait_any_more_is_told_what_waited(
    world: World, teller: Teller
) -> None:
    citizen = world.citizen()
    address = reach(citizen, pace=pb.CONTACT_PACE_WEEKLY)
    used(world, citizen, world.service())
    teller.round()

    reach(citizen, email=address)
    teller.round()

    assert teller.to(address) == [f"{SERVICE} looked for the first time"]


def test_safety_only_is_safety_only(world: World, teller: Teller) -> None:
    citizen, service = world.citizen(), world.service()
    address = reach(citizen, pace=pb.CONTACT_PACE_SAFETY_ONLY)

    used(world, citizen, service)
    refused(world, citizen, service)
    coded(world, citizen, service)
    teller.round(after(days=8))

    assert teller.to(address) == ["There is a new way to your information"]


def test_it_is_told_in_her_language(world: World, teller: Teller) -> None:
    citizen = world.citizen()
    address = reach(citizen, language="cy")

    coded(world, citizen, world.service())
    teller.round()

    assert teller.to(address) == ["Mae ffordd newydd at eich gwybodaeth"]


# --- Crashes


class Crash(BaseException):
    """Stands for a process that is killed."""


def test_a_crash_after_sending_repeats_what_the_channel_cannot_tell_apart_and_nothing_else(
    world: World, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent again under the same id, and told that it may have been sent."""
    citizen = world.citizen()
    address = reach(citizen)
    sent: list[Message] = []
    whole = FileChannel.send

    def sends_and_dies(channel: FileChannel, message: Message) -> None:
        whole(channel, message)
        sent.append(message)
        raise Crash

    def sends(channel: FileChannel, message: Message) -> None:
        whole(channel, message)
        sent.append(message)

    with telling(server, tmp_path) as teller:
        coded(world, citizen, world.service())
        monkeypatch.setattr(FileChannel, "send", sends_and_dies)
        with pytest.raises(Crash):
            teller.round()
    monkeypatch.setattr(FileChannel, "send", sends)
    with telling(server, tmp_path) as teller:
        teller.round()
        assert len(sent) == 1, "the pause is kept across a crash"
        teller.round(after(minutes=2))
        teller.round(after(minutes=20))

    assert teller.to(address) == ["There is a new way to your information"]
    assert [message.again for message in sent] == [False, True]
    assert sent[0].delivery_id == sent[1].delivery_id


def test_a_crash_before_anything_was_kept_loses_nothing(
    world: World, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen = world.citizen()
    address = reach(citizen)

    with telling(server, tmp_path):
        pass
    coded(world, citizen, world.service())
    for step in ("keep_place", "remove_notice", "add_delivery", "begin"):
        teller = Teller(server, tmp_path)
        teller.begin()
        with monkeypatch.context() as patch:
            patch.setattr(f"vault.notifications.outbox.Outbox.{step}", _die)
            with pytest.raises(Crash):
                teller.round()
        teller.end()
        teller.runner.close()
    with telling(server, tmp_path) as teller:
        teller.round()
        teller.round(after(minutes=20))

    assert teller.to(address) == ["There is a new way to your information"]


def test_what_happened_while_it_did_not_run_is_told(
    world: World, server: Server, tmp_path: Path
) -> None:
    citizen = world.citizen()
    address = reach(citizen)
    with telling(server, tmp_path):
        pass
    coded(world, citizen, world.service())

    with telling(server, tmp_path) as teller:
        teller.round()

    assert teller.to(address) == ["There is a new way to your information"]


@pytest.mark.parametrize(("from_start", "told"), [(False, 0), (True, 1)])
def test_what_was_before_its_first_start_is_told_if_it_is_asked_to(
    world: World, server: Server, tmp_path: Path, *, from_start: bool, told: int
) -> None:
    citizen = world.citizen()
    address = reach(citizen)
    coded(world, citizen, world.service())

    with telling(server, tmp_path, from_start=from_start) as teller:
        teller.round()

    assert len(teller.to(address)) == told


def test_a_second_program_is_refused(server: Server, teller: Teller) -> None:
    second = Teller(server, teller.folder)

    with pytest.raises(OutboxError, match="in use"):
        second.begin()

    second.end()
    second.runner.close()


# --- What cannot be sent


def test_what_cannot_be_sent_is_tried_again_ever_later_and_then_given_up(
    world: World,
    teller: Teller,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    citizen = world.citizen()
    address = reach(citizen)
    tried: list[str] = []

    def fails(channel: FileChannel, message: Message) -> None:
        del channel
        # Others may be told of something in these eight days, too.
        if address in message.address:
            tried.append(message.delivery_id)
        raise NotSentError("the folder does not take it")

    coded(world, citizen, world.service())
    monkeypatch.setattr(FileChannel, "send", fails)
    made = []
    for hour in range(0, 24 * 8, 1):
        before = len(tried)
        teller.round(after(hours=hour), rounds=1)
        made += [hour] * (len(tried) - before)

    assert len(tried) == 7
    pauses = [later - earlier for earlier, later in pairwise(made)]
    assert pauses == sorted(pauses)
    assert len(set(tried)) == 1
    assert "given up" in caplog.text
    assert address not in caplog.text
    assert citizen.vault_id not in caplog.text


def test_what_is_refused_for_good_is_not_tried_again(
    world: World, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen = world.citizen()
    reach(citizen)
    tried: list[str] = []

    def refuses(channel: FileChannel, message: Message) -> None:
        del channel
        tried.append(message.delivery_id)
        raise NotSentError("the address is refused", for_good=True)

    coded(world, citizen, world.service())
    monkeypatch.setattr(FileChannel, "send", refuses)
    teller.round()
    teller.round(after(days=3))

    assert len(tried) == 1


def test_the_outbox_holds_no_address_and_no_name(
    world: World, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen = world.citizen()
    address = reach(citizen, postal_lines=POST)

    def fails(channel: FileChannel, message: Message) -> None:
        del channel, message
        raise NotSentError("the folder does not take it")

    monkeypatch.setattr(FileChannel, "send", fails)
    used(world, citizen, world.service())
    teller.round()

    folder = teller.folder / "notifications"
    held = b"".join(path.read_bytes() for path in folder.glob("outbox.db*"))
    assert citizen.vault_id.encode() in held
    for word in (address, *POST, ORGANISATION, TEAM, "looked"):
        assert word.encode() not in held


def test_a_letter_is_written_where_nothing_else_reaches_her(
    world: World, server: Server, tmp_path: Path
) -> None:
    citizen = world.citizen()
    reach(citizen, email="", postal_lines=POST)
    with telling(server, tmp_path, adapters="letter") as teller:
        coded(world, citizen, world.service())
        teller.round()

    (letter,) = (tmp_path / "notifications" / "messages").glob("*.html")
    page = letter.read_text(encoding="utf-8")
    assert "<br>\n".join(POST) in page
    assert "There is a new way to your information" in page


def _die(*args: object, **kwargs: object) -> None:
    del args, kwargs
    raise Crash


def test_a_file_of_somebody_else_is_no_outbox(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "notifications"
    folder.mkdir()
    other = apsw.Connection(str(folder / "outbox.db"))
    other.execute("CREATE TABLE things (a)")
    other.close()
    teller = Teller(server, tmp_path)

    with pytest.raises(OutboxError, match="no outbox"):
        teller.begin()

    teller.end()
    teller.runner.close()
