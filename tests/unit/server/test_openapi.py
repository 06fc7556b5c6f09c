# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description: whole, valid, and of one mind with the contract and the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import protovalidate
import pytest

from tests.wire import METHODS, PACKAGE, message_of
from vault.api.v1.error_reason_pb2 import ErrorReason
from vault.server.authorization import ACCESS
from vault.server.errors import CODES
from vault.server.statuses import STATUSES

ROOT: Final = Path(__file__).parents[3]
DESCRIPTION: Final[dict[str, Any]] = json.loads((ROOT / "vault/api/openapi.json").read_bytes())
SCHEMAS: Final[dict[str, Any]] = DESCRIPTION["components"]["schemas"]
UNARY: Final = [
    name
    for name, method in METHODS.items()
    if not method.client_streaming and not method.server_streaming
]


def described(method: str) -> Any:
    return DESCRIPTION["paths"][f"/{PACKAGE}.{method}"]["post"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_openapi() -> None:
    path = ROOT / "tests/vectors/openapi/schema-2022-10-07.json"
    schema = json.loads(path.read_bytes())

    jsonschema_rs.validator_for(schema).validate(DESCRIPTION)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_json_schema(name: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[name])


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DESCRIPTION):
        at: Any = DESCRIPTION
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]


def test_it_has_every_unary_method_and_no_other() -> None:
    assert DESCRIPTION["paths"].keys() == {f"/{PACKAGE}.{name}" for name in UNARY}


def test_it_names_the_methods_that_it_leaves_to_grpc() -> None:
    for name in METHODS.keys() - set(UNARY):
        assert f"{PACKAGE}.{name}" in DESCRIPTION["info"]["description"]


@pytest.mark.parametrize("method", UNARY)
def test_roles_are_those_of_the_access_table(method: str) -> None:
    roles = {role for one in described(method)["security"] for role in one["accessToken"]}

    assert roles == ACCESS[f"/{PACKAGE}.{method}"].roles


@pytest.mark.parametrize("method", UNARY)
def test_what_is_required_is_what_an_empty_message_lacks(method: str) -> None:
    request = message_of(method)
    lacking = [
        found.proto.field.elements[0].field_name
        for found in protovalidate.Validator().collect_violations(request)
        if found.proto.field
    ]

    required = SCHEMAS[request.DESCRIPTOR.name].get("required", [])

    fields = request.DESCRIPTOR.fields_by_name
    assert set(required) == {fields[name].json_name for name in lacking}


@pytest.mark.parametrize("method", UNARY)
def test_every_field_of_a_request_is_described_in_the_words_of_the_contract(method: str) -> None:
    descriptor = message_of(method).DESCRIPTOR
    schema = SCHEMAS[descriptor.name]

    assert schema["properties"].keys() == {field.json_name for field in descriptor.fields}
    assert schema["additionalProperties"] is False
    assert all(one["description"].strip() for one in schema["properties"].values())


def test_it_names_every_reason() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name, number in ErrorReason.items() if number}

    assert set(SCHEMAS["ErrorReason"]["enum"]) == reasons


def test_every_code_of_an_error_has_a_status() -> None:
    assert set(CODES.values()) <= STATUSES.keys()


def test_the_file_for_readers_is_the_file_that_is_served() -> None:
    assert (ROOT / "docs/openapi.json").resolve() == (ROOT / "vault/api/openapi.json").resolve()
