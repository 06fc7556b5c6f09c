# SPDX-License-Identifier: Apache-2.0
"""Everything that is kept of her, to take away: what it is, and the archive itself."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from clients.web.confirmations.archive import archived, is_too_large
from clients.web.room import Room
from clients.wording.times import zone
from clients.wording.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from clients.web.here import Here
    from vault.api.v1.export_pb2 import ExportHead
    from vault.api.v1.vault_service_pb2 import ExportVaultResponse

room = Room(__name__)

EXPORT_SECONDS: Final = 900.0
MOST_AT_ONCE: Final = 4
"""Archives that are made at the same time, for everybody together: each is held in memory."""


class Places:
    """Archives under way: so many for everybody, and one for each, however slowly it is taken."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[tuple[str, str]] = set()
        self._turn = threading.Lock()

    def take(self, who: tuple[str, str]) -> bool:
        """Take a place for somebody, and say whether there was one."""
        with self._turn:
            if who in self._taken or len(self._taken) >= self._most:
                return False
            self._taken.add(who)
            return True

    def leave(self, who: tuple[str, str]) -> None:
        """Make room for another."""
        with self._turn:
            self._taken.discard(who)


_under_way = Places(MOST_AT_ONCE)


@room.get("/export")
def before_taking(here: Here) -> Response:
    """Say what she gets, and that it is private."""
    # An official's look would be an event in her record: only the taking itself is one.
    head = None if here.is_assisted else _begun(here)[0]
    return here.page(
        "confirmations/export.html",
        count=head.version if head else 0,
        is_too_large=bool(head and is_too_large(head)),
    )


@room.post("/export")
def take(here: Here) -> Response:
    """Return the archive, as it is made."""
    who = (here.session.issuer, here.session.sub)
    if not _under_way.take(who):
        return _refused(here, "export.busy", "export.busy.step", 503)
    try:
        head, parts = _begun(here)
        if head is None or is_too_large(head):
            _under_way.leave(who)
            return _refused(here, "export.large", "export.large.step", 409)
    except BaseException:
        _under_way.leave(who)
        raise
    now = dt.datetime.now(zone())
    name = f"{here.words('export.name')}-{now:%Y-%m-%d}"
    # In the words that the command line uses, too: what is taken away is the same by either way.
    content = _released_after(archived(parts, name, Words(here.words.language), now), who)
    # What has begun is ended when it is dropped, whether or not a byte of it is asked for.
    next(content)
    headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


def _begun(here: Here) -> tuple[ExportHead | None, Iterator[ExportVaultResponse]]:
    """Return what is said first of everything, and all of it: what is refused, is refused now."""
    from vault.api.v1.vault_service_pb2 import ExportVaultRequest  # noqa: PLC0415

    request = ExportVaultRequest(acting=here.acting)
    parts = iter(here.vault.vaults.ExportVault(request, timeout=EXPORT_SECONDS))
    first = next(parts, None)
    if first is None:
        return None, parts
    return first.head, itertools.chain([first], parts)


def _released_after(chunks: Iterator[bytes], who: tuple[str, str]) -> Iterator[bytes]:
    """Yield nothing once, then all chunks; whatever ends it makes room for another."""
    try:
        yield b""
        yield from (chunk for chunk in chunks if chunk)
    finally:
        _under_way.leave(who)


def _refused(here: Here, said: str, step: str, status: int) -> Response:
    return here.page(
        "failed.html",
        status=status,
        title=here.words("take.title"),
        said=here.words(said),
        step=here.words(step),
        call_id="",
    )
