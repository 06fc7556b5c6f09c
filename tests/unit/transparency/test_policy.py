# SPDX-License-Identifier: Apache-2.0
"""Policies: which witnesses are enough, and nothing that a reader could take for another rule."""

from __future__ import annotations

import itertools

import pytest

from tests.signed_log import (
    LOG,
    ORIGIN,
    STRANGER,
    TIME,
    WITNESSES,
    checkpoint,
    policy,
    signed,
)
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.encoding import FormError
from vault.transparency.note import Note, Signature, SignatureError, Signer
from vault.transparency.policy import Policy, QuorumError

NAMES = tuple(WITNESSES)
LINES = [f"witness {name} {signer.verifier.vkey}" for name, signer in WITNESSES.items()]


@pytest.mark.parametrize(
    ("quorum", "least"), [("1", 1), ("any", 1), ("2", 2), ("3", 3), ("all", 3)]
)
def test_k_of_n_witnesses_are_enough(quorum: str, least: int) -> None:
    asked = policy(f"{quorum} ada bob cyd")

    for count in range(4):
        for cosigners in itertools.combinations(NAMES, count):
            judgement = asked.judge(signed(13, *cosigners))
            assert judgement.cosigned == dict.fromkeys(cosigners, TIME)
            assert judgement.has_quorum is (count >= least)


def test_without_a_quorum_no_witness_is_needed() -> None:
    judgement = policy("none").judge(signed(13, "bob"))

    assert judgement.has_quorum
    assert judgement.cosigned == {"bob": TIME}


def test_a_judgement_can_insist() -> None:
    asked = policy("all ada bob cyd")

    asked.judge(signed(13, *NAMES)).require_quorum()
    with pytest.raises(QuorumError, match="too few"):
        asked.judge(signed(13, "ada", "bob")).require_quorum()


def test_groups_of_groups_are_asked() -> None:
    outer = [*LINES, "group pair all ada bob", "group either any pair cyd", "quorum either", ""]
    asked = Policy.parse("\n".join(outer).encode())

    enough = {
        cosigners
        for count in range(4)
        for cosigners in itertools.combinations(NAMES, count)
        if asked.judge(signed(13, *cosigners), LOG.verifier).has_quorum
    }

    assert enough == {("cyd",), ("ada", "bob"), ("ada", "cyd"), ("bob", "cyd"), NAMES}


def test_very_deep_groups_are_asked() -> None:
    groups = ["group g0 any ada", *(f"group g{n} all g{n - 1}" for n in range(1, 5000))]
    asked = Policy.parse("\n".join([*LINES, *groups, "quorum g4999", ""]).encode())

    assert asked.is_quorum(["ada"])
    assert not asked.is_quorum(["bob"])


def test_one_witness_may_be_the_quorum() -> None:
    asked = Policy.parse("\n".join([*LINES, "quorum bob", ""]).encode())

    assert asked.judge(signed(13, "bob"), LOG.verifier).has_quorum
    assert not asked.judge(signed(13, "ada", "cyd"), LOG.verifier).has_quorum


def test_a_witness_that_cosigns_twice_counts_once() -> None:
    ada = WITNESSES["ada"]
    note = signed(13, "ada").adding(
        ada.cosign(checkpoint(), TIME + 5), ada.cosign(checkpoint(), TIME + 2)
    )

    judgement = policy("2 ada bob cyd").judge(note)

    assert judgement.cosigned == {"ada": TIME + 5}
    assert not judgement.has_quorum


def test_a_witness_whose_signature_is_not_hers_spoils_the_note() -> None:
    signature = WITNESSES["ada"].cosign(checkpoint(12), TIME)

    with pytest.raises(SignatureError, match="not that of the key it names"):
        policy().judge(signed(13, "bob").adding(signature))


def test_unknown_witnesses_are_nothing() -> None:
    unknown = CosignatureSigner("eve.example", b"\x0b" * 32)
    namesake = CosignatureSigner("ada.example", b"\x0c" * 32)
    note = signed(13).adding(
        unknown.cosign(checkpoint(), TIME),
        namesake.cosign(checkpoint(), TIME),
        Signature("ada.example", b"\0\0\0\0", b"\0"),
    )

    assert policy().judge(note).cosigned == {}


def test_witnesses_do_not_stand_in_for_the_log() -> None:
    body = checkpoint().body()
    cosigned = tuple(signer.cosign(checkpoint(), TIME) for signer in WITNESSES.values())

    with pytest.raises(SignatureError, match="no signature is of a known key"):
        policy().judge(Note(body, cosigned))


def test_the_log_is_one_that_the_policy_lists() -> None:
    assert policy().judge(signed()).checkpoint == checkpoint()
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        policy(logs=False).judge(signed())


def test_a_pinned_log_is_the_only_one() -> None:
    assert policy(logs=False).judge(signed(), LOG.verifier).checkpoint == checkpoint()
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        policy().judge(signed(), STRANGER.verifier)
    with pytest.raises(SignatureError, match="no signature is of a known key"):
        policy().judge(signed(), Signer(ORIGIN, b"\x0d" * 32).verifier)


def test_the_empty_policy_asks_for_the_log_alone() -> None:
    judgement = Policy().judge(signed(13, "ada"), LOG.verifier)

    assert (judgement.has_quorum, judgement.cosigned) == (True, {})


def test_a_policy_tells_where_its_witnesses_are() -> None:
    ada = WITNESSES["ada"].verifier
    text = f"log {LOG.verifier.vkey} https://log\nwitness a {ada.vkey} https://a/\nquorum a\n"

    found = Policy.parse(text.encode())

    assert [(log.verifier, log.url) for log in found.logs] == [(LOG.verifier, "https://log")]
    assert [(it.name, it.verifier, it.url) for it in found.witnesses] == [("a", ada, "https://a/")]


def test_space_comments_and_other_alphabets_are_allowed() -> None:
    """Names are octets: those that are no UTF-8 are told apart, too; no-break space is none."""
    ada, bob, cyd = (signer.verifier.vkey for signer in WITNESSES.values())
    names = "\u00fc\u00a0x".encode(), b"\xff", b"\xfe"
    text = b"\n".join(
        [
            b"",
            b" \t# a comment, \xff",
            b"\t witness  " + names[0] + b"\t" + ada.encode() + b" ",
            b"witness " + names[1] + b" " + bob.encode(),
            b"witness " + names[2] + b" " + cyd.encode() + b" https://\xc3\xbc",
            b"group all\t2 " + names[0] + b"  " + names[1],
            b"#quorum none",
            b"  quorum all",
            b"",
        ]
    )

    found = Policy.parse(text)

    assert [it.name for it in found.witnesses] == ["\u00fc\u00a0x", "\udcff", "\udcfe"]
    judgement = found.judge(signed(13, "ada", "cyd"), LOG.verifier)
    assert (set(judgement.cosigned), judgement.has_quorum) == ({"\u00fc\u00a0x", "\udcfe"}, False)
    assert found.judge(signed(13, "ada", "bob"), LOG.verifier).has_quorum


ADA = WITNESSES["ada"].verifier
RENAMED_LOG = Signer("other.example", b"\x01" * 32)
RENAMED_ADA = CosignatureSigner("other.example", b"\x03" * 32)
DAN = CosignatureSigner("dan.example", b"\x0e" * 32).verifier


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["quorum none", "quorum none"], "a quorum already"),
        (["quorum"], "too few or too many items"),
        (["quorum ada bob"], "too few or too many items"),
        (["quorum dan"], "not defined before"),
        (["quorum late", "group late any ada"], "not defined before"),
        (["group late any later", "group later any ada", "quorum late"], "not defined before"),
        (["group self any self", "quorum self"], "not defined before"),
        (["group g 0 ada", "quorum g"], "threshold"),
        (["group g -1 ada", "quorum g"], "decimal"),
        (["group g 01 ada", "quorum g"], "decimal"),
        (["group g 2 ada", "quorum g"], "threshold"),
        (["group g some ada", "quorum g"], "decimal"),
        (["group g all", "quorum g"], "too few or too many items"),
        (["group g any ada ada", "quorum g"], "member already"),
        (["group g any ada", "group h any g ada", "quorum h"], "member already"),
        (["group g any none", "quorum g"], "not defined before"),
        (["group none any ada", "quorum none"], "defined already"),
        (["group ada any bob", "quorum ada"], "defined already"),
        (["group g any ada", "group g any bob", "quorum g"], "defined already"),
        (["Quorum none"], "begins with none of"),
        (["quorum none # not a comment"], "too few or too many items"),
        ([f"witness dan {DAN.vkey} https://dan more", "quorum none"], "too few or too many"),
        ([f"log {LOG.verifier.vkey} https://log more", "quorum none"], "too few or too many"),
        (["log", "quorum none"], "too few or too many items"),
        ([f"log {ADA.vkey}", "quorum none"], "type 0x01"),
        ([f"witness dan {LOG.verifier.vkey}", "quorum none"], "type 0x04"),
        (["witness dan no+vkey", "quorum none"], "base64|type"),
        ([f"witness dan {ADA.vkey}", "quorum none"], "stands before"),
        ([f"log {LOG.verifier.vkey}"] * 2, "stands before"),
        (
            [f"log {LOG.verifier.vkey}", f"log {RENAMED_LOG.verifier.vkey}"],
            "stands before",
        ),
        (
            [f"witness dan {RENAMED_ADA.verifier.vkey}"],
            "stands before",
        ),
        (["quorum\u00a0none"], "begins with none of"),
        (["quorum none\x00"], "control character"),
        (["quorum none\r"], "control character"),
        (["quorum none\x7f"], "control character"),
        ([], "no quorum"),
    ],
)
def test_what_is_no_policy_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(FormError, match=why):
        Policy.parse("\n".join([*LINES, *lines, ""]).encode())


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(FormError, match="line 4 of the policy"):
        Policy.parse("\n".join([*LINES, "quorum dan", ""]).encode())


def test_a_policy_whose_end_was_cut_off_is_refused() -> None:
    """`quorum both` could else become `quorum bo`, and that be another group."""
    with pytest.raises(FormError, match="last line"):
        Policy.parse("\n".join([*LINES, "quorum ada"]).encode())
