# SPDX-License-Identifier: Apache-2.0
"""Numbers and bytes as the texts of C2SP write them: one way each, every other way is refused."""

from __future__ import annotations

import base64
import re

LARGEST_NUMBER = 2**63 - 1

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


class FormError(ValueError):
    """A text is not of the form that its specification demands."""


def parse_decimal(text: str) -> int:
    """Return the number that ASCII digits without leading zeroes write, below 2^63.

    Raises:
        FormError: if the text is anything else.
    """
    if not _DECIMAL.fullmatch(text) or (number := int(text)) > LARGEST_NUMBER:
        raise FormError("a number is not a decimal below 2^63 without leading zeroes")
    return number


def encode_base64(data: bytes) -> str:
    """Return the bytes in base64 (RFC 4648 section 4, padded)."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str) -> bytes:
    """Return the bytes that base64 writes, in the one way that `encode_base64` does.

    Raises:
        FormError: if the text is anything else.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise FormError("a part is not base64") from None
    if encode_base64(data) != text:
        raise FormError("a part is not base64 in its shortest form")
    return data


def parse_utf8(data: bytes) -> str:
    """Return the text that the bytes write.

    Raises:
        FormError: if they are no UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FormError("the text is not UTF-8") from None


def require_lines(text: str) -> None:
    """Refuse a text that has what no line of a note may have.

    Raises:
        FormError: if there is a control character, or what UTF-8 cannot write.
    """
    if _CONTROL.search(text):
        raise FormError("the text has a control character")
