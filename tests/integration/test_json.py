# SPDX-License-Identifier: Apache-2.0
"""Calls as JSON over HTTP: the same answers as over gRPC, the same refusals, and no more words."""

from __future__ import annotations

import base64
import json
import time
from functools import cache, partial
from typing import Any, Final

import jsonschema_rs
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.integration.test_hostile_bytes import LIMIT_BYTES, METHOD_KEYS, RANDOM
from tests.issuer import Issuer
from tests.json_wire import JSON, JsonCaller, path_of, reply_to
from tests.samples import KEYS, ROLES, Samples
from tests.server import ROOT, Server
from tests.verdict import CANARY, must_be_told, untouched
from tests.wire import METHODS, Answer, Caller, message_of
from tests.world import ADDRESS, disclosing, new_id, providing
from vault.api.v1 import vault_service_pb2 as vaults

STREAMS: Final = {
    name for name, method in METHODS.items() if method.client_streaming or method.server_streaming
}
UNARY_KEYS: Final = [key for key in KEYS if key[0] not in STREAMS]
# A preview says when it was shown; a look of an official or an auditor is itself recorded.
READS: Final = [
    (method, role)
    for method, role in UNARY_KEYS
    if ("/Get" in method or "/List" in method) and role not in {"official", "auditor"}
]
DESCRIPTION: Final[dict[str, Any]] = json.loads((ROOT / "vault/api/openapi.json").read_bytes())
GET: Final = "VaultService/GetVault"
OPEN: Final = "VaultService/OpenVault"
PROVIDE: Final = "EvidenceService/ProvideEvidence"

each = pytest.mark.parametrize(("method", "role"), UNARY_KEYS)


@pytest.fixture(scope="module")
def callers(server: Server, samples: Samples) -> dict[str, JsonCaller]:
    """The callers of the samples, over HTTP; each call with a token of its own."""
    subjects = {
        "citizen": samples.citizen.sub,
        "service": samples.service.service_id,
        "service-auditor": "auditor",
        "staff": "dafydd",
    }
    return {
        role: JsonCaller(
            server.http,
            partial(
                server.issuer.token,
                role,
                subjects.get(role, role),
                service_id=samples.service.service_id,
            ),
        )
        for role in ROLES
    }


@pytest.fixture(scope="module")
def citizen(callers: dict[str, JsonCaller]) -> JsonCaller:
    return callers["citizen"]


@cache
def fits(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return what judges by a schema of the description."""
    return jsonschema_rs.Draft202012Validator(
        {**DESCRIPTION, "$ref": f"#/components/schemas/{name}"}, validate_formats=True
    )


# --- Answers -------------------------------------------------------------------------------------


@each
def test_every_unary_method_is_there(
    callers: dict[str, JsonCaller], samples: Samples, method: str, role: str
) -> None:
    answer = callers[role].call(method, samples.make(method, role))

    assert answer.is_ok, answer.told


@pytest.mark.parametrize(("method", "role"), READS)
def test_a_reader_reads_the_same_either_way(
    callers: dict[str, JsonCaller], samples: Samples, method: str, role: str
) -> None:
    request = samples.make(method, role)

    over_grpc = samples.caller(role).call(method, request)
    over_http = callers[role].call(method, request)

    assert masked(over_http) == masked(over_grpc)


@each
def test_the_description_is_true(
    callers: dict[str, JsonCaller], samples: Samples, method: str, role: str
) -> None:
    request = samples.make(method, role)
    sent = json_format.MessageToDict(request)

    reply = callers[role].post(method, sent)

    fits(METHODS[method].input_type.name).validate(sent)
    fits(METHODS[method].output_type.name).validate(reply.json)


def masked(answer: Answer) -> Any:
    """Return what an answer says, but for tokens, which say when it was read."""
    message = answer.read()
    for name in ("position_token", "as_of_token", "caught_up_token"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    return message


def test_what_is_written_one_way_is_repeated_the_other(
    citizen: JsonCaller, samples: Samples
) -> None:
    request = providing("postal_address", ADDRESS)

    over_http = citizen.call(PROVIDE, request).read()
    over_grpc = samples.citizen.caller.ask(PROVIDE, request)

    assert over_http == over_grpc


def test_bytes_of_protobuf_are_taken_and_answered(citizen: JsonCaller, samples: Samples) -> None:
    reply = citizen.send(path_of(GET), b"", {"content-type": "application/proto"})

    answer = vaults.GetVaultResponse.FromString(reply.body)
    assert reply.headers["content-type"] == "application/proto"
    assert answer.vault.vault_id == samples.citizen.vault_id


def test_an_error_is_json_even_to_bytes_of_protobuf(citizen: JsonCaller) -> None:
    reply = citizen.send(path_of(OPEN), b"\xff", {"content-type": "application/proto"})

    assert reply.headers["content-type"] == "application/json"
    assert reply.reasons == ["MESSAGE_MALFORMED"]


@pytest.mark.usefixtures("world")
def test_a_journey_over_json_alone(server: Server) -> None:
    """By hand, as a department would that has no protobuf."""
    sub = new_id()
    citizen = JsonCaller(server.http, server.issuer.token("citizen", sub))
    values = base64.b64encode(json.dumps(ADDRESS).encode()).decode()

    opened = citizen.post(OPEN, {"requestId": new_id()}).json
    provided = citizen.post(
        PROVIDE,
        {
            "requestId": new_id(),
            "evidenceType": "postal_address",
            "values": values,
            "source": "EVIDENCE_SOURCE_SELF_DECLARED",
        },
    ).json
    listed = citizen.post("EvidenceService/ListEvidence", {}).json
    got = citizen.post(
        "EvidenceService/GetEvidence", {"evidence_id": provided["evidence"]["evidenceId"]}
    ).json

    assert opened["vault"]["version"] == "1"
    assert [one["evidenceType"] for one in listed["evidence"]] == ["postal_address"]
    assert json.loads(base64.b64decode(got["evidence"]["values"])) == ADDRESS


# --- Who may call what ---------------------------------------------------------------------------

UNARY: Final = [method for method in METHODS if method not in STREAMS]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", UNARY)
def test_every_cell_of_the_access_table_holds_either_way(
    callers: dict[str, JsonCaller], samples: Samples, method: str, role: str
) -> None:
    """Who is let through is told what is missing; everybody else that it is not theirs."""
    over_grpc = samples.caller(role).call(method, b"")
    over_http = callers[role].call(method, message_of(method))

    assert over_http.told == over_grpc.told


@pytest.mark.parametrize("token", ["none", "expired", "a stranger's"])
@pytest.mark.parametrize("method", UNARY)
def test_a_bad_credential_opens_nothing_either_way(
    server: Server, samples: Samples, method: str, token: str
) -> None:
    credential = {
        "none": "",
        "expired": server.issuer.token("citizen", "somebody", exp=1_700_000_000),
        "a stranger's": Issuer().token("citizen", "somebody"),
    }[token]

    over_grpc = Caller(samples.world.channel, credential).call(method, b"")
    over_http = JsonCaller(server.http, credential).call(method, message_of(method))

    assert over_http.code == "UNAUTHENTICATED"
    assert over_http.told == over_grpc.told


# --- Refusals ------------------------------------------------------------------------------------


def test_the_same_refusal_is_told_the_same_way(
    callers: dict[str, JsonCaller], samples: Samples
) -> None:
    """A status for each kind, and code, message and details as over gRPC, byte for byte."""
    stopped = samples.world.share(samples.citizen, samples.service)
    assert samples.world.revoke(stopped).is_ok
    used = providing("postal_address", ADDRESS)
    assert samples.citizen.caller.call(PROVIDE, used).is_ok
    reused = type(used)()
    reused.CopyFrom(used)
    reused.issued_date = "2026-01-01"
    absent = message_of("EvidenceService/GetEvidence")
    absent.evidence_id = new_id()
    cases = {
        ("EvidenceService/GetEvidence", "citizen", 404): absent,
        (OPEN, "citizen", 400): vaults.OpenVaultRequest(request_id=CANARY),
        (OPEN, "service", 403): vaults.OpenVaultRequest(request_id=new_id()),
        (PROVIDE, "citizen", 409): reused,
        ("DisclosureService/DiscloseEvidence", "service", 400): disclosing(stopped),
    }

    for (method, role, status), request in cases.items():
        reply = callers[role].post(method, json_format.MessageToDict(request))
        over_grpc = samples.caller(role).call(method, request)

        assert reply.status == status
        assert reply.status_bytes == over_grpc.status
        must_be_told(callers[role].call(method, request))


@pytest.mark.parametrize("token", ["", "rubbish", f"{CANARY}.e30.e30"])
def test_nobody_in_particular_is_told_how_to_be_somebody(server: Server, token: str) -> None:
    reply = JsonCaller(server.http, token).post(GET, {})

    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.reasons == ["CREDENTIAL_INVALID" if token else "CREDENTIAL_MISSING"]
    assert CANARY.encode() not in reply.body


def test_who_may_not_call_is_not_listened_to(server: Server) -> None:
    """Else anybody could have the server read, and judge, what it wants."""
    reply = JsonCaller(server.http, "").post(OPEN, b"\xff" * 400_000)

    assert (reply.status, reply.reasons) == (401, ["CREDENTIAL_MISSING"])


def test_who_may_not_call_is_told_before_the_body_comes(server: Server) -> None:
    head = f"POST {path_of(OPEN)} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"

    reply = reply_to(server.http, f"{head}content-length: 100\r\n\r\n".encode())

    assert (reply.status, reply.reasons) == (401, ["CREDENTIAL_MISSING"])


MALFORMED: Final[dict[str, bytes]] = {
    "nothing": b"",
    "no JSON": b"{",
    "half of it": b'{"requestId": "',
    "two of them": b"{}{}",
    "a list": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "a number": b"1",
    "no UTF-8": b'{"requestId": "\xff"}',
    "UTF-16": '{"requestId": ""}'.encode("utf-16"),
    "half a character": b'{"requestId": "\\ud800"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "another type": b'{"requestId": 1}',
    "a list for a text": b'{"requestId": ["x"]}',
    "an object for a text": b'{"requestId": {}}',
    "a text for a message": b'{"acting": "x"}',
    "a list for a message": b'{"acting": []}',
    "a field that nobody knows": f'{{"{CANARY}": 1}}'.encode(),
    "one within": b'{"acting": {"nobody": 1}}',
    "a name twice": b'{"requestId": "a", "requestId": "b"}',
    "both names of a field": b'{"requestId": "a", "request_id": "b"}',
    "an enum that nobody knows": f'{{"acting": {{"channel": "{CANARY}"}}}}'.encode(),
    "a list for an enum": b'{"acting": {"channel": []}}',
    "an enum beyond all": b'{"acting": {"channel": 99999999999}}',
    "lists in lists": b"[" * 100_000,
    "messages in messages": b'{"acting":' * 20_000,
    "a number without end": b'{"acting": ' + b"9" * 20_000 + b"}",
    "what is no number": b'{"acting": NaN}',
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_message_is_told_so(server: Server, citizen: JsonCaller, what: str) -> None:
    with untouched(server):
        reply = citizen.post(OPEN, MALFORMED[what])

    assert (reply.status, reply.reasons) == (400, ["MESSAGE_MALFORMED"])
    assert CANARY.encode() not in reply.body


@pytest.mark.parametrize("values", ["!!!", "e30=e30=", "e", "é", "e30\n", {"a": 1}, 1, ["e30"]])
def test_base64_that_is_none_is_told_so(
    server: Server, citizen: JsonCaller, samples: Samples, values: Any
) -> None:
    """A lenient reader would skip what it does not know, and judge or keep the rest."""
    request = json_format.MessageToDict(samples.make(PROVIDE, "citizen"))

    with untouched(server):
        reply = citizen.post(PROVIDE, {**request, "values": values})

    assert reply.reasons == ["MESSAGE_MALFORMED"]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_both_alphabets_of_base64_are_read(citizen: JsonCaller, encode: Any) -> None:
    values = {**ADDRESS, "streetName": "Heol ÿÿÿ???>>>"}
    request = json_format.MessageToDict(providing("postal_address", {}))
    text = encode(json.dumps(values, ensure_ascii=False).encode()).decode()

    reply = citizen.post(PROVIDE, {**request, "values": text.rstrip("=")})

    assert reply.status == 200, reply.body


def test_null_is_absent(citizen: JsonCaller) -> None:
    reply = citizen.post(OPEN, {"requestId": new_id(), "acting": None})

    assert reply.status == 200, reply.body


def test_an_error_names_no_more_than_grpc_would(citizen: JsonCaller) -> None:
    reply = citizen.post(OPEN, {"requestId": CANARY})

    assert reply.json.keys() == {"code", "message", "details"}
    assert reply.json["code"] == "invalid_argument"
    assert [one["type"] for one in reply.json["details"]] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
    ]
    assert reply.json["details"][1]["debug"] == {
        "fieldViolations": [{"field": "request_id", "description": "It must be a UUID."}]
    }
    assert not any(one["value"].endswith("=") for one in reply.json["details"])
    fits("Error").validate(reply.json)


def test_an_answer_and_an_error_name_their_call(server: Server, citizen: JsonCaller) -> None:
    named = [citizen.post(GET, {}), citizen.post(OPEN, {})]

    names = [f'"call_id":"{reply.headers["trailer-call_id"]}"' for reply in named]
    # Calls' lines are written together, a moment later.
    give_up = time.monotonic() + 5
    while not all(name in server.written.read_text(encoding="utf-8") for name in names):
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 415, "unknown"),
        ({"content-type": "text/plain"}, 415, "unknown"),
        ({"content-type": "application/json; charset=latin-1"}, 415, "unknown"),
        ({"content-type": "application/connect+json"}, 415, "unknown"),
        ({"content-type": "application/grpc"}, 415, "unknown"),
        ({**JSON, "content-encoding": "gzip"}, 501, "unimplemented"),
        ({**JSON, "connect-protocol-version": "2"}, 400, "invalid_argument"),
        ({**JSON, "connect-timeout-ms": "-1"}, 400, "invalid_argument"),
        ({**JSON, "connect-timeout-ms": "soon"}, 400, "invalid_argument"),
        ({**JSON, "connect-timeout-ms": "12345678901"}, 400, "invalid_argument"),
        ({**JSON, "connect-timeout-ms": "0"}, 504, "deadline_exceeded"),
    ],
)
def test_what_the_protocol_does_not_know_is_refused(
    server: Server, citizen: JsonCaller, headers: dict[str, str], status: int, code: str
) -> None:
    body = json.dumps({"requestId": new_id()}).encode()

    with untouched(server):
        reply = citizen.send(path_of(OPEN), body, headers)

    assert (reply.status, reply.json["code"]) == (status, code)


@pytest.mark.parametrize(
    "headers",
    [
        JSON,
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": 'Application/JSON;charset="UTF-8"'},
        {**JSON, "content-encoding": "identity", "accept-encoding": "br, gzip"},
        {**JSON, "connect-protocol-version": "1", "connect-timeout-ms": "9999999999"},
    ],
)
def test_what_the_protocol_allows_is_taken(citizen: JsonCaller, headers: dict[str, str]) -> None:
    reply = citizen.send(path_of(GET), b"{}", headers)

    assert reply.status == 200, reply.body
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_method_is_posted_to(citizen: JsonCaller, verb: str) -> None:
    reply = citizen.send(path_of(GET), method=verb)

    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/", "/vault.api.v1.VaultService/CloseVault", "/VaultService/GetVault", "//x", "/%00"]
)
def test_a_path_that_is_no_method_is_told_so(citizen: JsonCaller, path: str) -> None:
    reply = citizen.send(path)

    assert (reply.status, reply.json["code"]) == (404, "unimplemented")


@pytest.mark.parametrize("method", sorted(STREAMS))
def test_a_stream_is_left_to_grpc(callers: dict[str, JsonCaller], method: str) -> None:
    reply = callers["auditor"].post(method, {})

    assert (reply.status, reply.json["code"]) == (501, "unimplemented")
    assert "Use gRPC" in reply.json["message"]


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 5 * 1024 * 1024, 40 * 1024 * 1024])
def test_a_body_beyond_the_limit_is_refused(server: Server, citizen: JsonCaller, size: int) -> None:
    """Beyond four megabytes too, of which gRPC does not tell the reason."""
    with untouched(server):
        reply = citizen.post(OPEN, b" " * size)

    assert (reply.status, reply.reasons) == (429, ["LIMIT_EXCEEDED"])


def test_a_body_at_the_limit_is_taken(citizen: JsonCaller) -> None:
    assert citizen.post(GET, b"{}".ljust(LIMIT_BYTES)).status == 200


@pytest.mark.parametrize("value", ["{}", '""', "0"])
def test_more_values_than_anybody_needs_are_not_read(citizen: JsonCaller, value: str) -> None:
    """Each takes its time, in which nobody else is answered."""
    values = ",".join([value] * 50_000)

    reply = citizen.post(OPEN, f'{{"acting": [{values}]}}'.encode())

    assert (reply.status, reply.reasons) == (429, ["LIMIT_EXCEEDED"])


def test_the_description_is_there_for_everybody(server: Server) -> None:
    caller = JsonCaller(server.http, "")
    path = "/openapi.json"

    read = caller.send(path, method="GET")
    asked = caller.send(path, method="HEAD", body=b"")

    assert read.json == DESCRIPTION
    assert asked.headers["content-length"] == str(len(read.body))
    assert asked.body == b""
    assert caller.send(path).status == 405


# --- At random -----------------------------------------------------------------------------------

_AT_RANDOM = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(made=RANDOM)
@_AT_RANDOM
def test_a_random_message_is_refused_as_over_grpc(
    callers: dict[str, JsonCaller], samples: Samples, made: tuple[tuple[str, str], dict[str, Any]]
) -> None:
    (method, role), fields = made
    if method in STREAMS:
        return
    request = type(message_of(method))(**fields)
    try:
        json_format.MessageToDict(request)
    except json_format.SerializeToJsonError:
        reject()  # a time that has no JSON form

    over_grpc = samples.caller(role).call(method, request)

    if not over_grpc.is_ok:
        assert callers[role].call(method, request).told == over_grpc.told


JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2026-01-01T00:00:00Z", "e30=", CANARY, "\ud800", "1e400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def made(samples: Samples) -> dict[tuple[str, str], Any]:
    """One request of each kind, as JSON."""
    return {
        key: json_format.MessageToDict(samples.make(*key))
        for key in METHOD_KEYS
        if key[0] not in STREAMS
    }


@given(key=st.sampled_from([key for key in METHOD_KEYS if key[0] not in STREAMS]), data=st.data())
@_AT_RANDOM
def test_junk_in_any_field_is_refused_or_understood(
    callers: dict[str, JsonCaller],
    made: dict[tuple[str, str], Any],
    key: tuple[str, str],
    data: st.DataObject,
) -> None:
    method, role = key
    fields = METHODS[method].input_type.fields
    if not fields:
        reject()
    name = data.draw(st.sampled_from([field.json_name for field in fields]))

    reply = callers[role].post(method, {**made[key], name: data.draw(JUNK)})

    assert reply.status in {200, 400, 404, 409}, reply.body
    assert CANARY.encode() not in reply.body


def test_every_field_takes_its_json_form(callers: dict[str, JsonCaller], samples: Samples) -> None:
    """A number may be text, an enum a number, as protobuf's JSON mapping has it."""
    for method, role in METHOD_KEYS:
        numbers = [
            field
            for field in METHODS[method].input_type.fields
            if field.type == FieldDescriptor.TYPE_UINT32 and field.name == "page_size"
        ]
        for field in numbers if method not in STREAMS else []:
            request = json_format.MessageToDict(samples.make(method, role))
            reply = callers[role].post(method, {**request, field.json_name: "2"})
            assert reply.status == 200, reply.body
