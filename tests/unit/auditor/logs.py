# SPDX-License-Identifier: Apache-2.0
"""A whole log in somebody's hands: streams of one lane, checkpoints, proofs, receipts, an export.

Its people decide by a step-up of their provider, as `Signing` signs it; its checkpoints are signed
by the log and cosigned by two witnesses, whom `POLICY` asks for both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.auditor.audit import Export, audit
from clients.auditor.note import ED25519, Key
from clients.auditor.payloads import read_payloads
from clients.auditor.policy import parse_policy
from clients.auditor.provider import Provider, read_provider
from clients.auditor.report import Report
from clients.auditor.trust import Trust
from tests.unit.auditor.stories import (
    ADDRESS_NAMES,
    CARE,
    ORIGIN,
    PUBLIC_KEY,
    SALT,
    Placed,
    Story,
    asked_terms,
    asks,
    chooses,
    log_signer,
    wants,
)
from vault.domain import vault
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, digest, encode, unb64
from vault.domain.events import Draft, stored_name_of
from vault.domain.values import NO_REGISTRY, Approval, Frequency, PayloadMark, RegistryMark
from vault.sealing import envelope
from vault.sealing.envelope import Context
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Note, Signer
from vault.transparency.proof import InclusionProof
from vault.transparency.tree import levels_of, path_of

LOG: Final = log_signer(ORIGIN)
WITNESSES: Final = tuple(
    CosignatureSigner(f"{name}.example", name.encode().ljust(32)) for name in ("ada", "ben")
)
POLICY: Final = "\n".join(
    [
        f"log {LOG.verifier.vkey}",
        *(f"witness {w.verifier.name} {w.verifier.vkey}" for w in WITNESSES),
        "group both all ada.example ben.example",
        "quorum both",
    ]
).encode()
PROVIDER_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
_PROVIDERS_KEYS: Final = [
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "provider",
        "x": b64(PROVIDER_KEY.public_key().public_bytes_raw()),
    }
]
HER_SIGN_IN: Final = {"issuer": "https://provider.example", "client_id": "vault", "sub": "she"}


def jwks(**sign_in: str) -> bytes:
    """Return the provider's keys, and beside them what is known of her sign-in."""
    return json.dumps({"keys": _PROVIDERS_KEYS, **sign_in}).encode()


JWKS: Final = jwks(**HER_SIGN_IN)
HISTORY_KEY: Final = envelope.Key("00000000-0000-4000-8000-00000000aaaa", b"k" * 32)
COSIGNED: Final = 1_800_000_000


def trust() -> Trust:
    """Return that the log's key is pinned, both witnesses are asked for, and the receipt key."""
    return Trust(
        pinned=(Key.parse(LOG.verifier.vkey, ED25519),),
        policy=parse_policy(POLICY),
        receipt_keys=(PUBLIC_KEY,),
    )


def provider() -> Provider:
    """Return the keys of her provider."""
    return read_provider(JWKS)


def id_token(
    nonce: str, time: str, key: Ed25519PrivateKey = PROVIDER_KEY, sub: str = HER_SIGN_IN["sub"]
) -> str:
    """Return an ID token in which the provider, or somebody else, signed a nonce."""
    now = int(datetime.fromisoformat(time).timestamp())
    header = {"alg": "EdDSA", "kid": "provider"}
    claims = {
        "iss": HER_SIGN_IN["issuer"],
        "aud": HER_SIGN_IN["client_id"],
        "sub": sub,
        "nonce": nonce,
        "iat": now,
        "auth_time": now,
    }
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{b64(key.sign(text.encode()))}"


@dataclass
class Signing(Story):
    """A history whose decisions her provider signed."""

    sealed: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """What lies beside each version, as an export has it."""
    proofs: list[bytes] = field(default_factory=list)

    def decide(self, draft: Draft, mark: RegistryMark = NO_REGISTRY) -> Placed:
        """Append a decision, with the step-up that shows it to be hers."""
        nonce = challenge_of(stored_name_of(draft.facts), draft.shown)
        return self.decide_by(draft, mark, id_token(nonce, self.time))

    def decide_by(self, draft: Draft, mark: RegistryMark, token: str) -> Placed:
        """Append a decision with a proof, whatever it proves."""
        proof = encode(
            {
                "kind": "oidc-step-up",
                "proof": token,
                "salt": SALT,
                "shown": draft.shown.decode(),
            }
        )
        self.proofs.append(proof)
        return self.decide_with(draft, mark, proof)

    def decide_with(self, draft: Draft, mark: RegistryMark, proof: bytes) -> Placed:
        """Append a decision with a sealed proof."""
        stream = self.vault[0].event.link.stream
        context = Context(stream=stream, kind="approval", key_id=HISTORY_KEY.key_id)
        sealed = envelope.seal(HISTORY_KEY, context, proof)
        named = PayloadMark(
            kind="approval",
            hash=digest(sealed),
            key_id=HISTORY_KEY.key_id,
            commitment=HISTORY_KEY.commitment,
        )
        approval = Approval(kind="oidc-step-up", proof_hash=digest(proof))
        placed = self.record(draft, mark, (named,), approval=approval)
        line = {"kind": "approval", "sealed": b64(sealed), "key": b64(HISTORY_KEY.secret)}
        self.sealed[placed.event.link.version] = [line]
        return placed


@dataclass(frozen=True)
class Log:
    """The records of a lane, each at its place, and who signs its checkpoints."""

    placed: tuple[Placed, ...]
    signer: Signer = LOG
    witnesses: tuple[CosignatureSigner, ...] = WITNESSES

    @classmethod
    def of(cls, *streams: Sequence[Placed], after: Sequence[Placed] = ()) -> Log:
        """Return a log of streams, in the order of time; what comes after them comes after all."""
        events = [placed.event for stream in streams for placed in stream]
        events.sort(key=lambda event: event.facts.time)
        events += [placed.event for placed in after]
        return cls(tuple(Placed(event, index) for index, event in enumerate(events)))

    @property
    def lines(self) -> list[bytes]:
        """Return the lines of its export."""
        return [placed.line + b"\n" for placed in self.placed]

    @property
    def leaves(self) -> list[bytes]:
        """Return its leaves."""
        return [unb64(placed.event.leaf) for placed in self.placed]

    @cached_property
    def signed(self) -> dict[int, Note]:
        """Checkpoints that were made, by size."""
        return {}

    def checkpoint(self, size: int = 0) -> Note:
        """Return the signed checkpoint of a size; 0: of all."""
        size = size or len(self.placed)
        if size not in self.signed:
            head = Checkpoint(self.signer.verifier.name, size, levels_of(self.leaves[:size])[-1][0])
            cosigned = (witness.cosign(head, COSIGNED) for witness in self.witnesses)
            self.signed[size] = Note(head.body(), (self.signer.sign(head.body()), *cosigned))
        return self.signed[size]

    def proof(self, index: int, size: int = 0) -> str:
        """Return the proof of an entry."""
        size = size or len(self.placed)
        path = path_of(levels_of(self.leaves[:size]), index)
        return InclusionProof(index, path, self.checkpoint(size)).encode().decode()

    def receipt(self, index: int, size: int = 0) -> bytes:
        """Return the receipt of an entry, with its proof."""
        return self.placed[index].receipt_with(proof=self.proof(index, size))

    def stream(self, name: str) -> list[Placed]:
        """Return the records of a stream."""
        return [placed for placed in self.placed if placed.event.link.stream == name]


@dataclass(frozen=True)
class Folder:
    """What a person took away, as the lines of its files."""

    history: list[bytes]
    registry: list[bytes]
    payloads: list[bytes]
    proofs: list[bytes]

    @classmethod
    def of(cls, log: Log, story: Signing) -> Folder:
        """Return her export out of a log."""
        history = log.stream(story.vault[0].event.link.stream)
        registry = log.stream(story.registry[0].event.link.stream)
        proofs = [
            {
                "leaf_index": placed.leaf_index,
                "origin": log.signer.verifier.name,
                "proof": log.proof(placed.leaf_index),
            }
            for placed in (*history, *registry)
        ]
        payloads = [
            {"leaf_index": placed.leaf_index, **line}
            for placed in history
            for line in story.sealed.get(placed.event.link.version, [])
        ]
        return cls(
            history=[placed.line for placed in history],
            registry=[placed.line for placed in registry],
            payloads=[json.dumps(line).encode() for line in payloads],
            proofs=[json.dumps(line).encode() for line in proofs],
        )

    def audit(
        self, receipts: Sequence[bytes] = (), checkpoints: Sequence[bytes] = (), **options: Any
    ) -> Report:
        """Judge it."""
        payloads = read_payloads(self.payloads)
        payloads.read_file = options.get("files", {}).get
        export = Export(
            self.history,
            self.registry,
            proofs=_proofs(self.proofs),
            payloads=payloads,
            receipts=receipts,
            checkpoints=checkpoints,
            operations=options.get("operations"),
            end=options.get("end"),
        )
        return audit(
            export, options.get("trust") or trust(), provider=options.get("provider") or provider()
        )


def _proofs(lines: Iterable[bytes]) -> dict[tuple[str, int], str]:
    values = [json.loads(line) for line in lines]
    return {(value["origin"], value["leaf_index"]): value["proof"] for value in values}


def a_log() -> tuple[Log, Signing, Signing]:
    """Return a log with a registry and two vaults, and the stories of these."""
    first = Signing()
    first.found()
    second = Signing(
        name="00000000-0000-8000-8000-00000000000c", registry=first.registry, time=first.time
    )
    second.record(vault.open_vault(second.stamp))
    for story in (first, second):
        tell_all(story)
    return Log.of(first.registry, first.vault, second.vault), first, second


def tell_all(story: Signing) -> None:
    """Let something of every sort happen in a vault."""
    story.provide("address", "postal_address", ADDRESS_NAMES)
    asked = asked_terms(
        CARE,
        "home-care",
        asks("postal_address", ("line1",), ("postcode",)),
        frequency=Frequency(count=2, period_seconds=86_400),
    )
    story.ask("request", asked)
    story.grant("request", "consent", chooses("address", "line1", "postcode"))
    story.disclose("consent", wants("postal_address", "line1"))
    story.replace("address", ADDRESS_NAMES)
    story.disclose("consent", wants("postal_address", "line1", "postcode"))
    story.refuse("consent", "FIELD_NOT_GRANTED", wants("income", "amount"))
    story.record(vault.read(story.stamp, "evidence"))
    story.revoke("consent")
