# SPDX-License-Identifier: Apache-2.0
"""Writes each case of a receipt that is missing: `python -m tests.vectors.generate_receipts`.

By the definitions alone (RFC 6962, RFC 8032) and nothing of the server's. A case that exists is
never written again: receipts lie with those who were given them.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests import rfc6962

FOLDER: Final = Path(__file__).parent / "receipts"
EVENTS: Final = Path(__file__).parent / "events"
SEED: Final = bytes(range(32))
KEY_ID: Final = "77777777-1111-4000-8000-0000000000b1"
ORIGIN: Final = "demo/0"
NAMES: Final = (
    "evidence-disclosed.1",
    "consent-granted.1",
    "consent-narrowed.1",
    "consent-extended.1",
    "consent-paused.1",
    "consent-resumed.1",
    "consent-revoked.1",
)
"""What stands at the leaf indexes from `FIRST` on."""
FIRST: Final = 40
_KEY: Final = Ed25519PrivateKey.from_private_bytes(SEED)

Receipt: TypeAlias = dict[str, Any]
Change: TypeAlias = Callable[[Receipt], object]


def b64(data: bytes) -> str:
    """Encode bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def record(number: int) -> Receipt:
    """Return what all receipts of a record have, without a signature."""
    sample = json.loads((EVENTS / f"{NAMES[number]}.json").read_bytes())
    link_hash = hashlib.sha256(sample["link"].encode()).digest()
    facts_hash = hashlib.sha256(sample["facts"].encode()).digest()
    return {
        "facts": sample["facts"],
        "link_hash": b64(link_hash),
        "origin": ORIGIN,
        "leaf_index": FIRST + number,
        "leaf_hash": b64(rfc6962.leaf(b"\x01" + link_hash + facts_hash)),
        "key_id": KEY_ID,
    }


def alone(number: int = 0) -> Receipt:
    """Return the receipt of a record."""
    receipt = record(number)
    return {**receipt, "signature": b64(_KEY.sign(message(receipt)))}


def together(size: int) -> list[Receipt]:
    """Return the receipts of so many records, signed together."""
    receipts = [record(number) for number in range(size)]
    leaves = [rfc6962.leaf(message(receipt)) for receipt in receipts]
    root = b64(rfc6962.root(leaves))
    signature = b64(_KEY.sign(canonical(["citizen-vault/receipts/1", size, root])))
    return [
        {
            **receipt,
            "signature": signature,
            "batch": {
                "index": index,
                "size": size,
                "path": [b64(one) for one in rfc6962.path(index, leaves)],
            },
        }
        for index, receipt in enumerate(receipts)
    ]


def message(receipt: Receipt) -> bytes:
    """Return what is signed, or what the leaf of those that are signed together is the hash of."""
    context = "citizen-vault/receipt/1"
    return canonical([context, receipt["origin"], receipt["leaf_index"], receipt["leaf_hash"]])


def canonical(value: object) -> bytes:
    """Return canonical JSON of plain ASCII."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def cases() -> dict[str, dict[str, Any]]:
    """Return every case by its name."""
    good = {
        "alone": ("It was signed alone.", alone()),
        "batch-of-one": ("It was signed with no other: the leaf is the root.", together(1)[0]),
        "batch-of-two-second": ("The second of two.", together(2)[1]),
        "batch-of-seven-third": ("The third of seven: left, right and left.", together(7)[2]),
        "batch-of-seven-last": (
            "The last of seven, which has no sibling at first: its path is shorter.",
            together(7)[6],
        ),
    }
    bad = {name: (desc, changed(name)) for name, (desc, _) in CHANGES.items()}
    return {
        **{name: case(*made, verifies=True) for name, made in good.items()},
        **{name: case(*made, verifies=False) for name, made in bad.items()},
    }


def case(desc: str, receipt: Receipt, *, verifies: bool) -> dict[str, Any]:
    """Return a case."""
    return {"desc": desc, "receipt": receipt, "verifies": verifies}


def changed(name: str) -> Receipt:
    """Return the third receipt of seven with one thing changed."""
    receipt = copy.deepcopy(together(7)[2])
    CHANGES[name][1](receipt)
    return receipt


def place(**values: object) -> Change:
    """Return what changes its place."""
    return lambda receipt: receipt["batch"].update(values)


def path(change: Callable[[list[str]], object]) -> Change:
    """Return what changes its path."""
    return lambda receipt: change(receipt["batch"]["path"])


def _sized(number: int, index: int, size: int) -> Change:
    """Return what puts one of four in its place, signed as one of so many."""

    def change(receipt: Receipt) -> None:
        four = [record(each) for each in range(4)]
        root = b64(rfc6962.root([rfc6962.leaf(message(each)) for each in four]))
        receipt.update(together(4)[number])
        receipt["batch"].update(index=index, size=size)
        receipt["signature"] = b64(_KEY.sign(canonical(["citizen-vault/receipts/1", size, root])))

    return change


def _as_alone(receipt: Receipt) -> None:
    receipt["signature"] = alone(2)["signature"]


CHANGES: Final[dict[str, tuple[str, Change]]] = {
    "wrong-index": ("Its place is said to be another.", place(index=3)),
    "index-beyond": ("Its place is beyond the tree.", place(index=7)),
    "index-with-the-same-low-bits": ("Its place is one tree further.", place(index=10)),
    "wrong-size": ("The tree is said to be larger than it was signed.", place(size=8)),
    "size-nought": ("The tree is said to be empty.", place(index=0, size=0, path=[])),
    "path-too-short": ("The last hash of its path is missing.", path(lambda p: p.pop())),
    "path-too-long": ("Its path goes on beyond the root.", path(lambda p: p.append(p[0]))),
    "path-empty": ("It is said to be the root itself.", place(index=0, size=1, path=[])),
    "path-turned-round": ("Its path begins at the root.", path(lambda p: p.reverse())),
    "path-of-another": (
        "Its path is that of the receipt beside it.",
        place(path=together(7)[3]["batch"]["path"]),
    ),
    "place-of-another": (
        "Its whole place is that of another receipt.",
        lambda receipt: receipt.update(batch=together(7)[4]["batch"]),
    ),
    "path-of-another-batch": (
        "Its path is that of the same record in a batch of three.",
        place(path=together(3)[2]["batch"]["path"]),
    ),
    "fewer-than-signed": (
        "It is one of four, and the key signed them as eight: its path is too short.",
        _sized(2, 2, 8),
    ),
    "more-than-signed": (
        "It is one of four, and the key signed them as two: its path is too long.",
        _sized(3, 1, 2),
    ),
    "path-of-half-a-hash": (
        "One hash of its path is cut in two.",
        path(lambda p: p.__setitem__(0, p[0][:20])),
    ),
    "batch-removed": (
        "The signature of many is said to be its own.",
        lambda receipt: receipt.pop("batch"),
    ),
    "batch-added": ("Its own signature is said to be that of many.", _as_alone),
    "signature-of-another-batch": (
        "The signature is that of a batch of six.",
        lambda receipt: receipt.update(signature=together(6)[2]["signature"]),
    ),
    "leaf-index-of-another": (
        "It is said to stand where another record stands.",
        lambda receipt: receipt.update(leaf_index=FIRST + 3),
    ),
    "facts-of-another": (
        "It is said to be that of another record.",
        lambda receipt: receipt.update(
            {name: record(3)[name] for name in ("facts", "link_hash", "leaf_hash")}
        ),
    ),
    "negative-index": ("Its place is before the first.", place(index=-5)),
    "index-that-is-text": ("Its place is no number.", place(index="two")),
    "path-that-is-none": ("Its path is no list.", place(path=7)),
    "batch-that-is-none": (
        "Its place is said to be nothing.",
        lambda receipt: receipt.update(batch=None),
    ),
}
"""What was done to the third receipt of seven."""


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(exist_ok=True)
    for name, found in cases().items():
        file = FOLDER / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(found, indent=2) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
