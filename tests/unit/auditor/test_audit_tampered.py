# SPDX-License-Identifier: Apache-2.0
"""What the auditor finds when exported bytes are changed, removed or moved, relinked or not."""

import hashlib
import json
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clients.auditor.report import Report
from tests.unit.auditor.stories import (
    CARE,
    PUBLIC_KEY,
    Placed,
    an_honest_story,
    audited,
    version_of,
)
from tests.unit.auditor.tampering import changed, relinked
from vault.domain import registry
from vault.domain.canonical import b64, unb64
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.values import Time

STORY = an_honest_story()
USE = version_of(STORY, EvidenceDisclosed)
LAST = len(STORY.vault)
VAULT_LINES = [placed.line for placed in STORY.vault]
REGISTRY_LINES = [placed.line for placed in STORY.registry]
RECEIPTS = [placed.receipt for placed in STORY.vault]


def judged(placed: Sequence[Placed], *receipts: bytes) -> Report:
    return audited([one.line for one in placed], REGISTRY_LINES, receipts)


def without(version: int) -> list[Placed]:
    return [placed for placed in STORY.vault if placed.event.link.version != version]


def with_line(version: int, line: bytes, lines: Sequence[bytes] = VAULT_LINES) -> list[bytes]:
    return [*lines[: version - 1], line, *lines[version:]]


@pytest.mark.parametrize("version", range(1, LAST))
def test_a_removed_record_is_missed_where_it_stood(version: int) -> None:
    report = judged(without(version))

    assert (report.verdict, report.exit) == ("FAILED", 1)
    assert report.line.startswith(f"FAILED (vault version {version}: version {version} is missing")


def test_a_removed_run_is_missed_as_one() -> None:
    report = judged([*STORY.vault[:4], *STORY.vault[7:]])

    missing = "versions 5 to 7 are missing: nothing stands between version 4 (leaf index"
    assert report.line.startswith(f"FAILED (vault version 5: {missing}")


@pytest.mark.parametrize("version", range(1, LAST))
def test_two_records_that_changed_places_are_found(version: int) -> None:
    placed = list(STORY.vault)
    placed[version - 1 : version + 1] = reversed(placed[version - 1 : version + 1])

    assert judged(placed).verdict == "FAILED"


@pytest.mark.parametrize("version", range(1, LAST + 1))
def test_a_record_given_twice_is_found(version: int) -> None:
    placed = [*STORY.vault[:version], *STORY.vault[version - 1 :]]

    assert judged(placed).verdict == "FAILED"


def test_a_record_that_stands_too_late_is_named() -> None:
    placed = [*STORY.vault[:4], *STORY.vault[5:7], STORY.vault[4], *STORY.vault[7:]]

    whys = [finding.why for finding in judged(placed).findings]

    assert "it stands after version 7" in whys


def test_a_leaf_index_that_does_not_grow_is_found_without_a_receipt() -> None:
    line = STORY.vault[4].line_with(leaf_index=STORY.vault[3].leaf_index)

    (finding,) = audited(with_line(5, line), REGISTRY_LINES).findings

    assert finding.why == f"its leaf index does not follow {STORY.vault[3].leaf_index}"


@pytest.mark.parametrize(
    ("part", "why"),
    [("stream", "it belongs to another stream"), ("origin", "it belongs to another origin")],
)
def test_a_record_of_another_history_is_found(part: str, why: str) -> None:
    edited = changed(STORY.vault, 5, link=lambda link: replace(link, **{part: "other/1"}))

    (finding,) = judged(relinked(edited)).findings

    assert (finding.where.version, finding.why) == (5, why)


@pytest.mark.parametrize("change", [{"version": 99}, {"stream_id": "other"}], ids=str)
def test_a_line_that_names_another_place_than_its_link_is_found(change: dict[str, object]) -> None:
    report = audited(with_line(5, STORY.vault[4].line_with(**change)), REGISTRY_LINES)

    assert report.findings[0].why == "its link names another stream or version than its line"


@pytest.mark.parametrize("version", range(1, LAST))
def test_facts_edited_without_relinking_are_found_at_the_next_record(version: int) -> None:
    later = Time(STORY.vault[version - 1].event.facts.time[:-2] + "1Z")
    placed = changed(STORY.vault, version, facts=lambda facts: replace(facts, time=later))

    report = judged(placed)

    whys = [finding.why for finding in report.findings]
    assert f"it does not follow from version {version}: one of the two was changed" in whys


@pytest.mark.parametrize("version", range(1, LAST))
def test_a_link_edited_without_relinking_is_found(version: int) -> None:
    placed = changed(STORY.vault, version, link=lambda link: replace(link, request_key="other"))

    assert judged(placed).verdict == "FAILED"


@pytest.mark.parametrize("part", ["link", "facts"])
def test_text_that_its_entry_does_not_name_is_found(part: str) -> None:
    text = json.loads(VAULT_LINES[USE - 1])[part].replace('"salt":"A', '"salt":"B')
    line = STORY.vault[USE - 1].line_with(**{part: text})

    report = audited(with_line(USE, line), REGISTRY_LINES)

    assert (report.findings[0].where.version, report.findings[0].what) == (
        USE,
        "the record was changed",
    )


@pytest.mark.parametrize("part", ["link", "facts"])
def test_half_a_record_is_not_a_withheld_one(part: str) -> None:
    line = STORY.vault[USE - 1].line_with(**{part: ""})

    assert audited(with_line(USE, line), REGISTRY_LINES).verdict == "FAILED"


def test_the_entry_of_a_withheld_record_is_held_by_the_next() -> None:
    entry = flipped_entry(STORY.vault[USE - 1])
    line = STORY.vault[USE - 1].line_with(link="", facts="", entry=entry)

    assert audited(with_line(USE, line), REGISTRY_LINES).verdict == "FAILED"


def flipped_entry(placed: Placed) -> str:
    entry = json.loads(placed.line)["entry"]
    return entry[:40] + ("A" if entry[40] != "A" else "B") + entry[41:]


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_index": 0},
        {"leaf_index": -1},
        {"leaf_index": 1.0},
        {"leaf_index": True},
        {"leaf_index": None},
        {"leaf_index": 2**53},
        {"version": "1"},
        {"stream_id": "00000000-0000-8000-8000-00000000000c"},
        {"entry": ""},
        {"entry": "A" * 87},
        {"entry": "=" * 87},
        {"facts": "[" * 100_000},
        {"facts": "\x00"},
        {"facts": '{"type":null}'},
        {"link": "\ud800"},
        {"link": "{}"},
        {"link": "9" * 5000},
        {"unknown": ""},
    ],
    ids=str,
)
def test_a_line_of_another_form_is_a_finding(change: dict[str, object]) -> None:
    line = STORY.vault[USE - 1].line_with(**change)

    assert audited(with_line(USE, line), REGISTRY_LINES).verdict == "FAILED"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type":', '"type": '),
        ('{"bundle_hash"', '{"zzz":"","bundle_hash"'),
        ('"time":', '"times":'),
        ('"repeats":"",', ""),
        ('"repeats":"",', '"repeats":"","repeats":"",'),
        ('"repeats":"",', '"repeats":null,'),
        ('"item":1,', '"item":1.0,'),
        ('"item":1,', '"item":-1,'),
        ('"item":1,', '"item":true,'),
        ('"type":"evidence-disclosed.1"', '"type":"evidence-disclosed.2"'),
        ('"type":"evidence-disclosed.1"', '"type":"request-redeemed.1"'),
        ('"line1","postcode"', '"postcode","line1"'),
        ('"line1","postcode"', '"line1","line1"'),
        ('"care-plan@1"', '"care-pl\\u0061n@1"'),
        ('.000000Z"', 'Z"'),
        ('.000000Z"', '.000000+00:00"'),
        ("2026-03-02", "2026-02-30"),
    ],
)
def test_facts_of_another_form_are_a_finding_even_if_their_entry_fits(old: str, new: str) -> None:
    text = json.loads(VAULT_LINES[USE - 1])["facts"]
    assert old in text
    line = rehashed(STORY.vault[USE - 1], facts=text.replace(old, new, 1))

    report = audited(with_line(USE, line), REGISTRY_LINES)

    assert report.findings[0].where.version == USE
    assert report.findings[0].what == "the record was changed"


def rehashed(placed: Placed, **parts: str) -> bytes:
    texts = json.loads(placed.line) | parts
    digests = [hashlib.sha256(texts[part].encode()).digest() for part in ("link", "facts")]
    return placed.line_with(**parts, entry=b64(b"\x01" + b"".join(digests)))


def test_a_link_of_another_form_is_a_finding_even_if_its_entry_fits() -> None:
    link = json.loads(VAULT_LINES[-1])["link"].replace('"items":[],', "")
    line = rehashed(STORY.vault[-1], link=link)

    (finding,) = audited(with_line(LAST, line), REGISTRY_LINES).findings

    assert finding.why == "its link: link lacks items"


def test_an_entry_of_another_kind_is_a_finding() -> None:
    entry = unb64(json.loads(VAULT_LINES[-1])["entry"])
    line = STORY.vault[-1].line_with(entry=b64(b"\x02" + entry[1:]))

    (finding,) = audited(with_line(LAST, line), REGISTRY_LINES).findings

    assert finding.why == "its entry is of another kind"


def test_lines_that_are_no_records_are_findings() -> None:
    report = audited([b"\xff\n", b"", b"[]", b"nonsense", b"NaN"], REGISTRY_LINES)

    whats = [finding.what for finding in report.findings]
    assert whats[:5] == [f"line {n} is no record" for n in range(1, 6)]


def test_nothing_shown_is_a_failure() -> None:
    assert audited([], REGISTRY_LINES).verdict == "FAILED"
    assert audited(VAULT_LINES, []).verdict == "FAILED"


def test_a_withheld_registry_record_is_a_failure() -> None:
    line = STORY.registry[3].line_with(link="", facts="")

    assert audited(VAULT_LINES, with_line(4, line, REGISTRY_LINES)).verdict == "FAILED"


@pytest.mark.parametrize("number", range(1, len(REGISTRY_LINES) + 1))
def test_a_registry_without_one_of_its_records_is_a_failure(number: int) -> None:
    lines = [*REGISTRY_LINES[: number - 1], *REGISTRY_LINES[number:]]

    assert audited(VAULT_LINES, lines).verdict == "FAILED"


# --- With a receipt in somebody's hands ---------------------------------------------------------


def test_a_receipt_tells_what_was_removed_and_where() -> None:
    use = version_of(STORY, EvidenceDisclosed, 1)
    cut = relinked(without(use))

    report = judged(cut, RECEIPTS[use - 1])

    (promised,) = report.findings
    assert f"evidence-disclosed.1, service {CARE}, consent consent-2" in promised.what
    assert "purpose home-care@1, fields postal_address: line1, at 2026-03-02T" in promised.what
    assert promised.where.leaf_index == STORY.vault[use - 1].leaf_index
    assert f"between version {use - 1} (leaf index" in promised.why


def test_the_last_records_cut_off_are_missed_by_their_receipt_only() -> None:
    cut = STORY.vault[:-1]

    assert judged(cut).findings == ()
    assert judged(cut, RECEIPTS[-1]).verdict == "FAILED"


def test_a_history_relinked_after_an_edit_is_held_by_every_receipt_from_there_on() -> None:
    edited = relinked(changed(STORY.vault, 3, link=lambda link: replace(link, request_key="x")))

    report = judged(edited, *RECEIPTS)

    assert [receipt.holds for receipt in report.receipts] == [True, True, *[False] * (LAST - 2)]


def test_a_use_whose_contents_were_deleted_is_told_by_its_receipt() -> None:
    lines = with_line(USE, STORY.vault[USE - 1].line_with(link="", facts=""))

    report = audited(lines, REGISTRY_LINES, [RECEIPTS[USE - 1]])

    assert "its contents were deleted, although its consent is shown" in report.line


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_index": 1},
        {"origin": "other/0"},
        {"key_id": "00000000-0000-4000-8000-0000000000e2"},
        {"signature": b64(bytes(64))},
        {"signature": ""},
        {"link_hash": b64(bytes(32))},
        {"leaf_hash": b64(bytes(32))},
        {"facts": "{}"},
        {"facts": ""},
        {"more": ""},
    ],
    ids=str,
)
def test_a_receipt_of_which_a_field_was_changed_shows_nothing(change: dict[str, object]) -> None:
    report = judged(STORY.vault, STORY.vault[USE - 1].receipt_with(**change))

    assert report.findings[0].what == "receipt 1 shows nothing"


def test_a_receipt_of_another_log_is_not_in_this_history() -> None:
    report = judged(STORY.vault, STORY.vault[USE - 1].receipt_with(signed_origin="test/1"))

    assert report.findings[0].why == "it is of another log than this history"


def test_a_receipt_by_another_key_shows_nothing() -> None:
    receipt = STORY.vault[USE - 1].receipt_with(key=Ed25519PrivateKey.generate())

    assert judged(STORY.vault, receipt).findings[0].why == "its signature does not verify"


def test_a_pinned_key_that_the_registry_does_not_list_is_a_failure() -> None:
    report = audited(VAULT_LINES, REGISTRY_LINES, RECEIPTS[:1], receipt_keys=[bytes(32)])

    assert "a pinned receipt key is not listed" in report.line


def test_a_receipt_by_a_listed_key_that_is_not_the_pinned_one_shows_nothing() -> None:
    story = an_honest_story()
    story.register(registry.list_receipt_key(story.stamp, "another", b64(bytes(32))))

    report = story.audit(receipts=RECEIPTS[:1], receipt_keys=[bytes(32)])

    assert report.findings[0].why == "its key is one of the registry's, but no pinned one"


def test_the_pinned_key_is_no_failure() -> None:
    report = audited(VAULT_LINES, REGISTRY_LINES, RECEIPTS, receipt_keys=[PUBLIC_KEY])

    assert report.findings == ()


def test_a_history_of_another_origin_is_a_failure() -> None:
    moved = [
        changed([placed], index, link=lambda link: replace(link, origin="other/0"))[0]
        for index, placed in enumerate(STORY.vault, start=1)
    ]

    report = judged(relinked(moved))

    assert report.verdict == "FAILED"


# --- Any byte -----------------------------------------------------------------------------------


@st.composite
def one_byte_changes(draw: st.DrawFn, lines: Sequence[bytes]) -> list[bytes]:
    """Draw an export in which one byte of one line was replaced, removed or put in."""
    number = draw(st.integers(1, len(lines)))
    line = lines[number - 1]
    at = draw(st.integers(0, len(line) - 1))
    new = bytes([draw(st.one_of(st.integers(0, 255), st.sampled_from(b'0123456789aAzZ_-"\\ ')))])
    end = draw(st.sampled_from([at, at + 1]))
    new = draw(st.sampled_from([new, b""])) if end > at else new
    # White space outside strings is the only thing in a line that nobody hashes or compares.
    other = line[:at] + new + line[end:]
    assume(other != line and not _reads_equal(line, other))
    return with_line(number, other, lines)


def _reads_equal(line: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(line) == json.loads(other))
    except (ValueError, RecursionError):
        return False


@settings(max_examples=400, deadline=None)
@given(lines=one_byte_changes(VAULT_LINES))
def test_any_changed_byte_of_a_vault_is_caught(lines: list[bytes]) -> None:
    """The leaf index is in no digest of the record itself: the receipts hold it."""
    assert audited(lines, REGISTRY_LINES, RECEIPTS).verdict == "FAILED"


@settings(max_examples=200, deadline=None)
@given(lines=one_byte_changes(VAULT_LINES[:-1]))
def test_any_changed_byte_that_is_hashed_is_caught_without_a_receipt(lines: list[bytes]) -> None:
    before = [{**json.loads(line), "leaf_index": 0} for line in VAULT_LINES[:-1]]
    assume(not _only_leaf_index_differs(lines, before))

    assert audited([*lines, VAULT_LINES[-1]], REGISTRY_LINES).verdict == "FAILED"


def _only_leaf_index_differs(lines: list[bytes], before: list[dict[str, object]]) -> bool:
    try:
        return [{**json.loads(line), "leaf_index": 0} for line in lines] == before
    except (ValueError, TypeError, RecursionError):
        return False


@settings(max_examples=200, deadline=None)
@given(lines=one_byte_changes(REGISTRY_LINES))
def test_any_changed_byte_of_the_registry_is_caught(lines: list[bytes]) -> None:
    before = [{**json.loads(line), "leaf_index": 0} for line in REGISTRY_LINES]
    assume(not _only_leaf_index_differs(lines, before))

    assert audited(VAULT_LINES, lines).verdict == "FAILED"


@settings(max_examples=200, deadline=None)
@given(line=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_line_makes_the_auditor_stumble(line: bytes) -> None:
    assert audited([line], [line], [line]).verdict == "FAILED"
