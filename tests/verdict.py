# SPDX-License-Identifier: Apache-2.0
"""What a refusal must be, whatever was wrong: told by the contract, silent on what was sent.

The contract's own words count: `error_reason.proto` says in its comments with which code a reason
comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import apsw
from google.protobuf.descriptor import Descriptor

from tests.server import ROOT, Server
from tests.wire import METHODS, Answer

CANARY: Final = "Zq7canary"
"""Stands in everything that is sent to be refused; it must come back nowhere."""

_FOUND: Final = re.findall(
    r"^  // ([A-Z_]+)\. (?:[^=]*?)^  ERROR_REASON_([A-Z_]+) = ",
    (ROOT / "protos/vault/api/v1/error_reason.proto").read_text(encoding="utf-8"),
    re.MULTILINE,
)
CODES: Final = {reason: code for code, reason in _FOUND}
"""The gRPC code of each reason, as the contract says."""

_LAST: Final = """
SELECT position FROM records WHERE topic <> 'disclosure-refused.1' ORDER BY position DESC LIMIT 1
"""

FAULTS: Final = frozenset(
    {"INTERNAL", "HISTORY_BROKEN", "VAULT_FROZEN", "STORE_UNAVAILABLE", "CLOCK_UNSURE"}
)
"""Reasons that no input may ever be answered with."""


def must_be_told(answer: Answer, canary: str = CANARY) -> None:
    """Check that a call was refused with a reason of the contract that repeats nothing."""
    assert CODES.get(answer.reason) == answer.code, (answer.method, answer.told)
    assert answer.reason not in FAULTS, (answer.method, answer.told)
    if answer.code == "INVALID_ARGUMENT" and answer.reason != "MESSAGE_MALFORMED":
        assert answer.fields, (answer.method, answer.told)
    # Evidence is wrong at places of its own, of which some are no field.
    if answer.reason != "EVIDENCE_INVALID":
        strange = [field for field in answer.fields if not is_path(answer.method, field)]
        assert not strange, (answer.method, answer.told)
    assert canary not in answer.message
    assert canary.encode() not in answer.status


def is_recorded(answer: Answer) -> bool:
    """Say whether a write is recorded: also where its answer came too late to be sent."""
    return answer.is_ok or answer.reason == "RELEASE_TOO_LATE"


def names_it(answer: Answer, path: str) -> bool:
    """Say whether an offending field is the one at a path, or the list or message that holds it."""
    place = _plain(path)
    return any(
        place == field or place.startswith(f"{field}.")
        for field in (_plain(field) for field in answer.fields)
    )


def is_path(method: str, path: str) -> bool:
    """Say whether there is such a field in the request of a method."""
    message: Descriptor | None = METHODS[method].input_type
    for step in path.split("."):
        name, _, index = step.partition("[")
        if message is None:
            return False
        if name in message.oneofs_by_name:
            return True
        field = message.fields_by_name.get(name)
        if field is None or (index and not field.is_repeated):
            return False
        message = field.message_type
    return True


@contextmanager
def untouched(server: Server) -> Iterator[None]:
    """Check that nothing is recorded meanwhile; refused attempts, which are, are not counted."""
    before = head(server)
    yield
    assert head(server) == before


def head(server: Server) -> object:
    """Return the place of the last record that is no refused attempt.

    Asked thousands of times, so that the connection is kept: not for servers that are killed.
    """
    return _reader(server.data / "events.db").execute(_LAST).get


@cache
def _reader(file: Path) -> apsw.Connection:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(5000)
    return connection


def _plain(path: str) -> str:
    return re.sub(r"\[\d+\]", "", path)
