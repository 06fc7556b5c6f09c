# SPDX-License-Identifier: Apache-2.0
"""A slow line: its receiver lets little be on its way at once, so that a transfer takes its time.

HTTP/2 leaves that to the receiver (RFC 9113 section 5.2). Everybody else in the story takes what
gRPC takes by itself, which is a whole letter before anybody could stop it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from clients.connection import CallError, CallRecord
from vault.api.v1.disclosure_service_pb2 import DiscloseDocumentRequest, DiscloseDocumentResponse
from vault.api.v1.disclosure_service_pb2_grpc import DisclosureServiceStub

_TIMEOUT_SECONDS: Final = 20.0
_LITTLE: Final = (
    ("grpc.http2.lookahead_bytes", 64 * 1024),
    # Or it would learn that more could come.
    ("grpc.http2.bdp_probe", 0),
)


class SlowLine:
    """A connection of one service over which documents come slowly. Close it.

    Args:
        on_call: told of each transfer when it has ended.
    """

    def __init__(self, target: str, token: str, on_call: Callable[[CallRecord], None]) -> None:
        self._channel = grpc.insecure_channel(target, options=_LITTLE)
        self._stub = DisclosureServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._on_call = on_call

    def close(self) -> None:
        """Close the line; what is on its way is broken off."""
        self._channel.close()

    def disclose_document(
        self, asked: DiscloseDocumentRequest
    ) -> Iterator[DiscloseDocumentResponse]:
        """Yield what comes.

        Raises:
            CallError: if it is refused, or broken off.
        """
        begun = time.monotonic()
        error: CallError | None = None
        try:
            yield from self._stub.DiscloseDocument(
                asked, metadata=self._metadata, timeout=_TIMEOUT_SECONDS
            )
        except grpc.RpcError as failure:
            error = _error_of(failure)
            raise error from None
        finally:
            took = (time.monotonic() - begun) * 1000
            service, method = "DisclosureService", "DiscloseDocument"
            self._on_call(CallRecord(service, method, asked, None, error, took))


def _error_of(failure: Any) -> CallError:
    reason = ""
    status = rpc_status.from_call(failure)
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            reason = info.reason
    return CallError(failure.code().name, reason, failure.details() or "")
