# SPDX-License-Identifier: Apache-2.0
"""The server with one protection taken out, to see that its loss is noticed.

`python -m tests.faults.mutant NAME serve ...` is `citizen-vault-server serve ...` but for that. A
mutant changes the real use cases from outside; the product knows nothing of it.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from vault import main
from vault.application.disclosures import Disclosures
from vault.domain.state import VaultState
from vault.domain.values import Stamp
from vault.store.append import Append, Commit
from vault.store.committer import Committer
from vault.store.vaults import Command, Decision, Recorded, Vaults

Execute = Callable[..., Any]


def check_then_act() -> None:
    """Decide on the state as it is now, record whatever it has become: no expected version."""
    _decide_on(lambda vaults, command, fold: vaults.cached(command.stream, fold))


def cached_consent() -> None:
    """Decide on a state that may be twenty milliseconds old."""
    _decide_on(_Cache(0.02).state)


def long_cached_consent() -> None:
    """Decide on a state that may be a second old."""
    _decide_on(_Cache(1.0).state)


def unhurried_release() -> None:
    """Release what was recorded whenever it happens to be ready."""
    promptly = Disclosures.disclose

    async def disclose(self: Disclosures, *args: Any, **kwargs: Any) -> Any:
        disclosed = await promptly(self, *args, **kwargs)
        await asyncio.sleep(random.uniform(0, 0.6))
        return disclosed

    Disclosures.disclose = disclose  # type: ignore[method-assign]


def hasty_acknowledgement() -> None:
    """Answer a disclosure at once, write it a little later."""
    patiently = Committer.append
    writing: set[asyncio.Task[Any]] = set()

    async def append(self: Committer, append: Append, **kwargs: Any) -> Commit:
        if append.events[0].topic != "evidence-disclosed.1":
            commit: Commit = await patiently(self, append, **kwargs)
            return commit

        async def write() -> None:
            await asyncio.sleep(0.05)
            await patiently(self, append, **kwargs)

        task = asyncio.create_task(write())
        writing.add(task)
        task.add_done_callback(writing.discard)
        recorder: Any = self._recorder
        now = time.monotonic()
        return Commit((recorder.tree_size() + len(writing) - 1,), now, now)

    Committer.append = append  # type: ignore[method-assign]


MUTANTS: Final = {
    "check-then-act": check_then_act,
    "cached-consent": cached_consent,
    "long-cached-consent": long_cached_consent,
    "unhurried-release": unhurried_release,
    "hasty-acknowledgement": hasty_acknowledgement,
}


class _Cache:
    """States of streams, for so many seconds after they were read."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, Any]] = {}

    async def state(self, vaults: Vaults, command: Command, fold: Any) -> Any:
        until, state = self._kept.get(command.stream, (0.0, None))
        if time.monotonic() >= until:
            state = await vaults.cached(command.stream, fold)
            self._kept[command.stream] = (time.monotonic() + self._seconds, state)
        return state


def _decide_on(state_of: Callable[[Vaults, Command, Any], Any]) -> None:
    """Have disclosures decided on some state, and recorded on whatever is current then."""
    soundly: Execute = Vaults.execute

    async def execute(self: Vaults, command: Command, fold: Any, decide: Any) -> Recorded:
        is_hers = isinstance(await self.cached(command.stream, fold), VaultState)
        if command.acting.capacity != "service" or not is_hers:
            sound: Recorded = await soundly(self, command, fold, decide)
            return sound
        state = await state_of(self, command, fold)
        decision: Decision = await decide(state, self._stamp(state))

        async def act(_current: Any, stamp: Stamp) -> Decision:
            facts = replace(decision.draft.facts, time=stamp.time)
            return Decision(
                draft=replace(decision.draft, facts=facts),
                payloads=decision.payloads,
                approval=decision.approval,
                registry=decision.registry,
            )

        recorded: Recorded = await soundly(self, command, fold, act)
        return recorded

    Vaults.execute = execute  # type: ignore[method-assign]


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    main.main()
