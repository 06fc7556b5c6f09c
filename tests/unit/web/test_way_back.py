# SPDX-License-Identifier: Apache-2.0
"""The way back of a request leads to its own address, with code and state and nothing else."""

from __future__ import annotations

import urllib.parse
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clients.web.here import Here
from clients.web.requests import way_back
from clients.web.requests.choosing import MOST_KEPT, NOTE
from vault.api.v1.consent_service_pb2 import ClaimRequestResponse

REQUEST = "2f6a0a1c-6b23-4b1d-9b77-2a8f5a3a3f11"


def visit() -> Here:
    notes: dict[str, Any] = {}
    return cast("Here", SimpleNamespace(session=SimpleNamespace(notes=notes)))


def claimed(
    uri: str, code: str = "c/d=", state: str = "s&t", request: str = REQUEST
) -> ClaimRequestResponse:
    answer = ClaimRequestResponse(code=code, state=state, return_uri=uri)
    answer.consent_request.consent_request_id = request
    return answer


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://a.example/back", "https://a.example/back?code=c%2Fd%3D&state=s%26t"),
        ("https://a.example/b?case=1", "https://a.example/b?case=1&code=c%2Fd%3D&state=s%26t"),
        ("http://localhost:81/b#part", "http://localhost:81/b?code=c%2Fd%3D&state=s%26t"),
    ],
)
def test_it_is_their_address_with_code_and_state(uri: str, address: str) -> None:
    here = visit()
    way_back.keep(here, claimed(uri))

    found = way_back.of(here, REQUEST)

    assert found is not None
    assert found.address == address
    assert found.site == urllib.parse.urlsplit(uri).hostname


def test_without_a_state_there_is_none() -> None:
    here = visit()
    way_back.keep(here, claimed("https://a.example/", state=""))

    assert way_back.of(here, REQUEST) == way_back.WayBack(
        "https://a.example/?code=c%2Fd%3D", "a.example", "c/d="
    )


@pytest.mark.parametrize("uri", ["", "javascript:alert(1)", "//a.example/back"])
def test_where_they_named_no_address_she_has_the_code_alone(uri: str) -> None:
    here = visit()
    way_back.keep(here, claimed(uri))

    assert way_back.of(here, REQUEST) == way_back.WayBack("", "", "c/d=")


def test_without_a_code_there_is_no_way_back() -> None:
    here = visit()
    way_back.keep(here, claimed("https://a.example/", code=""))

    assert way_back.of(here, REQUEST) is None


def test_of_many_requests_the_oldest_is_forgotten() -> None:
    here = visit()
    for number in range(MOST_KEPT + 3):
        way_back.keep(here, claimed("https://a.example/", request=str(number)))

    assert len(here.session.notes[NOTE]) == MOST_KEPT
    assert way_back.of(here, "2") is None
    assert way_back.of(here, str(MOST_KEPT + 2)) is not None
