# SPDX-License-Identifier: Apache-2.0
"""Makes the OpenAPI 3.1 description of the unary methods over JSON, from what protoc knows.

`python -m vault.server.openapi < DESCRIPTOR_SET` prints it. Only a descriptor set holds the
comments of the protos, so the description is made with the generated code, and lies beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from vault.api.buf.validate import validate_pb2
from vault.server.authorization import ACCESS, PACKAGE
from vault.server.openapi_fields import is_required, schema_of
from vault.server.statuses import STATUSES

_REASONS: Final = "ERROR_REASON_"
_TEXT: Final = """\
The unary methods of the vault as JSON over HTTP/1.1, in the Connect protocol (version 1). The same
methods, and those with streams, are there over gRPC.

Names and values are protobuf's JSON mapping: bytes are base64, 64-bit numbers are text, times are
RFC 3339, and what is absent has its empty value. What is no field is refused. Errors name fields as
the protos do (`request_id`), and requests may do so, too. A message has at most 256 KiB; nothing is
compressed; there is no CORS. Each answer names its call in the header `trailer-call_id`.

Only over gRPC, as they have streams: """


def describe(files: FileDescriptorSet) -> dict[str, Any]:
    """Return the description of every service of ours in a descriptor set with comments."""
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    ours = [file for file in files.file if file.package == PACKAGE]
    comments = {name: text for file in ours for name, text in _comments(file)}
    described = [pool.FindFileByName(file.name) for file in ours]
    services = [one for file in described for one in file.services_by_name.values()]
    methods = [method for service in services for method in service.methods]
    streams = [one for one in methods if one.client_streaming or one.server_streaming]
    enums = {name: one for file in described for name, one in file.enum_types_by_name.items()}
    unary = [one for one in methods if one not in streams]
    requests = [one.input_type for one in unary]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Citizen vault",
            "version": PACKAGE.rpartition(".")[2],
            "description": _TEXT + ", ".join(f"{_path(one)[1:]}" for one in streams) + ".",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"accessToken": []}],
        "tags": [_tag(service, comments) for service in services],
        "paths": {_path(one): {"post": _operation(one, comments)} for one in unary},
        "components": {
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token (RFC 9068) with one role, and its scopes.",
                }
            },
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": {"Error": _ERROR_RESPONSE},
            "schemas": {
                **{
                    one.name: _message(one, comments, is_request=one in requests)
                    for one in _reached(unary)
                },
                **{name: _enum(one, comments) for name, one in enums.items()},
                "ErrorReason": _reasons(enums["ErrorReason"], comments),
                "Error": _ERROR,
            },
        },
    }


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for place in file.source_code_info.location:
        name = _name_at(file, list(place.path))
        if name and place.leading_comments:
            lines = [line.removeprefix(" ") for line in place.leading_comments.splitlines()]
            yield f"{file.package}.{name}", "\n".join(lines).strip()


def _name_at(file: FileDescriptorProto, path: list[int]) -> str:
    """Return the name of what stands at a path of numbers, or "" for what has none."""
    names: list[str] = []
    at: Any = file
    while path:
        field = at.DESCRIPTOR.fields_by_number[path.pop(0)]
        if not path or not field.is_repeated or field.message_type is None:
            return ""
        at = getattr(at, field.name)[path.pop(0)]
        names.append(getattr(at, "name", ""))
    return ".".join(names)


def _reached(methods: list[MethodDescriptor]) -> list[Descriptor]:
    """Return the messages that methods take and give, with all that is in them, by name."""
    found: dict[str, Descriptor] = {}
    waiting = [one for method in methods for one in (method.input_type, method.output_type)]
    while waiting:
        message = waiting.pop()
        if message.file.package == PACKAGE and message.name not in found:
            found[message.name] = message
            waiting += [field.message_type for field in message.fields if field.message_type]
    return [found[name] for name in sorted(found)]


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _tag(service: ServiceDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    return {"name": service.name, "description": comments[service.full_name]}


def _operation(method: MethodDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    text = comments[f"{method.containing_service.full_name}.{method.name}"]
    access = ACCESS.get(_path(method))
    roles = sorted(access.roles) if access else []
    scope = f"Scope: `{access.scope}`." if access else "Closed to everybody."
    return {
        "operationId": f"{method.containing_service.name}_{method.name}",
        "tags": [method.containing_service.name],
        "summary": " ".join(text.partition("\n\n")[0].split()),
        "description": f"{text}\n\n{scope}",
        # OpenAPI lets a scheme that is not OAuth's name roles; one of these is enough.
        "security": [{"accessToken": [role]} for role in roles],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _PARAMETERS],
        "requestBody": {"required": True, "content": _content(method.input_type)},
        "responses": {
            "200": {
                "description": comments[method.output_type.full_name],
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS},
                "content": _content(method.output_type),
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    }


def _content(message: Descriptor) -> dict[str, Any]:
    return {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{message.name}"}},
        "application/proto": {},
    }


def _message(message: Descriptor, comments: dict[str, str], *, is_request: bool) -> dict[str, Any]:
    rules = message.GetOptions().Extensions[validate_pb2.message]
    said = [comments[message.full_name], *(f"Rule: {rule.message}." for rule in rules.cel)]
    required = [field.json_name for field in message.fields if is_required(field)]
    return {
        "type": "object",
        "description": "\n\n".join(said),
        "properties": {
            field.json_name: {**schema_of(field), "description": comments[field.full_name]}
            for field in message.fields
        },
        **({"required": required} if required else {}),
        # An answer may say more one day.
        **({"additionalProperties": False} if is_request else {}),
        **_one_of(message),
    }


def _one_of(message: Descriptor) -> dict[str, Any]:
    """Return what says that of the fields of a oneof one is there: exactly, or at most."""
    found = []
    for oneof in message.oneofs:
        each: list[dict[str, Any]] = [{"required": [field.json_name]} for field in oneof.fields]
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            found.append({"oneOf": each})
        else:
            found.append({"oneOf": [*each, {"not": {"anyOf": each}}]})
    return {"allOf": found} if found else {}


def _enum(enum: EnumDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    values = [value.name for value in enum.values]
    lines = [f"- `{name}`: {_flat(comments[f'{enum.full_name}.{name}'])}" for name in values]
    text = "\n".join([comments[enum.full_name], "", *lines])
    return {"type": "string", "enum": values, "description": text}


def _reasons(enum: EnumDescriptor, comments: dict[str, str]) -> dict[str, Any]:
    """Return the reasons as errors name them: without prefix, and none that is never sent."""
    told = {
        value.name.removeprefix(_REASONS): comments[f"{enum.full_name}.{value.name}"]
        for value in enum.values
        if value.number
    }
    lines = [f"- `{name}`: {_flat(text.partition('Example:')[0])}" for name, text in told.items()]
    text = "\n".join([comments[enum.full_name], "", *lines])
    return {"type": "string", "enum": list(told), "description": text}


def _flat(text: str) -> str:
    return " ".join(text.split())


_PARAMETERS: Final[dict[str, Any]] = {
    "Connect-Protocol-Version": {
        "name": "Connect-Protocol-Version",
        "in": "header",
        "description": "The version of the Connect protocol. May be left out.",
        "schema": {"const": "1"},
    },
    "Connect-Timeout-Ms": {
        "name": "Connect-Timeout-Ms",
        "in": "header",
        "description": "For how long an answer is of use, in milliseconds; at most a minute.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,10}$"},
    },
}
_HEADERS: Final[dict[str, Any]] = {
    "trailer-call_id": {
        "description": "How the call is named; the operator finds it by that.",
        "schema": {"type": "string"},
    }
}
_ERROR_RESPONSE: Final[dict[str, Any]] = {
    "description": "It failed. The HTTP status follows from the code.",
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS},
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An error of the Connect protocol.",
    "properties": {
        "code": {
            "type": "string",
            "description": "What kind of error it is, and the HTTP status with which it comes:\n\n"
            + "\n".join(f"- `{code.name.lower()}`: {status}" for code, status in STATUSES.items())
            + "\n- `unknown`: 405, 415",
        },
        "message": {"type": "string", "description": "A sentence for people."},
        "details": {
            "type": "array",
            "description": "Messages of google.rpc (ErrorInfo, BadRequest), or a Receipt.",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string", "description": "The message's full name."},
                    "value": {
                        "type": "string",
                        "contentEncoding": "base64",
                        "description": "The message, without padding.",
                    },
                    "debug": {
                        "type": "object",
                        "description": "The same as JSON.",
                        "properties": {
                            "reason": {"$ref": "#/components/schemas/ErrorReason"},
                            "domain": {"type": "string"},
                            "fieldViolations": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {
                                        "field": {"type": "string"},
                                        "description": {"type": "string"},
                                    },
                                },
                            },
                        },
                    },
                },
                "required": ["type", "value"],
            },
        },
    },
    "required": ["code"],
}


def main() -> None:
    """Read a descriptor set, and print its description."""
    files = FileDescriptorSet.FromString(sys.stdin.buffer.read())
    json.dump(describe(files), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
