# SPDX-License-Identifier: Apache-2.0
"""The headers of every answer: what a browser may do with a page, and that it keeps none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

JS_ENABLED: Final = "'sha256-GUQ5ad8JK5KmEWmROf3LZd9ge94daqNvd8xy9YS1iDw='"
"""The one line of script within GOV.UK Frontend's template, which says that scripts run."""


def policy(provider_origin: str, *, is_secure: bool) -> str:
    """Return the Content-Security-Policy: everything from here, nothing inline.

    Args:
        provider_origin: where people sign in: a form may end there.
    """
    rules = [
        "default-src 'none'",
        "base-uri 'none'",
        "connect-src 'self'",
        # The pages of a service, to which a decision leads back, are reached by a link.
        f"form-action 'self' {provider_origin}".rstrip(),
        "frame-ancestors 'none'",
        "img-src 'self'",
        f"script-src 'self' {JS_ENABLED}",
        "style-src 'self'",
    ]
    return "; ".join(rules + (["upgrade-insecure-requests"] if is_secure else []))


LONGEST_ADDRESS: Final = 4000
"""Bytes of a path and its query; no page of ours has a longer one, nor any number in it."""


class Addresses:
    """Refuses addresses that are none of ours before anything is read into them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_long = (
            scope["type"] == "http"
            and len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS
        )
        await (Response(status_code=414) if is_long else self._app)(scope, receive, send)


class Headers:
    """Adds them to every answer, errors included."""

    def __init__(self, app: ASGIApp, sign_in: Callable[[], str], *, is_secure: bool) -> None:
        """Take the application, and what tells the origin where people sign in."""
        self._app = app
        self._sign_in, self._is_secure = sign_in, is_secure
        headers = {
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
            # Not "no-referrer": then browsers hide the origin of our own forms from us.
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        }
        if is_secure:
            headers["strict-transport-security"] = "max-age=63072000; includeSubDomains"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                usual = [] if b"cache-control" in known else [(b"cache-control", b"no-store")]
                rules = policy(self._sign_in(), is_secure=self._is_secure)
                # A page may have a stricter one of its own.
                stricter = b"content-security-policy" in known
                own = [] if stricter else [(b"content-security-policy", rules.encode())]
                message["headers"] = [*message["headers"], *self._headers, *own, *usual]
            await send(message)

        await self._app(scope, receive, sent)
