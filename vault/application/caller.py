# SPDX-License-Identifier: Apache-2.0
"""Who calls, as the credential says, and how she says that she acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from vault.application.receipts import Receipt
from vault.domain.errors import FieldInvalidError, NotFoundError
from vault.domain.values import Acting, ApprovalKind, Capacity, Channel, Time

if TYPE_CHECKING:
    from vault.application.webauthn import Assertion
    from vault.store.command import Sizes

Role = Literal["citizen", "service", "staff", "auditor", "service-auditor", "operator", "official"]
ASSISTED_CHANNELS: Final = frozenset[Channel]({"counter", "phone", "letter"})
T = TypeVar("T")
_NEVER: Final = Time("")


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: role, and who the issuer says it is. A service's `sub` is its id.

    `audited_service` is the one whose facts alone a service's auditor may see, `staffed_service`
    the one for which a member of staff acts, as if it were itself that called; "" for others.
    `issued` is when the access token was issued, `signed_in` when whoever calls last showed the
    provider who it is; "" if nobody says.
    """

    role: Role
    issuer: str
    sub: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    audited_service: str = ""
    staffed_service: str = ""
    issued: Time = _NEVER
    signed_in: Time = _NEVER

    @property
    def service(self) -> str:
        """Return the service that calls, itself or by a member of its staff; "" for others."""
        return self.sub if self.role == "service" else self.staffed_service

    @property
    def staff_ref(self) -> str:
        """Return the member of staff who calls; "" if it is somebody else."""
        return self.sub if self.role == "staff" else ""


@dataclass(frozen=True, slots=True)
class ActingFor:
    """For whom, in what capacity, by which mandate and channel; empty is herself."""

    vault_id: str = ""
    capacity: Capacity = "self"
    mandate_id: str = ""
    channel: Channel = "api"
    assistance_code: str = field(default="", repr=False)

    def as_herself(self, actor: str, vault_id: str) -> Acting:
        """Return how the event says it.

        Raises:
            NotFoundError: if she names another vault or a mandate: she holds none.
            FieldInvalidError: if she names a channel that only officials use.
        """
        if (
            self.vault_id not in {"", vault_id}
            or self.mandate_id
            or self.assistance_code
            or self.capacity != "self"
        ):
            raise NotFoundError
        if self.channel in ASSISTED_CHANNELS:
            raise FieldInvalidError("acting.channel", "It is WEB, CLI or API.")
        return Acting(actor=actor, capacity="self", mandate="", channel=self.channel)

    def must_be_officials(self) -> None:
        """Check that an official says so, and by which channel.

        Raises:
            FieldInvalidError: if not.
        """
        if self.capacity != "official":
            raise FieldInvalidError("acting.capacity", "An official acts as OFFICIAL.")
        if self.channel not in ASSISTED_CHANNELS:
            raise FieldInvalidError("acting.channel", "It is COUNTER, PHONE or LETTER.")

    def as_official(self, actor: str, sign_in_id: str, vault_id: str) -> Acting:
        """Return how the event says that an official acts by a code that she handed over.

        Raises:
            FieldInvalidError: if the official does not say so, or not by which channel.
            NotFoundError: if another vault or mandate is named.
        """
        self.must_be_officials()
        if self.vault_id not in {"", vault_id} or self.mandate_id not in {"", sign_in_id}:
            raise NotFoundError
        return Acting(actor=actor, capacity="official", mandate=sign_in_id, channel=self.channel)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is said to show that a decision is hers; the proof is sealed when it is stored."""

    kind: ApprovalKind = ""
    proof: bytes = field(default=b"", repr=False)
    assertion: Assertion | None = field(default=None, repr=False)


NO_AGREEMENT: Final = Agreement()


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a write came to: its result, the place in history after it, and its receipt.

    `way` is that by which the caller came to her vault, where the result is the vault itself.
    """

    value: T
    sizes: Sizes
    receipt: Receipt | None = None
    way: str = ""
