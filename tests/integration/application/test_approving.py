# SPDX-License-Identifier: Apache-2.0
"""Decisions that are shown to be hers: by her provider, by her passkey; and all that is not.

What the server took, the auditor's own code judges again, from the stored records and the opened
proofs alone. What the server refuses leaves her history as it was.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from clients.auditor.approvals import Approvals as Judges
from clients.auditor.approvals import Judgement, NotShown, Sealed
from clients.auditor.approvals import Shown as IsShown
from clients.auditor.facts import VAULT_FACTS, OfConsent
from clients.auditor.history import Vault
from clients.auditor.provider import Provider, read_provider
from clients.auditor.record import read_record
from tests.approving import ALGORITHMS, ORIGIN, PRESENT, RP_ID, Authenticator
from tests.house import (
    HERSELF,
    MAIR,
    NIA,
    AdjustableClock,
    House,
    Registered,
    Shared,
    a_choice,
    ask,
    claim_and_redeem,
    new_id,
    provide_address,
)
from tests.issuer import CLIENT, Issuer
from vault.application.amendments import Amendments
from vault.application.approvals import KIND, Approvals, Passkeys, StepUp
from vault.application.caller import Agreement, Caller
from vault.application.commands import opened
from vault.application.consents import Consents
from vault.application.desk import Desk
from vault.application.passkeys import Offered, PasskeyKeeper
from vault.domain.canonical import b64
from vault.domain.choice import Shown
from vault.domain.errors import (
    ApprovalInvalidError,
    ApprovalRequiredError,
    ConsentNotPausedError,
    FieldInvalidError,
    RequestAlreadyDecidedError,
    ShownDiffersError,
    VaultError,
)
from vault.domain.values import PayloadMark, Time, later, moment_of, time_of
from vault.sealing.envelope import Context
from vault.server.issuer_keys import FixedKeys
from vault.server.step_up import OpenIdStepUp

ISSUER = Issuer()
PROVIDER = read_provider(ISSUER.jwks)
Approve = Callable[[bytes], Agreement]


def stepping_up(caller: Caller = MAIR, issuer: Issuer = ISSUER, **claims: Any) -> Approve:
    """Return how a citizen has her provider sign; any claim can be changed."""

    def approve(challenge: bytes) -> Agreement:
        said = {"iss": caller.issuer, **claims}
        token = issuer.id_token(caller.sub, b64(challenge), **said)
        return Agreement(kind="oidc-step-up", proof=token.encode())

    return approve


def by_passkey(key: Authenticator, **changed: Any) -> Approve:
    """Return how a citizen has her passkey sign; anything of it can be changed."""

    def approve(challenge: bytes) -> Agreement:
        return Agreement(kind="webauthn", assertion=key.sign(challenge, **changed))

    return approve


@dataclass
class Approving:
    """A house in which citizens approve."""

    house: House
    consents: Consents
    amendments: Amendments
    passkeys: PasskeyKeeper

    @classmethod
    def at(
        cls,
        house: House,
        *,
        is_required: bool = False,
        rp_id: str = RP_ID,
        step_up: StepUp | None = None,
    ) -> Approving:
        """Return one that stands on the files of a house."""
        step_up = step_up or OpenIdStepUp(
            FixedKeys(ISSUER.jwks), CLIENT, now=lambda: moment_of(house.clock.now()).timestamp()
        )
        passkeys = Passkeys(rp_id, frozenset({ORIGIN}))
        approvals = Approvals(step_up, passkeys, is_required=is_required)
        desk = Desk(house.vaults, house.keyrings, house.identifiers, approvals)
        return cls(
            house,
            Consents(desk, house.registry, house.receipts),
            Amendments(desk, house.registry, house.receipts),
            PasskeyKeeper(desk),
        )

    async def asked(self, registered: Registered, citizen: Caller = MAIR) -> Page:
        """Have a service ask her, and look at the page on which she decides."""
        evidence_id = await provide_address(self.house, citizen)
        token = await ask(self.house, registered.service)
        request_id, _ = await claim_and_redeem(self.house, citizen, registered.service, token)
        return await self.page(request_id, evidence_id, citizen)

    async def page(self, request_id: str, evidence_id: str, citizen: Caller = MAIR) -> Page:
        """Look at the page of a question."""
        choice = a_choice(evidence_id)
        shown = await self.consents.preview(citizen, HERSELF, request_id, choice)

        async def grant(agreement: Agreement, request_key: str = "") -> str:
            answer = await self.consents.grant(
                citizen,
                HERSELF,
                request_key or new_id(),
                consent_request_id=request_id,
                choice=choice,
                shown=shown.shown,
                shown_hash=shown.shown_hash,
                agreement=agreement,
            )
            return answer.value.consent_id

        return Page(shown.challenge.challenge, grant, request_id, evidence_id)

    async def add(
        self,
        key: Authenticator,
        approve: Approve | None = None,
        citizen: Caller = MAIR,
        request_id: str = "",
    ) -> str:
        """Add a passkey, and return its id."""
        offered = Offered(key.credential, key.algorithm, key.public_key)
        shown = (await self.passkeys.preview(citizen, HERSELF, offered)).value
        answer = await self.passkeys.add(
            citizen,
            HERSELF,
            request_id or new_id(),
            offered=offered,
            shown=shown.shown,
            shown_hash=shown.shown_hash,
            agreement=(approve or stepping_up(citizen))(shown.challenge.challenge),
        )
        return answer.value.passkey_id

    async def extend(self, shared: Shared, approve: Approve, days: int = 95) -> None:
        """Share for longer."""
        end = time_of(moment_of(self.house.clock.now()) + timedelta(days=days))
        page = (
            await self.amendments.preview_extension(MAIR, HERSELF, shared.consent_id, end)
        ).value.preview
        assert page is not None
        await self.amendments.extend(
            MAIR,
            HERSELF,
            new_id(),
            consent_id=shared.consent_id,
            end=end,
            shown=page.shown,
            shown_hash=page.shown_hash,
            agreement=approve(page.challenge.challenge),
        )

    async def pause(self, shared: Shared) -> None:
        """Pause."""
        await self.amendments.pause(MAIR, HERSELF, new_id(), shared.consent_id)

    async def going_on(self, shared: Shared) -> tuple[bytes, tuple[Shown, str]]:
        """Look at the page on which she lets it go on: its challenge, and what it shows."""
        found = await self.amendments.preview_resumption(MAIR, HERSELF, shared.consent_id)
        page = found.value.preview
        return page.challenge.challenge, (page.shown, page.shown_hash)

    async def resume(self, shared: Shared, agreement: Agreement, shown: Any = None) -> None:
        """Let it go on."""
        await self.amendments.resume(
            MAIR, HERSELF, new_id(), shared.consent_id, agreement, shown=shown
        )

    async def judged(
        self, stream: str, *, provider: Provider | None = PROVIDER, opens: bool = True
    ) -> list[tuple[str, Judgement]]:
        """Have the auditor's code judge every decision of a vault, oldest first."""
        vault, judges, found = Vault(), Judges(), list[tuple[str, Judgement]]()
        for stored in await self.house.records(stream):
            line = json.dumps(
                {
                    "leaf_index": stored.position,
                    "stream_id": stream,
                    "version": stored.version,
                    "entry": b64(stored.entry),
                    "link": (stored.state or b"\n").decode().split("\n")[0],
                    "facts": (stored.state or b"\n").decode().split("\n")[1],
                }
            )
            record = read_record(line.encode(), VAULT_FACTS)
            assert record.link is not None
            assert record.facts is not None
            payload = await self.opened(stream, stored.version) if opens else None
            consent = None
            if isinstance(record.facts, OfConsent):
                consent = vault.consents.get(record.facts.consent_id)
            judgement = judges.judge(record.link, record.facts, payload, provider, consent)
            vault.take(record)
            if judgement is not None:
                found.append((record.facts.type, judgement))
        return found

    async def opened(self, stream: str, version: int) -> bytes | None:
        """Return the proof beside a record, opened with her key."""
        record = next(r for r in await self.house.records(stream) if r.version == version)
        link = json.loads((record.state or b"").split(b"\n")[0])
        mark = next((mark for mark in link["payloads"] if mark["kind"] == KIND), None)
        content = await self.house.vaults.payload(stream, version, KIND)
        if mark is None or content is None:
            return None
        key = (await self.house.keyrings.of(stream)).history
        context = Context(stream=stream, kind=KIND, key_id=key.key_id)
        return opened(key, context, content, PayloadMark(**mark))


@dataclass(frozen=True)
class Page:
    """A page on which she decides: what is to be signed, and how she says yes."""

    challenge: bytes
    grant: Callable[..., Awaitable[str]]
    request_id: str
    evidence_id: str


@pytest.fixture
def approving(house: House) -> Approving:
    """The house, in which citizens approve, or else their sign-in stands."""
    return Approving.at(house)


async def refused(
    approving: Approving, stream: str, error: type[VaultError], attempt: Awaitable[object]
) -> VaultError:
    """Expect that an attempt is refused, and that her history is what it was."""
    before = await approving.house.records(stream)
    with pytest.raises(error) as caught:
        await attempt
    assert await approving.house.records(stream) == before
    return caught.value


def is_shown(judged: list[tuple[str, Judgement]]) -> list[tuple[str, str]]:
    """Return by what each decision is shown to be hers; why not, if it is not."""
    return [
        (name, found.by if isinstance(found, IsShown) else getattr(found, "why", "sealed"))
        for name, found in judged
    ]


# --- By her provider -----------------------------------------------------------------------------


async def test_what_her_provider_signed_is_shown_to_be_hers(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    page = await approving.asked(registered)
    await page.grant(stepping_up()(page.challenge))
    await approving.extend(shared, stepping_up())
    await approving.pause(shared)
    challenge, shown = await approving.going_on(shared)
    await approving.resume(shared, stepping_up()(challenge), shown)

    judged = await approving.judged(shared.vault_id)

    assert is_shown(judged[1:]) == [
        ("consent-granted.1", "oidc-step-up"),
        ("consent-extended.1", "oidc-step-up"),
        ("consent-resumed.1", "oidc-step-up"),
    ]


async def test_her_sign_in_alone_shows_nothing(approving: Approving, shared: Shared) -> None:
    ((name, judgement),) = await approving.judged(shared.vault_id)

    assert name == "consent-granted.1"
    assert isinstance(judgement, NotShown)


async def test_who_cannot_open_the_proof_is_told_so(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    page = await approving.asked(registered)
    await page.grant(stepping_up()(page.challenge))

    judged = await approving.judged(shared.vault_id, opens=False)

    assert judged[-1] == ("consent-granted.1", Sealed())


async def test_without_the_keys_of_her_provider_nothing_is_shown(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    page = await approving.asked(registered)
    await page.grant(stepping_up()(page.challenge))

    for provider in (None, read_provider(Issuer().jwks)):
        judged = await approving.judged(shared.vault_id, provider=provider)
        assert isinstance(judged[-1][1], NotShown)


@pytest.mark.parametrize(
    "approve",
    [
        pytest.param(stepping_up(NIA, iss=MAIR.issuer), id="somebody else's"),
        pytest.param(stepping_up(nonce="n" * 43), id="another nonce"),
        pytest.param(stepping_up(aud="another"), id="for another program"),
        pytest.param(stepping_up(iss="https://elsewhere.example"), id="of another provider"),
        pytest.param(stepping_up(auth_time=1_700_000_000), id="too long ago"),
        pytest.param(stepping_up(issuer=Issuer()), id="signed by another"),
        pytest.param(lambda _: Agreement(kind="oidc-step-up", proof=b"token"), id="no token"),
        pytest.param(lambda _: Agreement(kind="oidc-step-up", proof=b"\xff"), id="no text"),
    ],
)
async def test_another_token_grants_nothing(
    approving: Approving, registered: Registered, shared: Shared, approve: Approve
) -> None:
    page = await approving.asked(registered)

    await refused(
        approving, shared.vault_id, ApprovalInvalidError, page.grant(approve(page.challenge))
    )


async def test_what_was_signed_for_one_question_does_not_answer_another(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    first = await approving.asked(registered)
    second = await approving.asked(registered)
    agreement = stepping_up()(first.challenge)
    await first.grant(agreement)

    await refused(approving, shared.vault_id, ApprovalInvalidError, second.grant(agreement))
    await refused(approving, shared.vault_id, RequestAlreadyDecidedError, first.grant(agreement))


async def test_what_was_signed_for_a_page_does_not_fit_the_page_after_it(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    first = await approving.asked(registered)
    second = await approving.page(first.request_id, first.evidence_id)

    assert first.challenge != second.challenge
    agreement = stepping_up()(first.challenge)
    await refused(approving, shared.vault_id, ApprovalInvalidError, second.grant(agreement))


async def test_what_was_signed_in_one_pause_does_not_end_the_next(
    approving: Approving, shared: Shared
) -> None:
    await approving.pause(shared)
    challenge, shown = await approving.going_on(shared)
    agreement = stepping_up()(challenge)
    await approving.resume(shared, agreement, shown)
    again = approving.resume(shared, agreement, shown)
    await refused(approving, shared.vault_id, ConsentNotPausedError, again)
    await approving.pause(shared)

    replayed = approving.resume(shared, agreement, shown)

    await refused(approving, shared.vault_id, ShownDiffersError, replayed)


async def test_a_resumption_is_approved_as_it_was_shown_or_not_at_all(
    approving: Approving, shared: Shared
) -> None:
    await approving.pause(shared)
    challenge, _ = await approving.going_on(shared)

    unseen = approving.resume(shared, stepping_up()(challenge))

    error = await refused(approving, shared.vault_id, FieldInvalidError, unseen)
    assert error.field == "shown"


async def test_a_retry_gets_its_answer_when_the_token_has_long_ended(
    approving: Approving, registered: Registered, shared: Shared, clock: AdjustableClock
) -> None:
    page = await approving.asked(registered)
    agreement, request_id = stepping_up()(page.challenge), new_id()
    consent_id = await page.grant(agreement, request_id)
    before = await approving.house.records(shared.vault_id)
    clock.ahead_seconds = 3600

    assert await page.grant(agreement, request_id) == consent_id
    assert await approving.house.records(shared.vault_id) == before


# --- By her passkey ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_what_her_passkey_signed_is_shown_to_be_hers(
    approving: Approving, registered: Registered, shared: Shared, algorithm: Any
) -> None:
    key = Authenticator(algorithm)
    await approving.add(key)
    page = await approving.asked(registered)
    await page.grant(by_passkey(key)(page.challenge))
    await approving.extend(shared, by_passkey(key))
    await approving.pause(shared)
    challenge, shown = await approving.going_on(shared)
    await approving.resume(shared, by_passkey(key)(challenge), shown)

    judged = await approving.judged(shared.vault_id)

    assert is_shown(judged[1:]) == [
        ("passkey-added.1", "oidc-step-up"),
        ("consent-granted.1", "webauthn"),
        ("consent-extended.1", "webauthn"),
        ("consent-resumed.1", "webauthn"),
    ]


KEY = Authenticator()


@pytest.mark.parametrize(
    "approve",
    [
        pytest.param(by_passkey(KEY, rp_id="elsewhere.example"), id="for another site"),
        pytest.param(by_passkey(KEY, flags=PRESENT), id="who uses it was not made sure"),
        pytest.param(by_passkey(KEY, origin="https://elsewhere.example"), id="on another page"),
        pytest.param(by_passkey(KEY, challenge="c" * 43), id="another challenge"),
        pytest.param(by_passkey(Authenticator()), id="a passkey that nobody added"),
        pytest.param(
            lambda challenge: Agreement(
                kind="webauthn",
                assertion=dataclasses.replace(
                    Authenticator().sign(challenge), credential=KEY.credential
                ),
            ),
            id="signed by another, under her passkey's name",
        ),
    ],
)
async def test_another_assertion_grants_nothing(
    approving: Approving, registered: Registered, shared: Shared, approve: Approve
) -> None:
    await approving.add(KEY)
    page = await approving.asked(registered)

    await refused(
        approving, shared.vault_id, ApprovalInvalidError, page.grant(approve(page.challenge))
    )


async def test_a_removed_passkey_approves_nothing_any_more(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    key = Authenticator()
    passkey_id = await approving.add(key)
    page = await approving.asked(registered)
    await approving.passkeys.remove(MAIR, HERSELF, new_id(), passkey_id)

    late = page.grant(by_passkey(key)(page.challenge))

    await refused(approving, shared.vault_id, ApprovalInvalidError, late)
    with pytest.raises(FieldInvalidError):
        await approving.add(key)


async def test_a_passkey_for_a_site_that_is_ours_no_more_approves_nothing(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    await approving.add(KEY)
    moved = Approving.at(approving.house, rp_id="moved.example")
    page = await moved.asked(registered)

    late = page.grant(by_passkey(KEY)(page.challenge))

    await refused(moved, shared.vault_id, ApprovalInvalidError, late)


async def test_the_passkey_of_one_approves_nothing_of_another(
    approving: Approving, registered: Registered, shared: Shared
) -> None:
    key = Authenticator()
    await approving.house.citizens.open(NIA, HERSELF)
    await approving.add(key, citizen=NIA)
    page = await approving.asked(registered)

    await refused(
        approving,
        shared.vault_id,
        ApprovalInvalidError,
        page.grant(by_passkey(key)(page.challenge)),
    )


@pytest.mark.parametrize(
    ("approve", "error"),
    [
        pytest.param(lambda _: Agreement(), ApprovalRequiredError, id="her sign-in alone"),
        pytest.param(by_passkey(KEY), ApprovalRequiredError, id="by itself"),
        pytest.param(stepping_up(nonce="n" * 43), ApprovalInvalidError, id="another nonce"),
        pytest.param(stepping_up(NIA, iss=MAIR.issuer), ApprovalInvalidError, id="somebody's"),
    ],
)
async def test_a_passkey_is_added_with_her_providers_signature_alone(
    approving: Approving, shared: Shared, approve: Approve, error: type[VaultError]
) -> None:
    await refused(approving, shared.vault_id, error, approving.add(KEY, approve))


async def test_a_repeated_request_adds_one_passkey(approving: Approving, shared: Shared) -> None:
    key, request_id = Authenticator(), new_id()
    offered = Offered(key.credential, key.algorithm, key.public_key)
    shown = (await approving.passkeys.preview(MAIR, HERSELF, offered)).value
    agreement = stepping_up()(shown.challenge.challenge)

    answers = [
        await approving.passkeys.add(
            MAIR,
            HERSELF,
            request_id,
            offered=offered,
            shown=shown.shown,
            shown_hash=shown.shown_hash,
            agreement=agreement,
        )
        for _ in range(2)
    ]

    assert answers[0].value == answers[1].value
    assert (await approving.house.names(shared.vault_id)).count("passkey-added.1") == 1


# --- What is asked of her ------------------------------------------------------------------------


async def test_where_it_is_required_her_sign_in_alone_shares_nothing(
    house: House, registered: Registered, shared: Shared
) -> None:
    approving = Approving.at(house, is_required=True)
    page = await approving.asked(registered)
    session = Agreement()

    await refused(approving, shared.vault_id, ApprovalRequiredError, page.grant(session))
    extended = approving.extend(shared, lambda _: session)
    await refused(approving, shared.vault_id, ApprovalRequiredError, extended)
    await approving.pause(shared)
    resumed = approving.resume(shared, session)
    await refused(approving, shared.vault_id, ApprovalRequiredError, resumed)
    await page.grant(stepping_up()(page.challenge))
    await approving.amendments.revoke(MAIR, HERSELF, new_id(), shared.consent_id)


async def test_stopping_takes_whatever_proof_comes_with_it_for_none(
    approving: Approving, shared: Shared
) -> None:
    wrong = Agreement(kind="webauthn", proof=b"whatever")

    await approving.amendments.revoke(MAIR, HERSELF, new_id(), shared.consent_id, wrong)

    assert (await approving.house.names(shared.vault_id))[-1] == "consent-revoked.1"


async def test_what_is_not_set_up_is_not_taken(
    house: House, registered: Registered, shared: Shared
) -> None:
    nothing = Approving.at(house)
    desk = Desk(house.vaults, house.keyrings, house.identifiers)
    nothing.consents = Consents(desk, house.registry, house.receipts)
    page = await nothing.asked(registered)

    for approve in (stepping_up(), by_passkey(KEY)):
        late = page.grant(approve(page.challenge))
        await refused(nothing, shared.vault_id, FieldInvalidError, late)
    with pytest.raises(FieldInvalidError):
        await PasskeyKeeper(desk).preview(
            MAIR, HERSELF, Offered(KEY.credential, "ES256", KEY.public_key)
        )


# --- What only the auditor sees ------------------------------------------------------------------


async def test_a_shown_time_is_not_moved(approving: Approving, shared: Shared) -> None:
    await approving.pause(shared)
    challenge, (shown, shown_hash) = await approving.going_on(shared)
    moved = Shown(time=Time(later(shown.time, microseconds=1)), salt=shown.salt)

    late = approving.resume(shared, stepping_up()(challenge), (moved, shown_hash))

    await refused(approving, shared.vault_id, ShownDiffersError, late)


class Believing(OpenIdStepUp):
    """What a crooked operator puts in the place of what verifies."""

    async def verify(self, token: bytes, issuer: str, sub: str, challenge: str) -> None:
        """Believe everything."""


OPERATORS_OWN = stepping_up(NIA, iss=MAIR.issuer)


@pytest.mark.parametrize(
    ("approve", "why"),
    [
        pytest.param(lambda _: Agreement(), "operator's word", id="nothing"),
        pytest.param(OPERATORS_OWN, "somebody else", id="the operator's own sign-in"),
        pytest.param(stepping_up(nonce="n" * 43), "another decision", id="what she signed once"),
        pytest.param(stepping_up(issuer=Issuer()), "not among the provider's", id="a made-up key"),
        pytest.param(by_passkey(KEY), "nothing shows to be hers", id="the operator's passkey"),
    ],
)
async def test_an_operator_can_write_a_decision_and_not_make_it_hers(
    house: House, registered: Registered, shared: Shared, approve: Approve, why: str
) -> None:
    await Approving.at(house).add(Authenticator())
    crooked = Approving.at(house, step_up=Believing(FixedKeys(ISSUER.jwks), CLIENT))
    await crooked.add(KEY, OPERATORS_OWN)
    page = await crooked.asked(registered)
    await page.grant(approve(page.challenge))

    judged = is_shown(await crooked.judged(shared.vault_id))

    assert judged[-1][0] == "consent-granted.1"
    assert why in judged[-1][1]
