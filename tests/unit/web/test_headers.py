# SPDX-License-Identifier: Apache-2.0
"""Whatever is answered, the browser is told what it may do with it: errors, too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clients.web import app
from clients.web.settings import Settings


def answered(application: Any, path: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a page that is asked for."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost:1")],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def visit() -> None:
        try:
            await application(scope, receive, send)
        except RuntimeError:
            # Starlette raises it once more, for the log, when it has answered.
            assert sent

    asyncio.run(visit())
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]).decode()


@pytest.fixture
def application(tmp_path: Path) -> Any:
    origin = "http://localhost:1"
    return app.application(Settings("127.0.0.1:1", origin, "http://127.0.0.1:2", "us", tmp_path))


@pytest.mark.parametrize("path", ["/about", "/no/such/page", "/static/no-such-file", "/broken"])
def test_every_answer_says_what_a_browser_may_do(
    application: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    if path == "/broken":
        path = "/about"

        def breaks(*_: object) -> None:
            raise RuntimeError("a secret of hers")

        monkeypatch.setattr(app, "_visit", breaks)

    status, headers, body = answered(application, path)

    assert status in {200, 404, 500}
    assert "a secret of hers" not in body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


def test_another_host_is_refused(application: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_visit", lambda *_: pytest.fail("the page was made"))

    def with_host(scope: Any, receive: Any, send: Any) -> Any:
        return application({**scope, "headers": [(b"host", b"evil.example")]}, receive, send)

    status, _, _ = answered(with_host, "/about")

    assert status == 400
