# SPDX-License-Identifier: Apache-2.0
"""What a witness answers over HTTP (C2SP tlog-witness): cosignatures, and what it cosigned last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Final

from vault.server.http import Answer, BodyError, Headers, Request
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.encoding import FormError
from vault.transparency.note import Signature, Verifier
from vault.transparency.witness import (
    SIZE_CONTENT_TYPE,
    AddCheckpoint,
    Head,
    RefusedError,
    SizeConflictError,
    admit,
    checkpoint_path,
    encode_signatures,
)
from vault.witness.heads import Heads

ADD_CHECKPOINT: Final = "/add-checkpoint"
LARGEST_REQUEST_BYTES: Final = 64 * 1024
BODY_SECONDS: Final = 10.0

_TEXT: Final[Headers] = (("content-type", "text/plain; charset=utf-8"),)
_SIZE: Final[Headers] = (("content-type", SIZE_CONTENT_TYPE),)

Logs = Mapping[str, Collection[Verifier]]
"""The keys of the logs that are known, by origin."""


class Witness:
    """Cosigns checkpoints of the logs that it knows."""

    def __init__(
        self,
        signer: CosignatureSigner,
        logs: Logs,
        heads: Heads,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Witness these logs.

        Args:
            now: seconds since 1970.
        """
        self._signer = signer
        self._logs = logs
        self._heads = heads
        self._now = now
        self._served = {f"/{checkpoint_path(origin)}": origin for origin in logs}

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path == ADD_CHECKPOINT and request.method == "POST":
            return await self._add(request)
        if request.path in self._served and request.method in {"GET", "HEAD"}:
            note = await asyncio.to_thread(self._heads.note_of, self._served[request.path])
            return refuse(HTTPStatus.NOT_FOUND) if note is None else _told(HTTPStatus.OK, note)
        if request.path in self._served or request.path == ADD_CHECKPOINT:
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        return refuse(HTTPStatus.NOT_FOUND)

    async def _add(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read(LARGEST_REQUEST_BYTES)
        except (TimeoutError, BodyError):
            return refuse(HTTPStatus.BAD_REQUEST)
        if len(body) > LARGEST_REQUEST_BYTES:
            return refuse(HTTPStatus.BAD_REQUEST)
        try:
            signature = await asyncio.to_thread(self.cosignature, AddCheckpoint.parse(body))
        except SizeConflictError as error:
            return Answer(HTTPStatus(error.status), _SIZE, error.body)
        except RefusedError as error:
            return _told(HTTPStatus(error.status), f"{error}\n".encode())
        except FormError as error:
            return _told(HTTPStatus.BAD_REQUEST, f"{error}\n".encode())
        return _told(HTTPStatus.OK, encode_signatures([signature]))

    def cosignature(self, request: AddCheckpoint) -> Signature:
        """Return the cosignature of a checkpoint, once it is kept.

        Raises:
            RefusedError: it may not be cosigned.
            FormError: it is no checkpoint.
        """
        signatures: list[Signature] = []

        def cosign(head_of: Callable[[str], Head]) -> tuple[Checkpoint, bytes]:
            checkpoint = admit(request, self._logs, head_of)
            signatures.append(self._signer.cosign(checkpoint, int(self._now())))
            # As the log signed it: what others signed was not verified here.
            own = request.note.verify(self._logs[checkpoint.origin])
            note = type(request.note)(request.note.text, (*own, *signatures))
            return checkpoint, note.encode()

        self._heads.advance(cosign)
        return signatures[0]


def refuse(status: HTTPStatus) -> Answer:
    """Return the answer to what is none of the requests of a witness."""
    return _told(status, f"{status.description or status.phrase}\n".encode())


def _told(status: HTTPStatus, body: bytes) -> Answer:
    return Answer(status, _TEXT, body)
