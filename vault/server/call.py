# SPDX-License-Identifier: Apache-2.0
"""One call, as far as a handler may know it: everything else has been dealt with before."""

from __future__ import annotations

from dataclasses import dataclass

from vault.application.caller import Caller


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may proceed.

    Attributes:
        call_id: how the call is named in metadata and in logging; random.
        method: the full method, for instance `/vault.api.v1.VaultService/OpenVault`.
        caller: who calls, verified and allowed to call this method.
        deadline: until when an answer is of use, in seconds of `time.monotonic()`.
    """

    call_id: str
    method: str
    caller: Caller
    deadline: float
