# SPDX-License-Identifier: Apache-2.0
"""The tree of errors that a caller can be told.

Each class has a stable `reason` (a value of `ErrorReason` in the protos) and a message that says
what happened and what to do. Nothing here ever holds evidence, a person's name, or somebody's id.
"""

from __future__ import annotations

from typing import ClassVar


class VaultError(Exception):
    """The root: something that a caller can be told.

    Args:
        field: the offending field of the command, as a path, or "".
    """

    reason: ClassVar[str]
    message: ClassVar[str]

    def __init__(self, field: str = "", detail: str = "") -> None:
        super().__init__(f"{self.message} {detail}".strip())
        self.field = field
        self.detail = detail


class InvalidError(VaultError):
    """The command itself is wrong, whatever the state."""


class FieldInvalidError(InvalidError):
    """A field breaks its constraint."""

    reason = "FIELD_INVALID"
    message = "A field is not valid. Correct it and try again."


class FieldUnknownError(InvalidError):
    """No such evidence type, or no such field in it, is published."""

    reason = "FIELD_UNKNOWN"
    message = "No such evidence type or field is published. See ListEvidenceTypes."


class EvidenceInvalidError(InvalidError):
    """The evidence does not fit the schema of its type.

    Args:
        violations: (JSON pointer, message without the value) for each place.
    """

    reason = "EVIDENCE_INVALID"
    message = "The evidence does not fit the schema of its type."

    def __init__(self, violations: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.violations = violations


class DocumentInvalidError(InvalidError):
    """What was uploaded is not a document of the kind that it is said to be."""

    reason = "DOCUMENT_INVALID"
    message = "This is not a whole PDF, PNG or JPEG of the type that it is said to be."


class ExportInvalidError(InvalidError):
    """What was brought from another deployment is not a whole export."""

    reason = "EXPORT_INVALID"
    message = "This is not a whole export, or it was changed. Export again where you were before."


class TokenInvalidError(InvalidError):
    """A position token or page token is not one of ours, or not for this call."""

    reason = "TOKEN_INVALID"
    message = "The token is not one that this server gave for this call."


class NotFoundError(VaultError):
    """Absent, or not the caller's: the same answer, byte for byte."""

    reason = "NOT_FOUND"
    message = "There is no such thing for you."

    def __init__(self) -> None:
        super().__init__()


class RequestIdReusedError(VaultError):
    """The `request_id` was used before with another command."""

    reason = "REQUEST_ID_REUSED"
    message = "This request_id was used before with another command. Use a new one."


class StateError(VaultError):
    """The state forbids it; a retry changes nothing.

    `receipt` is the receipt of an earlier disclosure that this attempt tried to repeat, if any.
    """

    receipt: object | None = None


class VaultNotOpenError(StateError):
    """The caller has no vault."""

    reason = "VAULT_NOT_OPEN"
    message = "You have no vault yet. Open one first."


class PurposeExceededError(StateError):
    """The request asks for more than its purpose allows."""

    reason = "PURPOSE_EXCEEDED"
    message = "The purpose does not allow this. Ask for less, or publish another purpose."


class PurposeNotAllowedError(StateError):
    """The purpose is unknown, withdrawn, or not published for this service."""

    reason = "PURPOSE_NOT_ALLOWED"
    message = "This purpose is unknown, withdrawn, or not published for this service."


class ServiceSuspendedError(StateError):
    """The service is suspended."""

    reason = "SERVICE_SUSPENDED"
    message = "This service is suspended. Ask the operator."


class RequestAlreadyClaimedError(StateError):
    """Somebody else claimed the request."""

    reason = "REQUEST_ALREADY_CLAIMED"
    message = "Somebody else has already opened this link. Ask the service for a new one."


class RequestAlreadyDecidedError(StateError):
    """The request was decided before."""

    reason = "REQUEST_ALREADY_DECIDED"
    message = "This request was decided before."


class RequestExpiredError(StateError):
    """The request was not answered in time."""

    reason = "REQUEST_EXPIRED"
    message = "This request was not answered in time. Ask the service for a new one."


class RequestCancelledError(StateError):
    """The service took the request back."""

    reason = "REQUEST_CANCELLED"
    message = "The service took this request back. There is nothing to decide."


class CodeAlreadyRedeemedError(StateError):
    """The code was redeemed before, under another `request_id`."""

    reason = "CODE_ALREADY_REDEEMED"
    message = "This code was redeemed before."


class ChoiceNotOfferedError(StateError):
    """The choice goes beyond the request, or leaves out what it requires."""

    reason = "CHOICE_NOT_OFFERED"
    message = "The choice does not fit the request."


class ShownDiffersError(StateError):
    """What is decided is not what was shown."""

    reason = "SHOWN_DIFFERS"
    message = "What you decide on is not what was shown, or was shown too long ago. Show it again."


class ApprovalRequiredError(StateError):
    """The decision needs a proof that it is hers, beyond her sign-in."""

    reason = "APPROVAL_REQUIRED"
    message = "This needs a proof that the decision is hers: approve the challenge that is shown."


class ApprovalInvalidError(StateError):
    """The proof does not show that this decision is hers."""

    reason = "APPROVAL_INVALID"
    message = "The proof does not show that this decision is hers. Approve what is shown now."

    def __init__(self, detail: str) -> None:
        super().__init__("approval", detail)


class SignedOutError(VaultError):
    """She signed out everywhere after this access token was issued."""

    reason = "SIGNED_OUT"
    message = "You signed out everywhere. Sign in again."


class FreshSignInRequiredError(VaultError):
    """The evidence is protected, and she signed in too long ago to be shown it."""

    reason = "FRESH_SIGN_IN_REQUIRED"
    message = "This is protected. Sign in again now to see it."


class SignInTooNewError(StateError):
    """The sign-in was linked too short a time ago.

    Args:
        until: until when it waits, in the stored form.
    """

    reason = "SIGN_IN_TOO_NEW"
    message = "This sign-in is too new for that."

    def __init__(self, until: str) -> None:
        super().__init__(detail=f"It has to wait until {until}.")
        self.until = until


class SignInHasVaultError(StateError):
    """The sign-in leads to a vault already."""

    reason = "SIGN_IN_HAS_VAULT"
    message = "This sign-in leads to a vault already. Use another one."


class LastSignInError(StateError):
    """It is the only way to her vault that is left."""

    reason = "LAST_SIGN_IN"
    message = "This is the only way to this vault. Link another one first."


class LinkCodeEndedError(StateError):
    """The code was used, or is too old."""

    reason = "LINK_CODE_ENDED"
    message = "This code was used, or is too old. Make another one."


class ConsentRevokedError(StateError):
    """The consent was revoked."""

    reason = "CONSENT_REVOKED"
    message = "This consent was revoked. Nothing was sent."


class ConsentExpiredError(StateError):
    """The consent has ended."""

    reason = "CONSENT_EXPIRED"
    message = "This consent has ended. Nothing was sent."


class ConsentPausedError(StateError):
    """The consent is paused."""

    reason = "CONSENT_PAUSED"
    message = "This consent is paused. Nothing was sent. It may be resumed; try again later."


class ConsentNotPausedError(StateError):
    """The consent is not paused, so it cannot be resumed."""

    reason = "CONSENT_NOT_PAUSED"
    message = "This consent is not paused."


class ConsentNotRevokedError(StateError):
    """The consent was not revoked, so there is no silence since to be proved."""

    reason = "CONSENT_NOT_REVOKED"
    message = "This consent was not revoked. There is nothing to prove about the time since."


class NarrowingWidensError(StateError):
    """A narrowing would give more than the consent does."""

    reason = "NARROWING_WIDENS"
    message = "This would share more than now. Name only what is shared already."


class CapacityNotAllowedError(VaultError):
    """Somebody who acts for her may not do this."""

    reason = "CAPACITY_NOT_ALLOWED"
    message = "Whoever acts for her may not do this. She has to do it herself."


class DisputeResolvedError(StateError):
    """The dispute is settled."""

    reason = "DISPUTE_RESOLVED"
    message = "This was settled before."


class ConsentNotStartedError(StateError):
    """The consent has not started."""

    reason = "CONSENT_NOT_STARTED"
    message = "This consent has not started yet. Nothing was sent."


class PurposeDiffersError(StateError):
    """The consent is for another purpose."""

    reason = "PURPOSE_DIFFERS"
    message = "This consent is for another purpose. Nothing was sent."


class FieldNotGrantedError(StateError):
    """A field is not in the consent."""

    reason = "FIELD_NOT_GRANTED"
    message = "This consent does not cover that. Nothing was sent. Ask for it with a new request."


class FrequencyExhaustedError(StateError):
    """The disclosures of this consent, or of this window, are used up."""

    reason = "FREQUENCY_EXHAUSTED"
    message = "This consent is used up for now. Nothing was sent."


class EvidenceTooOldError(StateError):
    """The evidence is older than the consent allows."""

    reason = "EVIDENCE_TOO_OLD"
    message = "The evidence is older than this consent allows. Nothing was sent."


class EvidenceChangedError(StateError):
    """The same bytes can no longer be sent."""

    reason = "EVIDENCE_CHANGED"
    message = "The same bytes can no longer be sent. Use a new request_id."


class RegistryConflictError(StateError):
    """What is registered already stands otherwise."""

    reason = "REGISTRY_CONFLICT"
    message = "The registry already stands otherwise."


class ConcurrentChangeError(VaultError):
    """Other changes came first, again and again."""

    reason = "CONCURRENT_CHANGE"
    message = "Another change came first. Retry with the same request_id."


class LimitExceededError(VaultError):
    """A limit is reached."""

    reason = "LIMIT_EXCEEDED"
    message = "This is beyond the limit. Send less, or retry later."


class ReleaseTooLateError(VaultError):
    """It was recorded, but too slowly to be sent."""

    reason = "RELEASE_TOO_LATE"
    message = "It was recorded, but too slowly to be sent. Retry with the same request_id."


class LogUnwitnessedError(VaultError):
    """Too much has gone unsigned by independent witnesses for too long."""

    reason = "LOG_UNWITNESSED"
    message = (
        "No independent witness has signed the log for too long, so nothing is sent. Retry later "
        "with the same request_id."
    )


class LogUnsignedError(VaultError):
    """The log signs nothing at present."""

    reason = "LOG_UNSIGNED"
    message = "The log signs nothing at present, so there is no proof of this yet. Retry later."


class StoreUnavailableError(VaultError):
    """The store cannot be written."""

    reason = "STORE_UNAVAILABLE"
    message = "The store cannot be written now. Retry with the same request_id."


class ClockUnsureError(VaultError):
    """The server's clocks disagree."""

    reason = "CLOCK_UNSURE"
    message = "The server's clocks disagree, so nothing is recorded. Retry later."


class DeadlinePassedError(VaultError):
    """The deadline passed before the append."""

    reason = "DEADLINE_PASSED"
    message = "The deadline passed and nothing happened. Retry with the same request_id."


class HistoryBrokenError(VaultError):
    """The stored history does not hold together."""

    reason = "HISTORY_BROKEN"
    message = (
        "The stored history does not hold together. Nothing is decided on it; tell the operator."
    )


class VaultFrozenError(VaultError):
    """The stored history ends before what was acknowledged: an old copy of it was restored."""

    reason = "VAULT_FROZEN"
    message = (
        "The store was restored from a copy that lacks the latest history here. Nothing is read or"
        " decided until the operator brings it back. Then retry with the same request_id."
    )
