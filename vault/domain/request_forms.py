# SPDX-License-Identifier: Apache-2.0
"""Stored forms of requests that are written no more, and their upcasts to today's.

Until form 2 a request started when it was asked for, and reached a citizen by its link alone.
"""

from __future__ import annotations

from msgspec.structs import asdict

from vault.domain.events import Facts
from vault.domain.request import ConsentRequested, RequestMade
from vault.domain.values import (
    AskedTerms,
    Basis,
    Frequency,
    Method,
    PurposeVersion,
    Recipient,
    RequestedFields,
    Time,
    Value,
)


class AskedTerms1(Value, frozen=True):
    """The widest terms that a request could come to, before they had a start."""

    recipient: Recipient
    purpose: PurposeVersion
    basis: Basis
    method: Method
    scope: tuple[RequestedFields, ...]
    end: Time
    frequency: Frequency
    one_time: bool
    largest_age_days: int
    retention_days: int
    storage: str
    jurisdiction: str
    notice_hash: str

    def starting(self, time: Time) -> AskedTerms:
        """Return the same terms with a start."""
        return AskedTerms(start=time, **asdict(self))


class RequestMade1(Facts, frozen=True, tag="request-made.1"):
    """A service asked a citizen whom it did not know."""

    asked: AskedTerms1
    code_challenge: str
    expires: Time

    def upcast(self) -> RequestMade:
        """Return what happened in today's form."""
        return RequestMade(
            time=self.time,
            salt=self.salt,
            asked=self.asked.starting(self.time),
            subject="",
            code_challenge=self.code_challenge,
            expires=self.expires,
        )


class ConsentRequested1(Facts, frozen=True, tag="consent-requested.1"):
    """A request entered her vault when she claimed it."""

    service: str
    subject: str
    consent_request_id: str
    asked: AskedTerms1
    expires: Time

    def upcast(self) -> ConsentRequested:
        """Return what happened in today's form."""
        return ConsentRequested(
            time=self.time,
            salt=self.salt,
            service=self.service,
            subject=self.subject,
            consent_request_id=self.consent_request_id,
            asked=self.asked.starting(self.time),
            expires=self.expires,
        )
