# SPDX-License-Identifier: Apache-2.0
"""What somebody with every right could do to a log that others have seen, drawn at random.

Each edit is judged by the auditor's own program alone, from an export and what was kept of the log
before: three checkpoints that two witnesses cosigned, and receipts. Each returns whether it was
found: as a failure; but a bit of a checkpoint or a proof may also cost no more than a signature, so
that what was verified is no more.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace as replaced

from clients.auditor.facts import REGISTRY_FACTS, VAULT_FACTS
from clients.auditor.log import LogReport, audit_log
from clients.auditor.promises import judge_receipts
from clients.auditor.report import Report
from tests.unit.auditor.logs import Folder, Log, Signing, a_log, id_token, trust
from tests.unit.auditor.stories import (
    CARE,
    SESSION,
    Placed,
    asked_terms,
    asks,
    chooses,
)
from tests.unit.auditor.tampering import relinked
from vault.domain.approval import challenge_of
from vault.domain.canonical import b64, unb64
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.events import Draft, stored_name_of
from vault.domain.values import Approval, Frequency, RegistryMark, later
from vault.store.record import entry_of, link_event
from vault.transparency.tiles import TileEdge, TileReader
from vault.transparency.tree import inclusion_path

STRANGER: Final = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A log that others have seen, and what they kept of it."""

    log: Log
    first: Signing
    second: Signing
    path: Path

    @classmethod
    def made(cls, path: Path) -> Seen:
        """Make one; exports are written to a path."""
        return cls(*a_log(), path)

    @cached_property
    def rows(self) -> list[Row]:
        """The lines of the export, parsed."""
        return [json.loads(line) for line in self.log.lines]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Of which a checkpoint was kept."""
        size = len(self.log.placed)
        return size // 3, 2 * size // 3, size

    @cached_property
    def checkpoints(self) -> list[bytes]:
        """Checkpoints that were kept."""
        return [self.log.checkpoint(size).encode() for size in self.sizes]

    @cached_property
    def receipts(self) -> list[bytes]:
        """Receipts that were kept, each with its proof."""
        kinds = (ConsentGranted, EvidenceDisclosed)
        kept = [p.leaf_index for p in self.log.placed if isinstance(p.event.facts, kinds)]
        return [self.log.receipt(index) for index in kept]

    @cached_property
    def hers(self) -> list[bytes]:
        """Those of the one who took hers away."""
        own = {placed.event.leaf for placed in self.first.vault}
        return [receipt for receipt in self.receipts if json.loads(receipt)["leaf_hash"] in own]

    @cached_property
    def folder(self) -> Folder:
        """What one of the two took away."""
        return Folder.of(self.log, self.first)

    def judge(
        self,
        rows: Sequence[Row],
        checkpoints: Sequence[bytes] | None = None,
        receipts: Sequence[bytes] | None = None,
    ) -> LogReport:
        """Have the program judge an export, with everything that was kept unless it is said."""
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
        return audit_log(
            self.path,
            trust(),
            checkpoints=self.checkpoints if checkpoints is None else checkpoints,
            receipts=self.receipts if receipts is None else receipts,
        )


def is_found(report: LogReport) -> bool:
    """Say whether a log fails, or something of what was kept is verified no more."""
    held = [answer.verdict for answer in (*report.checkpoints, *report.receipts)]
    return bool(report.findings.count) or {*held, report.coverage.verdict} != {"VERIFIED"}


def fails(report: LogReport) -> bool:
    """Say whether a log fails, whoever signed it."""
    return report.verdict == "FAILED"


def is_hers_no_more(report: Report) -> bool:
    """Say whether a history is no longer verified."""
    return report.verdict != "VERIFIED"


# --- Bits ---------------------------------------------------------------------------------------


def flipped(draw: Random, data: bytes) -> bytes:
    """Return bytes of which one bit is another."""
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def _flip_in(name: str, seen: Seen, draw: Random) -> bool:
    rows = [dict(row) for row in seen.rows]
    row = draw.choice(rows)
    row[name] = flipped(draw, row[name].encode()).decode("latin-1")
    return fails(seen.judge(rows))


def flip_link(seen: Seen, draw: Random) -> bool:
    """Flip a bit in a link."""
    return _flip_in("link", seen, draw)


def flip_facts(seen: Seen, draw: Random) -> bool:
    """Flip a bit in facts."""
    return _flip_in("facts", seen, draw)


def flip_payload(seen: Seen, draw: Random) -> bool:
    """Flip a bit in what lies sealed beside a record, or in its key."""
    lines = [json.loads(line) for line in seen.folder.payloads]
    line = draw.choice(lines)
    name = draw.choice(["sealed", "key"])
    line[name] = b64(flipped(draw, unb64(line[name])))
    folder = replace(seen.folder, payloads=[json.dumps(line).encode() for line in lines])
    return is_hers_no_more(folder.audit())


def flip_tile(seen: Seen, draw: Random) -> bool:
    """Flip a bit in a published tile, and take a proof out of it."""
    ((tile, data),) = TileEdge().extend(seen.log.leaves)
    place = draw.randrange(len(data) // 32)
    # The proof of an entry holds every hash but its own.
    index = draw.choice([i for i in range(len(data) // 32) if i != place])
    start = place * 32
    changed = data[:start] + flipped(draw, data[start : start + 32]) + data[start + 32 :]
    reader = TileReader({tile.path: changed}.__getitem__, len(seen.log.leaves))
    path = inclusion_path(reader.nodes, index, len(seen.log.leaves))
    honest = seen.log.proof(index)
    lines = honest.split("\n")
    end = lines.index("")
    lines[2:end] = [_standard(each) for each in path]
    receipt = seen.log.placed[index].receipt_with(proof="\n".join(lines))
    return judge_receipts([receipt], trust()).verdict != "VERIFIED"


def flip_checkpoint(seen: Seen, draw: Random) -> bool:
    """Flip a bit in a checkpoint that was kept."""
    kept = list(seen.checkpoints)
    place = draw.randrange(len(kept))
    kept[place] = flipped(draw, kept[place])
    return is_found(seen.judge(seen.rows, kept))


def flip_proof(seen: Seen, draw: Random) -> bool:
    """Flip a bit in a proof of hers."""
    lines = [json.loads(line) for line in seen.folder.proofs]
    line = draw.choice(lines)
    line["proof"] = flipped(draw, line["proof"].encode()).decode("latin-1")
    folder = replace(seen.folder, proofs=[json.dumps(line).encode() for line in lines])
    return is_hers_no_more(folder.audit())


# --- Rows ---------------------------------------------------------------------------------------


def _numbered(draw: Random, rows: Sequence[Row]) -> list[Row]:
    """Return rows as they are, or numbered anew as if nothing had been there."""
    if draw.random() < 0.5:
        return list(rows)
    return [{**row, "leaf_index": index} for index, row in enumerate(rows)]


def swap_rows(seen: Seen, draw: Random) -> bool:
    """Let two rows change places."""
    rows = list(seen.rows)
    one, other = draw.sample(range(len(rows)), 2)
    rows[one], rows[other] = rows[other], rows[one]
    return fails(seen.judge(_numbered(draw, rows)))


def delete_row(seen: Seen, draw: Random) -> bool:
    """Delete a row."""
    rows = list(seen.rows)
    del rows[draw.randrange(len(rows) - 1)]
    return fails(seen.judge(_numbered(draw, rows)))


def reorder_rows(seen: Seen, draw: Random) -> bool:
    """Take a row out and put it in elsewhere."""
    rows = list(seen.rows)
    place = draw.randrange(len(rows))
    row = rows.pop(place)
    rows.insert(draw.choice([i for i in range(len(rows) + 1) if i != place]), row)
    return fails(seen.judge(_numbered(draw, rows)))


def cut_tail(seen: Seen, draw: Random) -> bool:
    """Cut off the end; one checkpoint or one receipt of it was kept."""
    size = draw.randrange(1, len(seen.rows))
    return _cut(seen, draw, size, [])


def roll_back(seen: Seen, draw: Random) -> bool:
    """Show yesterday's log, with the checkpoint that was honest then."""
    size = draw.randrange(1, len(seen.rows))
    return _cut(seen, draw, size, [seen.log.checkpoint(size).encode()])


def _cut(seen: Seen, draw: Random, size: int, checkpoints: list[bytes]) -> bool:
    later_ones = [seen.log.checkpoint(n).encode() for n in seen.sizes if n > size]
    promised = [r for r in seen.receipts if json.loads(r)["leaf_index"] >= size]
    if promised and draw.random() < 0.5:
        return fails(seen.judge(seen.rows[:size], checkpoints, [draw.choice(promised)]))
    return fails(seen.judge(seen.rows[:size], [*checkpoints, draw.choice(later_ones)], []))


def change_type(seen: Seen, draw: Random) -> bool:
    """Call a record something else, and name its new digest."""
    rows = [dict(row) for row in seen.rows]
    row = draw.choice(rows)
    facts = json.loads(row["facts"])
    others = sorted((VAULT_FACTS | REGISTRY_FACTS).keys() - {facts["type"]})
    facts["type"] = draw.choice(others)
    row["facts"] = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    row["entry"] = b64(entry_of(f"{row['link']}\n{row['facts']}".encode()))
    return fails(seen.judge(rows))


# --- With every key but the witnesses' and hers --------------------------------------------------


def sign_again(seen: Seen, draw: Random) -> bool:
    """Rewrite a history, link it anew, and sign the log with its real key.

    Of what was signed before, one checkpoint or one receipt after the first change was kept.
    """
    story = draw.choice([seen.first, seen.second])
    placed = list(story.vault)
    place = draw.randrange(2, len(placed) - 1)
    changed = _rewritten(draw, placed, place)
    other = seen.second if story is seen.first else seen.first
    forged = replace(Log.of(seen.first.registry, changed, other.vault), witnesses=())
    (at,) = (p.leaf_index for p in seen.log.placed if p.event == placed[place].event)
    rows = [json.loads(line) for line in forged.lines]
    own = forged.checkpoint().encode()
    promised = [
        receipt
        for receipt in seen.receipts
        if json.loads(receipt)["leaf_index"] >= at
        and any(json.loads(receipt)["leaf_hash"] == p.event.leaf for p in placed[place:])
    ]
    if promised and draw.random() < 0.5:
        return fails(seen.judge(rows, [own], [draw.choice(promised)]))
    kept = draw.choice([size for size in seen.sizes if size > at])
    report = seen.judge(rows, [own, seen.log.checkpoint(kept).encode()], [])
    said = any("contradicts the witness" in finding.what for finding in report.findings.listed)
    return fails(report) and said


def _rewritten(draw: Random, placed: list[Placed], place: int) -> list[Placed]:
    event = placed[place].event
    if draw.random() < 0.5:
        return relinked([*placed[:place], *placed[place + 1 :]])
    facts = replaced(event.facts, salt=b64(draw.randbytes(16)))
    edited = Placed(link_event(event.link, facts), placed[place].leaf_index)
    return relinked([*placed[:place], edited, *placed[place + 1 :]])


def insert_grant(seen: Seen, draw: Random) -> bool:
    """Invent a consent of hers, which everybody signs who signs: the log and its witnesses."""
    story = copy.deepcopy(seen.first)
    story.time = later(seen.log.placed[-1].event.facts.time, seconds=5)
    forger = draw.choice(_FORGERIES)
    asked = asked_terms(
        CARE,
        "home-care",
        asks("postal_address", ("line1",), ("postcode",)),
        frequency=Frequency(count=2, period_seconds=86_400),
    )
    story.ask("forged", asked)
    story.decide = lambda draft, mark: forger(story, draft, mark)  # type: ignore[method-assign]
    story.wait(seconds=draw.randrange(1, 600))
    story.grant("forged", "forged-consent", chooses("address", "line1", "postcode"))
    log = Log.of(story.registry, story.vault, seen.second.vault)
    report = Folder.of(log, story).audit(checkpoints=seen.checkpoints)
    return report.verdict == "NOT SHOWN TO BE HERS" and not report.findings


def _in_session(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    return story.record(draft, mark, approval=SESSION)


def _on_paper(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    placed = story.decide_with(draft, mark, b"a paper")
    approval = Approval(kind="paper", proof_hash=placed.event.link.approval.proof_hash)
    link = replaced(placed.event.link, approval=approval)
    story.vault[-1] = Placed(link_event(link, placed.event.facts), placed.leaf_index)
    return story.vault[-1]


def _with_an_old_proof(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    return story.decide_with(draft, mark, story.proofs[0])


def _with_an_old_token(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    return story.decide_by(draft, mark, json.loads(story.proofs[0])["proof"])


def _with_a_token_of_his_own(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    nonce = challenge_of(stored_name_of(draft.facts), draft.shown)
    return story.decide_by(draft, mark, id_token(nonce, story.time, STRANGER))


def _with_an_account_of_his_own(story: Signing, draft: Draft, mark: RegistryMark) -> Placed:
    nonce = challenge_of(stored_name_of(draft.facts), draft.shown)
    return story.decide_by(draft, mark, id_token(nonce, story.time, sub="operator"))


_FORGERIES: Final = (
    _in_session,
    _on_paper,
    _with_an_old_proof,
    _with_an_old_token,
    _with_a_token_of_his_own,
    _with_an_account_of_his_own,
)

EDITS: Final[tuple[Callable[[Seen, Random], bool], ...]] = (
    flip_link,
    flip_facts,
    flip_payload,
    flip_tile,
    flip_checkpoint,
    flip_proof,
    swap_rows,
    delete_row,
    reorder_rows,
    cut_tail,
    change_type,
    roll_back,
    sign_again,
    insert_grant,
)


def _standard(data: bytes) -> str:
    return b64(data).translate(str.maketrans("-_", "+/")) + "="
