# SPDX-License-Identifier: Apache-2.0
"""Requests: a service asks, redeems the code that came back, or takes its request back.

A request begins in a stream of its own. A service that knows her has it put into her vault at once;
others wait for a claim (`claims.py`). A crash between two streams is finished by the retry.
"""

from __future__ import annotations

import dataclasses
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
    signed,
)
from vault.application.keyrings import SHORT_CODE
from vault.domain import request, vault
from vault.domain.errors import (
    ConcurrentChangeError,
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestAlreadyDecidedError,
    RequestCancelledError,
    RequestExpiredError,
)
from vault.domain.lane import in_lane
from vault.domain.request import Question, Request, RequestState, RequestStatus
from vault.domain.state import VaultState, fold
from vault.domain.values import Acting, AskedTerms, Stamp, Time
from vault.store.command import Command, Decision
from vault.store.record import event_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Desk
    from vault.application.registry import Registry
    from vault.domain.events import Draft

ATTEMPTS = 8
"""How many short codes are tried before one is free; of a million codes, two in 2^40 collide."""


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
    """A request that was made, and how it is handed over; what does not apply is ""."""

    view: RequestView
    handoff_token: str = ""
    short_code: str = ""


class Requests:
    """Requests, for services and citizens."""

    def __init__(self, desk: Desk, registry: Registry) -> None:
        self._desk = desk
        self._registry = registry

    async def ask(
        self,
        caller: Caller,
        request_id: str,
        question: Question,
        said: Particulars,
        *,
        validate_only: bool = False,
    ) -> Answer[Asked]:
        """Make a request within the bounds of its purpose.

        Args:
            said: references, return address and state, without digest, which is filled in here.
            validate_only: only return what it would be; nothing is recorded.

        Raises:
            FieldInvalidError: if a member of staff names another.
            NotFoundError: if the service does not know the subject that it asks.
            LimitExceededError: if too many of its requests wait for her.
            See `request.make` for the others.
        """
        service_id, said = caller.service, signed(caller, said)
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

        if question.subject and await self._desk.vaults.recorded(stream, request_key) is None:
            await self._must_reach(service_id, question.subject)
        if validate_only:
            return await self._validated(service_id, question)
        command = Command(stream=stream, acting=_as_service(caller), request_key=request_key)
        recorded = await self._desk.vaults.execute(command, request.fold, decide)
        if recorded.is_repeat:
            history_key = (await self._desk.keyrings.of(stream)).history
            await must_be_same(self._desk.vaults, recorded, expected, history_key)
        if question.subject:
            await self._deliver(caller, stream)
        is_by_code = not question.subject and not question.code_challenge
        token = self._desk.identifiers.handoff_token(stream) if question.code_challenge else ""
        asked = Asked(
            view=await self._for_service(caller, stream),
            handoff_token=token,
            short_code=await self._short_code(stream) if is_by_code else "",
        )
        return Answer(value=asked, sizes=await self._desk.vaults.sizes(stream))

    async def cancel(
        self, caller: Caller, request_id: str, consent_request_id: str
    ) -> Answer[RequestView]:
        """Take a request back: first in her vault, if somebody claimed it, then in its own stream.

        Raises:
            NotFoundError: if the request is not the caller's.
            RequestAlreadyDecidedError, RequestCancelledError, RequestExpiredError: if it is too
                late.
        """
        made = await self._own(caller, consent_request_id)
        key = self._desk.identifiers.request_key(caller.service, "CancelRequest", request_id)
        if await self._desk.vaults.recorded(consent_request_id, key) is None:
            if not made.is_known and self._now() >= made.expires:
                # Decided here, not in her vault: what stands there may not be told yet.
                raise RequestExpiredError
            if made.subject:
                await self._cancel_in_vault(caller, made)

        def draft(state: RequestState | None, stamp: Stamp) -> Draft:
            if state is not None and state.subject != made.subject:
                raise _ClaimedMeanwhileError
            return request.cancel_unclaimed(state, stamp, caller.service)

        expected = command_digest("CancelRequest", consent_request_id)
        try:
            return await self._record_on_own_stream(
                caller,
                consent_request_id,
                "CancelRequest",
                request_id,
                expected=expected,
                draft=draft,
            )
        except _ClaimedMeanwhileError:
            return await self.cancel(caller, request_id, consent_request_id)

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
        await self._own(caller, consent_request_id)

        def draft(state: RequestState | None, stamp: Stamp) -> Draft:
            return request.redeem(state, stamp, caller.service, code, code_verifier)

        expected = command_digest("RedeemCode", consent_request_id, code, code_verifier)
        return await self._record_on_own_stream(
            caller, consent_request_id, "RedeemCode", request_id, expected=expected, draft=draft
        )

    async def get(self, caller: Caller, acting: ActingFor, consent_request_id: str) -> RequestView:
        """Return a request: to a service its own, to a citizen one that she claimed.

        Raises:
            NotFoundError: if it is not the caller's.
        """
        if caller.service:
            return await self._for_service(caller, consent_request_id)
        return await self.get_own(caller, acting, consent_request_id)

    async def get_own(
        self, caller: Caller, acting: ActingFor, consent_request_id: str
    ) -> RequestView:
        """Return a request that the calling citizen claimed."""
        citizen = await self._desk.citizen(caller, acting)
        request.find_request(await self._desk.state(citizen), consent_request_id)
        state = await self._desk.shown(citizen, "history")
        now = self._now()
        return of_vault(request.find_request(state, consent_request_id), now)

    async def list(
        self, caller: Caller, acting: ActingFor, *, only_pending: bool = False
    ) -> tuple[RequestView, ...]:
        """Return the requests in the citizen's vault, newest first."""
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.shown(citizen, "history")
        now = self._now()
        views = (of_vault(asked, now) for asked in reversed(state.requests.values()))
        return tuple(view for view in views if not only_pending or view.status == "pending")

    async def reference(self, consent_request_id: str) -> str:
        """Return the service's own reference of a request."""
        return (await self.said(consent_request_id)).external_reference

    async def _must_reach(self, service_id: str, subject: str) -> None:
        """Check that the service knows the subject, and that not too much waits for her."""
        vault_id = await self._desk.keyrings.vault_of(service_id, subject)
        state = await self._desk.vaults.current(vault_id, fold)
        now = self._now()
        request.must_have_room(vault.must_be_sound(state), service_id, now)

    async def _validated(self, service_id: str, question: Question) -> Answer[Asked]:
        """Return what a request would be."""
        registered = await self._registry.confirmed(now=True)
        stamp = Stamp(time=self._now(), salt="")
        facts = request.proposed(registered.state, stamp, service_id, question)
        view = RequestView(
            consent_request_id="",
            status="pending",
            asked=facts.asked,
            time=facts.time,
            expires=facts.expires,
        )
        sizes = await self._desk.vaults.sizes(self._desk.identifiers.registry_stream)
        return Answer(value=Asked(view=view), sizes=sizes)

    async def _short_code(self, stream: str) -> str:
        """Return the short code that leads to a request, the same at every retry."""
        for attempt in range(ATTEMPTS):
            code = self._desk.identifiers.short_code(stream, attempt)
            found = await self._desk.keyrings.add_code(SHORT_CODE, code, stream)
            if found.vault_id == stream:
                return code
        raise ConcurrentChangeError

    async def _deliver(self, caller: Caller, stream: str) -> None:
        """Put a request of a service that knows her into her vault; a retry finds it there."""
        made = await self.made(stream)

        def draft(state: VaultState | None, stamp: Stamp) -> Draft:
            return request.receive(
                state,
                stamp,
                consent_request_id=stream,
                subject=made.subject,
                asked=made.asked,
                expires=made.expires,
                is_delivered=True,
            )

        with suppress(RequestAlreadyClaimedError, RequestCancelledError):
            await self._record_in_vault(caller, made, "ReceiveRequest", draft)

    async def _cancel_in_vault(self, caller: Caller, made: RequestState) -> None:
        def draft(state: VaultState | None, stamp: Stamp) -> Draft:
            return request.cancel(
                state,
                stamp,
                consent_request_id=made.stream,
                service_id=caller.service,
                subject=made.subject,
            )

        try:
            await self._record_in_vault(caller, made, "CancelRequest", draft)
        except RequestAlreadyDecidedError:
            # Before the code came back the service may not learn even that somebody decided.
            if made.is_known:
                raise

    async def _record_in_vault(
        self,
        caller: Caller,
        made: RequestState,
        method: str,
        draft: Callable[[VaultState | None, Stamp], Draft],
    ) -> None:
        """Record what the service does to a request in the vault that it reached, once."""
        vault_id = await self._desk.keyrings.vault_of(caller.service, made.subject)
        keyring = await self._desk.keyrings.of(vault_id)
        said = signed(caller, Particulars(digest=command_digest(method, made.stream)))
        beside = sealed_particulars(keyring.history, vault_id, said)

        async def decide(state: VaultState | None, stamp: Stamp) -> Decision:
            return Decision(draft=draft(state, stamp), payloads=(beside,))

        command = Command(
            stream=vault_id,
            acting=_as_service(caller),
            request_key=self._desk.identifiers.request_key(vault_id, method, made.stream),
        )
        await self._desk.vaults.execute(command, fold, decide)

    async def _record_on_own_stream(
        self,
        caller: Caller,
        stream: str,
        method: str,
        request_id: str,
        *,
        expected: str,
        draft: Callable[[RequestState | None, Stamp], Draft],
    ) -> Answer[RequestView]:
        """Record what the service does to its request, and return the request."""
        keyring = await self._desk.keyrings.of(stream)
        said = signed(caller, Particulars(digest=expected))
        beside = sealed_particulars(keyring.history, stream, said)

        async def decide(state: RequestState | None, stamp: Stamp) -> Decision:
            return Decision(draft=draft(state, stamp), payloads=(beside,))

        command = Command(
            stream=stream,
            acting=_as_service(caller),
            request_key=self._desk.identifiers.request_key(caller.service, method, request_id),
        )
        recorded = await self._desk.vaults.execute(command, request.fold, decide)
        if recorded.is_repeat:
            await must_be_same(self._desk.vaults, recorded, expected, keyring.history)
        view = await self._for_service(caller, stream)
        return Answer(value=view, sizes=recorded.sizes)

    def _now(self) -> Time:
        return self._desk.vaults.clock.now()

    async def _own(self, caller: Caller, stream: str) -> RequestState:
        made = await self.made(stream)
        if made.asked.recipient.service != caller.service:
            raise NotFoundError
        return made

    async def made(self, stream: str) -> RequestState:
        """Return a request in its own stream.

        Raises:
            NotFoundError: if there is none.
        """
        state = await self._desk.vaults.current(stream, request.fold)
        if not isinstance(state, RequestState):
            raise NotFoundError
        return state

    async def _for_service(self, caller: Caller, stream: str) -> RequestView:
        made = await self._own(caller, stream)
        now = self._now()
        said = await self.said(stream)
        view = RequestView(
            consent_request_id=stream,
            status=made.status(now),
            asked=made.asked,
            time=made.made,
            expires=made.expires,
            external_reference=said.external_reference,
        )
        if not made.is_known:
            return view
        vault_id = await self._desk.keyrings.vault_of(caller.service, made.subject)
        state = await self._desk.vaults.current(vault_id, fold)
        asked = state.requests.get(stream) if state else None
        return dataclasses.replace(
            view,
            status=asked.status(now) if asked else view.status,
            subject=made.subject,
            consent_id=asked.consent_id if asked else "",
        )

    async def said(self, stream: str) -> Particulars:
        """Return what the service said beside its request."""
        keyring = await self._desk.keyrings.of(stream)
        records = await self._desk.vaults.records(stream, limit=1)
        event = event_of(records[0]) if records else None
        if event is None:
            raise NotFoundError
        said = await read_particulars(self._desk.vaults, event, keyring.history)
        return said or Particulars(digest="")


class _ClaimedMeanwhileError(Exception):
    """Somebody claimed the request since it was looked at."""


def _as_service(caller: Caller) -> Acting:
    return Acting(actor=caller.service, capacity="service", mandate="", channel="api")


def of_vault(asked: Request, now: Time) -> RequestView:
    """Return a request in her vault as it is at a time."""
    return RequestView(
        consent_request_id=asked.consent_request_id,
        status=asked.status(now),
        asked=asked.asked,
        time=asked.time,
        expires=asked.expires,
        consent_id=asked.consent_id,
    )
