# SPDX-License-Identifier: Apache-2.0
"""The tail of a lane: saved from one store and put back in another, on each database."""

from __future__ import annotations

import base64
import hmac
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from msgspec.structs import replace

from tests.builders import ORIGIN, VAULT, evidence_provided, linked, vault_opened, vault_read
from vault.domain.canonical import digest
from vault.domain.events import Event
from vault.domain.values import PayloadMark
from vault.store import tail
from vault.store.append import Append, Payload, StoredRecord
from vault.store.record import RecordMapper, entry_of, first_leaf, link_event
from vault.store.recorder import Recorder
from vault.store.sqlite import SQLiteRecorder
from vault.store.tail import Replayed, TailError

Make = Callable[[], Recorder]
Lines = list[dict[str, Any]]

KEY: Final = bytes(range(32))


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Return what makes an empty store."""
    made: list[Recorder] = []

    def make_one() -> Recorder:
        if request.param == "sqlite":
            made.append(SQLiteRecorder(tmp_path / f"{len(made)}.db"))
        else:
            # Here, so that what needs no PostgreSQL starts none.
            from vault.store.postgres import PostgresRecorder  # noqa: PLC0415

            database = request.getfixturevalue("cluster").fresh_events()
            made.append(PostgresRecorder(database.server))
        return made[-1]

    yield make_one
    for recorder in made:
        recorder.close()


class History:
    """Appends that follow from one another in a few streams, drawn at random from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._last: dict[str, Event] = {}

    def appends(self, count: int) -> Iterator[Append]:
        """Yield so many appends, of one event or two, with request keys and payloads."""
        for _ in range(count):
            stream = f"{VAULT[:-1]}{self._random.randrange(8)}"
            key = f"key-{self._random.random()}" if self._random.random() < 0.5 else ""
            events = [self._next(stream, key)]
            if self._random.random() < 0.2:
                events.append(self._next(stream, ""))
            yield Append(
                tuple(RecordMapper().to_stored_event(event) for event in events),
                tuple((Payload("command", content_of(event)),) for event in events),
                key,
            )

    def _next(self, stream: str, key: str) -> Event:
        before = self._last.get(stream)
        (event,) = linked([vault_read() if before else vault_opened()], stream)
        content = self._random.randbytes(30)
        link = replace(
            event.link,
            version=before.link.version + 1 if before else 1,
            previous_leaf=before.leaf if before else first_leaf(ORIGIN, stream),
            request_key=key,
            payloads=(PayloadMark("command", digest(content), "key", "commitment"),),
            salt=content.hex(),
        )
        self._last[stream] = link_event(link, event.facts)
        return self._last[stream]


def content_of(event: Event) -> bytes:
    """Return what lies sealed beside an event of a `History`."""
    return bytes.fromhex(event.link.salt)


def fill(recorder: Recorder, appends: Sequence[Append]) -> None:
    for append in appends:
        recorder.insert_batch([append])


def replay(recorder: Recorder, path: Path) -> Replayed:
    return tail.replay(recorder, path, lane=0, origin=ORIGIN, key=KEY)


def saved(recorder: Recorder, path: Path, first: int) -> Path:
    tail.save(recorder, path, first=first, key=KEY)
    return path


def everything(recorder: Recorder) -> list[tuple[StoredRecord, Sequence[Payload]]]:
    """Return every record of a store and what lies beside it, by position."""
    streams = {str(each.originator_id) for each in recorder.select_notifications(1, 10_000)}
    records = [each for stream in streams for each in recorder.select_records(stream, limit=10_000)]
    return [
        (record, recorder.select_payloads(record.stream, record.version))
        for record in sorted(records, key=lambda record: record.position)
    ]


@pytest.fixture
def history() -> History:
    return History(random.randrange(2**32))


@pytest.fixture
def damaged(make: Make, history: History) -> tuple[Recorder, Recorder]:
    """A store, and one restored from a backup of it which ends forty appends earlier."""
    whole, restored = make(), make()
    appends = list(history.appends(70))
    fill(whole, appends)
    fill(restored, appends[:30])
    return whole, restored


def test_what_a_backup_lacks_is_put_back_exactly_as_it_was(
    damaged: tuple[Recorder, Recorder], history: History, tmp_path: Path
) -> None:
    whole, restored = damaged
    ends = restored.tree_size()
    file = saved(whole, tmp_path / "tail", ends)

    replayed = replay(restored, file)

    assert replayed == Replayed(found=0, appended=whole.tree_size() - ends), history.seed
    assert everything(restored) == everything(whole), history.seed
    for record, _ in everything(whole):
        found = restored.find_request(record.stream, record.request_key)
        assert found == (record if record.request_key else None), history.seed


def test_putting_it_back_again_doubles_nothing(
    damaged: tuple[Recorder, Recorder], history: History, tmp_path: Path
) -> None:
    whole, restored = damaged
    file = saved(whole, tmp_path / "tail", 10)
    replay(restored, file)

    again = replay(restored, file)

    assert again == Replayed(found=whole.tree_size() - 10, appended=0), history.seed
    assert everything(restored) == everything(whole), history.seed


def test_a_replay_that_was_interrupted_is_finished(
    damaged: tuple[Recorder, Recorder],
    history: History,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, restored = damaged
    ends = restored.tree_size()
    file = saved(whole, tmp_path / "tail", ends)
    monkeypatch.setattr(tail, "_BATCH", 7)
    insert, batches = restored.insert_batch, iter(range(2))

    def insert_two_batches(batch: Sequence[Append]) -> object:
        next(batches)
        return insert(batch)

    monkeypatch.setattr(restored, "insert_batch", insert_two_batches)
    with pytest.raises(StopIteration):
        replay(restored, file)
    assert restored.tree_size() == ends + 14, history.seed
    monkeypatch.setattr(restored, "insert_batch", insert)

    assert replay(restored, file).found == 14, history.seed
    assert everything(restored) == everything(whole), history.seed


def test_a_whole_lane_is_a_tail_too(make: Make, history: History, tmp_path: Path) -> None:
    whole, empty = make(), make()
    fill(whole, list(history.appends(300)))

    replay(empty, saved(whole, tmp_path / "tail", 0))

    assert everything(empty) == everything(whole), history.seed


def test_there_may_be_nothing_to_put_back(
    damaged: tuple[Recorder, Recorder], tmp_path: Path
) -> None:
    whole, _ = damaged
    file = saved(whole, tmp_path / "tail", whole.tree_size())

    assert replay(whole, file) == Replayed(found=0, appended=0)


def test_a_store_that_went_on_otherwise_is_refused_and_stays_as_it_is(
    make: Make, tmp_path: Path, history: History
) -> None:
    whole, restored = make(), make()
    appends = list(history.appends(20))
    fill(whole, appends)
    fill(restored, appends[:10])
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    # Somebody else was served meanwhile.
    (other,) = linked([vault_opened()], "somebody-else")
    fill(restored, [Append((RecordMapper().to_stored_event(other),))])
    before = everything(restored)

    with pytest.raises(TailError, match="gone on otherwise"):
        replay(restored, file)

    assert everything(restored) == before, history.seed


def test_a_store_of_another_history_is_refused(
    damaged: tuple[Recorder, Recorder], make: Make, tmp_path: Path
) -> None:
    whole, restored = damaged
    other = make()
    fill(other, list(History(7).appends(restored.tree_size())))
    file = saved(whole, tmp_path / "tail", other.tree_size())

    with pytest.raises(TailError, match="another history"):
        replay(other, file)


def test_a_tail_that_begins_too_late_is_refused(
    damaged: tuple[Recorder, Recorder], tmp_path: Path
) -> None:
    whole, restored = damaged
    ends = restored.tree_size()
    file = saved(whole, tmp_path / "tail", ends + 1)

    with pytest.raises(TailError, match=f"ends at position {ends} and .* from {ends} or before"):
        replay(restored, file)


@pytest.mark.parametrize("first", [-1, 1_000])
def test_there_is_no_tail_from_a_place_that_is_not_there(
    make: Make, tmp_path: Path, first: int
) -> None:
    with pytest.raises(TailError, match="no position"):
        tail.save(make(), tmp_path / "tail", first=first, key=KEY)


def test_who_appends_meanwhile_is_noticed(
    damaged: tuple[Recorder, Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, restored = damaged
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    insert = restored.insert_batch
    (other,) = linked([vault_opened()], "somebody-else")

    def insert_after_another(batch: Sequence[Append]) -> object:
        insert([Append((RecordMapper().to_stored_event(other),))])
        return insert(batch)

    monkeypatch.setattr(restored, "insert_batch", insert_after_another)
    with pytest.raises(TailError, match="Something else appended"):
        replay(restored, file)


# --- The file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_tail_is_its_owners_alone_and_replaces_no_file(make: Make, tmp_path: Path) -> None:
    file = saved(make(), tmp_path / "tail", 0)

    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        saved(make(), file, 0)


def lines_of(file: Path) -> Lines:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def write(file: Path, lines: Lines, key: bytes = KEY) -> None:
    """Write lines as a whole tail, whatever they say."""
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines[:-1])
    end = lines[-1] | {"mac": base64.b64encode(hmac.digest(key, data, "sha256")).decode()}
    file.write_bytes(data + json.dumps(end).encode() + b"\n")


def without_a_line(lines: Lines) -> None:
    del lines[3]


def in_another_order(lines: Lines) -> None:
    lines[3], lines[4] = lines[4], lines[3]


def of_another_form(lines: Lines) -> None:
    lines[0]["form"] = "citizen-vault-tail/2"


def ending_elsewhere(lines: Lines) -> None:
    lines[-1]["size"] += 1


def with_changed_facts(lines: Lines) -> None:
    state = base64.b64decode(lines[3]["state"]).replace(b'"evidence"', b'"history"')
    lines[3]["state"] = base64.b64encode(state).decode()


def with_another_request_key(lines: Lines) -> None:
    lines[3]["request_key"] = "another"


def with_another_payload(lines: Lines) -> None:
    lines[3]["payloads"] = [["command", base64.b64encode(b"another").decode()]]


def with_a_payload_more(lines: Lines) -> None:
    lines[3]["payloads"].append(["evidence", base64.b64encode(b"more").decode()])


def without_a_payload(lines: Lines) -> None:
    lines[3]["payloads"] = []


def with_a_payload_twice(lines: Lines) -> None:
    lines[3]["payloads"] *= 2


def with_a_payload_there_and_absent(lines: Lines) -> None:
    lines[3]["absent"] = ["command"]


def of_another_stream(lines: Lines) -> None:
    lines[3]["stream"] = "another"


def with_a_record_made_up(lines: Lines) -> None:
    """The record is whole and says where it belongs, but follows from nothing that was."""
    _, event = linked([vault_opened(), vault_read()], lines[3]["stream"])
    made_up = link_event(replace(event.link, version=lines[3]["version"]), event.facts)
    lines[3] |= {
        "request_key": "",
        "topic": "vault-read.1",
        "entry": base64.b64encode(entry_of(made_up.state)).decode(),
        "state": base64.b64encode(made_up.state).decode(),
        "payloads": [],
        "absent": [],
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_a_line, "not a whole tail"),
        (in_another_order, "not a whole tail"),
        (of_another_form, "not a whole tail"),
        (ending_elsewhere, "not a whole tail"),
        (with_changed_facts, "does not fit"),
        (with_another_request_key, "does not fit"),
        (with_another_payload, "does not fit"),
        (with_a_payload_more, "does not fit"),
        (without_a_payload, "does not fit"),
        (with_a_payload_twice, "does not fit"),
        (with_a_payload_there_and_absent, "does not fit"),
        (of_another_stream, "cannot be read"),
        (with_a_record_made_up, "does not follow"),
    ],
)
@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_changed_file_is_refused_and_nothing_is_appended(
    damaged: tuple[Recorder, Recorder],
    history: History,
    tmp_path: Path,
    change: Callable[[Lines], None],
    told: str,
) -> None:
    whole, restored = damaged
    before = everything(restored)
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    lines = lines_of(file)
    change(lines)
    write(file, lines)

    with pytest.raises(TailError, match=told):
        replay(restored, file)

    assert everything(restored) == before, history.seed


def stripped(lines: Lines) -> None:
    for line in lines[1:-1]:
        line["absent"] += [kind for kind, _ in line["payloads"]]
        line["payloads"] = []


def cut_short(lines: Lines) -> None:
    del lines[-2]
    lines[-1]["size"] -= 1


@pytest.mark.parametrize("change", [stripped, cut_short, list])
@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_file_of_somebody_without_the_key_is_refused(
    damaged: tuple[Recorder, Recorder],
    history: History,
    tmp_path: Path,
    change: Callable[[Lines], object],
) -> None:
    whole, restored = damaged
    before = everything(restored)
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    lines = lines_of(file)
    change(lines)
    write(file, lines, key=bytes(32))

    with pytest.raises(TailError, match="not a whole tail"):
        replay(restored, file)

    assert everything(restored) == before, history.seed


@pytest.mark.parametrize(("lane", "origin"), [(3, ORIGIN), (0, "test/3"), (0, "other/0")])
@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_tail_of_another_lane_is_refused_before_anything_is_appended(
    make: Make, history: History, tmp_path: Path, lane: int, origin: str
) -> None:
    whole, empty = make(), make()
    fill(whole, list(history.appends(5)))
    file = saved(whole, tmp_path / "tail", 0)

    with pytest.raises(TailError, match=f"not of lane {lane} of this deployment"):
        tail.replay(empty, file, lane=lane, origin=origin, key=KEY)

    assert empty.tree_size() == 0, history.seed


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_the_last_record_is_verified_before_the_first_is_appended(
    damaged: tuple[Recorder, Recorder],
    history: History,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, restored = damaged
    before = everything(restored)
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    monkeypatch.setattr(tail, "_BATCH", 1)
    lines = lines_of(file)
    lines[-2]["payloads"] = []
    write(file, lines)

    with pytest.raises(TailError, match="does not fit"):
        replay(restored, file)

    assert everything(restored) == before, history.seed


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_file_that_is_cut_off_anywhere_is_refused(
    damaged: tuple[Recorder, Recorder], history: History, tmp_path: Path
) -> None:
    whole, restored = damaged
    before = everything(restored)
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    content = file.read_bytes()
    for kept in [0, 1, *random.Random(history.seed).sample(range(len(content) - 1), 40)]:
        file.write_bytes(content[:kept])
        with pytest.raises(TailError, match="not a whole tail"):
            replay(restored, file)

    assert everything(restored) == before, history.seed


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_deleted_record_is_said_when_the_tail_is_saved(
    damaged: tuple[Recorder, Recorder], tmp_path: Path
) -> None:
    whole, _ = damaged
    with closing(apsw.Connection(str(tmp_path / "0.db"))) as database:
        database.execute("DELETE FROM records WHERE position = 35")

    with pytest.raises(TailError, match="position 35 was deleted"):
        tail.save(whole, tmp_path / "tail", first=30, key=KEY)
    assert tail.save(whole, tmp_path / "tail", first=36, key=KEY) == whole.tree_size() - 36


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_the_record_before_a_tail_may_be_gone(
    damaged: tuple[Recorder, Recorder], tmp_path: Path
) -> None:
    whole, restored = damaged
    file = saved(whole, tmp_path / "tail", restored.tree_size())
    with closing(apsw.Connection(str(tmp_path / "1.db"))) as database:
        database.execute("DELETE FROM records WHERE position = ?", (restored.tree_size() - 1,))

    replay(restored, file)

    assert restored.tree_size() == whole.tree_size()


@pytest.mark.parametrize("make", ["sqlite"], indirect=True)
def test_a_damaged_record_is_said_when_the_tail_is_saved(
    damaged: tuple[Recorder, Recorder], tmp_path: Path
) -> None:
    whole, _ = damaged
    with closing(apsw.Connection(str(tmp_path / "0.db"))) as database:
        database.execute("DROP TRIGGER records_are_never_updated")
        database.execute("UPDATE records SET state = zeroblob(100) WHERE position = 35")

    with pytest.raises(TailError, match="position 35 cannot be read"):
        tail.save(whole, tmp_path / "tail", first=30, key=KEY)
    assert not (tmp_path / "tail").exists()


def test_what_was_erased_since_stays_erased(make: Make, tmp_path: Path) -> None:
    """A payload that is gone in the source is not in the tail; the event is."""
    whole, restored = make(), make()
    (event,) = linked([evidence_provided()])
    fill(whole, [Append((RecordMapper().to_stored_event(event),))])

    replay(restored, saved(whole, tmp_path / "tail", 0))

    assert everything(restored) == everything(whole)
    assert restored.select_payloads(VAULT, 1) == []
