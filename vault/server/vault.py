# SPDX-License-Identifier: Apache-2.0
"""`VaultService`: opens vaults and shows their history, for citizens."""

from __future__ import annotations

from vault.api.v1 import vault_service_pb2
from vault.domain.errors import TokenInvalidError
from vault.server.call import Call
from vault.server.convert.vault import acting_from, line_message, vault_message
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
            vault=vault_message(answer.value.state),
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
            vault=vault_message(answer.value),
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
            vault=vault_message(answer.value.state),
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
            vault=vault_message(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ListHistory(
        self, request: vault_service_pb2.ListHistoryRequest, call: Call
    ) -> vault_service_pb2.ListHistoryResponse:
        """List what happened in the caller's vault, newest first."""
        await self._use.seen(request.position_token, call)
        kind = "disclosures" if request.only_disclosures else ""
        cursor = self._use.pages.read(request.page_token, call, kind) or "0"
        if not cursor.isdecimal():
            raise TokenInvalidError("page_token")
        page = await self._use.vaults.history(
            call.caller,
            acting_from(request.acting),
            before_version=int(cursor),
            limit=request.page_size or DEFAULT_SIZE,
            only_disclosures=request.only_disclosures,
        )
        before = page.before_version
        entries = [line_message(line) for line in page.lines]
        while exceeds_page(entries):
            entries.pop()
            before = entries[-1].version
        return vault_service_pb2.ListHistoryResponse(
            entries=entries,
            next_page_token=self._use.pages.write(str(before), call, kind) if before else "",
        )
