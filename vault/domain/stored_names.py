# SPDX-License-Identifier: Apache-2.0
"""The allow-list of stored names: what is not in it is not read.

No import path is ever stored, so files and classes may move; stored names may not.
"""

from __future__ import annotations

from typing import Final, get_args

from vault.domain.consent import ConsentGranted, ConsentRevoked
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.registry import (
    EvidenceTypePublished,
    OrganisationRegistered,
    PurposePublished,
    PurposeWithdrawn,
    ReceiptKeyListed,
    ServiceRegistered,
    ServiceReinstated,
    ServiceSuspended,
)
from vault.domain.request import (
    ConsentRequested,
    RequestClaimed,
    RequestMade,
    RequestRedeemed,
)
from vault.domain.vault import VaultOpened, VaultRead

StoredFacts = (
    VaultOpened
    | VaultRead
    | EvidenceProvided
    | EvidenceReplaced
    | ConsentRequested
    | ConsentGranted
    | ConsentRevoked
    | EvidenceDisclosed
    | DisclosureRefused
    | RequestMade
    | RequestClaimed
    | RequestRedeemed
    | OrganisationRegistered
    | ServiceRegistered
    | ServiceSuspended
    | ServiceReinstated
    | PurposePublished
    | PurposeWithdrawn
    | EvidenceTypePublished
    | ReceiptKeyListed
)

STORED_NAMES: Final = frozenset(str(facts.__struct_config__.tag) for facts in get_args(StoredFacts))
