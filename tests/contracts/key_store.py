# SPDX-License-Identifier: Apache-2.0
"""What every key store promises. Each backend inherits this suite and says how to open one."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random, randrange
from threading import Barrier

import pytest

from vault.sealing.envelope import Context, new_key, open_sealed, seal
from vault.sealing.errors import KeyringConflictError, LogConflictError
from vault.sealing.keyring import Keyring, new_keyring
from vault.sealing.keystore import Identity, KeyStore
from vault.sealing.log import Log, new_log

ORIGIN = "test/0"
STREAM = "8a1f0000-0000-8000-8000-000000000001"
OTHER_STREAM = "8a1f0000-0000-8000-8000-000000000002"
ISSUER = "https://issuer.example"
IDENTITY = Identity(vault_id=STREAM, sign_in_id="5b0e4f6e-8f0e-4a52-9c5e-0b8f9c1d2e3f")
OTHER_IDENTITY = Identity(vault_id=OTHER_STREAM, sign_in_id="0c7d8a54-52f3-4d0c-8a5c-7f1e6b2a9d10")
THREADS = 8


def raising(stream: str, named: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that raises a stream's floor and prints what was kept."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("raise_until_killed.py"), stream, *named],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )


class KeyStoreContract:
    """The promises of `vault.sealing.keystore.KeyStore`."""

    @pytest.fixture
    def open_store(self) -> Callable[[], KeyStore]:
        """Return what opens the same durable store anew, as another process would."""
        raise NotImplementedError

    @pytest.fixture
    def named(self) -> Sequence[str]:
        """Return the arguments by which `raise_until_killed` opens the same store."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store: Callable[[], KeyStore]) -> KeyStore:
        return open_store()

    def test_what_is_whole_is_confirmed(self, store: KeyStore) -> None:
        store.raise_floor(STREAM, 7)

        store.confirm()

        assert store.floor(STREAM) == 7

    def test_an_absent_keyring_is_none(self, store: KeyStore) -> None:
        assert store.load_keyring(STREAM) is None

    def test_a_stored_keyring_is_loaded_as_it_was(self, store: KeyStore) -> None:
        keyring = (
            new_keyring().with_evidence_key("e-1", 1, new_key()).with_subject("service", "subject")
        )

        stored = store.store_keyring(STREAM, keyring)

        assert store.load_keyring(STREAM) == stored
        assert (stored.history, stored.evidence) == (keyring.history, keyring.evidence)
        assert stored.subjects == keyring.subjects

    def test_each_storing_counts_the_number_up(self, store: KeyStore) -> None:
        first = store.store_keyring(STREAM, new_keyring())
        second = store.store_keyring(STREAM, first)

        assert (first.number, second.number) == (1, 2)

    def test_a_rewritten_keyring_is_loaded_as_it_is_now(self, store: KeyStore) -> None:
        first = store.store_keyring(STREAM, new_keyring())
        key = new_key()

        store.store_keyring(STREAM, first.with_evidence_key("e-1", 1, key))

        loaded = store.load_keyring(STREAM)
        assert loaded is not None
        assert loaded.evidence_key("e-1", 1) == key

    def test_keyrings_of_two_citizens_are_apart(self, store: KeyStore) -> None:
        first = store.store_keyring(STREAM, new_keyring())
        second = store.store_keyring(OTHER_STREAM, new_keyring())

        assert store.load_keyring(STREAM) == first
        assert store.load_keyring(OTHER_STREAM) == second

    def test_a_second_first_keyring_is_a_conflict(self, store: KeyStore) -> None:
        first = store.store_keyring(STREAM, new_keyring())

        with pytest.raises(KeyringConflictError):
            store.store_keyring(STREAM, new_keyring())

        assert store.load_keyring(STREAM) == first

    @pytest.mark.parametrize("numbers_behind", [1, -1])
    def test_another_number_is_a_conflict(self, store: KeyStore, numbers_behind: int) -> None:
        current = store.store_keyring(STREAM, store.store_keyring(STREAM, new_keyring()))
        number = current.number - numbers_behind
        stale = Keyring(number, current.history, current.evidence, current.subjects)

        with pytest.raises(KeyringConflictError):
            store.store_keyring(STREAM, stale)

        assert store.load_keyring(STREAM) == current

    def test_a_deleted_keyring_is_gone(self, store: KeyStore) -> None:
        store.store_keyring(STREAM, new_keyring())

        store.delete_keyring(STREAM)

        assert store.load_keyring(STREAM) is None

    def test_deleting_leaves_other_citizens_alone(self, store: KeyStore) -> None:
        kept = store.store_keyring(OTHER_STREAM, new_keyring())
        store.store_keyring(STREAM, new_keyring())

        store.delete_keyring(STREAM)

        assert store.load_keyring(OTHER_STREAM) == kept

    def test_deleting_twice_is_no_error(self, store: KeyStore) -> None:
        store.store_keyring(STREAM, new_keyring())

        store.delete_keyring(STREAM)
        store.delete_keyring(STREAM)

        assert store.load_keyring(STREAM) is None

    def test_a_deleted_keyring_is_not_rewritten(self, store: KeyStore) -> None:
        keyring = store.store_keyring(STREAM, new_keyring())
        store.delete_keyring(STREAM)

        with pytest.raises(KeyringConflictError):
            store.store_keyring(STREAM, keyring)

    def test_erased_evidence_has_no_key_and_the_rest_opens(self, store: KeyStore) -> None:
        kept = new_key()
        context = Context(STREAM, "evidence", "e-2", 1)
        sealed = seal(kept, context, b"plaintext")
        keyring = new_keyring().with_evidence_key("e-1", 1, new_key())
        keyring = store.store_keyring(STREAM, keyring.with_evidence_key("e-2", 1, kept))

        store.store_keyring(STREAM, keyring.without_evidence("e-1"))

        loaded = store.load_keyring(STREAM)
        assert loaded is not None
        assert loaded.evidence_key("e-1", 1) is None
        key = loaded.evidence_key("e-2", 1)
        assert key is not None
        assert open_sealed(key, context, sealed, kept.commitment) == b"plaintext"

    def test_of_writers_that_race_exactly_one_wins(
        self, open_store: Callable[[], KeyStore]
    ) -> None:
        stores = [open_store(), open_store()]
        loaded = stores[0].store_keyring(STREAM, new_keyring())
        together = Barrier(THREADS)

        def race(thread: int) -> Keyring | None:
            together.wait()
            try:
                mine = loaded.with_evidence_key(f"e-{thread}", 1, new_key())
                return stores[thread % 2].store_keyring(STREAM, mine)
            except KeyringConflictError:
                return None

        with ThreadPoolExecutor(THREADS) as pool:
            won = [keyring for keyring in pool.map(race, range(THREADS)) if keyring is not None]

        assert won == [stores[0].load_keyring(STREAM)]

    def test_no_key_is_lost_among_writers_that_try_again(self, store: KeyStore) -> None:
        store.store_keyring(STREAM, new_keyring())

        def add(thread: int) -> None:
            while True:
                loaded = store.load_keyring(STREAM)
                assert loaded is not None
                try:
                    store.store_keyring(
                        STREAM, loaded.with_evidence_key(f"e-{thread}", 1, new_key())
                    )
                except KeyringConflictError:
                    continue
                return

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(add, range(THREADS)))

        loaded = store.load_keyring(STREAM)
        assert loaded is not None
        assert set(loaded.evidence) == {(f"e-{thread}", 1) for thread in range(THREADS)}

    def test_an_unknown_sign_in_is_none(self, store: KeyStore) -> None:
        assert store.find_identity(ISSUER, "sub") is None

    def test_an_added_sign_in_is_found(self, store: KeyStore) -> None:
        assert store.add_identity(ISSUER, "sub", IDENTITY) == IDENTITY
        assert store.find_identity(ISSUER, "sub") == IDENTITY

    @pytest.mark.parametrize(
        ("issuer", "sub"), [("https://other.example", "sub"), (ISSUER, "other"), ("sub", ISSUER)]
    )
    def test_another_sign_in_is_not_found(self, store: KeyStore, issuer: str, sub: str) -> None:
        store.add_identity(ISSUER, "sub", IDENTITY)

        assert store.find_identity(issuer, sub) is None

    def test_the_first_vault_of_a_sign_in_stands(self, store: KeyStore) -> None:
        store.add_identity(ISSUER, "sub", IDENTITY)

        assert store.add_identity(ISSUER, "sub", OTHER_IDENTITY) == IDENTITY
        assert store.find_identity(ISSUER, "sub") == IDENTITY

    def test_several_sign_ins_lead_to_one_vault(self, store: KeyStore) -> None:
        store.add_identity(ISSUER, "sub", IDENTITY)
        store.add_identity(ISSUER, "second", IDENTITY)

        assert store.find_identity(ISSUER, "second") == IDENTITY

    def test_first_sign_ins_that_race_get_the_same_vault(
        self, open_store: Callable[[], KeyStore]
    ) -> None:
        stores = [open_store(), open_store()]
        together = Barrier(THREADS)

        def sign_in(thread: int) -> Identity:
            together.wait()
            mine = Identity(vault_id=f"vault-{thread}", sign_in_id=f"sign-in-{thread}")
            return stores[thread % 2].add_identity(ISSUER, "sub", mine)

        with ThreadPoolExecutor(THREADS) as pool:
            given = list(pool.map(sign_in, range(THREADS)))

        assert given == [stores[0].find_identity(ISSUER, "sub")] * THREADS

    def test_a_service_finds_the_vault_of_its_subject(self, store: KeyStore) -> None:
        assert store.add_subject("service", "subject", STREAM) == STREAM
        assert store.find_subject("service", "subject") == STREAM

    def test_another_service_does_not_find_the_subject(self, store: KeyStore) -> None:
        store.add_subject("service", "subject", STREAM)

        assert store.find_subject("other", "subject") is None

    def test_the_first_vault_of_a_subject_stands(self, store: KeyStore) -> None:
        store.add_subject("service", "subject", STREAM)

        assert store.add_subject("service", "subject", OTHER_STREAM) == STREAM

    def test_a_stream_has_no_floor_at_first(self, store: KeyStore) -> None:
        store.raise_floor(OTHER_STREAM, 5)

        assert store.floor(STREAM) == 0

    def test_a_raised_floor_is_kept(self, store: KeyStore) -> None:
        store.raise_floor(STREAM, 3)
        store.raise_floor(STREAM, 7)

        assert store.floor(STREAM) == 7

    @pytest.mark.parametrize("version", [1, 6, 7])
    def test_a_floor_is_never_lowered(self, store: KeyStore, version: int) -> None:
        store.raise_floor(STREAM, 7)

        store.raise_floor(STREAM, version)

        assert store.floor(STREAM) == 7

    def test_a_floor_stays_when_the_keyring_goes(self, store: KeyStore) -> None:
        store.store_keyring(STREAM, new_keyring())
        store.raise_floor(STREAM, 7)

        store.delete_keyring(STREAM)

        assert store.floor(STREAM) == 7

    def test_of_floors_that_are_raised_at_once_the_largest_stands(
        self, open_store: Callable[[], KeyStore]
    ) -> None:
        stores = [open_store(), open_store()]
        versions = list(range(1, 65))
        seed = randrange(2**32)
        Random(seed).shuffle(versions)

        def raise_and_look(version: int) -> bool:
            store = stores[version % 2]
            store.raise_floor(STREAM, version)
            return store.floor(STREAM) >= version

        with ThreadPoolExecutor(THREADS) as pool:
            assert all(pool.map(raise_and_look, versions)), f"seed {seed}"
        assert [store.floor(STREAM) for store in stores] == [64, 64], f"seed {seed}"

    def test_floors_that_processes_acknowledged_outlive_them(
        self, open_store: Callable[[], KeyStore], named: Sequence[str]
    ) -> None:
        open_store()
        with ExitStack() as running:
            processes = [running.enter_context(raising(STREAM, named)) for _ in range(2)]
            acknowledged = []
            for process in processes:
                assert process.stdout is not None
                acknowledged += [process.stdout.readline() for _ in range(20)]
            for process in processes:
                process.send_signal(signal.SIGKILL)
            for process in processes:
                assert process.stdout is not None
                acknowledged += process.stdout.readlines()
                assert process.wait() == -signal.SIGKILL

        # The last line may be cut off in the middle.
        kept = [int(line) for line in acknowledged if line.endswith("\n")]
        assert len(kept) >= 40
        assert open_store().floor(STREAM) >= max(kept)

    def test_a_log_that_nobody_stored_is_none(self, store: KeyStore) -> None:
        assert store.load_log(ORIGIN) is None

    def test_a_stored_log_is_loaded_as_it_was(self, store: KeyStore) -> None:
        drawn = new_log()

        first = store.store_log(ORIGIN, drawn)
        second = store.store_log(ORIGIN, first.with_head(7, bytes(range(32))))

        assert (first.number, second.number) == (1, 2)
        assert store.load_log(ORIGIN) == second == Log(2, drawn.seed, 7, bytes(range(32)))

    def test_logs_of_two_lanes_are_apart(self, store: KeyStore) -> None:
        first = store.store_log(ORIGIN, new_log())
        second = store.store_log("test/1", new_log())

        assert store.load_log(ORIGIN) == first
        assert store.load_log("test/1") == second
        assert first.seed != second.seed

    def test_the_key_of_a_log_is_drawn_once(self, store: KeyStore) -> None:
        first = store.store_log(ORIGIN, new_log())

        with pytest.raises(LogConflictError):
            store.store_log(ORIGIN, new_log())

        assert store.load_log(ORIGIN) == first

    @pytest.mark.parametrize("numbers_behind", [1, -1])
    def test_a_head_that_does_not_follow_is_a_conflict(
        self, store: KeyStore, numbers_behind: int
    ) -> None:
        first = store.store_log(ORIGIN, new_log())
        current = store.store_log(ORIGIN, first.with_head(1, bytes(32)))
        number = current.number - numbers_behind

        with pytest.raises(LogConflictError):
            store.store_log(ORIGIN, Log(number, current.seed, 2, bytes(32)))

        assert store.load_log(ORIGIN) == current

    def test_of_those_who_sign_after_one_head_one_alone_stores_it(
        self, open_store: Callable[[], KeyStore]
    ) -> None:
        stores = [open_store() for _ in range(THREADS)]
        before = stores[0].store_log(ORIGIN, new_log())
        ready = Barrier(THREADS)

        def sign(number: int) -> bool:
            ready.wait()
            try:
                stores[number].store_log(ORIGIN, before.with_head(number, bytes(32)))
            except LogConflictError:
                return False
            return True

        with ThreadPoolExecutor(THREADS) as pool:
            stored = list(pool.map(sign, range(THREADS)))

        assert stored.count(True) == 1
        assert stores[0].load_log(ORIGIN) == Log(2, before.seed, stored.index(True), bytes(32))

    def test_everything_is_there_after_a_restart(self, open_store: Callable[[], KeyStore]) -> None:
        first = open_store()
        keyring = first.store_keyring(STREAM, new_keyring())
        first.add_identity(ISSUER, "sub", IDENTITY)
        first.add_subject("service", "subject", STREAM)
        first.raise_floor(STREAM, 7)
        log = first.store_log(ORIGIN, new_log())

        second = open_store()

        assert second.load_keyring(STREAM) == keyring
        assert second.find_identity(ISSUER, "sub") == IDENTITY
        assert second.find_subject("service", "subject") == STREAM
        assert second.floor(STREAM) == 7
        assert second.load_log(ORIGIN) == log

    def test_the_secrets_are_drawn_once(self, open_store: Callable[[], KeyStore]) -> None:
        assert open_store().secrets() == open_store().secrets()

    def test_stores_made_at_once_have_the_same_secrets(
        self, open_store: Callable[[], KeyStore]
    ) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            stores = list(pool.map(lambda _: open_store(), range(THREADS)))

        assert len({store.secrets().receipt_key_id for store in stores}) == 1
