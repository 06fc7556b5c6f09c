# SPDX-License-Identifier: Apache-2.0
"""How a provider is spoken to: JSON over TLS, without redirections, and little of it.

Whatever goes wrong becomes a `SignInError`, whose reason a page has words for.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final, Literal

from clients.connection import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS: Final = 10.0
LARGEST_ANSWER_BYTES: Final = 256 * 1024

Reason = Literal["declined", "stale", "unreachable", "provider", "unproved"]

_MESSAGES: Final[Mapping[Reason, str]] = {
    "declined": "You did not sign in. Nothing was changed. Start again when you like.",
    "stale": "This sign-in is over, or began in another browser. Start again.",
    "unreachable": "The sign-in service does not answer. Try again in a few minutes.",
    "provider": "The sign-in service did not sign you in. Start again, or ask for help.",
    "unproved": "What the sign-in service sent is not good here. Nothing was changed. Start again.",
}


class SignInError(Exception):
    """Somebody is not signed in.

    Attributes:
        reason: "declined": she said no, or went back. "stale": the answer belongs to no sign-in
            that is under way here. "unreachable": nothing answers. "provider": it refuses us, or
            is none. "unproved": what it sent does not show that it is she, now, for us.
        message: what happened and what to do, in English.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        self.message = _MESSAGES[reason]
        super().__init__(self.message)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A provider answers where it is, or not at all."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def fetched_json(url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the JSON object at an address, or that answers a form.

    Raises:
        SignInError: "unreachable" or "provider".
    """
    if not is_private(url):
        raise SignInError("provider")
    data = urllib.parse.urlencode(form).encode("ascii") if form is not None else None
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        url, data=data, headers={"accept": "application/json"}
    )
    # A proxy has no business between two programs on one machine.
    is_here = is_loopback(urllib.parse.urlsplit(url).hostname or "")
    proxies = [urllib.request.ProxyHandler({})] if is_here else []
    opener = urllib.request.build_opener(_NoRedirect, *proxies)
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            content = answer.read(LARGEST_ANSWER_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise SignInError("unreachable" if error.code >= 500 else "provider") from None
    except (OSError, http.client.HTTPException):
        raise SignInError("unreachable") from None
    if len(content) > LARGEST_ANSWER_BYTES:
        raise SignInError("provider")
    return json_object(content, "provider")


def json_object(data: bytes, reason: Reason) -> dict[str, Any]:
    """Return what bytes of JSON say.

    Raises:
        SignInError: with this reason, if it is no object, or says one thing twice.
    """
    try:
        found = json.loads(data.decode(), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        raise SignInError(reason) from None
    if not isinstance(found, dict):
        raise SignInError(reason)
    return found


def is_private(url: str) -> bool:
    """Say whether nobody between can read what is sent: TLS, or this machine alone."""
    try:
        address = urllib.parse.urlsplit(url)
        host = address.hostname or ""
    except ValueError:
        return False
    if not host or address.fragment or address.username is not None:
        return False
    return address.scheme == "https" or (address.scheme == "http" and is_loopback(host))


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
