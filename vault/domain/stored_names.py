# SPDX-License-Identifier: Apache-2.0
"""The allow-list of stored names: what is not in it is not read.

No import path is ever stored, so files and classes may move; stored names may not.
"""

from __future__ import annotations

from typing import Final, get_args

from vault.domain.amendment import ConsentExtended, ConsentNarrowed
from vault.domain.audit import LaneReplayed
from vault.domain.consent import ConsentGranted, ConsentPaused, ConsentResumed, ConsentRevoked
from vault.domain.contact import ContactSet
from vault.domain.disclosure import DisclosureRefused, EvidenceDisclosed
from vault.domain.dispute import DisputeResolved, EvidenceDisputed
from vault.domain.evidence import EvidenceProvided, EvidenceReplaced
from vault.domain.operation import (
    AdministratorActed,
    KeyUsed,
    KnownFaultPublished,
    ReleaseStarted,
    StoreMigrated,
    StoreRestored,
)
from vault.domain.passkey import PasskeyAdded, PasskeyRemoved
from vault.domain.protection import EvidenceProtected, ProtectionLifted
from vault.domain.registry import (
    EvidenceTypePublished,
    LaneListed,
    LogKeyListed,
    OrganisationRegistered,
    PurposePublished,
    PurposeWithdrawn,
    ReceiptKeyListed,
    ServiceRegistered,
    ServiceReinstated,
    ServiceSuspended,
)
from vault.domain.report import RecipientReported
from vault.domain.request import (
    ConsentRefused,
    ConsentRequestCancelled,
    ConsentRequested,
    RequestCancelled,
    RequestClaimed,
    RequestMade,
    RequestRedeemed,
)
from vault.domain.request_forms import ConsentRequested1, RequestMade1
from vault.domain.sign_in import (
    LinkCodeCreated,
    SignedOutEverywhere,
    SignInLinked,
    SignInLinked1,
    SignInUnlinked,
)
from vault.domain.vault import VaultImported, VaultOpened, VaultRead

StoredFacts = (
    VaultOpened
    | VaultRead
    | VaultImported
    | EvidenceProvided
    | EvidenceReplaced
    | EvidenceDisputed
    | DisputeResolved
    | LinkCodeCreated
    | SignInLinked
    | SignInLinked1
    | SignInUnlinked
    | SignedOutEverywhere
    | EvidenceProtected
    | ProtectionLifted
    | ContactSet
    | PasskeyAdded
    | PasskeyRemoved
    | ConsentRequested
    | ConsentRequested1
    | ConsentRequestCancelled
    | ConsentRefused
    | ConsentGranted
    | ConsentNarrowed
    | ConsentExtended
    | ConsentPaused
    | ConsentResumed
    | ConsentRevoked
    | EvidenceDisclosed
    | DisclosureRefused
    | RecipientReported
    | RequestMade
    | RequestMade1
    | RequestCancelled
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
    | LaneListed
    | LogKeyListed
    | LaneReplayed
    | ReleaseStarted
    | StoreMigrated
    | StoreRestored
    | KeyUsed
    | AdministratorActed
    | KnownFaultPublished
)

STORED_NAMES: Final = frozenset(str(facts.__struct_config__.tag) for facts in get_args(StoredFacts))
