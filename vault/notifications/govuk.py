# SPDX-License-Identifier: Apache-2.0
"""Messages by GOV.UK Notify: e-mail, text message and letter, by its documented HTTP API.

https://docs.notifications.service.gov.uk/rest-api.html: a JWT (HS256, `iss` and `iat`) signed with
the secret of the API key; one template for each way, with the fields `subject` and `text`. A
delivery's id is its `reference`, by which a message that may have been sent is looked for first.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import OctKey

from vault.notifications.message import NotSentError

if TYPE_CHECKING:
    from vault.notifications.message import Message
    from vault.notifications.notice import Way

BASE_URL: Final = "https://api.notifications.service.gov.uk"
SECONDS: Final = 20.0
_LARGEST_ANSWER_BYTES: Final = 1024 * 1024
_UUID_CHARACTERS: Final = 36
_KINDS: Final[Mapping[Way, str]] = {"email": "email", "telephone": "sms", "post": "letter"}
_REFUSED: Final = "ValidationError"
"""What is said of an address that is none. Another refusal may be mended: a template, the key."""


@dataclass(frozen=True, slots=True)
class NotifyKey:
    """An API key, taken apart; `repr` hides the secret."""

    service_id: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, text: str) -> NotifyKey:
        """Read a key as GOV.UK Notify shows it: name, service id and secret, hyphens between.

        Raises:
            ValueError: if it is none.
        """
        parts = text.strip()
        secret = parts[-_UUID_CHARACTERS:]
        service_id = parts[-2 * _UUID_CHARACTERS - 1 : -_UUID_CHARACTERS - 1]
        if str(UUID(secret)) != secret or str(UUID(service_id)) != service_id:
            raise ValueError
        return cls(service_id, secret)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token is for the one address: it follows nobody elsewhere."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        del args, kwargs


class NotifyChannel:
    """Hands messages to GOV.UK Notify.

    Args:
        templates: the template's id for each way that it is to serve.
    """

    def __init__(
        self, key: NotifyKey, templates: Mapping[Way, str], base_url: str = BASE_URL
    ) -> None:
        self._key = key
        self._signing = OctKey.import_key(key.secret)
        self._templates = templates
        self._base_url = base_url.rstrip("/")
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, message: Message) -> None:
        """Hand a message over, unless it is there already.

        Raises:
            NotSentError: for good if it is refused as it stands; else it may be sent again.
        """
        if message.again and self._has(message.delivery_id):
            return
        self._call(f"/v2/notifications/{_KINDS[message.way]}", self._body_of(message))

    def _has(self, reference: str) -> bool:
        found = self._call(f"/v2/notifications?reference={quote(reference)}", None)
        listed = found.get("notifications")
        if not isinstance(listed, list):
            raise NotSentError("GOV.UK Notify: its answer cannot be read")
        return bool(listed)

    def _body_of(self, message: Message) -> dict[str, object]:
        said: dict[str, str] = {"subject": message.subject, "text": message.text}
        body: dict[str, object] = {
            "template_id": self._templates[message.way],
            "reference": message.delivery_id,
            "personalisation": said,
        }
        match message.way:
            case "email":
                (body["email_address"],) = message.address
            case "telephone":
                (body["phone_number"],) = message.address
            case "post":
                lines = enumerate(message.address, start=1)
                said |= {f"address_line_{number}": line for number, line in lines}
        return body

    def _call(self, path: str, body: dict[str, object] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - https or loopback, judged as a setting
            self._base_url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token()}",
                "Content-Type": "application/json",
                "User-Agent": "citizen-vault",
            },
        )
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                found = json.loads(answer.read(_LARGEST_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            # Not what it says: it may quote the address.
            reason = f"GOV.UK Notify: status {error.code}"
            raise NotSentError(reason, for_good=_is_refused(error)) from None
        except (OSError, ValueError) as error:
            raise NotSentError(f"GOV.UK Notify: {type(error).__name__}") from None
        if not isinstance(found, dict):
            raise NotSentError("GOV.UK Notify: its answer cannot be read")
        return found

    def _token(self) -> str:
        claims = {"iss": self._key.service_id, "iat": int(time.time())}
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, self._signing)


def _is_refused(error: urllib.error.HTTPError) -> bool:
    """Say whether the message is refused as it stands."""
    with error:
        try:
            said = json.loads(error.read(_LARGEST_ANSWER_BYTES))
        except (OSError, ValueError):
            return False
    listed = said.get("errors") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        return False
    return any(isinstance(one, dict) and one.get("error") == _REFUSED for one in listed)
