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
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from vault import main
from vault.application import desk
from vault.application.disclosures import Disclosed, Disclosures
from vault.domain import disclosure
from vault.domain.errors import ConsentExpiredError, VaultError
from vault.domain.state import VaultState
from vault.domain.values import Stamp, Time
from vault.store.append import Append, Commit
from vault.store.command import Command, Decision, Recorded
from vault.store.committer import Committer
from vault.store.lane import Lane

Execute = Callable[..., Any]

REPLICA_LAG_SECONDS: Final = 0.5


def check_then_act() -> None:
    """Decide on the state as it is now, record whatever it has become: no expected version."""
    _decide_on(lambda lane, command, fold: lane.cached(command.stream, fold))


def cached_consent() -> None:
    """Decide on a state that may be twenty milliseconds old."""
    _decide_on(_Cache(0.02).state)


def long_cached_consent() -> None:
    """Decide on a state that may be a second old."""
    _decide_on(_Cache(1.0).state)


def replica_read() -> None:
    """Decide on what a replica holds, which lags behind."""
    _decide_on(_Replica(REPLICA_LAG_SECONDS).state)


def undecided_retry() -> None:
    """Decide once: if another append came first, append the same behind it."""

    def once(decide: Any) -> Any:
        decided: list[Decision] = []

        async def act(state: Any, stamp: Stamp) -> Decision:
            if not decided:
                decided.append(await decide(state, stamp))
            return _restamped(decided[0], stamp)

        return act

    _decide_with(once)


def stale_refusal() -> None:
    """Refuse on the state that is remembered, whatever other processes did since."""

    class RefusedError(Exception):
        """None of the store's own, so that it does not look again."""

        def __init__(self, reason: VaultError) -> None:
            super().__init__()
            self.reason = reason

    def at_once(decide: Any) -> Any:
        async def act(state: Any, stamp: Stamp) -> Decision:
            try:
                decision: Decision = await decide(state, stamp)
            except VaultError as error:
                raise RefusedError(error) from None
            return decision

        return act

    _decide_with(at_once)
    executed: Execute = Lane.execute

    async def execute(self: Lane, command: Command, fold: Any, decide: Any) -> Recorded:
        try:
            recorded: Recorded = await executed(self, command, fold, decide)
        except RefusedError as refused:
            raise refused.reason from None
        return recorded

    Lane.execute = execute  # type: ignore[method-assign]


def stale_check() -> None:
    """Say what could be fetched from what is remembered."""
    checking, looking = Disclosures.check, Lane.current
    is_check = ContextVar("is_check", default=False)

    async def check(self: Disclosures, *args: Any) -> Any:
        is_check.set(True)
        return await checking(self, *args)

    async def current(self: Lane, stream: str, fold: Any) -> Any:
        return await (self.cached if is_check.get() else partial(looking, self))(stream, fold)

    Disclosures.check = check  # type: ignore[method-assign]
    Lane.current = current  # type: ignore[method-assign]


def unrecorded_repeat() -> None:
    """Answer a repeated `request_id` from memory."""
    recording = Disclosures.disclose
    answered: dict[tuple[str, str], Disclosed] = {}

    async def disclose(
        self: Disclosures, caller: Any, request_id: str, *args: Any, **kwargs: Any
    ) -> Disclosed:
        known = answered.get((caller.sub, request_id))
        if known is None:
            known = await recording(self, caller, request_id, *args, **kwargs)
            answered[caller.sub, request_id] = known
        return known

    Disclosures.disclose = disclose  # type: ignore[method-assign]


def clients_clock() -> None:
    """Take a consent for expired once its service says that it is that late."""
    disclosing, planning = Disclosures.disclose, disclosure.plan
    said_time: ContextVar[str] = ContextVar("said_time")

    async def disclose(
        self: Disclosures, caller: Any, request_id: str, attempt: Any, said: Any, *args: Any
    ) -> Disclosed:
        said_time.set(said.external_reference)
        return await disclosing(self, caller, request_id, attempt, said, *args)

    def plan(state: Any, registry: Any, time: Time, attempt: Any, **kwargs: Any) -> Any:
        try:
            return planning(state, registry, time, attempt, **kwargs)
        except ConsentExpiredError:
            start = state.consents[attempt.consent_id].terms.start
            time = max(start, Time(said_time.get(time)))
            return planning(state, registry, time, attempt, **kwargs)

    Disclosures.disclose = disclose  # type: ignore[method-assign]
    disclosure.plan = plan


def unsettled_stop() -> None:
    """Acknowledge a stop as soon as it is durable, whatever is still on its way."""
    desk.STOP_SETTLES_SECONDS = 0.0


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
    change.__name__.replace("_", "-"): change
    for change in (
        check_then_act,
        cached_consent,
        long_cached_consent,
        replica_read,
        undecided_retry,
        stale_refusal,
        stale_check,
        unrecorded_repeat,
        clients_clock,
        unsettled_stop,
        unhurried_release,
        hasty_acknowledgement,
    )
}


class _Cache:
    """States of streams, for so many seconds after they were read."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[str, tuple[float, Any]] = {}

    async def state(self, lane: Lane, command: Command, fold: Any) -> Any:
        until, state = self._kept.get(command.stream, (0.0, None))
        if time.monotonic() >= until:
            state = await lane.cached(command.stream, fold)
            self._kept[command.stream] = (time.monotonic() + self._seconds, state)
        return state


class _Replica:
    """States of streams as they were some time ago: before so many records were there."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._sizes: deque[tuple[float, int]] = deque()

    async def state(self, lane: Lane, command: Command, fold: Any) -> Any:
        self._sizes.append((time.monotonic(), await lane.tree_size()))
        while len(self._sizes) > 1 and self._sizes[1][0] < time.monotonic() - self._seconds:
            self._sizes.popleft()
        return await lane.as_of(command.stream, fold, tree_size=self._sizes[0][1])


def _decide_on(state_of: Callable[[Lane, Command, Any], Any]) -> None:
    """Have disclosures decided on some state, and recorded on whatever is current then."""
    soundly: Execute = Lane.execute

    async def execute(self: Lane, command: Command, fold: Any, decide: Any) -> Recorded:
        if not await _is_disclosure(self, command, fold):
            sound: Recorded = await soundly(self, command, fold, decide)
            return sound
        state = await state_of(self, command, fold)
        decision: Decision = await decide(state, self._stamp(state))

        async def act(_current: Any, stamp: Stamp) -> Decision:
            return _restamped(decision, stamp)

        recorded: Recorded = await soundly(self, command, fold, act)
        return recorded

    Lane.execute = execute  # type: ignore[method-assign]


def _decide_with(changed: Callable[[Any], Any]) -> None:
    """Have disclosures decided in another way."""
    soundly: Execute = Lane.execute

    async def execute(self: Lane, command: Command, fold: Any, decide: Any) -> Recorded:
        is_hers = await _is_disclosure(self, command, fold)
        act = changed(decide) if is_hers else decide
        recorded: Recorded = await soundly(self, command, fold, act)
        return recorded

    Lane.execute = execute  # type: ignore[method-assign]


async def _is_disclosure(lane: Lane, command: Command, fold: Any) -> bool:
    is_by_service = command.acting.capacity == "service"
    return is_by_service and isinstance(await lane.cached(command.stream, fold), VaultState)


def _restamped(decision: Decision, stamp: Stamp) -> Decision:
    facts = replace(decision.draft.facts, time=stamp.time)
    return Decision(
        draft=replace(decision.draft, facts=facts),
        payloads=decision.payloads,
        approval=decision.approval,
        registry=decision.registry,
    )


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    main.main()
