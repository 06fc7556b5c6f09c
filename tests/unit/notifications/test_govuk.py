# SPDX-License-Identifier: Apache-2.0
"""GOV.UK Notify as it documents itself, against a server on this machine that checks each call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from vault.notifications.govuk import NotifyChannel, NotifyKey
from vault.notifications.message import Message, NotSentError
from vault.notifications.notice import Way

SERVICE: Final = "11111111-1111-4111-8111-111111111111"
SECRET: Final = "22222222-2222-4222-8222-222222222222"
OTHER_SECRET: Final = "33333333-3333-4333-8333-333333333333"
TEMPLATES: Final[dict[Way, str]] = {
    "email": "aaaaaaaa-0000-4000-8000-000000000001",
    "telephone": "aaaaaaaa-0000-4000-8000-000000000002",
    "post": "aaaaaaaa-0000-4000-8000-000000000003",
}
REFERENCE: Final = "d0d0d0d0-1111-4000-8000-000000000001"
ADDRESSES: Final[dict[Way, tuple[str, ...]]] = {
    "email": ("mair@example.org",),
    "telephone": ("01632 960100",),
    "post": ("Mair Evans", "14 Heol y Bont", "SY29 4ZZ"),
}


@dataclass
class Notify:
    """The service: what it took, and how it answers next."""

    url: str = ""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 0
    body: bytes = b""
    asked: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any] | None) -> None:
        """Answer as the documentation says."""
        if self.status:
            self.say(handler, self.status, self.body)
            return
        if not self._is_ours(handler.headers.get("Authorization", "")):
            refused = {"error": "AuthError", "message": "Invalid token: signature, iss or iat"}
            self.say(handler, 403, {"status_code": 403, "errors": [refused]})
        elif body is None:
            self.find(handler)
        else:
            self.taken.append((handler.path, body))
            self.say(handler, 201, {"id": REFERENCE, "reference": body["reference"]})

    def find(self, handler: BaseHTTPRequestHandler) -> None:
        """List what was taken under a reference."""
        self.asked.append(handler.path)
        (reference,) = parse_qs(urlsplit(handler.path).query)["reference"]
        found = [body for _, body in self.taken if body["reference"] == reference]
        self.say(handler, 200, {"notifications": found, "links": {}})

    def say(self, handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        """Send an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        if 300 <= status < 400:
            handler.send_header("Location", f"{self.url}/elsewhere")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _is_ours(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        try:
            found = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"])
        except (JoseError, ValueError):
            return False
        is_fresh = abs(found.claims["iat"] - time.time()) < 30
        return (
            scheme == "Bearer"
            and is_fresh
            and found.header == {"typ": "JWT", "alg": "HS256"}
            and found.claims.keys() == {"iss", "iat"}
            and found.claims["iss"] == SERVICE
        )


@pytest.fixture
def notify() -> Iterator[Notify]:
    """The service, on loopback."""
    service = Notify()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            service.answer(self, json.loads(self.rfile.read(length)))

        def do_GET(self) -> None:
            service.answer(self, None)

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()


def a_message(way: Way = "email", *, again: bool = False) -> Message:
    return Message(
        delivery_id=REFERENCE,
        made="2026-03-02T09:00:00.000000Z",
        again=again,
        way=way,
        language="en",
        address=ADDRESSES[way],
        subject="There is something new for you",
        text="There is something new for you\n\nhttps://vault.aber.example/",
    )


def channel(notify: Notify, secret: str = SECRET) -> NotifyChannel:
    return NotifyChannel(NotifyKey.read(f"live-key-{SERVICE}-{secret}"), TEMPLATES, notify.url)


@pytest.mark.parametrize(
    ("way", "path", "to"),
    [
        ("email", "email", {"email_address": "mair@example.org"}),
        ("telephone", "sms", {"phone_number": "01632 960100"}),
        ("post", "letter", {}),
    ],
)
def test_each_way_has_its_call(notify: Notify, way: Way, path: str, to: dict[str, str]) -> None:
    message = a_message(way)

    channel(notify).send(message)

    ((called, body),) = notify.taken
    said = {"subject": message.subject, "text": message.text}
    if way == "post":
        lines = enumerate(ADDRESSES["post"], start=1)
        said |= {f"address_line_{number}": line for number, line in lines}
    assert called == f"/v2/notifications/{path}"
    assert body == {
        **to,
        "template_id": TEMPLATES[way],
        "reference": REFERENCE,
        "personalisation": said,
    }


def test_what_may_have_been_sent_is_looked_for_and_not_sent_twice(notify: Notify) -> None:
    mine = channel(notify)

    mine.send(a_message())
    mine.send(a_message(again=True))

    assert len(notify.taken) == 1
    assert notify.asked == [f"/v2/notifications?reference={REFERENCE}"]


def test_what_was_not_sent_is_sent_again(notify: Notify) -> None:
    channel(notify).send(a_message(again=True))

    assert len(notify.taken) == 1


def test_another_secret_is_not_taken(notify: Notify) -> None:
    with pytest.raises(NotSentError) as refused:
        channel(notify, OTHER_SECRET).send(a_message())

    assert "403" in str(refused.value)
    assert not refused.value.for_good
    assert notify.taken == []


def errors(kind: str) -> bytes:
    said = {"error": kind, "message": "email_address mair@example.org is not valid"}
    return json.dumps({"status_code": 400, "errors": [said]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "for_good"),
    [
        (400, errors("ValidationError"), True),
        (400, errors("BadRequestError"), False),
        (400, b"<html>", False),
        (400, b"[]", False),
        (400, b'{"errors": 7}', False),
        (429, errors("RateLimitError"), False),
        (500, b"", False),
        (201, b"not JSON", False),
        (201, b"[]", False),
        (302, b"", False),
    ],
)
def test_a_refusal_says_whether_to_try_again_and_not_to_whom(
    notify: Notify, status: int, body: bytes, *, for_good: bool
) -> None:
    notify.status, notify.body = status, body

    with pytest.raises(NotSentError) as refused:
        channel(notify).send(a_message())

    assert refused.value.for_good is for_good
    assert "mair" not in str(refused.value)
    assert notify.taken == []


def test_a_service_that_cannot_be_reached_is_tried_again() -> None:
    gone = NotifyChannel(NotifyKey(SERVICE, SECRET), TEMPLATES, "http://127.0.0.1:1")

    with pytest.raises(NotSentError) as refused:
        gone.send(a_message())

    assert not refused.value.for_good


def test_an_answer_that_cannot_be_read_does_not_mean_that_nothing_was_sent(notify: Notify) -> None:
    """Else a message would go twice whenever the list is in another form."""
    notify.status, notify.body = 200, b'{"notifications": 7}'

    with pytest.raises(NotSentError):
        channel(notify).send(a_message(again=True))

    assert notify.taken == []


@pytest.mark.parametrize(
    "text", ["", "live", f"live-{SERVICE}", f"live-{SERVICE}{SECRET}", f"{SERVICE}-{SECRET[:-1]}g"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says is not repeated
        NotifyKey.read(text)


def test_a_key_does_not_print_its_secret() -> None:
    assert SECRET not in repr(NotifyKey.read(f"live-{SERVICE}-{SECRET}"))
