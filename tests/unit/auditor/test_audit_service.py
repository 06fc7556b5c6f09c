# SPDX-License-Identifier: Apache-2.0
"""What the auditor says of the facts of one service, and the digests of all else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.auditor.main import main
from clients.auditor.note import ED25519, Key
from clients.auditor.service import ServiceReport, audit_service
from clients.auditor.trust import Trust
from tests.unit.auditor.stories import (
    CARE,
    COUNCIL,
    ORIGIN,
    Placed,
    Story,
    a_story_of_changes,
    an_honest_story,
)
from vault.domain.audit import service_of
from vault.domain.canonical import b64, encode, unb64
from vault.store.record import entry_of
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.note import Note, Signer
from vault.transparency.tree import leaf_hash, levels_of

LOG = Signer(ORIGIN, b"\x01" * 32)
STRANGER = Signer(ORIGIN, b"\x02" * 32)
PINNED = Trust(pinned=(Key.parse(LOG.verifier.vkey, ED25519),))


def rows(story: Story, service: str) -> list[dict[str, object]]:
    """Return the lines of a log as an auditor of one service is sent them."""
    by_index = {placed.leaf_index: placed for placed in [*story.registry, *story.vault]}
    return [row(by_index.get(index), index, service) for index in range(max(by_index) + 1)]


def row(placed: Placed | None, index: int, service: str) -> dict[str, object]:
    state = encode(placed.event.link) + b"\n" + encode(placed.event.facts) if placed else b""
    is_theirs = placed is not None and service_of(placed.event.facts) == service
    return {
        "leaf_index": index,
        "stream_id": "",
        "version": 0,
        "entry": b64(entry_of(state or f"{index}\n".encode())),
        "link": "",
        "facts": state.partition(b"\n")[2].decode() if is_theirs else "",
    }


def lines(found: list[dict[str, object]]) -> list[bytes]:
    return [json.dumps(each).encode() + b"\n" for each in found]


def checkpoint(found: list[dict[str, object]], size: int = 0, signer: Signer = LOG) -> bytes:
    """Return the checkpoint of a log at a size, signed; 0 is the whole log."""
    leaves = [leaf_hash(unb64(str(each["entry"]))) for each in found][: size or len(found)]
    body = Checkpoint(ORIGIN, len(leaves), levels_of(leaves)[-1][0]).body()
    return Note(body, (signer.sign(body),)).encode()


def why(report: ServiceReport) -> str:
    assert report.verdict == "FAILED", report.line
    assert report.exit == 1
    return str(report.findings.listed[0])


@pytest.mark.parametrize(
    ("story", "service", "uses"),
    [
        (an_honest_story(), CARE, 2),
        (an_honest_story(), COUNCIL, 2),
        (a_story_of_changes(), CARE, 4),
    ],
    ids=["care", "council", "changes"],
)
def test_an_honest_services_facts_hold(story: Story, service: str, uses: int) -> None:
    found = rows(story, service)

    report = audit_service(lines(found), PINNED, [checkpoint(found)])

    assert (report.verdict, report.exit) == ("WITHHELD", 3), report.line
    assert (report.service, report.uses, report.size) == (service, uses, len(found))
    assert report.coverage.verdict == "CONSISTENT ONLY"
    assert "sealed from this reader" in report.line


def test_what_no_checkpoint_covers_is_told() -> None:
    found = rows(an_honest_story(), CARE)

    report = audit_service(lines(found), PINNED, [checkpoint(found, 9)])

    assert report.coverage.unproved == len(found) - 9
    assert "are in no checkpoint" in report.line


@pytest.mark.parametrize("part", ["entry", "facts"])
def test_a_leaf_that_was_changed_is_found(part: str) -> None:
    found = rows(an_honest_story(), CARE)
    signed = checkpoint(found)
    at = next(n for n, each in enumerate(found) if "evidence-disclosed" in str(each["facts"]))
    changed = {"entry": b64(entry_of(b"other\n")), "facts": str(found[at]["facts"])[:-2] + "x}"}
    found[at][part] = changed[part]

    assert f"leaf index {at}" in why(audit_service(lines(found), PINNED, [signed]))


@pytest.mark.parametrize("at", [0, 7, -1])
def test_a_leaf_that_is_left_out_is_found(at: int) -> None:
    found = rows(an_honest_story(), CARE)
    signed = checkpoint(found)
    del found[at]

    assert why(audit_service(lines(found), PINNED, [signed]))


def test_another_history_contradicts_the_checkpoint() -> None:
    found = rows(an_honest_story(), CARE)
    signed = checkpoint(found)
    found[0]["entry"] = b64(entry_of(b"other\n"))

    assert "has another root" in why(audit_service(lines(found), PINNED, [signed]))


def test_a_checkpoint_of_somebody_else_shows_nothing() -> None:
    found = rows(an_honest_story(), CARE)

    report = audit_service(lines(found), PINNED, [checkpoint(found, signer=STRANGER)])

    assert "is not signed" in why(report)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("consent-revoked.1", "evidence-disclosed.1", "revoked"),
        ("consent-granted.1", "", "no consent for it was granted"),
        ('"purpose":"home-care@1"', '"purpose":"fraud@1"', "another purpose"),
        ('"names":["line1"]', '"names":["line1","town"]', "not granted"),
        ('"time":"2026-03', '"time":"2027-03', "outside"),
    ],
)
def test_a_use_that_was_not_allowed_is_found(before: str, after: str, problem: str) -> None:
    found = rows(an_honest_story(), CARE)
    used = [each for each in found if "evidence-disclosed" in str(each["facts"])]
    if after == "evidence-disclosed.1":
        # The same use once more, after the consent was revoked.
        found.append({**used[-1], "leaf_index": len(found)})
    elif not after:
        hidden = next(each for each in found if before in str(each["facts"]))
        hidden["facts"] = ""
    else:
        first = used[0]
        facts = str(first["facts"]).replace(before, after)
        assert facts != first["facts"]
        first["facts"] = facts
        first["entry"] = b64(entry_of(b"link\n" + facts.encode()))

    report = audit_service(lines(found), PINNED)

    assert problem in why(report)


def test_a_link_is_not_for_this_reader() -> None:
    found = rows(an_honest_story(), CARE)
    found[3]["link"] = "{}"

    assert "shows its link" in why(audit_service(lines(found), PINNED))


def test_the_checkpoint_that_covers_most_counts() -> None:
    found = rows(an_honest_story(), CARE)
    kept = [checkpoint(found, 5), checkpoint(found), checkpoint(found, 7)]

    assert audit_service(lines(found), PINNED, kept).coverage.unproved == 0


def test_an_empty_file_shows_nothing() -> None:
    assert "nothing was shown" in why(audit_service([], PINNED))


def test_the_facts_of_two_services_are_not_those_of_one() -> None:
    both = rows(an_honest_story(), CARE)
    for each, other in zip(both, rows(an_honest_story(), COUNCIL), strict=True):
        each["facts"] = each["facts"] or other["facts"]

    assert "names another service" in why(audit_service(lines(both), PINNED))


def test_the_program_verifies_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(an_honest_story(), CARE)
    log, signed = tmp_path / "log.jsonl", tmp_path / "checkpoint"
    log.write_bytes(b"".join(lines(found)))
    signed.write_bytes(checkpoint(found))
    said = ["service", str(log), "--checkpoint", str(signed), "--log-key", LOG.verifier.vkey]

    assert main(said) == 3
    assert "Uses: 2" in capsys.readouterr().out
    assert main([*said, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["service"], told["key_pinned"], told["findings"]) == (CARE, True, [])
