# SPDX-License-Identifier: Apache-2.0
"""How an error is told: the one table from error class to gRPC code, and the status with details.

`google.rpc.Status` with `ErrorInfo`, and `BadRequest` where fields are named (AIP-193). Nothing
personal: messages and fields come from error classes, which hold none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from vault.domain.errors import (
    CapacityNotAllowedError,
    ClockUnsureError,
    ConcurrentChangeError,
    DeadlinePassedError,
    EvidenceInvalidError,
    FieldInvalidError,
    FreshSignInRequiredError,
    HistoryBrokenError,
    InvalidError,
    LimitExceededError,
    LogUnsignedError,
    LogUnwitnessedError,
    NotFoundError,
    ReleaseTooLateError,
    RequestIdReusedError,
    SignedOutError,
    SignInTooNewError,
    StateError,
    StoreUnavailableError,
    VaultError,
    VaultFrozenError,
)
from vault.server.authorization import RoleNotAllowedError
from vault.server.convert.log import receipt_message
from vault.server.identity import CredentialError

DOMAIN: Final = "vault.api.v1"

CODES: Final[Mapping[type[VaultError], grpc.StatusCode]] = {
    CredentialError: grpc.StatusCode.UNAUTHENTICATED,
    SignedOutError: grpc.StatusCode.UNAUTHENTICATED,
    FreshSignInRequiredError: grpc.StatusCode.UNAUTHENTICATED,
    RoleNotAllowedError: grpc.StatusCode.PERMISSION_DENIED,
    CapacityNotAllowedError: grpc.StatusCode.PERMISSION_DENIED,
    InvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    RequestIdReusedError: grpc.StatusCode.ALREADY_EXISTS,
    StateError: grpc.StatusCode.FAILED_PRECONDITION,
    ConcurrentChangeError: grpc.StatusCode.ABORTED,
    LimitExceededError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReleaseTooLateError: grpc.StatusCode.UNAVAILABLE,
    LogUnwitnessedError: grpc.StatusCode.UNAVAILABLE,
    LogUnsignedError: grpc.StatusCode.UNAVAILABLE,
    StoreUnavailableError: grpc.StatusCode.UNAVAILABLE,
    VaultFrozenError: grpc.StatusCode.UNAVAILABLE,
    ClockUnsureError: grpc.StatusCode.UNAVAILABLE,
    DeadlinePassedError: grpc.StatusCode.DEADLINE_EXCEEDED,
    HistoryBrokenError: grpc.StatusCode.DATA_LOSS,
}
"""What a class, and with it each class below it, is told as."""

INTERNAL_REASON: Final = "INTERNAL"


class MessageMalformedError(InvalidError):
    """The bytes are not a message of the expected type."""

    reason = "MESSAGE_MALFORMED"
    message = "The bytes are not a message of the type that this method takes."


class FieldsInvalidError(FieldInvalidError):
    """Fields break their constraints.

    Args:
        violations: (field, what is wrong with it, without its value) for each.
    """

    def __init__(self, violations: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.violations = violations


def code_of(kind: type[VaultError]) -> grpc.StatusCode:
    """Return the code of an error class: its own in the table, or that of the nearest above it.

    Raises:
        LookupError: if the table has none.
    """
    for ancestor in kind.__mro__:
        if ancestor in CODES:
            return CODES[ancestor]
    raise LookupError(kind.__name__)


def status_of(error: VaultError) -> tuple[grpc.StatusCode, Status]:
    """Return how an error is told."""
    code = code_of(type(error))
    said = {"until": error.until} if isinstance(error, SignInTooNewError) else {}
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=said)]
    violations = _violations(error)
    if violations:
        details.append(
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field=field, description=description)
                    for field, description in violations
                ]
            )
        )
    # A disclosure that is not repeated still has the receipt of its first time.
    receipt = receipt_message(getattr(error, "receipt", None))
    if receipt is not None:
        details.append(receipt)
    return code, _status(code, str(error), details)


def internal_status(call_id: str) -> tuple[grpc.StatusCode, Status]:
    """Return how a fault of ours is told: by its call alone."""
    code = grpc.StatusCode.INTERNAL
    message = f"This is a fault of ours. Quote call_id {call_id}."
    return code, _status(code, message, [ErrorInfo(reason=INTERNAL_REASON, domain=DOMAIN)])


def _violations(error: VaultError) -> tuple[tuple[str, str], ...]:
    if isinstance(error, EvidenceInvalidError | FieldsInvalidError):
        return error.violations
    return ((error.field, error.detail or error.message),) if error.field else ()


def _status(code: grpc.StatusCode, message: str, details: list[Message]) -> Status:
    number: int = code.value[0]
    status = Status(code=number, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status
