# SPDX-License-Identifier: Apache-2.0
"""What this server runs: its release, the digest of its files, and that of its settings.

The files' digest can be made again by anybody who has the release: SHA-256 of one line for each
file, as `sha256sum` prints it, sorted by path.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

import vault
from vault.application.operations import Running
from vault.configuration.config import Config
from vault.domain.canonical import b64, digest, encode
from vault.sealing.wrapper import FileKeyWrapper
from vault.stores import forms_of

PACKAGES: Final = ("projections", "vault")
_COMPILED: Final = "__pycache__"


def running(config: Config) -> Running:
    """Return what a server of this configuration runs, once its stores are open."""
    events_form, keys_form = forms_of(config)
    return Running(
        release=vault.__version__,
        program_hash=program_hash(),
        configuration_hash=configuration_hash(config),
        events_form=events_form,
        keys_form=keys_form,
        wrapping_key=FileKeyWrapper(config.key_file).epoch,
    )


@cache
def program_hash() -> str:
    """Return the digest of the installed files, base64url."""
    root = Path(vault.__file__).parents[1]
    lines = hashlib.sha256()
    for path in sorted(_files(root), key=lambda one: one.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        lines.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n".encode())
    return b64(lines.digest())


def configuration_hash(config: Config) -> str:
    """Return the digest of the settings, base64url; what `repr` hides is left out as a secret."""
    return digest(encode(_shown(config)))


def _files(root: Path) -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and _COMPILED not in path.parts
    ]


def _shown(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _shown(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.repr
        }
    if isinstance(value, frozenset | set):
        return sorted(map(_shown, value))
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    return value if isinstance(value, int | str | None) else str(value)
