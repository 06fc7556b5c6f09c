# SPDX-License-Identifier: Apache-2.0
"""The settings of approvals: by what citizens show that decisions are theirs.

In development both ways are there without a setting; elsewhere each has to be set up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from vault.configuration.settings import Reader, safe_uri

DEVELOPMENT_CLIENT: Final = "citizen-vault-development"
LONGEST_AGE_SECONDS: Final = 3600
"""Verifiers refuse what was approved longer before it was recorded, whatever is configured."""

_USUAL_AGE_SECONDS: Final = 300
_DEVELOPMENT_RP_ID: Final = "localhost"
_DEVELOPMENT_ORIGIN: Final = re.compile(r"http://localhost(:[1-9][0-9]{0,4})?")
_DOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True)
class OriginsOfThisMachine:
    """The pages of this machine, on whatever port they are: in development it may be taken."""

    def __contains__(self, origin: object) -> bool:
        return isinstance(origin, str) and _DEVELOPMENT_ORIGIN.fullmatch(origin) is not None


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """By what citizens show that decisions are theirs.

    Attributes:
        is_required: her sign-in alone shares nothing.
        client_id: for whom her provider signs ID tokens; "": step-up is not accepted.
        acr_values: how well she must be recognised, one of these; empty: any way.
        max_age_seconds: how long ago at most she signed in when she approves.
        rp_id: the site for which passkeys sign; "": they are not accepted.
        origins: of the pages on which they sign.
    """

    is_required: bool = False
    client_id: str = ""
    acr_values: tuple[str, ...] = ()
    max_age_seconds: int = _USUAL_AGE_SECONDS
    rp_id: str = ""
    origins: Container[str] = frozenset()


def read_approvals(reader: Reader, *, has_development_issuer: bool) -> ApprovalSettings:
    """Read the settings; what is wrong with them the reader keeps."""
    usual_rp_id = _DEVELOPMENT_RP_ID if has_development_issuer else ""
    rp_id = reader.parsed("PASSKEY_RP_ID", _domain, usual_rp_id)
    named = reader.parsed("PASSKEY_ORIGINS", _origins_of(rp_id), frozenset[str]())
    is_development = rp_id == _DEVELOPMENT_RP_ID and not named
    origins = OriginsOfThisMachine() if is_development else named
    if bool(rp_id) != bool(origins):
        reader.fault("PASSKEY_ORIGINS", "and CITIZEN_VAULT_PASSKEY_RP_ID need each other")
    client_id = reader.text("STEP_UP_CLIENT_ID")
    if has_development_issuer:
        client_id = client_id or DEVELOPMENT_CLIENT
    is_required = reader.one_of("APPROVALS", ("optional", "required"), "optional") == "required"
    if is_required and not client_id:
        reader.fault(
            "STEP_UP_CLIENT_ID", "is missing: without it nobody could approve, nor add a passkey"
        )
    return ApprovalSettings(
        is_required=is_required,
        client_id=client_id,
        acr_values=tuple(reader.text("STEP_UP_ACR_VALUES").split()),
        max_age_seconds=reader.number(
            "STEP_UP_MAX_AGE_SECONDS", _USUAL_AGE_SECONDS, LONGEST_AGE_SECONDS
        ),
        rp_id=rp_id,
        origins=origins,
    )


def _domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text):
        raise ValueError("must be a domain in lower case, without scheme and port")
    return text


def _origins_of(rp_id: str) -> Callable[[str], frozenset[str]]:
    """Return what reads the origins of pages that lie under a site."""

    def read(text: str) -> frozenset[str]:
        origins = text.split()
        for origin in origins:
            address = urlsplit(safe_uri(origin))
            host = address.hostname or ""
            if f"{address.scheme}://{address.netloc}" != origin or origin != origin.lower():
                raise ValueError("must be origins: scheme, host and port, nothing behind them")
            if host != rp_id and not host.endswith(f".{rp_id}"):
                raise ValueError("must lie under CITIZEN_VAULT_PASSKEY_RP_ID")
        return frozenset(origins)

    return read
