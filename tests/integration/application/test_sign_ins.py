# SPDX-License-Identifier: Apache-2.0
"""Several sign-ins for one vault: let in by a code, waiting, closed; and signed out everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tests.approving import RP_ID, Authenticator
from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    OFFICIAL,
    AdjustableClock,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    claim_and_redeem,
    new_id,
    opened,
    provided,
)
from tests.issuer import CLIENT, Issuer
from vault.application.amendments import Amendments
from vault.application.approvals import Approvals, Passkeys
from vault.application.caller import ActingFor, Agreement, Caller
from vault.application.consents import Consents
from vault.application.contacts import Contact, Contacts
from vault.application.desk import Desk
from vault.application.exports import Exports
from vault.application.keyrings import CLOSED_WAY
from vault.application.passkeys import Offered, PasskeyKeeper
from vault.application.sign_ins import SignIns
from vault.domain.canonical import b64
from vault.domain.consent import find
from vault.domain.errors import (
    ApprovalInvalidError,
    ApprovalRequiredError,
    CapacityNotAllowedError,
    LastSignInError,
    LinkCodeEndedError,
    NotFoundError,
    RequestIdReusedError,
    ShownDiffersError,
    SignedOutError,
    SignInHasVaultError,
    SignInTooNewError,
    StoreUnavailableError,
    VaultNotOpenError,
)
from vault.domain.sign_in import GOOD_SECONDS
from vault.domain.values import Channel, Time, later, moment_of, time_of
from vault.server.issuer_keys import FixedKeys
from vault.server.step_up import OpenIdStepUp

ISSUER = Issuer()
WAIT = 72 * 3600
PHONE = Caller("citizen", "https://sign-in.example", "mair-on-her-phone")
SESSION = Agreement(kind="session")
AGREED = Agreement(kind="staff-assisted", proof=b"counter 4")


@dataclass
class Rooms:
    """A house in which citizens have several sign-ins."""

    house: House
    sign_ins: SignIns
    consents: Consents
    amendments: Amendments
    passkeys: PasskeyKeeper
    exports: Exports
    contacts: Contacts

    @classmethod
    def at(cls, house: House) -> Rooms:
        """Return one that stands on the files of a house."""
        step_up = OpenIdStepUp(
            FixedKeys(ISSUER.jwks), CLIENT, now=lambda: moment_of(house.clock.now()).timestamp()
        )
        approvals = Approvals(step_up, Passkeys(RP_ID, frozenset({f"http://{RP_ID}"})))
        desk = Desk(house.vaults, house.keyrings, house.identifiers, approvals)
        return cls(
            house,
            SignIns(desk, WAIT),
            Consents(desk, house.registry, house.receipts),
            Amendments(desk, house.registry, house.receipts),
            PasskeyKeeper(desk),
            Exports(desk, house.registry, house.documents),
            Contacts(desk),
        )

    def signed(self, caller: Caller, challenge: bytes) -> Agreement:
        """Return what her provider signs, now."""
        now = moment_of(self.house.clock.now()).timestamp()
        said = {"iss": caller.issuer, "iat": now, "auth_time": now, "exp": now + 300}
        return Agreement(
            kind="oidc-step-up",
            proof=ISSUER.id_token(caller.sub, b64(challenge), **said).encode(),
        )

    async def code(
        self,
        caller: Caller = MAIR,
        acting: ActingFor = HERSELF,
        agreement: Agreement | None = None,
        request_id: str = "",
    ) -> str:
        """Make a code."""
        shown = (await self.sign_ins.preview(caller, acting)).value
        answer = await self.sign_ins.create_link_code(
            caller,
            acting,
            request_id or new_id(),
            shown=shown.shown,
            shown_hash=shown.shown_hash,
            agreement=agreement or self.signed(caller, shown.challenge.challenge),
        )
        return answer.value.code

    async def let_in(self, caller: Caller = PHONE, code: str = "") -> str:
        """Let a sign-in in, and return its way."""
        code = code or await self.code()
        return (await self.sign_ins.link(caller, HERSELF, new_id(), code)).way

    async def vault_of(self, caller: Caller) -> str:
        """Return the vault to which a sign-in leads."""
        return (await self.house.citizens.get(caller, HERSELF)).value.stream

    async def way_of(self, caller: Caller) -> str:
        """Return the way by which a sign-in comes."""
        return (await self.house.citizens.get(caller, HERSELF)).way

    async def close(self, caller: Caller, way: str) -> None:
        """Close a way."""
        await self.house.citizens.unlink_sign_in(caller, HERSELF, new_id(), way)


@pytest.fixture
def rooms(house: House) -> Rooms:
    return Rooms.at(house)


@pytest.fixture
async def mair(house: House) -> str:
    """Mair's vault."""
    return (await house.citizens.open(MAIR, HERSELF)).value.state.stream


# --- Letting another sign-in in ------------------------------------------------------------------


async def test_another_sign_in_leads_to_her_vault(rooms: Rooms, mair: str) -> None:
    code = await rooms.code()

    linked = await rooms.sign_ins.link(PHONE, HERSELF, new_id(), code)

    assert linked.value.stream == await rooms.vault_of(PHONE) == mair
    first, second = linked.value.sign_ins.values()
    assert (first.means, second.means) == ("provider", "provider")
    assert second.sign_in == linked.way == await rooms.way_of(PHONE)
    assert second.wait_end == later(second.linked, seconds=WAIT)
    assert not first.wait_end
    names = await rooms.house.names(mair)
    assert names[-2:] == ["link-code-created.1", "sign-in-linked.2"]


async def test_a_code_is_read_as_it_is_spoken(rooms: Rooms, mair: str) -> None:
    code = (await rooms.code()).lower().replace("-", "  ").replace("0", "o").replace("1", "l")

    await rooms.let_in(code=code)

    assert await rooms.vault_of(PHONE) == mair


async def test_a_repeated_command_makes_the_same_code(rooms: Rooms, mair: str) -> None:
    shown = (await rooms.sign_ins.preview(MAIR, HERSELF)).value
    agreement, request_id = rooms.signed(MAIR, shown.challenge.challenge), new_id()

    answers = [
        await rooms.sign_ins.create_link_code(
            MAIR,
            HERSELF,
            request_id,
            shown=shown.shown,
            shown_hash=shown.shown_hash,
            agreement=agreement,
        )
        for _ in range(2)
    ]

    assert answers[0].value == answers[1].value
    assert (await rooms.house.names(mair)).count("link-code-created.1") == 1


async def test_one_page_makes_one_code(rooms: Rooms, mair: str) -> None:
    shown = (await rooms.sign_ins.preview(MAIR, HERSELF)).value
    agreement = rooms.signed(MAIR, shown.challenge.challenge)

    async def create() -> None:
        await rooms.sign_ins.create_link_code(
            MAIR,
            HERSELF,
            new_id(),
            shown=shown.shown,
            shown_hash=shown.shown_hash,
            agreement=agreement,
        )

    await create()
    with pytest.raises(ShownDiffersError):
        await create()
    assert (await rooms.house.names(mair)).count("link-code-created.1") == 1


@pytest.mark.parametrize("agreement", [SESSION, Agreement()])
@pytest.mark.usefixtures("mair")
async def test_her_sign_in_alone_lets_nobody_in(rooms: Rooms, agreement: Agreement) -> None:
    with pytest.raises(ApprovalRequiredError):
        await rooms.code(agreement=agreement)


@pytest.mark.usefixtures("mair")
async def test_what_was_signed_for_something_else_lets_nobody_in(rooms: Rooms) -> None:
    with pytest.raises(ApprovalInvalidError):
        await rooms.code(agreement=rooms.signed(MAIR, b"x" * 32))
    shown = (await rooms.sign_ins.preview(MAIR, HERSELF)).value
    with pytest.raises(ApprovalInvalidError):
        await rooms.code(agreement=rooms.signed(NIA, shown.challenge.challenge))


@pytest.mark.usefixtures("mair")
async def test_a_passkey_lets_another_in(rooms: Rooms) -> None:
    key = Authenticator()
    await add_passkey(rooms, MAIR, key)
    shown = (await rooms.sign_ins.preview(MAIR, HERSELF)).value

    made = await rooms.sign_ins.create_link_code(
        MAIR,
        HERSELF,
        new_id(),
        shown=shown.shown,
        shown_hash=shown.shown_hash,
        agreement=Agreement(
            kind="webauthn",
            assertion=key.sign(shown.challenge.challenge, origin=f"http://{RP_ID}"),
        ),
    )

    assert await rooms.let_in(code=made.value.code)


async def test_a_code_is_good_once(rooms: Rooms, mair: str) -> None:
    code = await rooms.code()
    await rooms.let_in(code=code)

    with pytest.raises(LinkCodeEndedError):
        await rooms.let_in(NIA, code)
    # Whoever came too late is where she was: without a vault, and may open one.
    own = await rooms.house.citizens.open(NIA, HERSELF)
    assert own.value.state.stream != mair


@pytest.mark.usefixtures("mair")
async def test_a_code_that_two_use_at_once_lets_one_in(rooms: Rooms) -> None:
    code = await rooms.code()

    answers = await asyncio.gather(
        rooms.let_in(PHONE, code), rooms.let_in(NIA, code), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, LinkCodeEndedError)]
    assert len(refused) == 1, answers
    loser = PHONE if answers[0] is refused[0] else NIA
    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(loser)
    # And she may open her own.
    assert await rooms.house.citizens.open(loser, HERSELF)


@pytest.mark.usefixtures("mair")
async def test_a_code_ends_after_a_quarter_of_an_hour(rooms: Rooms, clock: AdjustableClock) -> None:
    code = await rooms.code()
    clock.ahead_seconds += GOOD_SECONDS + 1

    with pytest.raises(LinkCodeEndedError):
        await rooms.let_in(code=code)


@pytest.mark.usefixtures("mair")
async def test_signing_out_everywhere_ends_a_code(rooms: Rooms) -> None:
    code = await rooms.code()
    await rooms.sign_ins.sign_out(MAIR, HERSELF, new_id())

    with pytest.raises(LinkCodeEndedError):
        await rooms.let_in(code=code)


@pytest.mark.usefixtures("mair")
@pytest.mark.parametrize("code", ["", "0", "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ", "x" * 60])
async def test_an_unknown_code_lets_nobody_in(rooms: Rooms, code: str) -> None:
    with pytest.raises(NotFoundError):
        await rooms.sign_ins.link(PHONE, HERSELF, new_id(), code)


@pytest.mark.usefixtures("mair")
async def test_an_assistance_code_links_no_sign_in(rooms: Rooms) -> None:
    made = await rooms.house.citizens.create_assistance_code(MAIR, HERSELF, new_id())

    with pytest.raises(NotFoundError):
        await rooms.sign_ins.link(PHONE, HERSELF, new_id(), made.value.assistance_code)


async def test_a_sign_in_with_a_vault_of_its_own_is_not_linked(rooms: Rooms, mair: str) -> None:
    own = (await rooms.house.citizens.open(NIA, HERSELF)).value.state.stream
    before = await rooms.house.names(mair)
    code = await rooms.code()

    with pytest.raises(SignInHasVaultError):
        await rooms.let_in(NIA, code)

    assert await rooms.vault_of(NIA) == own
    assert await rooms.house.names(mair) == [*before, "link-code-created.1"]


async def test_a_sign_in_that_leads_there_already_changes_nothing(rooms: Rooms, mair: str) -> None:
    await rooms.let_in()
    code = await rooms.code()
    before = await rooms.house.names(mair)

    await rooms.let_in(PHONE, code)
    await rooms.let_in(MAIR, code)

    assert await rooms.house.names(mair) == before


async def test_a_repeated_linking_is_answered_alike(rooms: Rooms, mair: str) -> None:
    code, other, request_id = await rooms.code(), await rooms.code(), new_id()

    first = await rooms.sign_ins.link(PHONE, HERSELF, request_id, code)
    again = await rooms.sign_ins.link(PHONE, HERSELF, request_id, code)

    assert (again.value.stream, again.way) == (first.value.stream, first.way)
    assert (await rooms.house.names(mair)).count("sign-in-linked.2") == 1
    with pytest.raises(RequestIdReusedError):
        await rooms.sign_ins.link(PHONE, HERSELF, request_id, other)


async def test_two_may_use_one_request_id(rooms: Rooms, mair: str) -> None:
    request_id = new_id()
    for caller in (PHONE, NIA):
        await rooms.sign_ins.link(caller, HERSELF, request_id, await rooms.code())

    assert await rooms.vault_of(PHONE) == await rooms.vault_of(NIA) == mair


async def test_a_linking_that_broke_off_is_finished_by_the_retry(
    rooms: Rooms, mair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, request_id = await rooms.code(), new_id()
    execute, failed = rooms.house.vaults.execute, []

    def fail_once(command: object, *rest: object) -> Awaitable[object]:
        if not failed:
            failed.append(command)
            raise StoreUnavailableError
        return execute(command, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rooms.house.vaults, "execute", fail_once)
    with pytest.raises(StoreUnavailableError):
        await rooms.sign_ins.link(PHONE, HERSELF, request_id, code)
    # Its row is there; without the record it opens nothing.
    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(PHONE)

    await rooms.sign_ins.link(PHONE, HERSELF, request_id, code)

    assert await rooms.vault_of(PHONE) == mair


async def test_a_linking_that_broke_off_does_not_keep_her_from_a_vault_of_her_own(
    rooms: Rooms, mair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await rooms.code()

    def fail(*_: object) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(rooms.house.vaults, "execute", fail)
        with pytest.raises(StoreUnavailableError):
            await rooms.let_in(PHONE, code)

    own = await rooms.house.citizens.open(PHONE, HERSELF)

    assert own.value.state.stream == await rooms.vault_of(PHONE) != mair


async def test_no_code_stands_anywhere_in_the_clear(rooms: Rooms, mair: str) -> None:
    code = await rooms.code()

    for path in rooms.house.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert code.encode() not in data
            assert code.replace("-", "").encode() not in data
    assert mair


async def test_another_process_knows_the_way_too(rooms: Rooms, mair: str) -> None:
    way = await rooms.let_in()

    async with opened(rooms.house.folder, rooms.house.clock) as other:
        assert (await other.citizens.get(PHONE, HERSELF)).value.stream == mair
        await other.citizens.unlink_sign_in(MAIR, HERSELF, new_id(), way)

    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(PHONE)


# --- At a counter --------------------------------------------------------------------------------


async def by_code(rooms: Rooms, channel: Channel = "counter") -> ActingFor:
    """Have Mair give an official a code."""
    made = await rooms.house.citizens.create_assistance_code(MAIR, HERSELF, new_id())
    code = made.value.assistance_code
    return ActingFor(capacity="official", channel=channel, assistance_code=code)


async def test_at_a_counter_she_comes_back_who_lost_her_sign_in(rooms: Rooms, mair: str) -> None:
    who = await by_code(rooms)
    lost = await rooms.way_of(MAIR)

    await rooms.let_in(PHONE, await rooms.code(OFFICIAL, who, AGREED))
    await rooms.house.citizens.unlink_sign_in(OFFICIAL, who, new_id(), lost)

    assert await rooms.vault_of(PHONE) == mair
    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(MAIR)
    page = await rooms.house.citizens.history(PHONE, HERSELF, limit=50, only_disclosures=False)
    (made,) = [
        line
        for line in page.lines
        if line.event.facts.__struct_config__.tag == "link-code-created.1"
    ]
    assert made.event.link.acting.capacity == "official"
    assert made.event.link.approval.kind == "staff-assisted"
    assert made.particulars is not None
    assert made.particulars.staff_ref == OFFICIAL.sub


@pytest.mark.usefixtures("mair")
@pytest.mark.parametrize("channel", ["phone", "letter"])
async def test_not_on_the_phone_or_by_letter(rooms: Rooms, channel: Channel) -> None:
    who = await by_code(rooms, channel)

    with pytest.raises(CapacityNotAllowedError):
        await rooms.code(OFFICIAL, who, AGREED)


# --- Waiting -------------------------------------------------------------------------------------


async def add_passkey(rooms: Rooms, caller: Caller, key: Authenticator | None = None) -> None:
    key = key or Authenticator()
    offered = Offered(key.credential, key.algorithm, key.public_key)
    shown = (await rooms.passkeys.preview(caller, HERSELF, offered)).value
    await rooms.passkeys.add(
        caller,
        HERSELF,
        new_id(),
        offered=offered,
        shown=shown.shown,
        shown_hash=shown.shown_hash,
        agreement=rooms.signed(caller, shown.challenge.challenge),
    )


async def share(rooms: Rooms, caller: Caller, registered: Registered) -> None:
    house = rooms.house
    given = await house.evidence.provide(caller, HERSELF, new_id(), "postal_address", provided())
    token = await ask(house, registered.service)
    request_id, _ = await claim_and_redeem(house, caller, registered.service, token)
    choice = a_choice(given.value.evidence.evidence_id)
    page = await rooms.consents.preview(caller, HERSELF, request_id, choice)
    await rooms.consents.grant(
        caller,
        HERSELF,
        new_id(),
        consent_request_id=request_id,
        choice=choice,
        shown=page.shown,
        shown_hash=page.shown_hash,
        agreement=rooms.signed(caller, page.challenge.challenge),
    )


async def extend(rooms: Rooms, caller: Caller, shared: Shared) -> None:
    end = time_of(moment_of(rooms.house.clock.now()) + timedelta(days=95))
    found = await rooms.amendments.preview_extension(caller, HERSELF, shared.consent_id, end)
    page = found.value.preview
    assert page is not None
    await rooms.amendments.extend(
        caller,
        HERSELF,
        new_id(),
        consent_id=shared.consent_id,
        end=end,
        shown=page.shown,
        shown_hash=page.shown_hash,
        agreement=rooms.signed(caller, page.challenge.challenge),
    )


async def resume(rooms: Rooms, caller: Caller, shared: Shared) -> None:
    state = (await rooms.house.citizens.get(caller, HERSELF)).value
    if not find(state, shared.consent_id).paused:
        await rooms.amendments.pause(caller, HERSELF, new_id(), shared.consent_id)
    found = await rooms.amendments.preview_resumption(caller, HERSELF, shared.consent_id)
    page = found.value.preview
    await rooms.amendments.resume(
        caller,
        HERSELF,
        new_id(),
        shared.consent_id,
        shown=(page.shown, page.shown_hash),
        agreement=rooms.signed(caller, page.challenge.challenge),
    )


async def export(rooms: Rooms, caller: Caller) -> None:
    deadline = rooms.house.clock.monotonic() + 60
    async for _ in rooms.exports.export(caller, HERSELF, deadline):
        pass


async def close_hers(rooms: Rooms, caller: Caller) -> None:
    await rooms.close(caller, await rooms.way_of(MAIR))


@pytest.fixture
def waited(
    rooms: Rooms, registered: Registered, shared: Shared
) -> dict[str, Callable[[Caller], Awaitable[object]]]:
    """Whatever a sign-in that waits may not do."""
    house = rooms.house
    reached = Contact(email="mallory@example.org")
    return {
        "share": lambda caller: share(rooms, caller, registered),
        "share for longer": lambda caller: extend(rooms, caller, shared),
        "let it go on": lambda caller: resume(rooms, caller, shared),
        "take away": lambda caller: export(rooms, caller),
        "add a passkey": lambda caller: add_passkey(rooms, caller),
        "let others in": rooms.code,
        "hand out a code": lambda caller: house.citizens.create_assistance_code(
            caller, HERSELF, new_id()
        ),
        "have her told elsewhere": lambda caller: rooms.contacts.set(
            caller, HERSELF, new_id(), reached
        ),
        "shut her out": lambda caller: close_hers(rooms, caller),
    }


WAITED = [
    "share",
    "share for longer",
    "let it go on",
    "take away",
    "add a passkey",
    "let others in",
    "hand out a code",
    "have her told elsewhere",
    "shut her out",
]


@pytest.mark.parametrize("what", WAITED)
async def test_a_new_sign_in_has_to_wait(
    rooms: Rooms,
    clock: AdjustableClock,
    waited: dict[str, Callable[[Caller], Awaitable[object]]],
    what: str,
) -> None:
    await rooms.let_in()
    until = (
        (await rooms.house.citizens.get(PHONE, HERSELF))
        .value.sign_ins[await rooms.way_of(PHONE)]
        .wait_end
    )

    with pytest.raises(SignInTooNewError) as refused:
        await waited[what](PHONE)
    assert refused.value.until == until
    # She herself goes on as before.
    if what != "shut her out":
        await waited[what](MAIR)

    clock.ahead_seconds += WAIT
    await waited[what](PHONE)


async def test_a_new_sign_in_reads_and_stops_at_once(rooms: Rooms, shared: Shared) -> None:
    await rooms.let_in()

    await rooms.house.evidence.get(PHONE, HERSELF, shared.evidence_id)
    await rooms.house.citizens.history(PHONE, HERSELF, limit=5, only_disclosures=False)
    await rooms.amendments.pause(PHONE, HERSELF, new_id(), shared.consent_id)
    await rooms.amendments.revoke(PHONE, HERSELF, new_id(), shared.consent_id)
    await rooms.sign_ins.sign_out(PHONE, HERSELF, new_id())


@pytest.mark.usefixtures("mair")
async def test_a_new_sign_in_cannot_keep_her_out_by_signing_out_again_and_again(
    rooms: Rooms, clock: AdjustableClock
) -> None:
    way = await rooms.let_in()
    await rooms.sign_ins.sign_out(PHONE, HERSELF, new_id())
    back, stranger = (issued(caller, rooms.house.clock.now()) for caller in (MAIR, PHONE))

    with pytest.raises(SignInTooNewError):
        await rooms.sign_ins.sign_out(stranger, HERSELF, new_id())

    await rooms.close(back, way)
    # She may as often as she likes, and so may whoever has waited.
    await rooms.sign_ins.sign_out(back, HERSELF, new_id())
    code = await rooms.code(issued(MAIR, rooms.house.clock.now()))
    await rooms.let_in(issued(NIA, rooms.house.clock.now()), code)
    await rooms.sign_ins.sign_out(issued(NIA, rooms.house.clock.now()), HERSELF, new_id())
    clock.ahead_seconds += WAIT
    await rooms.sign_ins.sign_out(issued(NIA, rooms.house.clock.now()), HERSELF, new_id())


@pytest.mark.usefixtures("mair")
async def test_a_new_sign_in_closes_itself(rooms: Rooms) -> None:
    way = await rooms.let_in()

    await rooms.close(PHONE, way)

    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(PHONE)


# --- Closing -------------------------------------------------------------------------------------


async def test_the_sign_in_with_which_she_began_is_closed_like_any_other(
    rooms: Rooms, mair: str
) -> None:
    await rooms.let_in()

    await rooms.close(MAIR, await rooms.way_of(MAIR))

    with pytest.raises(VaultNotOpenError):
        await rooms.vault_of(MAIR)
    assert await rooms.vault_of(PHONE) == mair


@pytest.mark.usefixtures("mair")
async def test_the_only_way_stays_open(rooms: Rooms) -> None:
    with pytest.raises(LastSignInError):
        await rooms.close(MAIR, await rooms.way_of(MAIR))


async def test_a_closed_sign_in_begins_anew_in_a_vault_of_its_own(rooms: Rooms, mair: str) -> None:
    await rooms.close(MAIR, await rooms.let_in())

    own = (await rooms.house.citizens.open(PHONE, HERSELF)).value.state.stream

    assert own == await rooms.vault_of(PHONE) != mair
    async with opened(rooms.house.folder, rooms.house.clock) as other:
        assert (await other.citizens.get(PHONE, HERSELF)).value.stream == own


async def test_a_closed_sign_in_is_let_in_again_as_a_new_one_and_waits_again(
    rooms: Rooms, mair: str
) -> None:
    first = await rooms.let_in()
    await rooms.close(MAIR, first)

    again = await rooms.let_in()

    assert again != first
    assert await rooms.vault_of(PHONE) == mair
    with pytest.raises(SignInTooNewError):
        await rooms.code(PHONE)
    assert rooms.house.key_store.find_identity(CLOSED_WAY, first) is not None


# --- Signing out everywhere ----------------------------------------------------------------------


def issued(caller: Caller, time: Time) -> Caller:
    """Return somebody who comes with an access token that was issued then."""
    return replace(caller, issued=time)


async def test_what_was_issued_before_is_good_no_more(rooms: Rooms, mair: str) -> None:
    await rooms.let_in()
    signed_out = (await rooms.sign_ins.sign_out(MAIR, HERSELF, new_id())).value

    for caller in (MAIR, PHONE):
        early = issued(caller, later(signed_out, microseconds=-1))
        for attempt in (
            rooms.house.citizens.get(early, HERSELF),
            rooms.house.citizens.open(early, HERSELF),
            rooms.house.evidence.provide(early, HERSELF, new_id(), "postal_address", provided()),
        ):
            with pytest.raises(SignedOutError):
                await attempt
        assert await rooms.vault_of(issued(caller, signed_out)) == mair


async def test_a_replay_under_way_ends_when_she_signs_out(
    rooms: Rooms, mair: str, clock: AdjustableClock
) -> None:
    await rooms.sign_ins.sign_out(MAIR, HERSELF, new_id())
    caller = issued(MAIR, rooms.house.clock.now())
    replay = rooms.house.audits.replay_vault(caller, mair)
    await anext(replay)

    await rooms.sign_ins.sign_out(caller, HERSELF, new_id())
    clock.late_seconds += 60

    with pytest.raises(SignedOutError):
        await anext(replay)


async def test_signing_out_is_answered_to_a_retry(rooms: Rooms, mair: str) -> None:
    request_id = new_id()
    caller = issued(MAIR, rooms.house.clock.now())

    first = await rooms.sign_ins.sign_out(caller, HERSELF, request_id)
    again = await rooms.sign_ins.sign_out(caller, HERSELF, request_id)

    assert first.value == again.value
    assert (await rooms.house.names(mair)).count("signed-out-everywhere.1") == 1
    with pytest.raises(SignedOutError):
        await rooms.sign_ins.sign_out(caller, HERSELF, new_id())


@pytest.mark.usefixtures("mair")
async def test_an_official_signs_her_out_and_goes_on(rooms: Rooms) -> None:
    who = await by_code(rooms)

    await rooms.sign_ins.sign_out(OFFICIAL, who, new_id())

    assert await rooms.house.citizens.get(OFFICIAL, who)
    with pytest.raises(SignedOutError):
        await rooms.vault_of(MAIR)


@pytest.mark.usefixtures("mair")
async def test_nobody_else_is_signed_out(rooms: Rooms) -> None:
    await rooms.house.citizens.open(NIA, HERSELF)

    await rooms.sign_ins.sign_out(MAIR, HERSELF, new_id())

    assert await rooms.vault_of(NIA)
