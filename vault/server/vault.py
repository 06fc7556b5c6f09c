# SPDX-License-Identifier: Apache-2.0
"""`VaultService`: opens vaults and shows their history, for citizens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from vault.api.v1 import vault_service_pb2
from vault.application.history import Cursor
from vault.domain.errors import FieldInvalidError, TokenInvalidError
from vault.domain.sign_in import GOOD_SECONDS
from vault.server.call import Call
from vault.server.convert.approval import (
    agreement_from,
    challenge_message,
    key_message,
    offered_from,
    passkey_message,
)
from vault.server.convert.consent import page_message, shown_from
from vault.server.convert.contact import contact_from, contact_message
from vault.server.convert.export import part_message
from vault.server.convert.imported import head_from, left_messages, parts_from
from vault.server.convert.log import receipt_message
from vault.server.convert.paths import of_import, renamed
from vault.server.convert.times import timestamp
from vault.server.convert.vault import (
    acting_from,
    acting_message,
    line_message,
    vault_message,
)
from vault.server.paging import DEFAULT_SIZE, exceeds_page
from vault.server.services import UseCases


class VaultHandler:
    """Handles `vault.api.v1.VaultService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def OpenVault(
        self, request: vault_service_pb2.OpenVaultRequest, call: Call
    ) -> vault_service_pb2.OpenVaultResponse:
        """Open the caller's vault."""
        answer = await self._use.vaults.open(
            call.caller, acting_from(request.acting), request.request_id
        )
        return vault_service_pb2.OpenVaultResponse(
            vault=vault_message(answer.value.state, answer.way),
            position_token=self._use.positions.write(answer.sizes),
            assistance_code=answer.value.assistance_code,
        )

    async def GetVault(
        self, request: vault_service_pb2.GetVaultRequest, call: Call
    ) -> vault_service_pb2.GetVaultResponse:
        """Return the caller's vault."""
        await self._use.seen(request.position_token, call)
        answer = await self._use.vaults.get(call.caller, acting_from(request.acting))
        return vault_service_pb2.GetVaultResponse(
            vault=vault_message(answer.value, answer.way),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def CreateAssistanceCode(
        self, request: vault_service_pb2.CreateAssistanceCodeRequest, call: Call
    ) -> vault_service_pb2.CreateAssistanceCodeResponse:
        """Make a code with which officials can act for her."""
        answer = await self._use.vaults.create_assistance_code(
            call.caller, acting_from(request.acting), request.request_id
        )
        return vault_service_pb2.CreateAssistanceCodeResponse(
            assistance_code=answer.value.assistance_code,
            vault=vault_message(answer.value.state, answer.way),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def UnlinkSignIn(
        self, request: vault_service_pb2.UnlinkSignInRequest, call: Call
    ) -> vault_service_pb2.UnlinkSignInResponse:
        """Close a way to her vault."""
        answer = await self._use.vaults.unlink_sign_in(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.sign_in_id.lower(),
        )
        return vault_service_pb2.UnlinkSignInResponse(
            vault=vault_message(answer.value, answer.way),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def CreateLinkCode(
        self, request: vault_service_pb2.CreateLinkCodeRequest, call: Call
    ) -> vault_service_pb2.CreateLinkCodeResponse:
        """Let another sign-in be linked, or show what has to be signed for that."""
        acting = acting_from(request.acting)
        if request.validate_only:
            found = await self._use.sign_ins.preview(call.caller, acting)
            preview = found.value
            return vault_service_pb2.CreateLinkCodeResponse(
                good_seconds=preview.good_seconds,
                wait_seconds=preview.wait_seconds,
                shown=page_message(preview.shown, preview.shown_hash),
                shown_bytes=preview.shown_bytes,
                approval_challenge=challenge_message(preview.challenge),
                position_token=self._use.positions.write(found.sizes),
            )
        shown, shown_hash = shown_from(request.shown)
        answer = await self._use.sign_ins.create_link_code(
            call.caller,
            acting,
            request.request_id,
            shown=shown,
            shown_hash=shown_hash,
            agreement=agreement_from(request.approval),
        )
        return vault_service_pb2.CreateLinkCodeResponse(
            link_code=answer.value.code,
            expire_time=timestamp(answer.value.expires),
            good_seconds=GOOD_SECONDS,
            wait_seconds=answer.value.wait_seconds,
            position_token=self._use.positions.write(answer.sizes),
        )

    async def LinkSignIn(
        self, request: vault_service_pb2.LinkSignInRequest, call: Call
    ) -> vault_service_pb2.LinkSignInResponse:
        """Link the caller's sign-in to the vault whose owner made a code."""
        answer = await self._use.sign_ins.link(
            call.caller, acting_from(request.acting), request.request_id, request.link_code
        )
        return vault_service_pb2.LinkSignInResponse(
            vault=vault_message(answer.value, answer.way),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def SignOutEverywhere(
        self, request: vault_service_pb2.SignOutEverywhereRequest, call: Call
    ) -> vault_service_pb2.SignOutEverywhereResponse:
        """Sign the citizen out everywhere."""
        answer = await self._use.sign_ins.sign_out(
            call.caller, acting_from(request.acting), request.request_id
        )
        return vault_service_pb2.SignOutEverywhereResponse(
            sign_out_time=timestamp(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def AddPasskey(
        self, request: vault_service_pb2.AddPasskeyRequest, call: Call
    ) -> vault_service_pb2.AddPasskeyResponse:
        """Add a passkey, or show what has to be signed for that."""
        acting, offered = acting_from(request.acting), offered_from(request)
        if request.validate_only:
            found = await self._use.passkeys.preview(call.caller, acting, offered)
            preview = found.value
            return vault_service_pb2.AddPasskeyResponse(
                passkey=key_message(preview.key),
                shown=page_message(preview.shown, preview.shown_hash),
                shown_bytes=preview.shown_bytes,
                approval_challenge=challenge_message(preview.challenge),
                position_token=self._use.positions.write(found.sizes),
            )
        shown, shown_hash = shown_from(request.shown)
        answer = await self._use.passkeys.add(
            call.caller,
            acting,
            request.request_id,
            offered=offered,
            shown=shown,
            shown_hash=shown_hash,
            agreement=agreement_from(request.approval),
        )
        return vault_service_pb2.AddPasskeyResponse(
            passkey=passkey_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RemovePasskey(
        self, request: vault_service_pb2.RemovePasskeyRequest, call: Call
    ) -> vault_service_pb2.RemovePasskeyResponse:
        """Remove a passkey."""
        answer = await self._use.passkeys.remove(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            request.passkey_id.lower(),
        )
        return vault_service_pb2.RemovePasskeyResponse(
            passkey=passkey_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ListPasskeys(
        self, request: vault_service_pb2.ListPasskeysRequest, call: Call
    ) -> vault_service_pb2.ListPasskeysResponse:
        """List the caller's passkeys, oldest first."""
        await self._use.seen(request.position_token, call)
        # Refused before an official's look is recorded.
        self._use.pages.read(request.page_token, call)
        found = await self._use.passkeys.list(call.caller, acting_from(request.acting))
        page, token = await self._use.pages.page(
            found, lambda passkey: passkey.passkey_id, request, call, passkey_message
        )
        return vault_service_pb2.ListPasskeysResponse(passkeys=page, next_page_token=token)

    async def SetContact(
        self, request: vault_service_pb2.SetContactRequest, call: Call
    ) -> vault_service_pb2.SetContactResponse:
        """Take down how the caller is reached."""
        answer = await self._use.contacts.set(
            call.caller,
            acting_from(request.acting),
            request.request_id,
            contact_from(request.contact),
        )
        kept = answer.value.kept
        return vault_service_pb2.SetContactResponse(
            contact=contact_message(answer.value.contact),
            set_time=timestamp(kept.time) if kept else None,
            position_token=self._use.positions.write(answer.sizes),
        )

    async def GetContact(
        self, request: vault_service_pb2.GetContactRequest, call: Call
    ) -> vault_service_pb2.GetContactResponse:
        """Return how the caller is reached."""
        await self._use.seen(request.position_token, call)
        reached = await self._use.contacts.get(call.caller, acting_from(request.acting))
        kept = reached.kept
        if kept is None:
            return vault_service_pb2.GetContactResponse()
        return vault_service_pb2.GetContactResponse(
            contact=contact_message(reached.contact),
            set_time=timestamp(kept.time),
            acting=acting_message(kept.acting),
        )

    async def ListHistory(
        self, request: vault_service_pb2.ListHistoryRequest, call: Call
    ) -> vault_service_pb2.ListHistoryResponse:
        """List what happened in the caller's vault, newest first."""
        await self._use.seen(request.position_token, call)
        kind = "disclosures" if request.only_disclosures else ""
        before = _cursor(self._use.pages.read(request.page_token, call, kind))
        page = await self._use.vaults.history(
            call.caller,
            acting_from(request.acting),
            before=before,
            limit=request.page_size or DEFAULT_SIZE,
            only_disclosures=request.only_disclosures,
        )
        after = page.after
        entries = [line_message(line) for line in page.lines]
        while exceeds_page(entries):
            entries.pop()
            after = page.lines[len(entries) - 1].after
        last = ".".join(map(str, after))
        return vault_service_pb2.ListHistoryResponse(
            entries=entries,
            next_page_token=self._use.pages.write(last, call, kind) if last else "",
        )

    async def ExportVault(
        self, request: vault_service_pb2.ExportVaultRequest, call: Call
    ) -> AsyncIterator[vault_service_pb2.ExportVaultResponse]:
        """Bring the caller everything that is kept of her."""
        await self._use.seen(request.position_token, call)
        parts = self._use.exports.export(call.caller, acting_from(request.acting), call.deadline)
        async with aclosing(parts):
            async for part in parts:
                yield part_message(part)

    async def ImportVault(
        self, requests: AsyncIterator[vault_service_pb2.ImportVaultRequest], call: Call
    ) -> vault_service_pb2.ImportVaultResponse:
        """Bring an export into the caller's vault."""
        first = await anext(requests, None)
        if first is None or not first.HasField("header"):
            raise FieldInvalidError("header", "The first message is the header.")
        head = head_from(first.header)
        with renamed(of_import):
            answer = await self._use.imports.bring(
                call.caller,
                acting_from(first.header.acting),
                first.header.request_id,
                head,
                parts_from(requests, head.vault_id),
            )
        return vault_service_pb2.ImportVaultResponse(
            carried_count=answer.value.carried,
            left_behind=left_messages(answer.value),
            left_behind_count=len(answer.value.left),
            receipt=receipt_message(answer.receipt),
            position_token=self._use.positions.write(answer.sizes),
        )


def _cursor(text: str) -> Cursor:
    """Return where a page starts.

    Raises:
        TokenInvalidError: if the token was given by another program.
    """
    parts = text.split(".") if text else []
    if len(parts) not in (0, 3) or not all(part.isdecimal() for part in parts):
        raise TokenInvalidError("page_token")
    return tuple(map(int, parts))
