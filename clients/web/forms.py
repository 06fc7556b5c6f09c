# SPDX-License-Identifier: Apache-2.0
"""What somebody typed into a form: texts and files, within bounds, sent from a page of ours."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import re
import uuid
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.datastructures import FormData
    from starlette.requests import Request

MOST_FIELDS: Final = 400
MOST_FILES: Final = 2
LONGEST_BODY: Final = 256 * 1024
LONGEST_UPLOAD: Final = 26 * 1024 * 1024
"""A little more than the largest document that the vault takes (25 MiB)."""

_SLOWEST_SECONDS: Final = 120
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# A document must not be written to a disk of this machine unsealed, not even for a moment.
MultiPartParser.spool_max_size = LONGEST_UPLOAD + 1


class FormError(Exception):
    """A form that is not one of ours: too large, too slow, malformed.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Form:
    """The fields of a form, each with all its values in order, and its files."""

    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    files: Mapping[str, UploadFile] = dataclasses.field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return what was typed into a field, without space around it; "" if nothing was."""
        return self.values.get(name, ("",))[0].strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a field, as of checkboxes."""
        return self.values.get(name, ())

    def has(self, name: str) -> bool:
        """Say whether a field was sent at all: which button was pressed, which box ticked."""
        return name in self.values

    @property
    def once(self) -> str:
        """Return the id that makes this form's effect happen once, however often it is sent."""
        typed = self.text("once")
        return typed if _UUID.fullmatch(typed) else str(uuid.uuid4())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every field and value but those that every form has."""
        for name, values in self.values.items():
            if name not in {"csrf", "once"}:
                yield from ((name, value) for value in values)


async def read_form(request: Request, *, takes_files: bool) -> Form:
    """Return the form of a request.

    Raises:
        FormError: if it is too large, comes too slowly, or is no form.
    """
    longest = LONGEST_UPLOAD if takes_files else LONGEST_BODY
    length = request.headers.get("content-length", "")
    # What comes in chunks has no length, whatever is said beside them (RFC 9112 section 6.3).
    if not length.isdecimal() or "transfer-encoding" in request.headers:
        raise FormError(411)
    if int(length) > longest:
        raise FormError(413)
    try:
        async with asyncio.timeout(_SLOWEST_SECONDS):
            found = await request.form(
                max_files=MOST_FILES if takes_files else 0,
                max_fields=MOST_FIELDS,
                max_part_size=LONGEST_BODY,
            )
    except TimeoutError:
        raise FormError(408) from None
    except (MultiPartException, UnicodeDecodeError):
        raise FormError(400) from None
    except Exception as error:
        # Starlette turns what is wrong with a multipart form into its own HTTP error.
        if getattr(error, "status_code", 0) == 400:
            raise FormError(400) from None
        raise
    return _form(found)


def _form(found: FormData) -> Form:
    values: dict[str, tuple[str, ...]] = {}
    files: dict[str, UploadFile] = {}
    for name, value in found.multi_items():
        if isinstance(value, UploadFile):
            files[name] = value
        else:
            values[name] = (*values.get(name, ()), value.replace("\r\n", "\n"))
    return Form(values, files)


def csrf_token(secret: str) -> str:
    """Return what every form of a session carries: bound to it, and telling nothing of it."""
    return hmac.new(secret.encode(), b"citizen-vault/web/csrf/1", hashlib.sha256).hexdigest()


def is_from_our_page(request: Request, form: Form, secret: str, origin: str) -> bool:
    """Say whether a form came from a page of ours, in the browser that has this session."""
    typed = form.text("csrf").encode()
    return is_same_origin(request, origin) and hmac.compare_digest(
        typed, csrf_token(secret).encode()
    )


def is_same_origin(request: Request, origin: str) -> bool:
    """Say whether the browser says, as far as it says so, that a request came from our pages."""
    named = request.headers.get("origin", "")
    site = request.headers.get("sec-fetch-site", "")
    return named in {"", origin} and site in {"", "same-origin", "none"}
