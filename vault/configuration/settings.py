# SPDX-License-Identifier: Apache-2.0
"""Reads single settings `CITIZEN_VAULT_*`, and collects what is wrong with them.

What a setting means is the business of `config.py`. A wrong value is never repeated: it may be a
secret in the wrong place.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

PREFIX: Final = "CITIZEN_VAULT_"
_DEPLOYMENT: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?")
_SWITCH: Final = {"yes": True, "no": False}


class ConfigError(Exception):
    """The configuration is not usable. The message lists everything that is wrong with it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(("The configuration is not usable:", *faults)))
        self.faults = faults


class Reader:
    """Reads settings from environment variables; `check` tells all that was wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._faults: dict[str, None] = {}

    def text(self, name: str) -> str:
        """Return a setting, "" if it is not given."""
        return self._environment.get(PREFIX + name, "").strip()

    def required(self, name: str, what: str) -> str:
        """Return a setting that must be given; `what` says what it is."""
        text = self.text(name)
        if not text:
            self.fault(name, f"is missing: {what}")
        return text

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return a setting that is one of several words."""
        text = self.text(name) or default
        if text not in allowed:
            self.fault(name, f"must be one of: {', '.join(allowed)}")
            return default
        return text

    def parsed(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return what `parse` makes of a setting; its `ValueError` says what is wrong."""
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.fault(name, str(error))
            return default

    def number(self, name: str, default: int, most: int = 1_000_000) -> int:
        """Return a setting that is a number from 1 on."""
        return self.parsed(name, partial(_number, most=most), default)

    def fault(self, name: str, what: str) -> None:
        """Say what is wrong with a setting, as the rest of a sentence."""
        self._faults[f"{PREFIX}{name} {what}."] = None

    def check(self) -> None:
        """Tell what was wrong.

        Raises:
            ConfigError: if anything was.
        """
        if self._faults:
            raise ConfigError(tuple(self._faults))


def listen_address(text: str) -> tuple[str, int]:
    """Return host and port of an address on loopback.

    Raises:
        ValueError: if it is none.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    # Access tokens and evidence pass here in the clear.
    if not _is_loopback(host):
        raise ValueError(
            "must be a loopback address and a port: let a proxy on this machine do TLS"
        )
    if not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError("must end in a port from 0 to 65535")
    return host, int(port)


def deployment_name(text: str) -> str:
    """Return the name of a deployment.

    Raises:
        ValueError: if it does not have the form.
    """
    if not _DEPLOYMENT.fullmatch(text):
        raise ValueError("must be 1 to 100 lower-case letters, digits, dots and hyphens")
    return text


def safe_uri(text: str) -> str:
    """Return an address that nobody on the way can change.

    Raises:
        ValueError: if it is not https, nor http on loopback.
    """
    address = urlsplit(text)
    is_safe = address.scheme == "https" or (
        address.scheme == "http" and _is_loopback(address.hostname or "")
    )
    if not is_safe or not address.hostname or address.username or address.fragment:
        raise ValueError("must be an https address, or http on loopback")
    return text


def switch(text: str) -> bool:
    """Return what "yes" and "no" mean.

    Raises:
        ValueError: if it is neither.
    """
    if text not in _SWITCH:
        raise ValueError('must be "yes" or "no"')
    return _SWITCH[text]


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise ValueError(f"must be a number from 1 to {most}")
    return int(text)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
