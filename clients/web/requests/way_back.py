# SPDX-License-Identifier: Apache-2.0
"""The way back to whoever asked: to the address of that request and to no other.

Whoever has the code may be told by the vault which id of hers is theirs. It goes with her browser,
as in RFC 6749 section 4.1.2, so nobody can have her answer what somebody else was asked.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING, Final

from clients.web.requests.choosing import known_note, note_of

if TYPE_CHECKING:
    from clients.web.here import Here
    from vault.api.v1.consent_service_pb2 import ClaimRequestResponse

_SCHEMES: Final = frozenset({"https", "http"})


@dataclasses.dataclass(frozen=True)
class WayBack:
    """Where her browser goes back to: a whole address, and the site that it is of.

    Both are "" if they named no address: then she gives them the code herself.
    """

    address: str
    site: str
    code: str


def keep(here: Here, claimed: ClaimRequestResponse) -> None:
    """Keep the way back of a request that was opened in this browser."""
    if claimed.code:
        note = note_of(here, claimed.consent_request.consent_request_id)
        note["way_back"] = [claimed.return_uri, claimed.code, claimed.state]


def of(here: Here, consent_request_id: str) -> WayBack | None:
    """Return the way back of a request; None if it was not opened in this browser."""
    kept = known_note(here, consent_request_id).get("way_back")
    if not kept:
        return None
    return_uri, code, state = kept
    parts = urllib.parse.urlsplit(return_uri)
    if parts.scheme not in _SCHEMES:
        return WayBack("", "", code)
    answer = {"code": code, "state": state} if state else {"code": code}
    query = "&".join(filter(None, [parts.query, urllib.parse.urlencode(answer)]))
    address = urllib.parse.urlunsplit(parts._replace(query=query, fragment=""))
    return WayBack(address, parts.hostname or "", code)
