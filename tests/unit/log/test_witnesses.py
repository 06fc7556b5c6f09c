# SPDX-License-Identifier: Apache-2.0
"""The log's side of witnessing: who is slow or wrong holds up nobody; who saw more is believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.logs import ORIGIN, ALog, Entries, Keys
from tests.witnesses import RecordingWitness
from vault.log import witnesses as module
from vault.log.errors import WitnessAheadError, WitnessContradictsError
from vault.sealing.log import Log
from vault.transparency.cosignature import CosignatureSigner
from vault.transparency.policy import Policy
from vault.transparency.tree import EMPTY_ROOT

GOOD = "w"


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[RecordingWitness]:
    opened = RecordingWitness(tmp_path / "witness")
    yield opened
    opened.close()


@pytest.fixture
def log(tmp_path: Path, witness: RecordingWitness) -> Iterator[ALog]:
    log = ALog(tmp_path / "log" / "0", Entries(10))
    witness.know(log.signer.verifier.vkey)
    yield log
    log.close()


@pytest.fixture
def policy(witness: RecordingWitness) -> Policy:
    return Policy.parse(witness.policy.encode())


def cosigners(log: ALog, policy: Policy) -> set[str]:
    """Return who has cosigned what is published."""
    return set(policy.judge(log.note, log.signer.verifier).cosigned)


def test_each_checkpoint_is_cosigned(log: ALog, policy: Policy, witness: RecordingWitness) -> None:
    integrator = log.begun(policy)
    for _ in range(3):
        log.entries.append(100)
        integrator.go_on()

        assert cosigners(log, policy) == {GOOD}
        assert integrator.published is not None
        assert integrator.published.has_quorum
    assert [checkpoint.size for checkpoint in witness.asked] == [110, 210, 310]


def test_a_witness_that_knows_a_log_already_is_asked_from_there(
    log: ALog, policy: Policy, witness: RecordingWitness
) -> None:
    log.begun(policy).go_on()
    log.entries.append(300)

    log.begun(policy).go_on()

    assert cosigners(log, policy) == {GOOD}
    # It told its size when the head was shown to it again.
    assert [checkpoint.size for checkpoint in witness.asked] == [10, 10, 10, 310]


def test_a_witness_that_saw_more_than_the_key_stops_the_log(log: ALog, policy: Policy) -> None:
    log.begun(policy).go_on()
    yesterday = log.keys.log
    log.entries.append(5)
    log.begun(policy).go_on()
    log.keys.log = yesterday
    log.folder.publish(log.note.encode())
    (log.path / "checkpoint").unlink()
    published = log.folder.checkpoint()

    with pytest.raises(WitnessAheadError, match="has cosigned 15 entries"):
        log.begun(policy)

    assert log.folder.checkpoint() == published


def test_a_witness_that_saw_another_history_stops_the_log(
    tmp_path: Path, log: ALog, policy: Policy
) -> None:
    log.begun(policy).go_on()
    keys = Keys()
    assert log.keys.log is not None
    keys.store_log(ORIGIN, Log(0, log.keys.log.seed, 0, EMPTY_ROOT))
    other = ALog(tmp_path / "other" / "0", Entries(20, history="other"), keys)

    with pytest.raises(WitnessContradictsError):
        other.begun(policy).go_on()

    assert other.published is None
    other.close()


def test_what_another_server_signed_meanwhile_stops_nobody(
    tmp_path: Path, log: ALog, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The witness saw more than this head, and the key has it."""
    other = ALog(tmp_path / "other" / "0", log.entries, log.keys)
    one, another = log.begun(policy), other.begun(policy)
    store_log = log.keys.store_log

    def overtaken(origin: str, stored: object) -> object:
        monkeypatch.undo()
        result = store_log(origin, stored)  # type: ignore[arg-type]
        log.entries.append(5)
        another.go_on()
        return result

    monkeypatch.setattr(log.keys, "store_log", overtaken)
    one.go_on()

    assert log.published is None
    one.go_on()
    assert log.published == other.published
    other.close()
    assert cosigners(log, policy) == {GOOD}


# --- Who is away, slow or wrong


@pytest.fixture
def bad(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a witness that answers as a test says."""
    reply: Callable[[BaseHTTPRequestHandler], None] = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            reply(self)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    released.set()
    server.shutdown()
    server.server_close()
    thread.join()
    released.clear()


released = Event()


def silent(_handler: BaseHTTPRequestHandler) -> None:
    released.wait(20)


def telling(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def tell(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return tell


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


BAD = [
    pytest.param(silent, id="silent"),
    pytest.param(hanging_up, id="hangs up"),
    pytest.param(telling(200, b""), id="nothing"),
    pytest.param(telling(200, b"\xe2\x80\x94 recording.example AAAAAAAA\n"), id="no cosignature"),
    pytest.param(telling(200, b"x" * 100_000), id="too much"),
    pytest.param(telling(404, b"?\n"), id="unknown"),
    pytest.param(telling(403, b"?\n"), id="unsigned"),
    pytest.param(telling(409, b"x\n"), id="no size"),
    pytest.param(telling(409, b"3\n"), id="always another size"),
    pytest.param(telling(500, b"?\n"), id="broken"),
    pytest.param(telling(302, b""), id="elsewhere"),
]


@pytest.mark.parametrize("bad", BAD, indirect=True)
def test_a_bad_witness_holds_up_nobody(
    log: ALog, witness: RecordingWitness, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    vkey = CosignatureSigner("bad.example", bytes(32)).verifier.vkey
    policy = Policy.parse(f"witness bad {vkey} {bad}\n{witness.policy}".encode())
    integrator = log.begun(policy)
    for _ in range(3):
        log.entries.append(5)
        integrator.go_on()

        assert cosigners(log, policy) == {GOOD}
        assert log.published is not None
        assert log.published.size == len(log.entries.entries)
    released.set()


def test_a_checkpoint_without_a_quorum_is_published_and_cosigned_later(
    log: ALog, policy: Policy, witness: RecordingWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    vkey = log.signer.verifier.vkey
    witness.forget()
    integrator = log.begun(policy)
    integrator.go_on()
    assert log.published is not None
    assert cosigners(log, policy) == set()
    before = log.published

    witness.know(vkey)
    give_up = time.monotonic() + 10
    while not cosigners(log, policy):
        assert time.monotonic() < give_up
        integrator.go_on()

    assert log.published == before
    assert cosigners(log, policy) == {GOOD}


def test_what_cosigned_before_is_kept_when_another_cosigns_later(
    tmp_path: Path, log: ALog, witness: RecordingWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    vkey = log.signer.verifier.vkey
    later = RecordingWitness(tmp_path / "later", "later.example", seed=bytes(32))
    first = witness.policy.splitlines()[0]
    second = later.policy.splitlines()[0].replace("witness w", "witness later")
    policy = Policy.parse(f"{first}\n{second}\ngroup both all w later\nquorum both\n".encode())
    integrator = log.begun(policy)
    integrator.go_on()
    assert cosigners(log, policy) == {GOOD}

    later.know(vkey)
    witness.forget()
    give_up = time.monotonic() + 10
    while not (integrator.published and integrator.published.has_quorum):
        assert time.monotonic() < give_up
        integrator.go_on()

    assert cosigners(log, policy) == {GOOD, "later"}
    later.close()
