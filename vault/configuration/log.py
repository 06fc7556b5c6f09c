# SPDX-License-Identifier: Apache-2.0
"""The settings of the log: who has to cosign it, and how long it may go without."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vault.configuration.settings import PREFIX, Reader, safe_uri
from vault.transparency.encoding import FormError
from vault.transparency.policy import NO_WITNESSES, Policy

_MOST_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Who has to cosign the log, and how long it may go without.

    Attributes:
        policy: its witnesses with an address are asked; by default there is none.
        unwitnessed_seconds: past this age of what no quorum has signed, nothing is disclosed.
    """

    policy: Policy = field(default_factory=Policy)
    unwitnessed_seconds: float = math.inf


def read_log_settings(reader: Reader) -> LogSettings:
    """Read the settings; what is wrong with them the reader keeps."""
    policy = reader.parsed("LOG_POLICY", _policy, Policy())
    seconds = math.inf
    if reader.text("UNWITNESSED_SECONDS"):
        seconds = float(reader.number("UNWITNESSED_SECONDS", 1, _MOST_SECONDS))
        if reader.text("LOG_POLICY") and policy.quorum == NO_WITNESSES:
            reader.fault("UNWITNESSED_SECONDS", "needs a policy whose quorum is not none")
        elif not reader.text("LOG_POLICY"):
            reader.fault("UNWITNESSED_SECONDS", f"needs {PREFIX}LOG_POLICY: who has to witness?")
    return LogSettings(policy, seconds)


def _policy(path: str) -> Policy:
    try:
        policy = Policy.parse(Path(path).read_bytes())
    except OSError:
        raise ValueError("cannot be read: name the file of the policy") from None
    except FormError as error:
        raise ValueError(f"is not a policy (C2SP tlog-policy): {error}") from None
    for witness in policy.witnesses:
        if witness.url:
            try:
                safe_uri(witness.url)
            except ValueError as error:
                raise ValueError(f"has a witness whose address {error}") from None
    return policy
