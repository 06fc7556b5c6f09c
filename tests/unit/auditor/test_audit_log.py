# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of a whole log: its places, its checkpoints, its streams, its receipts."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as replaced

from clients.auditor.log import LogReport, audit_log
from clients.auditor.main import main
from clients.auditor.note import ED25519, Key
from clients.auditor.policy import parse_policy
from clients.auditor.trust import Signed, Trust
from tests.unit.auditor.logs import LOG, POLICY, WITNESSES, Log, Signing, a_log, tell_all, trust
from tests.unit.auditor.stories import (
    CARE,
    ORIGIN,
    SALT,
    Placed,
    asked_terms,
    asks,
    chooses,
    log_signer,
    wants,
)
from tests.unit.auditor.tampering import relinked
from vault.domain import registry
from vault.domain.consent import ConsentGranted
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.values import Frequency, later
from vault.store.record import link_event
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.note import Signer

SEEN, FIRST, SECOND = a_log()
SIZE = len(SEEN.placed)
HEAD = SEEN.checkpoint().encode()
EARLIER = SEEN.checkpoint(SIZE // 2).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def judged(
    path: Path,
    lines: Sequence[bytes] = SEEN.lines,
    checkpoints: Sequence[bytes] = (HEAD,),
    receipts: Sequence[bytes] = (),
    whom: Trust | None = None,
    **options: Any,
) -> LogReport:
    path.write_bytes(b"".join(lines))
    trusted = whom or trust()
    return audit_log(path, trusted, checkpoints=checkpoints, receipts=receipts, **options)


def said(report: LogReport) -> str:
    return "\n".join(map(str, report.findings.listed))


def place_of(kind: type[object]) -> int:
    return next(p.leaf_index for p in SEEN.placed if isinstance(p.event.facts, kind))


def numbered(lines: Sequence[bytes]) -> list[bytes]:
    """Return lines with dense leaf indexes."""
    rows = [json.loads(line) for line in lines]
    return [json.dumps({**row, "leaf_index": i}).encode() + b"\n" for i, row in enumerate(rows)]


def test_an_honest_log_is_sealed_from_the_auditor_in_its_proofs_alone(path: Path) -> None:
    report = judged(
        path, checkpoints=[EARLIER, HEAD], receipts=[SEEN.receipt(15), SEEN.receipt(20)]
    )

    assert (report.findings.count, report.size, report.uses) == (0, SIZE, 4)
    assert report.line == (
        "WITHHELD (the proofs of 2 decisions are sealed from this reader; "
        "key pinned, 2 independent witnesses; 2 receipts hold)"
    )
    assert report.streams == {"vault": 2, "registry": 1}


def test_two_processes_and_lines_of_any_json_say_the_same_as_one(path: Path) -> None:
    receipts = [SEEN.receipt(15), SEEN.receipt(20)]
    one = judged(path, receipts=receipts).as_json()

    assert judged(path, receipts=receipts, processes=2).as_json() == one
    rows = [json.loads(line) for line in SEEN.lines]
    compact = [json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows]
    assert judged(path, compact, receipts=receipts, processes=3).as_json() == one
    turned = [json.dumps(dict(reversed(row.items()))).encode() + b"\n" for row in rows]
    assert judged(path, turned, receipts=receipts, processes=2).as_json() == one


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_wrong_is_found_whoever_reads_it(path: Path, processes: int) -> None:
    lines = list(SEEN.lines)
    at = place_of(EvidenceDisclosed)
    lines[at] = lines[at].replace(b"postal", b"Postal").replace(b"line1", b"line2")

    report = judged(path, lines, processes=processes)

    where = (
        f"vault {SEEN.placed[at].event.link.stream} version {SEEN.placed[at].event.link.version}"
    )
    assert f"{where}, leaf index {at}: the record was changed" in said(report)


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("story", [FIRST, SECOND], ids=["first", "second"])
def test_a_last_record_with_a_good_head_and_a_broken_rest_is_found_by_whoever_reads_it(
    path: Path, story: Signing, processes: int
) -> None:
    at = SEEN.stream(story.vault[0].event.link.stream)[-1].leaf_index
    lines = list(SEEN.lines)
    lines[at] = json.dumps({**json.loads(lines[at]), "link": 5}).encode() + b"\n"

    report = judged(path, lines, processes=processes)

    assert report.verdict == "FAILED"
    assert said(report).count(f"line {at + 1} is no record") == 1


def test_no_name_of_a_stream_hides_a_record(path: Path, tmp_path: Path) -> None:
    story, apart = Signing(lane=1), tmp_path / "registry.jsonl"
    story.found()
    tell_all(story)
    lines = Log.of(story.vault).lines
    apart.write_bytes(b"".join(placed.line + b"\n" for placed in story.registry))
    honest = judged(path, lines, [], registry=apart)
    assert (honest.findings.count, honest.streams, honest.uses) == (0, {"vault": 1}, 2)

    lines[-1] = json.dumps({**json.loads(lines[-1]), "stream_id": ""}).encode() + b"\n"

    report = judged(path, lines, [], registry=apart)
    assert "its link names another stream or version than its line" in said(report)


def test_of_two_checkpoints_of_one_size_the_surer_counts() -> None:
    checkpoint = trust().judge(HEAD.decode()).checkpoint
    signed = [
        Signed(checkpoint, "pinned", ("ada.example",), is_quorum=True),
        Signed(checkpoint, "listed"),
        Signed(checkpoint, "unknown"),
    ]

    for surer, other in itertools.pairwise(signed):
        assert surer.reach() > other.reach()


def test_groups_may_lie_in_one_another_however_deep() -> None:
    (witness,) = WITNESSES[:1]
    lines = [f"witness w {witness.verifier.vkey}", "group g0 all w"]
    lines += [f"group g{number} any g{number - 1}" for number in range(1, 3_000)]
    policy = parse_policy("\n".join([*lines, "quorum g2999"]).encode())

    assert policy.is_met(policy.witnesses.values())
    assert not policy.is_met([])


# --- What no checkpoint covers ------------------------------------------------------------------


def undecided() -> list[bytes]:
    """Return the lines of the log, until a decision would be sealed."""
    return SEEN.lines[: place_of(ConsentGranted)]


def test_a_log_that_witnesses_signed_is_verified(path: Path) -> None:
    lines = undecided()

    report = judged(path, lines, [SEEN.checkpoint(len(lines)).encode()])

    assert (report.verdict, report.exit) == ("VERIFIED", 0)


@pytest.mark.parametrize(
    ("whom", "verdict", "why"),
    [
        (Trust(), "CONSISTENT ONLY", "key named by the registry alone, no independent witness"),
        (Trust(pinned=trust().pinned), "CONSISTENT ONLY", "key pinned, no independent witness"),
        (
            Trust(policy=parse_policy(POLICY.partition(b"\n")[2])),
            "CONSISTENT ONLY",
            "key named by the registry alone, 2 independent witnesses",
        ),
        (
            Trust(policy=parse_policy(POLICY.replace(b"both all", b"both 1"))),
            "VERIFIED",
            "2 independent witnesses",
        ),
    ],
)
def test_the_verdict_says_under_which_trust(
    path: Path, whom: Trust, verdict: str, why: str
) -> None:
    lines = undecided()

    report = judged(path, lines, [SEEN.checkpoint(len(lines)).encode()], whom=whom)

    assert report.verdict == verdict
    assert why in report.line


def test_one_witness_of_two_is_no_quorum(path: Path) -> None:
    lines = undecided()
    alone = replace(SEEN, witnesses=WITNESSES[:1]).checkpoint(len(lines)).encode()

    report = judged(path, lines, [alone])

    assert report.verdict == "CONSISTENT ONLY"
    assert "1 independent witness, which are no quorum" in report.line


def test_the_log_is_no_witness_of_itself(path: Path) -> None:
    own = CosignatureSigner("own.example", hashlib.sha256(ORIGIN.encode()).digest())
    assert own.verifier.public_key == LOG.verifier.public_key
    policy = f"witness own {own.verifier.vkey}\nquorum own\n".encode()
    lines = undecided()
    note = replace(SEEN, witnesses=(own,)).checkpoint(len(lines)).encode()

    report = judged(
        path, lines, [note], whom=Trust(pinned=trust().pinned, policy=parse_policy(policy))
    )

    assert report.verdict == "CONSISTENT ONLY"
    assert "no independent witness signed" in report.line


def test_a_log_without_checkpoint_is_unsigned_and_so_is_an_end_that_none_covers(
    path: Path,
) -> None:
    lines = undecided()
    earlier = SEEN.checkpoint(len(lines) - 3).encode()

    assert judged(path, lines, []).line == (
        "UNSIGNED (no checkpoint was shown, no independent witness signed)"
    )
    report = judged(path, lines, [earlier])
    assert report.verdict == "UNSIGNED"
    assert f"3 of {len(lines)} records are in no checkpoint" in report.line


# --- Places -------------------------------------------------------------------------------------


def test_gaps_and_what_is_out_of_place_are_listed(path: Path) -> None:
    cut = judged(path, [*SEEN.lines[:11], *SEEN.lines[14:]])
    assert "entries 11 to 13 are missing: leaf index 14 stands where 11 should" in said(cut)

    late = judged(path, [*SEEN.lines[:11], *SEEN.lines[12:14], SEEN.lines[11], *SEEN.lines[14:]])
    assert "leaf index 11: an entry is out of its place, or there twice" in said(late)


def test_a_stream_that_forks_is_found(path: Path) -> None:
    (use,) = [SEEN.placed[place_of(EvidenceDisclosed)]]
    other = link_event(use.event.link, replaced(use.event.facts, salt=SALT[:-1] + "Q"))
    forked = Log.of(FIRST.registry, FIRST.vault, SECOND.vault, after=[Placed(other, 0)])

    report = judged(path, forked.lines, [forked.checkpoint().encode()])

    assert f"it stands after version {len(FIRST.vault)}" in said(report)


def test_no_more_than_a_thousand_findings_are_listed_and_all_are_counted(path: Path) -> None:
    lines = [b"nonsense\n"] * 1_200

    report = judged(path, lines, [])

    assert (len(report.findings.listed), report.findings.count) == (1_000, 1_202)
    assert "and 1201 more" in report.line
    assert "  and 202 more" in list(report.as_text())


# --- What was signed before ---------------------------------------------------------------------


def rewritten(kind: type[object] = EvidenceDisclosed) -> Log:
    """Return the log without one record, linked anew: as if it had never been."""
    placed = list(FIRST.vault)
    at = next(i for i, p in enumerate(placed) if isinstance(p.event.facts, kind))
    return Log.of(FIRST.registry, relinked([*placed[:at], *placed[at + 1 :]]), SECOND.vault)


def test_a_log_signed_again_with_its_real_key_contradicts_the_witness(path: Path) -> None:
    forged = replace(rewritten(), witnesses=())

    report = judged(path, forged.lines, [forged.checkpoint().encode(), EARLIER, HEAD])

    assert [answer.holds for answer in report.checkpoints] == [True, True, False]
    assert report.line.startswith(
        f"FAILED (checkpoint: contradicts the witness, checkpoint 3: it has {SIZE} entries"
    )


def test_a_change_is_narrowed_down_to_where_checkpoints_say_that_it_lies(path: Path) -> None:
    forged = rewritten()
    later = SEEN.checkpoint(SIZE - 2).encode()

    report = judged(path, forged.lines, [later, EARLIER])

    where = f"somewhere in leaf indexes {SIZE // 2} to {SIZE - 3}"
    assert where in said(report)


def test_a_receipt_of_what_was_removed_says_what_is_missing(path: Path) -> None:
    at = place_of(EvidenceDisclosed)
    forged = replace(rewritten(), witnesses=())

    report = judged(path, forged.lines, [forged.checkpoint().encode()], [SEEN.placed[at].receipt])

    assert "what receipt 1 promises is not in this history: evidence-disclosed.1" in said(report)


def test_the_checkpoint_in_the_proof_of_a_receipt_counts(path: Path) -> None:
    forged = replace(rewritten(), witnesses=())
    kept = SEEN.receipt(10, SIZE - 2)

    report = judged(path, forged.lines, [forged.checkpoint().encode()], [kept])

    assert f"the first {SIZE - 2} entries that were shown have another root" in said(report)


def test_a_checkpoint_of_another_log_or_by_another_key_shows_nothing(path: Path) -> None:
    other = replace(SEEN, signer=log_signer("other/0")).checkpoint().encode()
    stranger = replace(SEEN, signer=Signer(ORIGIN, bytes(32))).checkpoint().encode()

    assert "it is of another log" in said(judged(path, checkpoints=[HEAD, other]))
    report = judged(path, checkpoints=[HEAD, stranger])
    assert f"is not signed by the pinned key of {ORIGIN}" in said(report)


def test_a_pinned_log_key_that_is_not_the_listed_one_is_a_failure(path: Path) -> None:
    stranger = Signer(ORIGIN, bytes(32))
    pinned = (Key.parse(stranger.verifier.vkey, ED25519),)

    report = judged(
        path,
        checkpoints=[replace(SEEN, signer=stranger).checkpoint().encode()],
        whom=Trust(pinned=pinned),
    )

    assert "a pinned log key is not the one that is listed" in said(report)


# --- The registry -------------------------------------------------------------------------------


def test_a_registry_that_forbade_counts_wherever_its_record_stands(path: Path) -> None:
    """It counts from its time on: an operator who writes it down late gains nothing."""
    story = Signing()
    story.found()
    story.provide("address", "postal_address", ("line1", "postcode", "town"))
    first_use = _shared(story)
    before = replace(story, time=story.time, registry=list(story.registry))
    story.wait(seconds=10)
    suspended = story.register(registry.suspend_service(story.registered, story.stamp, CARE))
    before.wait(seconds=20)
    use = before.disclose("consent", *first_use)
    assert use.event.facts.time > suspended.event.facts.time

    log = Log.of(before.registry, before.vault, after=[suspended])
    report = judged(path, log.lines, [log.checkpoint().encode()])

    assert f"the registry stopped {CARE}" in said(report)


def _shared(story: Signing) -> tuple[Any, ...]:
    asked = asked_terms(
        CARE,
        "home-care",
        asks("postal_address", ("line1",)),
        frequency=Frequency(count=2, period_seconds=86_400),
    )
    story.ask("request", asked)
    story.grant("request", "consent", chooses("address", "line1"))
    return (wants("postal_address", "line1"),)


def test_another_lane_is_judged_with_the_registry_beside_it(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Signing(lane=1)
    story.found()
    story.provide("address", "postal_address", ("line1", "postcode", "town"))
    log = replace(Log.of(story.vault), signer=log_signer("test/1"))
    beside = tmp_path / "registry.jsonl"
    beside.write_bytes(b"".join(p.line + b"\n" for p in story.registry))
    path.write_bytes(b"".join(log.lines))
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(log.checkpoint().encode())
    arguments = ["log", str(path), "--checkpoint", str(checkpoint)]

    assert main(arguments) == 1
    assert "registry: nothing was shown" in capsys.readouterr().out
    code = main([*arguments, "--registry", str(beside), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (code, report["verdict"], report["origin"]) == (3, "CONSISTENT ONLY", "test/1")
    key = log.signer.verifier.vkey
    assert main([*arguments, "--registry", str(beside), "--log-key", key]) == 3
    assert "key pinned, no independent witness signed" in capsys.readouterr().out


def test_a_registry_in_the_log_is_the_one_that_counts(path: Path, tmp_path: Path) -> None:
    beside = tmp_path / "registry.jsonl"
    beside.write_bytes(b"".join(p.line + b"\n" for p in FIRST.registry))

    report = judged(path, registry=beside)

    assert "there is another registry than the one that was judged" in said(report)


# --- Streams that do not belong -----------------------------------------------------------------


def test_a_vault_of_another_lane_does_not_belong_into_this_log(path: Path) -> None:
    story = Signing(lane=1)
    story.found()
    log = Log.of(story.registry, after=story.vault)

    report = judged(path, log.lines, [log.checkpoint().encode()])

    # The registry is judged by itself; so the first stream that is followed names the log.
    assert "checkpoint 1: it is of another log" in said(report)
    honest = Log.of(FIRST.registry, FIRST.vault, after=story.vault)
    report = judged(path, honest.lines, [honest.checkpoint().encode()])
    assert "it belongs to another origin than the log" in said(report)


def test_a_record_of_another_sort_does_not_belong_into_a_stream(path: Path) -> None:
    facts = FIRST.registry[0].event.facts
    link = replaced(
        FIRST.vault[-1].event.link,
        version=len(FIRST.vault) + 1,
        previous_leaf=FIRST.vault[-1].event.leaf,
        request_key="",
    )
    strange = link_event(link, replaced(facts, time=later(FIRST.time, days=1)))
    log = Log.of(FIRST.registry, FIRST.vault, SECOND.vault, after=[Placed(strange, 0)])

    report = judged(path, log.lines, [log.checkpoint().encode()])

    assert "it is of another sort" in said(report)
