# SPDX-License-Identifier: Apache-2.0
"""What every command has: its particulars, sealed beside its event, and safe retries.

The particulars hold the digest of the command that a `request_id` names, and the references that
the caller gave. They are sealed under the stream's history key and die with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from vault.domain.canonical import digest, encode
from vault.domain.errors import FieldInvalidError, HistoryBrokenError, RequestIdReusedError
from vault.domain.values import PayloadMark
from vault.sealing.envelope import Context, Key, open_sealed, seal
from vault.sealing.errors import SealError
from vault.store.command import Recorded, SealedPayload

if TYPE_CHECKING:
    from vault.application.caller import Caller
    from vault.domain.events import Event
    from vault.store.vaults import Vaults

KIND = "command"


class Particulars(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command said that its event may not: references, and the digest of it all."""

    digest: str
    case_ref: str = ""
    staff_ref: str = ""
    external_reference: str = ""
    return_uri: str = ""
    state: str = ""


_PARTICULARS = msgspec.json.Decoder(Particulars)


def signed(caller: Caller, said: Particulars) -> Particulars:
    """Return what a service says, with the member of staff who says it: nobody signs for another.

    Raises:
        FieldInvalidError: if a member of staff names another.
    """
    if not caller.staff_ref:
        return said
    if said.staff_ref not in {"", caller.staff_ref}:
        raise FieldInvalidError("staff_ref", "It is who signed in. Leave it out.")
    return replace(said, staff_ref=caller.staff_ref)


def command_digest(method: str, *fields: object) -> str:
    """Return the digest of a command: what it asks for, its `request_id` left out."""
    return digest(encode([method, *fields]))


def sealed(key: Key, context: Context, plaintext: bytes) -> SealedPayload:
    """Seal a payload and make its mark."""
    content = seal(key, context, plaintext)
    mark = PayloadMark(
        kind=context.kind, hash=digest(content), key_id=key.key_id, commitment=key.commitment
    )
    return SealedPayload(mark=mark, content=content)


def must_be_recorded(content: bytes, mark: PayloadMark) -> None:
    """Check that a payload is the one that its event names.

    Raises:
        HistoryBrokenError: if it is another.
    """
    if digest(content) != mark.hash:
        raise HistoryBrokenError


def opened(key: Key, context: Context, content: bytes, mark: PayloadMark) -> bytes:
    """Open a payload, the other way round of `sealed`.

    Raises:
        HistoryBrokenError: if it is not the one that its event names, or does not open.
    """
    must_be_recorded(content, mark)
    try:
        return open_sealed(key, context, content, mark.commitment)
    except SealError as error:
        raise HistoryBrokenError from error


def public(kind: str, content: bytes) -> SealedPayload:
    """Make a payload that everybody may read: the registry's."""
    mark = PayloadMark(kind=kind, hash=digest(content), key_id="", commitment="")
    return SealedPayload(mark=mark, content=content)


def sealed_particulars(key: Key, stream: str, particulars: Particulars) -> SealedPayload:
    """Seal a command's particulars under a stream's history key."""
    return sealed(key, _context(key, stream), encode(particulars))


def public_particulars(particulars: Particulars) -> SealedPayload:
    """Return a registry command's particulars, which hold nothing personal."""
    return public(KIND, encode(particulars))


async def read_particulars(
    vaults: Vaults, event: Event, history_key: Key | None
) -> Particulars | None:
    """Return the particulars beside an event, or None if they are not there (any more)."""
    mark = event.mark(KIND)
    content = await vaults.payload(event.link.stream, event.link.version, KIND)
    if mark is None or content is None:
        return None
    must_be_recorded(content, mark)
    if mark.key_id:
        if history_key is None or history_key.key_id != mark.key_id:
            return None
        content = opened(history_key, _context(history_key, event.link.stream), content, mark)
    return _PARTICULARS.decode(content)


async def must_be_same(
    vaults: Vaults, recorded: Recorded, expected_digest: str, history_key: Key | None
) -> Particulars:
    """Return the particulars of the earlier call, if it was the same command.

    Raises:
        RequestIdReusedError: if it was another one.
    """
    particulars = await read_particulars(vaults, recorded.event, history_key)
    if particulars is None or particulars.digest != expected_digest:
        raise RequestIdReusedError("request_id")
    return particulars


def _context(key: Key, stream: str) -> Context:
    return Context(stream=stream, kind=KIND, key_id=key.key_id)
