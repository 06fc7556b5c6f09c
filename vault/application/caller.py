# SPDX-License-Identifier: Apache-2.0
"""Who calls, as the credential says, and how she says that she acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from vault.application.receipts import Receipt
from vault.domain.errors import NotFoundError
from vault.domain.values import Acting, Capacity, Channel

Role = Literal["citizen", "service", "auditor", "operator"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: role, and who the issuer says it is. A service's `sub` is its id."""

    role: Role
    issuer: str
    sub: str
    scopes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class ActingFor:
    """For whom, in what capacity, by which mandate and channel; empty is herself."""

    vault_id: str = ""
    capacity: Capacity = "self"
    mandate_id: str = ""
    channel: Channel = "api"

    def as_herself(self, actor: str, vault_id: str) -> Acting:
        """Return how the event says it.

        Raises:
            NotFoundError: if she names another vault or a mandate: she holds none.
        """
        if self.vault_id not in {"", vault_id} or self.mandate_id or self.capacity != "self":
            raise NotFoundError
        return Acting(actor=actor, capacity="self", mandate="", channel=self.channel)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a write came to: its result, the tree size after it, and its receipt."""

    value: T
    tree_size: int
    receipt: Receipt | None = None
