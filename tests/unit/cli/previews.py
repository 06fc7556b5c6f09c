# SPDX-License-Identifier: Apache-2.0
"""What a server that hides nothing shows before a decision: written by the vault's own code.

So that what a client makes of it again is compared with the vault, not with the client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.unit.cli import her_things, world
from tests.unit.cli.fake_server import FakeServer
from vault.api.v1 import consent_service_pb2 as consents
from vault.api.v1 import vault_service_pb2 as vaults
from vault.api.v1.consent_pb2 import Consent, ConsentDifference, ItemScope, Shown
from vault.api.v1.registry_pb2 import Purpose
from vault.api.v1.vault_pb2 import ApprovalChallenge, ApprovalKind, Passkey
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, encode, unb64
from vault.domain.canonical import digest as digest_of
from vault.domain.choice import shown_bytes
from vault.domain.passkey import ShownPasskey
from vault.domain.sign_in import GOOD_SECONDS, ShownLinkCode
from vault.domain.values import (
    Basis,
    Frequency,
    GrantedFields,
    Item,
    PurposeVersion,
    Recipient,
    Terms,
)
from vault.server.convert.approval import ALGORITHMS
from vault.server.convert.consent import MODES
from vault.server.convert.registry import BASES, METHODS
from vault.server.convert.times import time_from

CLIENT: Final = "the-client"
SALT: Final = bytes(range(16))
PINNED_REVISION: Final = 1
LINK_CODE: Final = "ABCDE-FGHJK-MNPQR-STVWX"
WAIT_SECONDS: Final = 72 * 3600


def terms_page(consent: Consent, purpose: Purpose) -> bytes:
    """Return terms and items as they are hashed."""
    basis = Basis(code=BASES[consent.legal_basis.code], statute=consent.legal_basis.statute)
    often = Frequency(
        count=consent.frequency.count, period_seconds=consent.frequency.period_seconds
    )
    terms = Terms(
        consent_id=consent.consent_id,
        recipient=Recipient(service=consent.service_id, organisation=consent.organisation_id),
        purpose=PurposeVersion(
            code=purpose.purpose_code, version=purpose.version, iri=purpose.bounds.dpv_iri
        ),
        basis=basis,
        method=METHODS[consent.method],
        scope=tuple(
            GrantedFields(
                item=one.item,
                evidence_type=one.evidence_type,
                mode=MODES[one.mode],
                required=tuple(one.required),
                optional=tuple(one.optional),
            )
            for one in consent.scope
        ),
        start=time_from(consent.start_time, "start"),
        end=time_from(consent.end_time, "end"),
        frequency=often,
        one_time=consent.one_time,
        largest_age_days=consent.largest_age_days,
        retention_days=consent.retention_days,
        storage=consent.storage,
        jurisdiction=consent.jurisdiction,
        notice_hash=b64(consent.notice_hash),
        language=consent.language,
        shown_time=time_from(world.NOW, "shown"),
        salt=b64(SALT),
    )
    items = tuple(
        Item(
            item=one.item,
            evidence_id=one.evidence_id,
            revision=PINNED_REVISION if MODES[one.mode] == "pinned" else 0,
        )
        for one in consent.scope
    )
    return shown_bytes(terms, items)


def passkey_page(passkey: Passkey) -> bytes:
    """Return a passkey as it is hashed."""
    return encode(
        ShownPasskey(
            credential=b64(passkey.credential),
            algorithm=ALGORITHMS[passkey.algorithm],
            public_key=b64(passkey.public_key),
            rp_id=passkey.rp_id,
            shown_time=time_from(world.NOW, "shown"),
            salt=b64(SALT),
        )
    )


def link_code_page(good_seconds: int, wait_seconds: int) -> bytes:
    """Return what is said of a code that lets another sign-in in, as it is hashed."""
    return encode(
        ShownLinkCode(
            good_seconds=good_seconds,
            wait_seconds=wait_seconds,
            shown_time=time_from(world.NOW, "shown"),
            salt=b64(SALT),
        )
    )


def shown(stored_name: str, page: bytes, *kinds: ApprovalKind.ValueType) -> dict[str, Any]:
    """Return what every preview says of a page, and asks to have signed."""
    challenge = ApprovalChallenge(
        challenge=unb64(challenge_of(stored_name, page)),
        accepted_kinds=kinds,
        step_up_client_id=CLIENT,
    )
    return {
        "shown": Shown(shown_time=world.NOW, salt=SALT, shown_hash=unb64(digest_of(page))),
        "shown_bytes": page,
        "approval_challenge": challenge,
    }


class Previews:
    """Answers of a server to whoever wants to see something before she decides."""

    def __init__(self, server: FakeServer, *kinds: ApprovalKind.ValueType) -> None:
        self._server = server
        self._kinds = kinds

    def granting(self, request: consents.PreviewConsentRequest) -> consents.PreviewConsentResponse:
        """Return what a choice comes to."""
        asked, choice = self._told("GetRequest").consent_request, request.choice
        consent = world.a_consent()
        consent.end_time.CopyFrom(
            choice.end_time if choice.HasField("end_time") else asked.end_time
        )
        if choice.HasField("start_time"):
            consent.start_time.CopyFrom(choice.start_time)
        consent.decision_form, consent.language = asked.decision_form, choice.language
        purpose = self._purpose
        consent.notice_hash = world.notice_hash(purpose)
        required = {name for scope in asked.scope for name in scope.required}
        del consent.scope[:]
        for number, item in enumerate(choice.items, start=1):
            consent.scope.append(
                ItemScope(
                    item=number,
                    evidence_type=world.a_piece(item.evidence_id).evidence_type,
                    mode=item.mode,
                    required=sorted(name for name in item.names if name in required),
                    optional=sorted(name for name in item.names if name not in required),
                    evidence_id=item.evidence_id,
                )
            )
        page = terms_page(consent, purpose)
        told = shown("consent-granted.1", page, *self._kinds)
        return consents.PreviewConsentResponse(consent=consent, **told)

    def extending(self, request: consents.ExtendConsentRequest) -> consents.ExtendConsentResponse:
        """Return what is shared, until a later end."""
        before = self._told("GetConsent").consent
        consent = Consent()
        consent.CopyFrom(before)
        consent.end_time.CopyFrom(request.end_time)
        page = terms_page(consent, self._purpose)
        return consents.ExtendConsentResponse(
            consent=consent,
            difference=ConsentDifference(
                end_time_before=before.end_time, end_time_after=request.end_time
            ),
            receipt=world.a_receipt(),
            **shown("consent-extended.1", page, *self._kinds),
        )

    def resuming(self, _request: consents.ResumeConsentRequest) -> consents.ResumeConsentResponse:
        """Return what goes on as it stands."""
        consent = self._told("GetConsent").consent
        page = terms_page(consent, self._purpose)
        told = shown("consent-resumed.1", page, *self._kinds)
        return consents.ResumeConsentResponse(consent=consent, receipt=world.a_receipt(), **told)

    def adding(self, request: vaults.AddPasskeyRequest) -> vaults.AddPasskeyResponse:
        """Return the passkey that would be added."""
        passkey = Passkey(
            passkey_id="" if request.validate_only else her_things.PASSKEY,
            credential=request.credential,
            algorithm=request.algorithm,
            public_key=request.public_key,
            rp_id="vault.example",
        )
        told = shown("passkey-added.1", passkey_page(passkey), *self._kinds)
        return vaults.AddPasskeyResponse(passkey=passkey, **told)

    def letting_in(self, request: vaults.CreateLinkCodeRequest) -> vaults.CreateLinkCodeResponse:
        """Return the code that would be made."""
        made = {} if request.validate_only else {"link_code": LINK_CODE, "expire_time": world.NOW}
        page = link_code_page(GOOD_SECONDS, WAIT_SECONDS)
        told = shown("link-code-created.1", page, *self._kinds)
        times = {"good_seconds": GOOD_SECONDS, "wait_seconds": WAIT_SECONDS}
        return vaults.CreateLinkCodeResponse(**made, **times, **told)  # type: ignore[arg-type]

    @property
    def by_method(self) -> dict[str, Callable[[Any], Any]]:
        """Return the answers by the methods that give them."""
        return {
            "PreviewConsent": self.granting,
            "ExtendConsent": self.extending,
            "ResumeConsent": self.resuming,
            "AddPasskey": self.adding,
            "CreateLinkCode": self.letting_in,
        }

    def answer(self) -> None:
        """Let the server give these answers."""
        for method, answer in self.by_method.items():
            self._server.says(method, answer)

    def _told(self, method: str) -> Any:
        return self._server.answers[method][0]

    @property
    def _purpose(self) -> Purpose:
        purpose: Purpose = self._told("GetPurpose").purpose
        return purpose
