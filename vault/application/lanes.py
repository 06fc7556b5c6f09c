# SPDX-License-Identifier: Apache-2.0
"""The list of lanes: an event in lane 0 for each further lane, and one in the lane itself.

The key of each lane's log is listed in lane 0, too.

A lane is listed when it is first served, before any vault is opened in it. From then on no other
database is taken for it: one that does not hold its first record is refused, for what was recorded
in the lane would look as if it had never been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.domain import registry
from vault.domain.errors import RegistryConflictError
from vault.domain.lane import FIRST_LANE
from vault.domain.registry import RegistryState
from vault.domain.values import Acting
from vault.store.command import Command, Decision
from vault.store.errors import StoreUnfitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from vault.application.identifiers import Identifiers
    from vault.domain.values import Stamp
    from vault.store.lane import Lane
    from vault.store.vaults import Vaults


async def _keep_none(lane: Lane) -> None:
    del lane


class Lanes:
    """Lists lanes, and tells which are listed."""

    def __init__(self, vaults: Vaults, identifiers: Identifiers) -> None:
        self._vaults = vaults
        self._identifiers = identifiers
        vaults.listed = self.listed
        self.keep_log: Callable[[Lane], Awaitable[None]] = _keep_none
        """Called with each lane that is listed, before it is served."""

    async def listed(self) -> Collection[int]:
        """Return the lanes that there are, whoever serves them."""
        return (FIRST_LANE, *(await self._state()).lanes)

    async def admit(self, lane: Lane) -> None:
        """List a lane other than the first, unless it is listed, and serve it.

        Raises:
            StoreUnfitError: if its database is not the one that was listed, or holds something
                else.
        """
        await self._list(lane)
        await self.keep_log(lane)
        self._vaults.serve(lane)

    async def list_log_key(self, lane: Lane, vkey: str) -> str:
        """List the key of a lane's log, unless one is listed.

        Returns:
            The one that is listed: with any other, nothing may be signed.
        """
        listed = (await self._state()).log_keys.get(lane.number)
        if listed is None:
            await self._append_log_key(lane, vkey)
            listed = (await self._state()).log_keys[lane.number]
        return listed

    async def _append_log_key(self, lane: Lane, vkey: str) -> None:
        async def decide(state: RegistryState | None, stamp: Stamp) -> Decision:
            known = state or RegistryState(stream=stream)
            return Decision(
                draft=registry.list_log_key(known, stamp, lane.number, lane.origin, vkey)
            )

        stream = self._identifiers.registry_stream
        operator = Acting(actor="", capacity="operator", mandate="", channel="api")
        try:
            await self._vaults.execute(
                Command(stream=stream, acting=operator), registry.fold, decide
            )
        except RegistryConflictError:
            # Another process was first, and has drawn the same key.
            return

    async def _list(self, lane: Lane) -> None:
        stream = self._identifiers.lane_stream(lane.origin, lane.number)
        origin = (await self._state()).lanes.get(lane.number)
        # In this order: another process may be founding it.
        size = await lane.tree_size()
        is_founded = await lane.current(stream, registry.fold) is not None
        if (not is_founded and (origin or size)) or origin not in (None, lane.origin):
            raise StoreUnfitError(
                f"The database of lane {lane.number} is not the one that was listed, or holds "
                "something else: name the right one. Nothing was changed."
            )
        if not is_founded:
            await self._append(lane, stream, lane, stream)
        if origin is None:
            first = self._vaults.lanes[FIRST_LANE]
            await self._append(first, self._identifiers.registry_stream, lane, stream)

    async def _append(self, to: Lane, stream: str, lane: Lane, request_key: str) -> None:
        async def decide(state: RegistryState | None, stamp: Stamp) -> Decision:
            known = state or RegistryState(stream=stream)
            return Decision(draft=registry.list_lane(known, stamp, lane.number, lane.origin))

        operator = Acting(actor="", capacity="operator", mandate="", channel="api")
        command = Command(stream=stream, acting=operator, request_key=request_key)
        await to.execute(command, registry.fold, decide)

    async def _state(self) -> RegistryState:
        stream = self._identifiers.registry_stream
        state = await self._vaults.current(stream, registry.fold)
        return state or RegistryState(stream=stream)
