# SPDX-License-Identifier: Apache-2.0
"""One connection to the vault: channel, credentials, deadlines, retries, errors for people.

Every call has a deadline. A unary call that the server could not take, or that lost a race, is
repeated within it, with the same message and so with the same `request_id`: it happens once. A
stream, up or down, is not repeated: whoever has the file begins again. What went wrong becomes a
`CallError`, read from google.rpc.Status; what was said can be listened to. What to do about an
error is left to the caller.
"""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import itertools
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    import grpc
    from google.protobuf.message import Message

    from vault.api.v1.log_pb2 import Receipt
    from vault.api.v1.vault_pb2 import Approval, ApprovalChallenge

__all__ = [
    "CallError",
    "CallRecord",
    "Connection",
    "development_approval",
    "development_keys",
    "development_token",
]

MOST_TRIES: Final = 4
FIRST_PAUSE_SECONDS: Final = 0.1
DEVELOPMENT_GRANT: Final = "urn:citizen-vault:development"
LONGEST_TOKEN_BYTES: Final = 64 * 1024

_REPEATABLE: Final = frozenset({"UNAVAILABLE", "ABORTED"})
_CALL_ID_KEYS: Final = frozenset({"call_id", "call-id"})
_RECONNECT: Final = (
    # Left to itself gRPC waits a second before it tries a server again that is just starting.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class _Told(TypedDict):
    """What the server tells of a call that failed, besides a sentence."""

    reason: str
    fields: tuple[tuple[str, str], ...]
    receipt: Receipt | None
    until: str


class CallError(Exception):
    """A call that failed.

    Attributes:
        code: the name of the gRPC status, for instance `FAILED_PRECONDITION`.
        reason: the `ErrorReason` without its prefix, or "" if the server gave none.
        message: a sentence for people.
        fields: (field, what is wrong with it) for bad input.
        call_id: by which the operator finds the call; "" if the server was not reached.
        receipt: the receipt of an earlier disclosure that is not repeated, if there is one.
        until: until when it will be refused, as RFC 3339, where that is known.
    """

    def __init__(  # noqa: PLR0917 - what a caught error is read for, in the order of reading
        self,
        code: str,
        reason: str,
        message: str,
        fields: tuple[tuple[str, str], ...] = (),
        call_id: str = "",
        receipt: Receipt | None = None,
        until: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.fields = fields
        self.call_id = call_id
        self.receipt = receipt
        self.until = until

    @classmethod
    def of_status(cls, data: bytes) -> CallError:
        """Return what a serialized google.rpc.Status says: how one of many ended."""
        from google.rpc.code_pb2 import Code  # noqa: PLC0415
        from google.rpc.status_pb2 import Status  # noqa: PLC0415

        status = Status.FromString(data)
        told = _told(status.details)
        return cls(Code.Name(status.code), message=status.message, **told)


@dataclasses.dataclass(frozen=True)
class CallRecord:
    """One call as it was made, whatever its number of tries.

    Of a stream up `request` is the first message; of a stream down `response` is None.
    """

    service: str
    method: str
    request: Message
    response: Message | None
    error: CallError | None
    milliseconds: float


class Connection:
    """A connection to one server, for one caller. Use it in a `with` statement, or close it.

    Plain text is for this machine alone: any other target is reached by TLS.

    Args:
        target: "host:port".
        token: the access token, or what returns one that is still good; "" sends none.
        timeout_seconds: the deadline of a call that names no `timeout` of its own; it covers
            all tries. For a stream it covers the whole stream.
        on_call: told of each call when it has ended.
        approve: shows that a decision is hers; None: her sign-in alone stands for it.
    """

    def __init__(
        self,
        target: str,
        token: str | Callable[[], str],
        *,
        timeout_seconds: float = 10.0,
        on_call: Callable[[CallRecord], None] | None = None,
        approve: Callable[[ApprovalChallenge], Approval | None] = lambda _: None,
    ) -> None:
        # gRPC and the generated code take longer to import than most commands take to run.
        import grpc  # noqa: PLC0415

        from vault.api.v1.audit_service_pb2_grpc import AuditServiceStub  # noqa: PLC0415
        from vault.api.v1.consent_service_pb2_grpc import ConsentServiceStub  # noqa: PLC0415
        from vault.api.v1.disclosure_service_pb2_grpc import DisclosureServiceStub  # noqa: PLC0415
        from vault.api.v1.evidence_service_pb2_grpc import EvidenceServiceStub  # noqa: PLC0415
        from vault.api.v1.operations_service_pb2_grpc import OperationsServiceStub  # noqa: PLC0415
        from vault.api.v1.registry_service_pb2_grpc import RegistryServiceStub  # noqa: PLC0415
        from vault.api.v1.vault_service_pb2_grpc import VaultServiceStub  # noqa: PLC0415

        if is_loopback(target.rpartition(":")[0]):
            self._channel = grpc.insecure_channel(target, options=_RECONNECT)
        else:
            self._channel = grpc.secure_channel(
                target, grpc.ssl_channel_credentials(), options=_RECONNECT
            )
        channel = grpc.intercept_channel(
            self._channel, _interceptor(token, timeout_seconds, on_call)
        )
        self.approve = approve
        self.vaults = VaultServiceStub(channel)
        self.evidence = EvidenceServiceStub(channel)
        self.consents = ConsentServiceStub(channel)
        self.disclosures = DisclosureServiceStub(channel)
        self.audits = AuditServiceStub(channel)
        self.registry = RegistryServiceStub(channel)
        self.operations = OperationsServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._channel.close()


def development_token(
    issuer: str, role: str, sub: str, *, service_id: str = "", timeout_seconds: float = 5.0
) -> str:
    """Return an access token from the development issuer, which knows everybody.

    Args:
        role: "citizen", "official", "service", "staff", "auditor", "service-auditor", "operator".
        sub: who signs in; for a service its `service_id`.
        service_id: the service whose auditor or staff signs in; "" for others.

    Raises:
        CallError: UNAVAILABLE if the issuer cannot be reached, UNAUTHENTICATED if it refuses.
    """
    said = {"role": role, "sub": sub}
    form = {**said, "service_id": service_id} if service_id else said
    return _asked_of_issuer(issuer, form, "access_token", timeout_seconds)


def development_approval(
    issuer: str, sub: str, challenge: ApprovalChallenge, *, timeout_seconds: float = 5.0
) -> Approval | None:
    """Return the development issuer's signature under a decision, as if she signed in once more.

    None where the server does not take it: then her sign-in alone stands for the decision.

    Raises:
        CallError: as `development_token` does.
    """
    from vault.api.v1 import vault_pb2  # noqa: PLC0415

    kind = vault_pb2.APPROVAL_KIND_OIDC_STEP_UP
    if kind not in challenge.accepted_kinds:
        return None
    nonce = base64.urlsafe_b64encode(challenge.challenge).rstrip(b"=").decode("ascii")
    said = {"role": "citizen", "sub": sub, "nonce": nonce}
    form = {**said, "client_id": challenge.step_up_client_id}
    token = _asked_of_issuer(issuer, form, "id_token", timeout_seconds)
    return vault_pb2.Approval(kind=kind, proof=token.encode())


def development_keys(issuer: str, *, timeout_seconds: float = 5.0) -> bytes:
    """Return the development issuer's public keys, as the auditor's program takes a provider's.

    Raises:
        CallError: as `development_token` does.
    """
    return _sent_to_issuer(issuer, "/jwks", None, timeout_seconds)


def _asked_of_issuer(issuer: str, form: dict[str, str], what: str, timeout_seconds: float) -> str:
    """Return the token that the development issuer gives for a form.

    Raises:
        CallError: if it cannot be reached, refuses, or is something else.
    """
    data = urllib.parse.urlencode({"grant_type": DEVELOPMENT_GRANT, **form}).encode("ascii")
    answer = _sent_to_issuer(issuer, "/token", data, timeout_seconds)
    try:
        return str(json.loads(answer)[what])
    except (ValueError, KeyError, TypeError):
        message = f"What answered at {issuer} is not a token issuer."
        raise CallError("UNAVAILABLE", "", message) from None


def _sent_to_issuer(issuer: str, path: str, data: bytes | None, timeout_seconds: float) -> bytes:
    address = urllib.parse.urlsplit(issuer)
    if address.scheme != "https" and not is_loopback(address.hostname or ""):
        message = "The development issuer is spoken to on this machine only."
        raise CallError("UNAUTHENTICATED", "", message)
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        issuer.rstrip("/") + path, data=data
    )
    # A proxy has no business between two programs on one machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            content: bytes = answer.read(LONGEST_TOKEN_BYTES)
    except urllib.error.HTTPError as error:
        error.close()
        message = f"The issuer does not sign in this caller (HTTP {error.code})."
        raise CallError("UNAUTHENTICATED", "", message) from None
    except OSError:
        raise CallError("UNAVAILABLE", "", f"The issuer at {issuer} did not answer.") from None
    return content


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine: "localhost" or a loopback address."""
    name = host.removeprefix("ipv4:").removeprefix("ipv6:").strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _begun(method: str, sent: Iterable[Any], on_call: Any) -> tuple[_Call, Iterator[Any]]:
    """Return a call that sends a stream, shown by its first message, and all that it sends."""
    requests = iter(sent)
    first = next(requests)
    return _Call(method, first, on_call), itertools.chain([first], requests)


def _interceptor(
    token: str | Callable[[], str],
    timeout_seconds: float,
    on_call: Callable[[CallRecord], None] | None,
) -> Any:
    """Return what stands between stubs and channel; in a function, as its bases are gRPC's."""
    import grpc  # noqa: PLC0415

    class Details(grpc.ClientCallDetails):
        def __init__(self, before: grpc.ClientCallDetails, timeout: float) -> None:
            self.method = before.method
            self.timeout = timeout
            self.metadata = (*(before.metadata or ()), *_credentials(token))
            self.credentials = before.credentials
            self.wait_for_ready = before.wait_for_ready
            self.compression = before.compression

    class Interceptor(
        grpc.UnaryUnaryClientInterceptor,
        grpc.UnaryStreamClientInterceptor,
        grpc.StreamUnaryClientInterceptor,
        grpc.StreamStreamClientInterceptor,
    ):
        def intercept_unary_unary(
            self, continuation: Any, client_call_details: grpc.ClientCallDetails, request: Any
        ) -> Any:
            call = _Call(client_call_details.method, request, on_call)
            allowed = client_call_details.timeout or timeout_seconds
            deadline = time.monotonic() + allowed
            for attempt in range(1, MOST_TRIES + 1):
                left = max(deadline - time.monotonic(), 0.001)
                outcome = continuation(Details(client_call_details, left), request)
                failure = outcome.exception()
                if failure is None:
                    call.ended(outcome.result(), None)
                    return outcome
                error = _error_of(failure)
                pause = _pause_seconds(attempt)
                is_last = attempt == MOST_TRIES or time.monotonic() + pause >= deadline
                if error.code not in _REPEATABLE or is_last:
                    call.ended(None, error)
                    raise error
                time.sleep(pause)
            raise AssertionError  # the last try returned or raised

        def intercept_unary_stream(
            self, continuation: Any, client_call_details: grpc.ClientCallDetails, request: Any
        ) -> Any:
            call = _Call(client_call_details.method, request, on_call)
            allowed = client_call_details.timeout or timeout_seconds
            return call.read(continuation(Details(client_call_details, allowed), request))

        def intercept_stream_unary(
            self,
            continuation: Any,
            client_call_details: grpc.ClientCallDetails,
            request_iterator: Any,
        ) -> Any:
            call, whole = _begun(client_call_details.method, request_iterator, on_call)
            allowed = client_call_details.timeout or timeout_seconds
            outcome = continuation(Details(client_call_details, allowed), whole)
            failure = outcome.exception()
            if failure is not None:
                error = _error_of(failure)
                call.ended(None, error)
                raise error
            call.ended(outcome.result(), None)
            return outcome

        def intercept_stream_stream(
            self,
            continuation: Any,
            client_call_details: grpc.ClientCallDetails,
            request_iterator: Any,
        ) -> Any:
            call, whole = _begun(client_call_details.method, request_iterator, on_call)
            allowed = client_call_details.timeout or timeout_seconds
            return call.read(continuation(Details(client_call_details, allowed), whole))

    return Interceptor()


class _Call:
    """Times one call and tells of its end."""

    def __init__(
        self, method: str | bytes, request: Message, on_call: Callable[[CallRecord], None] | None
    ) -> None:
        path = method.decode("ascii") if isinstance(method, bytes) else method
        service, _, self._method = path.strip("/").partition("/")
        self._service = service.rpartition(".")[2]
        self._request = request
        self._on_call = on_call
        self._start = time.monotonic()

    def ended(self, response: Message | None, error: CallError | None) -> None:
        if self._on_call is None:
            return
        milliseconds = (time.monotonic() - self._start) * 1000
        record = CallRecord(
            self._service, self._method, self._request, response, error, milliseconds
        )
        self._on_call(record)

    def read(self, stream: Iterable[Any]) -> Iterator[Any]:
        import grpc  # noqa: PLC0415

        try:
            yield from stream
        except grpc.RpcError as failure:
            error = _error_of(failure)
            self.ended(None, error)
            raise error from None
        finally:
            cancel = getattr(stream, "cancel", None)
            if cancel is not None:
                cancel()
        self.ended(None, None)


def _credentials(token: str | Callable[[], str]) -> tuple[tuple[str, str], ...]:
    text = token if isinstance(token, str) else token()
    return (("authorization", f"Bearer {text}"),) if text else ()


def _pause_seconds(attempt: int) -> float:
    # Full jitter would let two racing writers meet again at once; half of it is kept.
    share = 0.5 + random.random() / 2  # noqa: S311 - spreads retries, guards nothing
    return FIRST_PAUSE_SECONDS * float(2 ** (attempt - 1)) * share


def _error_of(failure: Any) -> CallError:
    """Read google.rpc.Status and the call id from a failed call."""
    from google.rpc.status_pb2 import Status  # noqa: PLC0415

    code: str = failure.code().name
    call_id = ""
    details: list[Any] = []
    for key, value in failure.trailing_metadata() or ():
        if key in _CALL_ID_KEYS:
            call_id = str(value)
        elif key == "grpc-status-details-bin":
            details = _details_of(Status, value)
    told = _told(details)
    # What gRPC itself says ("failed to connect to all addresses; ...") helps nobody.
    message = (failure.details() or "") if told["reason"] else ""
    return CallError(code, message=message or _PLAIN.get(code, code), call_id=call_id, **told)


def _told(details: Iterable[Any]) -> _Told:
    """Return what the details of a status tell."""
    from google.rpc.error_details_pb2 import BadRequest, ErrorInfo  # noqa: PLC0415

    from vault.api.v1.log_pb2 import Receipt  # noqa: PLC0415

    told: _Told = {"reason": "", "fields": (), "receipt": None, "until": ""}
    for detail in details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            info = ErrorInfo()
            detail.Unpack(info)
            told["reason"] = info.reason
            told["until"] = info.metadata.get("until", "")
        elif detail.Is(BadRequest.DESCRIPTOR):
            bad = BadRequest()
            detail.Unpack(bad)
            told["fields"] = tuple((one.field, one.description) for one in bad.field_violations)
        elif detail.Is(Receipt.DESCRIPTOR):
            told["receipt"] = Receipt()
            detail.Unpack(told["receipt"])
    return told


def _details_of(kind: Any, value: bytes) -> list[Any]:
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        return list(kind.FromString(value).details)
    except DecodeError:
        return []


_PLAIN: Final = {
    "UNAVAILABLE": "The server cannot be reached.",
    "DEADLINE_EXCEEDED": "The server did not answer in time.",
    "UNIMPLEMENTED": "The server does not know this call. Is it an older version?",
    "CANCELLED": "The call was broken off.",
    "UNAUTHENTICATED": "The server does not know who is calling.",
    "PERMISSION_DENIED": "This caller may not do that.",
    "RESOURCE_EXHAUSTED": "That is too much for one call, or there are too many calls.",
    "UNKNOWN": "The call ended, and nobody said why.",
}
