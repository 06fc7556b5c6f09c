# SPDX-License-Identifier: Apache-2.0
"""What is kept specially safe is shown without its values while the server does not give them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from clients.connection import CallError
from clients.web.failure import NotThereError
from clients.web.information.file import file_name
from clients.web.information.piece import Piece, open_piece, piece_of
from tests.unit.web.forms_of_kinds import kind_of, words
from vault.api.v1.evidence_pb2 import Evidence, EvidenceField
from vault.api.v1.evidence_service_pb2 import GetEvidenceRequest, GetEvidenceResponse

ADDRESS = {"streetName": "Heol yr Afon", "postalCode": "SY29 4ZZ"}


def here(refusal: CallError | None = None) -> Any:
    """Return a visit to a server that refuses values so, or gives them."""

    def get(request: GetEvidenceRequest) -> GetEvidenceResponse:
        if refusal and not request.without_values:
            raise refusal
        values = b"" if request.without_values else json.dumps(ADDRESS).encode()
        fields = [EvidenceField(name=name, sensitivity=1) for name in ADDRESS]
        evidence = Evidence(evidence_type="postal_address", fields=fields, values=values)
        evidence.is_protected = refusal is not None
        return GetEvidenceResponse(evidence=evidence)

    return SimpleNamespace(
        acting=None,
        words=words(),
        published=SimpleNamespace(kind=kind_of),
        vault=SimpleNamespace(evidence=SimpleNamespace(GetEvidence=get)),
    )


def refused(reason: str, code: str = "PERMISSION_DENIED") -> CallError:
    return CallError(code, reason, "No.")


@pytest.mark.parametrize("reason", ["FRESH_SIGN_IN_REQUIRED", "CAPACITY_NOT_ALLOWED"])
def test_without_a_fresh_sign_in_no_value_is_there(reason: str) -> None:
    found = piece_of(here(refused(reason)), "id")

    assert (found.is_open, found.rows, found.gist) == (False, [], "")


def test_what_asks_for_values_is_refused_as_the_server_says() -> None:
    with pytest.raises(CallError) as raised:
        open_piece(here(refused("FRESH_SIGN_IN_REQUIRED")), "id")
    assert raised.value.reason == "FRESH_SIGN_IN_REQUIRED"


def test_another_failure_is_no_reason_to_show_less() -> None:
    with pytest.raises(CallError):
        piece_of(here(refused("", "UNAVAILABLE")), "id")


def test_what_is_not_hers_is_not_there() -> None:
    with pytest.raises(NotThereError):
        piece_of(here(refused("NOT_FOUND", "NOT_FOUND")), "id")


def test_a_list_says_what_is_ordinary_and_nothing_of_what_is_protected() -> None:
    found = piece_of(here(), "id")
    protected = Piece(found.here, GetEvidenceResponse(evidence=found.evidence), is_open=True)
    protected.evidence.is_protected = True

    assert (found.gist, protected.gist) == ("Heol yr Afon, SY29 4ZZ", "")


def test_a_list_stops_at_the_first_part_that_is_private() -> None:
    found = piece_of(here(), "id")
    found.evidence.fields[1].sensitivity = 2

    assert found.gist == "Heol yr Afon"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Letter", "Letter.pdf"),
        ("../../etc/passwd", "etc passwd.pdf"),
        ('a"; filename=x\r\nset-cookie: y', "a filename x set-cookie y.pdf"),
        ("Llythyr o'r ŵyl", "Llythyr o'r ŵyl.pdf"),
        ("...", "document.pdf"),
        ("x" * 300, "x" * 80 + ".pdf"),
    ],
)
def test_a_file_is_called_as_she_calls_it_as_far_as_files_may_be(title: str, name: str) -> None:
    assert file_name(title, "application/pdf") == name
