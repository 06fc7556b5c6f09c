# SPDX-License-Identifier: Apache-2.0
"""A witness: what it cosigns, what it refuses and with which status (C2SP tlog-witness)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from threading import Barrier
from typing import Final

import apsw
import pytest

from vault.server.http import Answer, BodyError, Request
from vault.transparency.checkpoint import Checkpoint
from vault.transparency.cosignature import CosignatureSigner, time_of
from vault.transparency.note import Note, Signer
from vault.transparency.tree import (
    EMPTY_ROOT,
    consistency_path,
    leaf_hash,
    levels_of,
    root_of,
)
from vault.transparency.witness import AddCheckpoint, checkpoint_path, cosignature_of
from vault.witness.heads import Heads, HeadsFileError
from vault.witness.key_file import WitnessKeyError, create_key, read_key
from vault.witness.program import read_logs
from vault.witness.witness import Witness

ORIGIN: Final = "test/0"
NOW: Final = 1_800_000_000
SIGNER: Final = Signer(ORIGIN, bytes(32))
WITNESS: Final = CosignatureSigner("w.example", bytes(range(32)))
LEAVES: Final = [leaf_hash(bytes([number])) for number in range(64)]


def nodes(level: int, index: int) -> bytes:
    """Return a whole node of the one tree."""
    width = 1 << level
    return levels_of(LEAVES[index * width : (index + 1) * width])[-1][0]


def note_of(size: int, root: bytes = b"", signer: Signer = SIGNER) -> Note:
    """Return a signed checkpoint of the one tree, or of another."""
    name = signer.verifier.name
    body = Checkpoint(name, size, root or (root_of(nodes, size) if size else EMPTY_ROOT)).body()
    return Note(body, (signer.sign(body),))


def asking(old_size: int, size: int, note: Note | None = None) -> bytes:
    """Return the request to cosign a grown tree."""
    path = consistency_path(nodes, old_size, size) if old_size else ()
    return AddCheckpoint(old_size, path, note or note_of(size)).encode()


@pytest.fixture
def heads(tmp_path: Path) -> Iterator[Heads]:
    with closing(Heads(tmp_path / "heads.db")) as opened:
        yield opened


@pytest.fixture
def witness(heads: Heads) -> Witness:
    return Witness(WITNESS, {ORIGIN: [SIGNER.verifier]}, heads, now=lambda: NOW)


async def answer(
    witness: Witness, body: bytes = b"", path: str = "/add-checkpoint", method: str = "POST"
) -> Answer:
    """Have a witness answer a request."""

    async def read(most: int) -> bytes:
        return body[: most + 1]

    return await witness.answer(Request(method, path, (), read))


async def test_what_grows_is_cosigned(witness: Witness) -> None:
    for old_size, size in ((0, 5), (5, 5), (5, 6), (6, 64)):
        answered = await answer(witness, asking(old_size, size))

        assert answered.status == HTTPStatus.OK
        cosignature = cosignature_of(answered.body, note_of(size), WITNESS.verifier)
        assert time_of(cosignature) == NOW


async def test_it_serves_what_it_cosigned_last(witness: Witness) -> None:
    path = f"/{checkpoint_path(ORIGIN)}"
    assert (await answer(witness, path=path, method="GET")).status == HTTPStatus.NOT_FOUND
    await answer(witness, asking(0, 5))
    await answer(witness, asking(5, 6))

    served = await answer(witness, path=path, method="GET")

    note = Note.parse(served.body)
    assert Checkpoint.parse(note.text).size == 6
    assert len(note.verify([SIGNER.verifier, WITNESS.verifier])) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old x\n\n" + note_of(6).encode(), 400),
        (asking(5, 6)[:-20], 400),
        (b"old 7\n\n" + note_of(6).encode(), 400),
        (asking(0, 6, note_of(6, signer=Signer("unknown/0", bytes(32)))), 404),
        (asking(0, 6, note_of(6, signer=Signer(ORIGIN, bytes(range(32))))), 403),
        (asking(4, 6), 409),
        (asking(0, 6), 409),
        (asking(5, 6, note_of(6, root=bytes(32))), 422),
        (b"old 5\n\n" + note_of(6).encode(), 422),
        (asking(5, 5, note_of(5, root=bytes(32))), 422),
        (b"x" * 100_000, 400),
    ],
)
async def test_all_else_is_refused_as_the_specification_says(
    witness: Witness, body: bytes, status: int
) -> None:
    await answer(witness, asking(0, 5))

    refused = await answer(witness, body)

    assert refused.status == status
    if status == HTTPStatus.CONFLICT:
        assert (refused.headers, refused.body) == (
            (("content-type", "text/x.tlog.size"),),
            b"5\n",
        )
    assert (await answer(witness, asking(5, 6))).status == HTTPStatus.OK


async def test_a_checkpoint_whose_log_signed_badly_is_refused(witness: Witness) -> None:
    """A line that names the known key and is not its signature makes the note malformed."""
    note = note_of(6)
    other = Signer(ORIGIN, bytes(32)).sign("another text\n")

    answered = await answer(witness, asking(0, 6, note.adding(other)))

    assert answered.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/add-checkpoint", "GET", 405),
        (f"/{checkpoint_path(ORIGIN)}", "POST", 405),
        (f"/{checkpoint_path('unknown/0')}", "GET", 404),
        ("/", "GET", 404),
    ],
)
async def test_other_requests_are_refused(
    witness: Witness, path: str, method: str, status: int
) -> None:
    assert (await answer(witness, path=path, method=method)).status == status


async def test_a_body_that_does_not_come_whole_is_refused(witness: Witness) -> None:
    async def read(_most: int) -> bytes:
        raise BodyError

    refused = await witness.answer(Request("POST", "/add-checkpoint", (), read))

    assert refused.status == HTTPStatus.BAD_REQUEST


async def test_what_was_cosigned_is_known_after_a_restart(tmp_path: Path) -> None:
    with closing(Heads(tmp_path / "heads.db")) as heads:
        await answer(Witness(WITNESS, {ORIGIN: [SIGNER.verifier]}, heads), asking(0, 5))

    with closing(Heads(tmp_path / "heads.db")) as heads:
        again = Witness(WITNESS, {ORIGIN: [SIGNER.verifier]}, heads)
        refused = await answer(again, asking(0, 9))

    assert (refused.status, refused.body) == (HTTPStatus.CONFLICT, b"5\n")


def test_nothing_is_cosigned_that_cannot_be_kept(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads.db")
    witness = Witness(WITNESS, {ORIGIN: [SIGNER.verifier]}, heads)
    heads.close()

    with pytest.raises(apsw.ConnectionClosedError):
        witness.cosignature(AddCheckpoint.parse(asking(0, 5)))


def test_of_those_who_come_at_once_each_grows_out_of_the_one_before(tmp_path: Path) -> None:
    """Two processes on one folder, each asked to cosign after the same size."""
    opened = [Heads(tmp_path / "heads.db") for _ in range(2)]
    witnesses = [Witness(WITNESS, {ORIGIN: [SIGNER.verifier]}, heads) for heads in opened]
    witnesses[0].cosignature(AddCheckpoint.parse(asking(0, 5)))
    ready = Barrier(2)

    def ask(which: int) -> int:
        ready.wait()
        size = 0
        for more in (6 + which, 8 + which):
            with suppress(ValueError):
                witnesses[which].cosignature(AddCheckpoint.parse(asking(5, more)))
                size = more
        return size

    with ThreadPoolExecutor(2) as pool:
        cosigned = list(pool.map(ask, range(2)))

    for heads in opened:
        heads.close()
    assert min(cosigned) == 0
    assert max(cosigned) in {6, 7}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE heads SET size = 4",
        "UPDATE heads SET root = zeroblob(32)",
        "UPDATE heads SET origin = 'other/0'",
        "DELETE FROM heads",
    ],
)
async def test_no_head_goes_back(tmp_path: Path, witness: Witness, statement: str) -> None:
    await answer(witness, asking(0, 5))

    with (
        closing(apsw.Connection(str(tmp_path / "heads.db"))) as database,
        pytest.raises(apsw.ConstraintError, match="never"),
    ):
        database.execute(statement)


def test_another_file_is_no_file_of_heads(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / "x"))) as database:
        database.execute("CREATE TABLE t (x)")
    (tmp_path / "x").chmod(0o600)
    with pytest.raises(HeadsFileError, match="another program's"):
        Heads(tmp_path / "x")

    Heads(tmp_path / "heads.db").close()
    (tmp_path / "heads.db").chmod(0o644)
    with pytest.raises(HeadsFileError, match="chmod 600"):
        Heads(tmp_path / "heads.db")


def test_a_key_is_read_as_it_was_drawn(tmp_path: Path) -> None:
    drawn = create_key(tmp_path / "key", "w.example")

    assert read_key(tmp_path / "key").verifier == drawn.verifier
    with pytest.raises(WitnessKeyError, match="cannot be made"):
        create_key(tmp_path / "key", "w.example")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PRIVATE+KEY+w.example",
        "PRIVATE+KEY+w.example+00000000+BAAA",
        "w.example+9db77645+BIpf+RlKfvyqQau/KUfcYbX6aRy0xM6r1yZe6sso4Or6",
    ],
)
def test_what_is_no_key_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(text)

    with pytest.raises(WitnessKeyError, match="does not hold the key of a witness"):
        read_key(tmp_path / "key")


def test_a_key_of_another_id_is_said(tmp_path: Path) -> None:
    create_key(tmp_path / "key", "w.example")
    text = (tmp_path / "key").read_text()
    (tmp_path / "key").write_text(text.replace("w.example", "v.example"))

    with pytest.raises(WitnessKeyError, match="does not hold"):
        read_key(tmp_path / "key")


def test_a_key_that_others_may_read_is_said(tmp_path: Path) -> None:
    create_key(tmp_path / "key", "w.example")
    (tmp_path / "key").chmod(0o640)

    with pytest.raises(WitnessKeyError, match="chmod 600"):
        read_key(tmp_path / "key")


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_name_that_no_key_can_have_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(WitnessKeyError, match="cannot have this name"):
        create_key(tmp_path / "key", name)


def test_logs_are_known_by_the_names_of_their_keys(tmp_path: Path) -> None:
    other = Signer("test/1", bytes(32)).verifier
    (tmp_path / "logs").write_text(f"# ours\n{SIGNER.verifier.vkey}\n\n {other.vkey} \n")

    assert read_logs(tmp_path / "logs") == {ORIGIN: [SIGNER.verifier], "test/1": [other]}


@pytest.mark.parametrize(
    ("text", "told"), [("", "holds no key"), ("# none\n", "holds no key"), ("x\n", "line 1")]
)
def test_a_file_without_keys_of_logs_is_said(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "logs").write_text(text)

    with pytest.raises(ValueError, match=told):
        read_logs(tmp_path / "logs")
