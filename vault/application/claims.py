# SPDX-License-Identifier: Apache-2.0
"""Claims: a citizen takes a request into her vault, by its link, or by a code through an official.

A claim is a compare-and-set on the request's own stream, then an append to hers; a crash between
the two is finished by the retry.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.application.caller import Answer
from vault.application.commands import Particulars, command_digest
from vault.application.desk import Decided
from vault.application.keyrings import SHORT_CODE
from vault.application.requests import RequestView, of_vault
from vault.domain import request
from vault.domain.canonical import digest
from vault.domain.errors import (
    NotFoundError,
    RequestAlreadyClaimedError,
    RequestCancelledError,
    RequestExpiredError,
)
from vault.domain.request import RequestState
from vault.domain.state import VaultState
from vault.domain.values import Acting, Stamp
from vault.domain.vault import must_be_sound
from vault.store.command import Command, Decision

if TYPE_CHECKING:
    from vault.application.caller import ActingFor, Caller
    from vault.application.desk import Citizen, Desk
    from vault.application.requests import Requests


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed request, and what her browser takes back to the service."""

    view: RequestView
    code: str
    state: str
    return_uri: str


class Claims:
    """Takes requests into vaults."""

    def __init__(self, desk: Desk, requests: Requests) -> None:
        self._desk = desk
        self._requests = requests

    async def claim(
        self,
        caller: Caller,
        acting: ActingFor,
        request_id: str,
        handoff_token: str = "",
        *,
        short_code: str = "",
    ) -> Answer[Claimed]:
        """Take a request into her vault, for the token of its hand-off link or its short code.

        Raises:
            NotFoundError: if the token or code is not one of ours, or a code is not an official's.
            RequestAlreadyClaimedError, RequestCancelledError, RequestExpiredError: if it is too
                late.
        """
        citizen = await self._desk.citizen(caller, acting)
        state = await self._desk.state(citizen)
        if handoff_token:
            stream = self._desk.identifiers.read_handoff_token(handoff_token)
        elif citizen.acting.capacity == "official":
            stream = (await self._desk.keyrings.find_code(SHORT_CODE, short_code)).vault_id
        else:
            raise NotFoundError
        made = await self._requests.made(stream)
        key = self._desk.request_key(citizen, "ClaimRequest", request_id)
        particulars = Particulars(digest=command_digest("ClaimRequest", stream))
        await self._desk.earlier(citizen, key, particulars.digest)

        must_be_sound(state)
        service_id = made.asked.recipient.service
        if made.subject and not await self._is_hers(citizen, service_id, made.subject):
            raise RequestAlreadyClaimedError
        if made.cancelled:
            raise RequestCancelledError
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
        if stream in state.requests:
            await self._desk.shown(citizen, "history")
        else:
            with suppress(RequestAlreadyClaimedError):
                await self._desk.record(citizen, key, particulars, decide)
        said = await self._requests.said(stream)
        state = await self._desk.state(citizen)
        now = self._desk.vaults.clock.now()
        view = of_vault(request.find_request(state, stream), now)
        # Only a browser takes a code back; where there is none, the official has seen her.
        code = code if made.code_challenge else ""
        return Answer(
            value=Claimed(view=view, code=code, state=said.state, return_uri=said.return_uri),
            sizes=await self._desk.vaults.sizes(stream, citizen.vault_id),
        )

    async def _is_hers(self, citizen: Citizen, service_id: str, subject: str) -> bool:
        """Say whether a subject is she, also if another process drew it a moment ago."""
        try:
            found = await self._desk.keyrings.vault_of(service_id, subject)
        except NotFoundError:
            return False
        return found == citizen.vault_id

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
        return await self._requests.made(stream)
