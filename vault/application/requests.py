# SPDX-License-Identifier: Apache-2.0
"""Requests: a service asks, a citizen claims, the service redeems the code that came back.

Claiming is a compare-and-set on the request's own stream; from then on the request lives in her
vault. A crash between the two is finished by the retry.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vault.application.caller import Answer
from vault.application.commands import (
    Particulars,
    command_digest,
    must_be_same,
    read_particulars,
    sealed_particulars,
)
from vault.application.desk import Decided
from vault.application.identifiers import in_lane
from vault.domain import request
from vault.domain.canonical import digest
from vault.domain.errors import (
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestExpiredError,
)
from vault.domain.request import Question, Request, RequestState, RequestStatus
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, AskedTerms, Stamp, Time
from vault.store.vaults import Command, Decision, event_of

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.registry import Registry


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request, as far as the caller may know it: what is not told is ""."""

    consent_request_id: str
    status: RequestStatus
    asked: AskedTerms
    time: Time
    expires: Time
    subject: str = ""
    consent_id: str = ""
    external_reference: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made, and the token of its hand-off link."""

    view: RequestView
    handoff_token: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed request, and what her browser takes back to the service."""

    view: RequestView
    code: str
    state: str
    return_uri: str


class Requests:
    """Requests, for services and citizens."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        self._desk = desk
        self._registry = registry

    async def ask(
        self, caller: Caller, request_id: str, question: Question, said: Particulars
    ) -> Answer[Asked]:
        """Make a request within the bounds of its purpose.

        Args:
            said: references, return address and state, without digest, which is filled in here.
        """
        service_id = caller.sub
        expected = command_digest("RequestConsent", question, said)
        request_key = self._desk.identifiers.request_key(service_id, "RequestConsent", request_id)
        stream = in_lane(request_key)
        particulars = replace(said, digest=expected)

        async def decide(state: RequestState | None, stamp: Stamp) -> Decision:
            del state
            registered = await self._registry.confirmed(now=True)
            draft = request.make(registered.state, stamp, service_id, question)
            # Only now: a request that is turned away leaves no keyring.
            keyring = await self._desk.keyrings.change(stream, lambda keyring: keyring)
            return Decision(
                draft=draft,
                payloads=(sealed_particulars(keyring.history, stream, particulars),),
                registry=registered.mark,
            )

        command = Command(stream=stream, acting=_as_service(caller), request_key=request_key)
        recorded = await self._desk.vaults.execute(command, request.fold, decide)
        if recorded.is_repeat:
            history_key = (await self._desk.keyrings.of(stream)).history
            await must_be_same(self._desk.vaults, recorded, expected, history_key)
        view = await self._for_service(caller, stream)
        token = self._desk.identifiers.handoff_token(stream)
        return Answer(value=Asked(view=view, handoff_token=token), tree_size=recorded.position + 1)

    async def claim(
        self, caller: Caller, acting: ActingFor, request_id: str, handoff_token: str
    ) -> Answer[Claimed]:
        """Take a request into the caller's vault, for the token of its hand-off link.

        Raises:
            NotFoundError: if the token is not one of ours.
            RequestAlreadyClaimedError, RequestExpiredError: if it is too late.
        """
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        stream = self._desk.identifiers.read_handoff_token(handoff_token)
        made = await self._made(stream)
        key = self._desk.request_key(citizen, "ClaimRequest", request_id)
        particulars = Particulars(digest=command_digest("ClaimRequest", stream))
        await self._desk.earlier(citizen, key, particulars.digest)

        service_id = made.asked.recipient.service
        known_as = (await self._desk.keyring(citizen)).subjects.get(service_id, "")
        if made.subject and made.subject != known_as:
            raise RequestAlreadyClaimedError
        if not made.subject and self._desk.vaults.clock.now() >= made.expires:
            raise RequestExpiredError
        subject = await self._desk.keyrings.subject_for(service_id, citizen.vault_id)
        code = self._desk.identifiers.code(stream, subject)
        if not made.subject:
            made = await self._claim(citizen, stream, subject, code)
        if made.subject != subject:
            raise RequestAlreadyClaimedError

        async def decide(state: VaultState | None, stamp: Stamp) -> Decided:
            return Decided(
                draft=request.receive(
                    state,
                    stamp,
                    consent_request_id=stream,
                    subject=subject,
                    asked=made.asked,
                    expires=made.expires,
                )
            )

        # She may open her own link again, in two windows at once: then it is in her vault already.
        if stream not in state.requests:
            with suppress(RequestAlreadyClaimedError):
                await self._desk.record(citizen, key, particulars, decide)
        said = await self._said(stream)
        view = await self.get_own(caller, acting, stream)
        return Answer(
            value=Claimed(view=view, code=code, state=said.state, return_uri=said.return_uri),
            tree_size=await self._desk.vaults.tree_size(),
        )

    async def redeem(
        self,
        caller: Caller,
        request_id: str,
        consent_request_id: str,
        code: str,
        code_verifier: str,
    ) -> Answer[RequestView]:
        """Redeem the code of a claimed request, once.

        Raises:
            NotFoundError: if the request is not the caller's, or code or verifier do not fit it.
            CodeAlreadyRedeemedError: if it was redeemed under another `request_id`.
        """
        service_id = caller.sub
        made = await self._made(consent_request_id)
        if made.asked.recipient.service != service_id:
            raise NotFoundError
        expected = command_digest("RedeemCode", consent_request_id, code, code_verifier)
        keyring = await self._desk.keyrings.of(consent_request_id)
        particulars = Particulars(digest=expected)

        async def decide(state: RequestState | None, stamp: Stamp) -> Decision:
            return Decision(
                draft=request.redeem(state, stamp, service_id, code, code_verifier),
                payloads=(sealed_particulars(keyring.history, consent_request_id, particulars),),
            )

        command = Command(
            stream=consent_request_id,
            acting=_as_service(caller),
            request_key=self._desk.identifiers.request_key(service_id, "RedeemCode", request_id),
        )
        recorded = await self._desk.vaults.execute(command, request.fold, decide)
        if recorded.is_repeat:
            await must_be_same(self._desk.vaults, recorded, expected, keyring.history)
        view = await self._for_service(caller, consent_request_id)
        return Answer(value=view, tree_size=recorded.position + 1)

    async def get(self, caller: Caller, acting: ActingFor, consent_request_id: str) -> RequestView:
        """Return a request: to a service its own, to a citizen one that she claimed.

        Raises:
            NotFoundError: if it is not the caller's.
        """
        if caller.role == "service":
            return await self._for_service(caller, consent_request_id)
        return await self.get_own(caller, acting, consent_request_id)

    async def get_own(
        self, caller: Caller, acting: ActingFor, consent_request_id: str
    ) -> RequestView:
        """Return a request that the calling citizen claimed."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        now = self._desk.vaults.clock.now()
        return _of_citizen(request.find_request(state, consent_request_id), now)

    async def list(self, caller: Caller, acting: ActingFor) -> tuple[RequestView, ...]:
        """Return the requests that the calling citizen claimed, newest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        now = self._desk.vaults.clock.now()
        return tuple(_of_citizen(asked, now) for asked in reversed(state.requests.values()))

    async def _claim(self, citizen: Citizen, stream: str, subject: str, code: str) -> RequestState:
        async def decide(state: RequestState | None, stamp: Stamp) -> Decision:
            if state is None:
                raise NotFoundError
            draft = request.claim(state, stamp, subject, digest(code.encode()))
            return Decision(draft=draft)

        # Who claims stays out of the request's stream: its link names the subject's service only.
        acting = Acting(actor=subject, capacity="self", mandate="", channel=citizen.acting.channel)
        command = Command(stream=stream, acting=acting)
        # Claimed meanwhile, by whom? If by her own other window, the claim stands.
        with suppress(RequestAlreadyClaimedError):
            await self._desk.vaults.execute(command, request.fold, decide)
        return await self._made(stream)

    async def _made(self, stream: str) -> RequestState:
        state = await self._desk.vaults.current(stream, request.fold)
        if not isinstance(state, RequestState):
            raise NotFoundError
        return state

    async def _for_service(self, caller: Caller, stream: str) -> RequestView:
        made = await self._made(stream)
        if made.asked.recipient.service != caller.sub:
            raise NotFoundError
        now = self._desk.vaults.clock.now()
        said = await self._said(stream)
        view = RequestView(
            consent_request_id=stream,
            status="expired" if now >= made.expires else "pending",
            asked=made.asked,
            time=made.made,
            expires=made.expires,
            external_reference=said.external_reference,
        )
        if not made.is_redeemed:
            return view
        vault_id = await self._desk.keyrings.vault_of(caller.sub, made.subject)
        state = await self._desk.vaults.current(vault_id, fold)
        asked = state.requests.get(stream) if state else None
        return RequestView(
            consent_request_id=stream,
            status=asked.status(now) if asked else view.status,
            asked=made.asked,
            time=made.made,
            expires=made.expires,
            subject=made.subject,
            consent_id=asked.consent_id if asked else "",
            external_reference=said.external_reference,
        )

    async def _said(self, stream: str) -> Particulars:
        """Return what the service said beside its request."""
        keyring = await self._desk.keyrings.of(stream)
        records = await self._desk.vaults.records(stream, limit=1)
        event = event_of(records[0]) if records else None
        if event is None:
            raise NotFoundError
        said = await read_particulars(self._desk.vaults, event, keyring.history)
        return said or Particulars(digest="")


def _as_service(caller: Caller) -> Acting:
    return Acting(actor=caller.sub, capacity="service", mandate="", channel="api")


def _of_citizen(asked: Request, now: Time) -> RequestView:
    return RequestView(
        consent_request_id=asked.consent_request_id,
        status=asked.status(now),
        asked=asked.asked,
        time=asked.time,
        expires=asked.expires,
        consent_id=asked.consent_id,
    )
