# SPDX-License-Identifier: Apache-2.0
"""The key of a witness, in a file that is its owner's alone.

PRIVATE+KEY+<name>+<id in hexadecimal>+<base64 of 0x04 ‖ seed>
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vault.sealing.private_file import new_private_file, privacy_fault
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.encoding import FormError, encode_base64, parse_base64

_PREFIX: Final = "PRIVATE+KEY+"
_TYPE: Final = b"\x04"
_SEED_BYTES: Final = 32


class WitnessKeyError(Exception):
    """The file holds no key of a witness that may be used; the message says what to do."""


def read_key(path: Path) -> CosignatureSigner:
    """Return the key in a file.

    Raises:
        WitnessKeyError: it is missing, open to others, or no such file.
    """
    try:
        with path.open("rb") as file:
            fault = privacy_fault(os.fstat(file.fileno()))
            text = file.read(4096).decode("ascii", "replace").strip()
    except OSError as error:
        raise WitnessKeyError(f"{path} cannot be read: {error.strerror}.") from error
    if fault:
        raise WitnessKeyError(f"{path} {fault}.")
    try:
        name, key_id, encoded = text.removeprefix(_PREFIX).split("+", 2)
        material = parse_base64(encoded)
        signer = CosignatureSigner(name, material.removeprefix(_TYPE))
    except (FormError, ValueError):
        raise WitnessKeyError(f"{path} does not hold the key of a witness.") from None
    is_ours = text.startswith(_PREFIX) and material.startswith(_TYPE)
    if not is_ours or signer.verifier.key_id.hex() != key_id:
        raise WitnessKeyError(f"{path} does not hold the key of a witness.")
    return signer


def create_key(path: Path, name: str) -> CosignatureSigner:
    """Draw a key and keep it in a new file.

    Raises:
        WitnessKeyError: no key can have this name, or the file cannot be made.
    """
    seed = os.urandom(_SEED_BYTES)
    try:
        signer = CosignatureSigner(name, seed)
    except FormError as error:
        raise WitnessKeyError(f"A witness cannot have this name: {error}.") from None
    text = f"{_PREFIX}{name}+{signer.verifier.key_id.hex()}+{encode_base64(_TYPE + seed)}\n"
    try:
        with new_private_file(path) as unfinished:
            unfinished.write_text(text, encoding="ascii")
    except OSError as error:
        raise WitnessKeyError(f"{path} cannot be made: {error.strerror}.") from error
    return signer
