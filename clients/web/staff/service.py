# SPDX-License-Identifier: Apache-2.0
"""For which service somebody works, and how a link of hers is made and redeemed.

The secret of a link (RFC 7636) is not kept anywhere: it is made again from a key of these pages,
the service and the reference, so that a colleague may redeem what was asked a week ago.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING, Final

from clients.oidc.access_token import service_in
from clients.receipts import b64
from clients.web.room import Role

if TYPE_CHECKING:
    from pathlib import Path

    from clients.web.here import Here

STAFF: Final[frozenset[Role]] = frozenset({"staff"})

_KEY_FILE: Final = "staff-links.key"
_KEY_BYTES: Final = 32
_POSITION: Final = "staff.position"


def service_of(here: Here) -> str:
    """Return the service for which somebody works, as her token says; the vault judges it."""
    return service_in(here.session.token)


def verifier_of(here: Here, reference: str) -> str:
    """Return the code verifier of a link: 43 characters, the same for the same reference."""
    named = json.dumps(["citizen-vault/web/link/1", service_of(here), reference]).encode()
    made = hmac.digest(_key(here.house.settings.data / _KEY_FILE), named, "sha256")
    return b64(made)


def challenge_of(verifier: str) -> str:
    """Return BASE64URL(SHA-256(verifier)) (RFC 7636 section 4.2)."""
    made = hashlib.sha256(verifier.encode("ascii")).digest()
    return b64(made)


def wrote(here: Here, position_token: str) -> None:
    """Remember the place in history after a write: lists of a service follow a moment behind."""
    here.session.notes[_POSITION] = position_token


def position(here: Here) -> str:
    """Return for which place in history a list has to wait."""
    return str(here.session.notes.get(_POSITION, ""))


def _key(file: Path) -> bytes:
    """Return the key in a file, made if it is not there; several processes make one."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        pass
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(secrets.token_bytes(_KEY_BYTES))
        out.flush()
        os.fsync(out.fileno())
    try:
        # Whole or not at all, and never over one that another process made meanwhile.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_bytes()
