# SPDX-License-Identifier: Apache-2.0
"""The logs over HTTP, to be read by anybody, as C2SP tlog-tiles says.

    GET /log/<lane>/checkpoint          changes with every checkpoint
    GET /log/<lane>/tile/<L>/<N>        never changes
    GET /log/<lane>/tile/entries/<N>    never changes

What is there are hashes, and entries, which are hashes too: 65 bytes that tell nobody anything who
does not hold the record. The folders may be served by any other web server instead.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Final

from vault.domain.errors import NotFoundError
from vault.log.folder import LogFolder
from vault.log.logs import Logs
from vault.server.http import Answer, Request
from vault.transparency.encoding import FormError
from vault.transparency.tiles import Tile

LOG_PREFIX: Final = "/log/"

_PATH: Final = re.compile(r"/log/(0|[1-9][0-9]{0,4})/(checkpoint|tile/.+)")
_CHECKPOINT_HEADERS: Final = (
    ("content-type", "text/plain; charset=utf-8"),
    ("cache-control", "no-cache"),
)
_TILE_HEADERS: Final = (
    ("content-type", "application/octet-stream"),
    ("cache-control", "public, max-age=31536000, immutable"),
)
_TEXT: Final = (("content-type", "text/plain; charset=utf-8"),)
_NOT_FOUND: Final = Answer(HTTPStatus.NOT_FOUND, _TEXT, b"There is no such file in a log here.\n")


class LogPages:
    """Answers what begins with `LOG_PREFIX`."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.method not in {"GET", "HEAD"}:
            allow = (("allow", "GET, HEAD"), *_TEXT)
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, allow, b"Send GET.\n")
        found = _PATH.fullmatch(request.path)
        try:
            return await self._file(int(found[1]), found[2]) if found else _NOT_FOUND
        except (NotFoundError, FormError, FileNotFoundError):
            return _NOT_FOUND

    async def _file(self, lane: int, path: str) -> Answer:
        return await asyncio.to_thread(_read, self._logs.folder(lane), path)


def _read(folder: LogFolder, path: str) -> Answer:
    """Return a file of a log.

    Raises:
        NotFoundError: nothing was published.
        FormError: the path is that of no tile.
        FileNotFoundError: there is no such tile.
    """
    if path.startswith("tile/"):
        # Parsed and written again, so that no path leads anywhere else.
        return Answer(HTTPStatus.OK, _TILE_HEADERS, folder.read(Tile.parse(path).path))
    checkpoint = folder.checkpoint()
    if checkpoint is None:
        raise NotFoundError
    return Answer(HTTPStatus.OK, _CHECKPOINT_HEADERS, checkpoint)
