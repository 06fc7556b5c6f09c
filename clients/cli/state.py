# SPDX-License-Identifier: Apache-2.0
"""What the command line remembers between commands, in files for their owner alone.

Sign-ins and the secrets of a service's open requests lie in one folder: CITIZEN_VAULT_HOME, or
`citizen-vault` under XDG_CONFIG_HOME. No name of a person is ever part of a file's name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clients.cli.errors import CommandError, ExitCode
from clients.cli.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGN_INS: Final = "sign-ins.json"
_ASKED: Final = "requests.json"


@dataclasses.dataclass(frozen=True)
class SignIn:
    """Somebody who is signed in; `expires` in seconds since 1970."""

    name: str
    role: str
    sub: str
    issuer: str
    token: str = dataclasses.field(repr=False)
    expires: int
    service_id: str = ""
    """The service whose auditor it is; "" for others."""
    client_id: str = ""
    """As what the provider knows this program, for who signed in by a browser; else ""."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a service must keep of a request until she comes back with its code (RFC 7636).

    `key` is the request's id, and before that is known the `request_id` that asks.
    """

    key: str
    code_verifier: str = dataclasses.field(repr=False)
    state: str


class State:
    """The folder with what is remembered. Changes are made whole, one process at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def sign_in(self, name: str = "") -> SignIn | None:
        """Return a sign-in by name, or without one whoever signed in last."""
        known = self._read(_SIGN_INS)
        found = known.get("sign_ins", {}).get(name or known.get("current", ""))
        return _made(SignIn, found, self.home / _SIGN_INS) if found is not None else None

    def keep_sign_in(self, sign_in: SignIn, *, is_current: bool = True) -> None:
        """Remember a sign-in, as the one that commands use if `is_current`."""
        with self._changing(_SIGN_INS) as known:
            known.setdefault("sign_ins", {})[sign_in.name] = dataclasses.asdict(sign_in)
            if is_current:
                known["current"] = sign_in.name

    def forget_sign_in(self, name: str = "") -> str:
        """Forget a sign-in, or without a name whoever signed in last; return its name, or ""."""
        with self._changing(_SIGN_INS) as known:
            gone = name or known.get("current", "")
            if known.setdefault("sign_ins", {}).pop(gone, None) is None:
                return ""
            if known.get("current") == gone:
                known["current"] = ""
        return str(gone)

    def keep_asked(self, asked: Asked) -> None:
        """Remember the secrets of a request."""
        with self._changing(_ASKED) as known:
            known[asked.key] = dataclasses.asdict(asked)

    def asked(self, key: str) -> Asked | None:
        """Return the secrets of a request."""
        found = self._read(_ASKED).get(key)
        return _made(Asked, found, self.home / _ASKED) if found is not None else None

    def _read(self, file: str) -> dict[str, Any]:
        path = self.home / file
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise _unreadable(path) from error
        if not isinstance(found, dict):
            raise _unreadable(path)
        return found

    @contextlib.contextmanager
    def _changing(self, file: str) -> Iterator[dict[str, Any]]:
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_file = os.open(self.home / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(lock_file, "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                known = self._read(file)
                yield known
                write_whole(self.home / file, json.dumps(known, indent=1).encode("ascii"))
        except OSError as error:
            message = f"Nothing can be kept in {self.home}."
            step = "Name a folder of your own in CITIZEN_VAULT_HOME."
            raise CommandError(message, step, ExitCode.REFUSED) from error


def config_home(environment: Mapping[str, str], user_home: Path) -> Path:
    """Return the folder with what is remembered (XDG Base Directory Specification)."""
    named = environment.get("CITIZEN_VAULT_HOME", "")
    if named:
        return user_home / named
    return user_home / (environment.get("XDG_CONFIG_HOME") or ".config") / "citizen-vault"


def _made(kind: type[Any], found: Any, path: Path) -> Any:
    try:
        return kind(**found)
    except TypeError as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> CommandError:
    return CommandError(f"{path} cannot be read.", "Delete it and sign in again.")
