# SPDX-License-Identifier: Apache-2.0
"""What a libpq connection string says, read without libpq, so that mistakes are told at once.

Both forms: `host=… dbname=…` and `postgresql://…` (postgresql.org/docs: libpq-connect). Only what a
deployment can get wrong is judged here; libpq judges the rest when it connects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

_PAIR: Final = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?!')(?:[^\s\\]|\\.)*))(?=\s|$)")
_ESCAPED: Final = re.compile(r"\\(.)")
_URI: Final = re.compile(r"postgres(?:ql)?://(?:([^/?#@]*)@)?([^/?#@]*)(?:/([^?#@]*))?(?:\?(.*))?")
_HOST: Final = re.compile(r"(\[[^]]*\]|[^:]*)(?::([0-9]*))?")
_SECRETS: Final = ("password", "sslpassword")
_NOT_ONE: Final = "is not a connection string of libpq"


def read_conninfo(text: str) -> str:
    """Return a connection string that names its database and holds no password.

    Raises:
        ValueError: saying what is wrong, as the rest of a sentence; nothing of it is quoted.
    """
    said = _said(text)
    if any(name in said for name in _SECRETS):
        raise ValueError(
            "holds a password, which would be seen wherever the environment is: put it into a "
            "passfile (~/.pgpass, or passfile=...)"
        )
    if not said.get("dbname") and not said.get("service"):
        raise ValueError("names no database: add dbname=...")
    return text


def is_same_database(first: str, second: str) -> bool:
    """Say whether two connection strings name one database, as far as they tell."""
    one, other = _said(first), _said(second)
    names = ("service", "dbname")
    return all(one.get(name) == other.get(name) for name in names) and not _servers(one).isdisjoint(
        _servers(other)
    )


def _servers(said: Mapping[str, str]) -> set[tuple[str, str]]:
    hosts = (said.get("hostaddr") or said.get("host") or "").split(",")
    ports = (said.get("port") or "").split(",")
    if len(ports) < len(hosts):
        ports = ports[:1] * len(hosts)
    return {(host.lower(), port or "5432") for host, port in zip(hosts, ports, strict=False)}


def _said(text: str) -> Mapping[str, str]:
    """Return what is said, by keyword.

    Raises:
        ValueError: if it is in neither form.
    """
    return _uri(text) if text.startswith(("postgresql://", "postgres://")) else _pairs(text)


def _pairs(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    rest = text.strip()
    while rest:
        pair = _PAIR.match(rest)
        if pair is None:
            raise ValueError(_NOT_ONE)
        name, quoted, plain = pair.groups()
        said[name] = _ESCAPED.sub(r"\1", plain if quoted is None else quoted)
        rest = rest[pair.end() :].strip()
    return said


def _uri(text: str) -> dict[str, str]:
    found = _URI.fullmatch(text)
    if found is None:
        raise ValueError(_NOT_ONE)
    who, where, database, more = found.groups(default="")
    user, has_password, _ = who.partition(":")
    hosts = [_HOST.fullmatch(part) for part in where.split(",")]
    if None in hosts:
        raise ValueError(_NOT_ONE)
    said = {
        "user": unquote(user),
        "host": ",".join(unquote(host[1].strip("[]")) for host in hosts if host),
        "port": ",".join(host[2] or "" for host in hosts if host),
        "dbname": unquote(database),
    }
    if has_password:
        said["password"] = ""
    return {name: value for name, value in said.items() if value or name == "password"} | dict(
        parse_qsl(more, keep_blank_values=True)
    )
