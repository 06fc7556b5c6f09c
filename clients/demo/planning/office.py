# SPDX-License-Identifier: Apache-2.0
"""The planning office: its applications, and how each asks, comes back, is seen and decided.

Whoever applies is known by nothing but the code that came back through the browser in which the
application was begun: its `state` and code verifier are that application's alone (RFC 6749 section
10.12, RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from clients.demo.planning.setting_up import PURPOSE
from clients.demo.story import new_id
from clients.receipts import SignedRecord, verify_bundle
from vault.api.v1 import consent_service_pb2, disclosure_pb2, disclosure_service_pb2
from vault.api.v1.consent_pb2 import (
    CONSENT_REQUEST_STATE_GRANTED,
    CONSENT_REQUEST_STATE_REFUSED,
    Frequency,
    RequestedScope,
)
from vault.api.v1.registry_service_pb2 import ListReceiptKeysRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.connection import Connection

Stage = Literal["begun", "refused", "waiting", "received", "in-progress", "granted", "declined"]

SCOPE: Final[Mapping[str, tuple[str, ...]]] = {
    "identity": ("name",),
    "postal_address": ("addressLocality", "buildingNumber", "postalCode", "streetName"),
    "planning_ownership": ("certificate", "interest", "siteAddress"),
}
"""What an application needs, and no more."""

_TOLD: Final[Mapping[Stage, disclosure_pb2.ReportStatus.ValueType]] = {
    "received": disclosure_pb2.REPORT_STATUS_RECEIVED,
    "in-progress": disclosure_pb2.REPORT_STATUS_IN_PROGRESS,
    "granted": disclosure_pb2.REPORT_STATUS_GRANTED,
    "declined": disclosure_pb2.REPORT_STATUS_REFUSED,
}
_KEPT_DAYS: Final = 365
_TIMES: Final = 4
_PERIOD_SECONDS: Final = 10_368_000


class NotOursError(Exception):
    """What came back belongs to no application that was begun in this browser."""


@dataclass
class Application:
    """One application, with the office's own secrets.

    Attributes:
        file: what the office keeps of what it saw, by kind of information and field.
        entry: where it stands in the log that it was seen.
    """

    number: str
    plans: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    stage: Stage = "begun"
    consent_request_id: str = ""
    consent_id: str = ""
    subject_id: str = ""
    file: dict[str, dict[str, Any]] = field(default_factory=dict)
    entry: int = 0


class Office:
    """The planning office of a council. Threads may share it.

    Args:
        council: the connection of the council's planning team.
        return_uri: where her browser comes back to.
        pages: where her pages are; "": where the vault says that they are.
    """

    def __init__(self, council: Connection, return_uri: str, pages: str = "") -> None:
        self._council = council
        self._return_uri = return_uri
        self._pages = pages
        self._applications: dict[str, Application] = {}
        self._lock = threading.Lock()

    def begin(self, plans: str) -> tuple[str, str]:
        """Begin an application; return the secret of the browser that did, and her link."""
        with self._lock:
            number = f"PA-{2001 + len(self._applications)}"
            application, browser = Application(number, plans), secrets.token_urlsafe(32)
            self._applications[browser] = application
        challenge = hashlib.sha256(application.verifier.encode()).digest()
        made = self._council.consents.RequestConsent(
            consent_service_pb2.RequestConsentRequest(
                request_id=new_id(),
                purpose_code=PURPOSE,
                scope=[
                    RequestedScope(evidence_type=kind, required=names)
                    for kind, names in SCOPE.items()
                ],
                frequency=Frequency(count=_TIMES, period_seconds=_PERIOD_SECONDS),
                retention_days=_KEPT_DAYS,
                code_challenge=base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
                return_uri=self._return_uri,
                state=application.state,
                external_reference=number,
                case_ref=number,
            )
        )
        application.consent_request_id = made.consent_request.consent_request_id
        link = f"{self._pages}/asked/{made.handoff_token}" if self._pages else made.handoff_uri
        return browser, link

    def of(self, browser: str) -> Application | None:
        """Return the application that was begun in a browser."""
        return self._applications.get(browser)

    def all(self) -> list[Application]:
        """Return every application, oldest first."""
        return list(self._applications.values())

    def came_back(self, browser: str, state: str, code: str) -> Application:
        """Take her in who comes back: redeem the code, see what she shares, and tell her so.

        Raises:
            NotOursError: if nothing was begun in this browser, or another answer came back.
            CallError: if the vault refuses.
        """
        application = self.of(browser)
        if application is None or not secrets.compare_digest(
            state.encode(), application.state.encode()
        ):
            raise NotOursError
        with self._lock:
            if application.stage == "begun":
                self._redeem(application, code)
            if application.stage == "waiting":
                self._see(application)
                self._tell(application, "received")
        return application

    def decide(self, number: str, stage: Stage) -> None:
        """Go on with an application, and tell her."""
        found = next((one for one in self.all() if one.number == number), None)
        if found is not None and found.consent_id and stage in _TOLD:
            with self._lock:
                self._tell(found, stage)

    def _redeem(self, application: Application, code: str) -> None:
        found = self._council.consents.RedeemCode(
            consent_service_pb2.RedeemCodeRequest(
                request_id=new_id(),
                consent_request_id=application.consent_request_id,
                code=code,
                code_verifier=application.verifier,
            )
        ).consent_request
        application.subject_id, application.consent_id = found.subject_id, found.consent_id
        if found.state == CONSENT_REQUEST_STATE_GRANTED:
            application.stage = "waiting"
        elif found.state == CONSENT_REQUEST_STATE_REFUSED:
            application.stage = "refused"

    def _see(self, application: Application) -> None:
        answer = self._council.disclosures.DiscloseEvidence(
            disclosure_service_pb2.DiscloseEvidenceRequest(
                request_id=new_id(),
                subject_id=application.subject_id,
                authority=disclosure_pb2.Authority(consent_id=application.consent_id),
                purpose_code=PURPOSE,
                fields=[
                    disclosure_pb2.FieldSelection(evidence_type=kind, names=names)
                    for kind, names in SCOPE.items()
                ],
                case_ref=application.number,
            )
        )
        keys = self._council.registry.ListReceiptKeys(ListReceiptKeysRequest()).receipt_keys
        record = SignedRecord.of(answer.receipt)
        verify_bundle(record, answer.bundle, {key.key_id: key.public_key for key in keys})
        application.entry = record.leaf_index
        application.file = {
            item["evidence_type"]: {one["name"]: one["value"] for one in item["fields"]}
            for item in json.loads(answer.bundle)["items"]
        }

    def _tell(self, application: Application, stage: Stage) -> None:
        self._council.disclosures.ReportOutcome(
            disclosure_service_pb2.ReportOutcomeRequest(
                request_id=new_id(),
                subject_id=application.subject_id,
                authority=disclosure_pb2.Authority(consent_id=application.consent_id),
                status=_TOLD[stage],
                case_ref=application.number,
            )
        )
        application.stage = stage
