# SPDX-License-Identifier: Apache-2.0
"""Writes a sample for each stored name that has none: `python -m tests.vectors.generate`.

A sample that exists is never written again: it stands for what lies in databases for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict, replace

from tests.builders import (
    ADDRESS,
    CONSENT,
    INCOME,
    NOTICE,
    ONCE,
    ORGANISATION,
    OTHER_SIGN_IN,
    REGISTRY,
    REQUEST,
    SALT,
    SERVICE,
    SIGN_IN,
    SUBJECT,
    VAULT,
    VERIFIER,
    an_item,
    asked_terms,
    at,
    consent_extended,
    consent_granted,
    consent_narrowed,
    consent_paused,
    consent_refused,
    consent_request_cancelled,
    consent_requested,
    consent_resumed,
    consent_revoked,
    contact_set,
    disclosure_refused,
    dispute_resolved,
    drafted,
    evidence_disclosed,
    evidence_disputed,
    evidence_provided,
    evidence_replaced,
    evidence_type_published,
    granted_fields,
    passkey_added,
    passkey_removed,
    purpose_published,
    recipient_reported,
    request_cancelled,
    request_made,
    requested_fields,
    sign_in_unlinked,
    vault_opened,
)
from vault.domain.audit import LaneReplayed
from vault.domain.canonical import b64, digest, encode
from vault.domain.disclosure import DisclosureRefused
from vault.domain.events import Draft, Link
from vault.domain.operation import (
    AdministratorActed,
    EntryRange,
    KeyUsed,
    KnownFaultPublished,
    ReleaseStarted,
    StoreMigrated,
    StoreRestored,
)
from vault.domain.protection import EvidenceProtected, ProtectionLifted
from vault.domain.registry import (
    LaneListed,
    LogKeyListed,
    OrganisationRegistered,
    PurposeWithdrawn,
    ReceiptKeyListed,
    ServiceRegistered,
    ServiceReinstated,
    ServiceSuspended,
)
from vault.domain.request import RequestClaimed, RequestMade, RequestRedeemed
from vault.domain.request_forms import AskedTerms1, ConsentRequested1, RequestMade1
from vault.domain.sign_in import (
    LinkCodeCreated,
    SignedOutEverywhere,
    SignInLinked,
    SignInLinked1,
)
from vault.domain.values import (
    NO_APPROVAL,
    NO_REGISTRY,
    Acting,
    Approval,
    AskedTerms,
    DisclosedFields,
    PayloadMark,
    RegistryMark,
    TypeFields,
)
from vault.domain.vault import VaultImported, VaultRead
from vault.store.record import entry_of, leaf_of

FOLDER: Final = Path(__file__).parent / "events"
COMMON: Final[Mapping[str, Any]] = {"time": at(7), "salt": SALT}

HERSELF: Final = Acting(actor=SUBJECT, capacity="self", mandate="", channel="web")
OPERATOR: Final = Acting(actor=ORGANISATION, capacity="operator", mandate="", channel="api")
AUDIT: Final = "00001111-1111-8000-8000-00000000a0d1"
OPERATIONS: Final = "00001111-1111-8000-8000-00000000a0d2"
AUDITOR: Final = Acting(actor=ORGANISATION, capacity="auditor", mandate="", channel="cli")
THE_SERVICE: Final = Acting(actor=SERVICE, capacity="service", mandate="", channel="api")
COUNTER: Final = Acting(
    actor=digest(b"staff"), capacity="official", mandate=SIGN_IN, channel="counter"
)
SESSION: Final = Approval(kind="session", proof_hash="")
AGREED: Final = Approval(kind="staff-assisted", proof_hash=digest(b"proof"))
CONFIRMED: Final = RegistryMark(size=6, confirmed_time=at(6))

SEALED: Final = PayloadMark(
    kind="command", hash=digest(b"sealed"), key_id=REQUEST, commitment=digest(b"commitment")
)
VALUES: Final = PayloadMark(
    kind="evidence", hash=digest(b"values"), key_id=ADDRESS, commitment=digest(b"commitment")
)
PROOF: Final = PayloadMark(
    kind="approval", hash=digest(b"proof"), key_id=REQUEST, commitment=digest(b"commitment")
)
STATEMENT: Final = PayloadMark(
    kind="statement", hash=digest(b"statement"), key_id=ADDRESS, commitment=digest(b"commitment")
)
CONTACT: Final = PayloadMark(
    kind="contact", hash=digest(b"contact"), key_id=ADDRESS, commitment=digest(b"commitment")
)
TEXTS: Final = PayloadMark(kind="texts", hash=NOTICE, key_id="", commitment="")
COMMAND: Final = PayloadMark(kind="command", hash=digest(b"public"), key_id="", commitment="")


def link(draft: Draft, stream: str, version: int, **changes: Any) -> Link:
    """Return the link of a sample: as if much had happened before it."""
    sample = Link(
        origin="demo/0",
        stream=stream,
        version=version,
        previous_leaf=digest(b"the event before"),
        request_key="55555555-1111-8000-8000-0000000000b1",
        acting=HERSELF,
        approval=NO_APPROVAL,
        items=draft.items,
        registry=NO_REGISTRY,
        payloads=(SEALED,),
        salt=b64(bytes(range(16, 32))),
    )
    return replace(sample, **changes)


def in_vault(desc: str, draft: Draft, version: int, **changes: Any) -> tuple[str, Draft, Link]:
    """Return a sample of a vault's stream."""
    return desc, draft, link(draft, VAULT, version, **changes)


def in_registry(
    desc: str, draft: Draft, version: int, *payloads: PayloadMark
) -> tuple[str, Draft, Link]:
    """Return a sample of the registry's stream."""
    sample = link(draft, REGISTRY, version, acting=OPERATOR, payloads=(*payloads, COMMAND))
    return desc, draft, sample


def in_request(desc: str, draft: Draft, version: int, **changes: Any) -> tuple[str, Draft, Link]:
    """Return a sample of a request's stream."""
    return desc, draft, link(draft, REQUEST, version, **changes)


def in_audit(desc: str, draft: Draft, version: int) -> tuple[str, Draft, Link]:
    """Return a sample of the audit stream."""
    return desc, draft, link(draft, AUDIT, version, acting=AUDITOR)


def in_operations(
    desc: str, draft: Draft, version: int, *payloads: PayloadMark
) -> tuple[str, Draft, Link]:
    """Return a sample of the operator's stream."""
    return desc, draft, link(draft, OPERATIONS, version, acting=OPERATOR, payloads=payloads)


def without_start(asked: AskedTerms) -> AskedTerms1:
    """Return what was asked as it was stored before requests had a start."""
    parts = asdict(asked)
    del parts["start"]
    return AskedTerms1(**parts)


def samples() -> list[tuple[str, Draft, Link]]:
    """Return a sample of each stored name, every field of it filled where it can be."""
    refused = disclosure_refused(reason="FIELD_NOT_GRANTED")
    assert isinstance(refused.facts, DisclosureRefused)
    made = request_made(start=at(days=7))
    assert isinstance(made.facts, RequestMade)
    wanted = (
        TypeFields(evidence_type="bank_account", names=("accountNumber", "sortCode")),
        TypeFields(evidence_type="postal_address", names=("postalCode",)),
    )
    return [
        in_vault("She opens her vault.", vault_opened(), 1, payloads=()),
        in_vault(
            "An auditor looks at her history.",
            drafted(VaultRead(what="history", **COMMON)),
            9,
            request_key="",
            acting=AUDITOR,
        ),
        in_vault(
            "She provides her address from a document.",
            evidence_provided(issued_date="2026-02-27", source="document"),
            2,
            payloads=(VALUES, SEALED),
        ),
        in_vault(
            "She replaces it; one field changed and one is gone.",
            evidence_replaced(names=("postalCode", "streetName")),
            3,
            payloads=(VALUES, SEALED),
        ),
        in_vault(
            "A request that she claimed enters her vault.",
            drafted(
                ConsentRequested1(
                    time=at(2),
                    salt=SALT,
                    service=SERVICE,
                    subject=SUBJECT,
                    consent_request_id=REQUEST,
                    asked=without_start(
                        asked_terms(
                            scope=(requested_fields(), requested_fields("income", (), ("amount",)))
                        )
                    ),
                    expires=at(2, days=30),
                )
            ),
            4,
        ),
        in_vault(
            "A request of a service that knows her enters her vault; it would start next week.",
            consent_requested(
                scope=(requested_fields(), requested_fields("income", (), ("amount",))),
                start=at(days=7),
            ),
            4,
            acting=THE_SERVICE,
        ),
        in_vault("The service takes it back.", consent_request_cancelled(), 5, acting=THE_SERVICE),
        in_vault("She says no to a request.", consent_refused(), 5, approval=SESSION),
        in_vault(
            "She grants one item that follows replacements and one that is pinned.",
            consent_granted(
                an_item(),
                an_item(2, INCOME, 1),
                scope=(
                    granted_fields(),
                    granted_fields(
                        2,
                        evidence_type="income",
                        mode="pinned",
                        required=(),
                        optional=("amount",),
                    ),
                ),
            ),
            5,
            approval=SESSION,
            registry=CONFIRMED,
        ),
        in_vault(
            "She shares one field of one item less, and the other item no more.",
            consent_narrowed(frequency=replace(asked_terms().frequency, count=2)),
            6,
            approval=SESSION,
        ),
        in_vault(
            "She shares for longer, exactly as it was shown.",
            consent_extended(),
            7,
            approval=SESSION,
            registry=CONFIRMED,
        ),
        in_vault("She pauses it.", consent_paused(), 6, approval=SESSION),
        in_vault(
            "At a counter, with her agreement, it goes on.",
            consent_resumed(),
            7,
            acting=COUNTER,
            approval=AGREED,
            registry=CONFIRMED,
            payloads=(PROOF, SEALED),
        ),
        in_vault("She revokes it.", consent_revoked(), 8, approval=SESSION),
        in_vault(
            "She says that a field is wrong, in a statement that travels with it.",
            evidence_disputed(is_shared=True),
            6,
            payloads=(SEALED, STATEMENT),
        ),
        in_vault("It was corrected where it came from.", dispute_resolved(outcome="corrected"), 7),
        in_vault(
            "An official who opened the vault opens the way by which she acts.",
            drafted(SignInLinked1(time=at(1), salt=SALT, sign_in=SIGN_IN, means="assistance-code")),
            2,
            acting=COUNTER,
            payloads=(),
        ),
        in_vault(
            "At a counter, with her agreement, another sign-in may be linked.",
            drafted(
                LinkCodeCreated(
                    link_code=OTHER_SIGN_IN,
                    expires=at(7 + 900),
                    wait_seconds=259_200,
                    **COMMON,
                )
            ),
            3,
            acting=COUNTER,
            approval=AGREED,
            payloads=(PROOF, SEALED),
        ),
        in_vault(
            "Another sign-in of hers is linked with that code.",
            drafted(
                SignInLinked(sign_in=SIGN_IN, means="provider", link_code=OTHER_SIGN_IN, **COMMON)
            ),
            4,
            acting=replace(HERSELF, actor=SIGN_IN),
        ),
        in_vault(
            "She signs out everywhere.",
            drafted(SignedOutEverywhere(**COMMON)),
            5,
            approval=SESSION,
        ),
        in_vault(
            "She protects a piece of evidence.",
            replace(drafted(EvidenceProtected(**COMMON)), items=(an_item(0),)),
            6,
        ),
        in_vault(
            "She protects it no more.",
            replace(drafted(ProtectionLifted(**COMMON)), items=(an_item(0),)),
            7,
        ),
        in_vault("She closes that way.", sign_in_unlinked(), 7),
        in_vault(
            "She says how she is reached, in a payload beside it.",
            contact_set(),
            8,
            payloads=(SEALED, CONTACT),
        ),
        in_vault(
            "She adds a passkey, as her provider signed.",
            passkey_added(),
            8,
            approval=Approval(kind="oidc-step-up", proof_hash=digest(b"the proof")),
        ),
        in_vault("She removes it.", passkey_removed(), 9),
        in_vault(
            "Fields of two items leave for the second time.",
            replace(
                evidence_disclosed(
                    fields=(
                        DisclosedFields(item=1, names=("postalCode", "streetName")),
                        DisclosedFields(item=2, names=("amount",)),
                    ),
                    repeats=digest(b"the first disclosure"),
                ),
                items=(an_item(1, ADDRESS, 2), an_item(2, INCOME, 1)),
            ),
            7,
            request_key="",
            acting=THE_SERVICE,
            registry=CONFIRMED,
        ),
        in_vault(
            "The third refusal of a day: more are not listed.",
            drafted(replace(refused.facts, fields=wanted, more_unlisted=True)),
            6,
            request_key="",
            acting=THE_SERVICE,
            registry=CONFIRMED,
        ),
        in_vault(
            "The service tells that it decided as she applied.",
            recipient_reported(kind="outcome", status="granted"),
            8,
            acting=THE_SERVICE,
            registry=CONFIRMED,
        ),
        in_request(
            "A service asks for a one-time disclosure of young evidence.",
            drafted(
                RequestMade1(
                    time=at(),
                    salt=SALT,
                    asked=without_start(
                        asked_terms(frequency=ONCE, one_time=True, largest_age_days=90)
                    ),
                    code_challenge=digest(VERIFIER.encode()),
                    expires=at(days=30),
                )
            ),
            1,
            acting=THE_SERVICE,
            registry=CONFIRMED,
        ),
        in_request(
            "A service asks a citizen whom it knows, from next week on.",
            drafted(replace(made.facts, subject=SUBJECT, code_challenge="")),
            1,
            acting=THE_SERVICE,
            registry=CONFIRMED,
        ),
        in_request("The service takes it back.", request_cancelled(), 2, acting=THE_SERVICE),
        in_request(
            "A citizen claims it: its stream knows her by the subject alone.",
            drafted(RequestClaimed(subject=SUBJECT, code_hash=digest(b"code"), **COMMON)),
            2,
            request_key="",
            payloads=(),
        ),
        in_request(
            "The service redeems the code that came back.",
            drafted(RequestRedeemed(**COMMON)),
            3,
            acting=THE_SERVICE,
        ),
        in_registry(
            "An organisation is registered.",
            drafted(OrganisationRegistered(organisation=ORGANISATION, **COMMON)),
            1,
            TEXTS,
        ),
        in_registry(
            "A service of it is registered.",
            drafted(ServiceRegistered(service=SERVICE, organisation=ORGANISATION, **COMMON)),
            2,
            TEXTS,
        ),
        in_registry(
            "The service is suspended.", drafted(ServiceSuspended(service=SERVICE, **COMMON)), 7
        ),
        in_registry(
            "The service is reinstated.", drafted(ServiceReinstated(service=SERVICE, **COMMON)), 8
        ),
        in_registry("A purpose is published with its bounds.", purpose_published(), 5, TEXTS),
        in_registry("A purpose is withdrawn.", drafted(PurposeWithdrawn(code="care", **COMMON)), 9),
        in_registry(
            "An evidence type is published.",
            evidence_type_published("income", ("amount", "payer")),
            4,
            PayloadMark(kind="definition", hash=digest(b"definition"), key_id="", commitment=""),
        ),
        in_registry(
            "A key is listed: receipts are signed with it from now on.",
            drafted(
                ReceiptKeyListed(
                    key_id=CONSENT,
                    algorithm="Ed25519",
                    public_key=digest(VERIFIER.encode()),
                    **COMMON,
                )
            ),
            3,
        ),
        in_registry(
            "A lane is listed: vaults may be opened in it from now on.",
            drafted(LaneListed(lane=1, origin="demo/1", **COMMON)),
            9,
        ),
        in_registry(
            "The key of a lane's log is listed: its checkpoints are signed with it.",
            drafted(
                LogKeyListed(
                    lane=1,
                    origin="demo/1",
                    vkey="demo/1+284895fa+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
                    **COMMON,
                )
            ),
            10,
        ),
        in_vault(
            "Her history of another deployment is brought here.",
            drafted(
                VaultImported(
                    origin="elsewhere/0",
                    vault=REQUEST,
                    version=41,
                    leaf=digest(b"its last leaf"),
                    evidence=3,
                    consents=2,
                    **COMMON,
                )
            ),
            2,
        ),
        in_operations(
            "A server begins with another program or configuration.",
            drafted(
                ReleaseStarted(
                    release="0.5.0",
                    program_hash=digest(b"files"),
                    configuration_hash=digest(b"settings"),
                    events_form=1,
                    keys_form=3,
                    **COMMON,
                )
            ),
            1,
        ),
        in_operations(
            "The tables of keys have another form.",
            drafted(StoreMigrated(store="keys", before=2, after=3, **COMMON)),
            2,
        ),
        in_operations(
            "A lane was restored, and records were put back.",
            drafted(StoreRestored(lane=1, size=4_000, appended=17, **COMMON)),
            3,
        ),
        in_operations(
            "Servers run under another wrapping key.",
            drafted(KeyUsed(key="wrapping", key_id="file-AAECAwQFBgcICQoL", use="serve", **COMMON)),
            4,
        ),
        in_operations(
            "An administrator looked into a database.",
            drafted(AdministratorActed(act="access-to-database", **COMMON)),
            5,
            PayloadMark(kind="note", hash=digest(b"note"), key_id="", commitment=""),
        ),
        in_operations(
            "A fault that touched entries of two logs is published.",
            drafted(
                KnownFaultPublished(
                    fault=CONSENT,
                    ranges=(
                        EntryRange(origin="demo/0", first=20, end=24),
                        EntryRange(origin="demo/1", first=7, end=8),
                    ),
                    **COMMON,
                )
            ),
            6,
            PayloadMark(kind="notice", hash=NOTICE, key_id="", commitment=""),
        ),
        in_audit(
            "An auditor of one service reads a range of a log, its facts alone.",
            drafted(LaneReplayed(origin="demo/1", first=20, end=340, service=SERVICE, **COMMON)),
            3,
        ),
    ]


def written(desc: str, draft: Draft, sample_link: Link) -> tuple[str, str]:
    """Return the stored name of a sample and its file."""
    state = encode(sample_link) + b"\n" + encode(draft.facts)
    entry = entry_of(state)
    sample = {
        "desc": desc,
        "link": encode(sample_link).decode(),
        "facts": encode(draft.facts).decode(),
        "entry": b64(entry),
        "leaf": b64(leaf_of(entry)),
    }
    return str(type(draft.facts).__struct_config__.tag), json.dumps(sample, indent=2) + "\n"


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(exist_ok=True)
    for sample in samples():
        name, text = written(*sample)
        path = FOLDER / f"{name}.json"
        if not path.exists():
            path.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
