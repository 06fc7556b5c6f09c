# SPDX-License-Identifier: Apache-2.0
"""Who is connected to the running server, each with an access token of their own."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Literal, Self

from clients.connection import CallRecord, Connection, development_token
from clients.demo.server import Server

Listener = Callable[[str, CallRecord], None]
Role = Literal["citizen", "service", "auditor", "operator"]

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
    ) -> Connection:
        """Sign somebody in.

        Args:
            name: what the caller is called in explanations.
            watch: told of each call of theirs.
        """
        listener = self._listener

        def heard(call: CallRecord) -> None:
            if watch is not None:
                watch(call)
            if listener is not None:
                listener(name, call)

        token = development_token(self._server.issuer, role, sub)
        connection = Connection(
            self._server.target, token, timeout_seconds=_TIMEOUT_SECONDS, on_call=heard
        )
        return self._open.enter_context(connection)
