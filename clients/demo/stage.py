# SPDX-License-Identifier: Apache-2.0
"""Who is connected to the running server, each with an access token of their own."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final, Literal, Self

from clients.connection import (
    CallRecord,
    Connection,
    development_approval,
    development_token,
)
from clients.demo.over_http import Exchange, HttpCaller
from clients.demo.server import Server
from clients.demo.slow_line import SlowLine

Listener = Callable[[str, CallRecord | Exchange], None]
Role = Literal["citizen", "official", "service", "auditor", "operator"]

_TIMEOUT_SECONDS: Final = 20.0
"""More than any call needs, even on a machine that does much else."""


class Stage:
    """Opens connections to one server, and closes them all at the end."""

    def __init__(self, server: Server, listener: Listener | None = None) -> None:
        self._server = server
        self._listener = listener
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def enter(
        self,
        role: Role,
        sub: str,
        name: str,
        watch: Callable[[CallRecord], None] | None = None,
        *,
        approves: bool = True,
    ) -> Connection:
        """Sign somebody in.

        Args:
            name: what the caller is called in explanations.
            watch: told of each call of theirs.
            approves: confirms each decision at the provider by which people sign in.
        """
        hear = self._heard(name)

        def heard(call: CallRecord) -> None:
            if watch is not None:
                watch(call)
            hear(call)

        token = development_token(self._server.issuer, role, sub)
        confirm = partial(development_approval, self._server.issuer, sub)
        connection = Connection(
            self._server.target,
            token,
            timeout_seconds=_TIMEOUT_SECONDS,
            on_call=heard,
            approve=confirm if approves else lambda _: None,
        )
        return self._open.enter_context(connection)

    def enter_slowly(self, role: Role, sub: str, name: str) -> SlowLine:
        """Sign somebody in who has a slow line."""
        token = development_token(self._server.issuer, role, sub)
        line = SlowLine(self._server.target, token, self._heard(name))
        self._open.callback(line.close)
        return line

    def enter_http(self, role: Role, sub: str, name: str) -> HttpCaller:
        """Sign somebody in who speaks JSON over HTTP."""
        token = development_token(self._server.issuer, role, sub)
        return HttpCaller(self._server.url, token, self._heard(name))

    def _heard(self, name: str) -> Callable[[CallRecord | Exchange], None]:
        listener = self._listener

        def heard(call: CallRecord | Exchange) -> None:
            if listener is not None:
                listener(name, call)

        return heard
