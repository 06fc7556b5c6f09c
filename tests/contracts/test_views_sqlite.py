# SPDX-License-Identifier: Apache-2.0
"""Views on SQLite: the contracts, the library's own cases, and what only a file has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from eventsourcing.tests import persistence

from projections import change_feed, consent_register
from projections.change_feed import START, ChangeFeed
from projections.consent_register import ConsentRegister
from projections.tracking import Place, SQLiteView, VersionedProjection
from tests.builders import SERVICE
from tests.contracts.test_event_store_sqlite import run_sql
from tests.contracts.view_change_feed import ChangeFeedContract
from tests.contracts.view_consent_register import ConsentRegisterContract
from vault.domain.errors import StoreUnavailableError
from vault.store.errors import StoreFileError

FILE = "view.db"
PLACE = Place("vaults/0", 7)


class _OnSQLite:
    def open_view(self, place: Path, projection_class: type[VersionedProjection]) -> SQLiteView:
        place.mkdir(exist_ok=True)
        return SQLiteView(place / FILE, projection_class.schema)


class TestChangeFeed(_OnSQLite, ChangeFeedContract):
    pass


class TestConsentRegister(_OnSQLite, ConsentRegisterContract):
    pass


class TestLibraryTracking(persistence.TrackingRecorderTestCase):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.view = SQLiteView(tmp_path / FILE, "")
        yield
        self.view.close()

    def create_recorder(self) -> SQLiteView:
        return self.view


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def view(path: Path) -> Iterator[SQLiteView]:
    view = SQLiteView(path, ChangeFeed.schema)
    yield view
    view.close()


async def test_files_are_their_owners_alone(view: SQLiteView, path: Path) -> None:
    view.mark_whole("vaults/0")
    await ChangeFeed(view).changes(SERVICE, START, 1)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_a_database_of_something_else_is_refused_untouched(path: Path) -> None:
    run_sql(path, "CREATE TABLE letters (text TEXT)")
    before = path.read_bytes()

    with pytest.raises(StoreFileError, match="something else"):
        SQLiteView(path, ChangeFeed.schema)

    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_bytes(b"a letter to the council" * 100)

    with pytest.raises(StoreFileError, match="not a database"):
        SQLiteView(path, ChangeFeed.schema)

    assert path.read_bytes() == b"a letter to the council" * 100


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreFileError, match="cannot be opened"):
        SQLiteView(tmp_path / "nowhere" / FILE, "")


async def test_clearing_keeps_nothing_and_is_not_whole(view: SQLiteView, path: Path) -> None:
    view.write("INSERT INTO requests VALUES ('a', 'b', 'c', NULL)")
    view.insert_tracking(PLACE)
    view.insert_tracking(Place("vaults/1", 3))
    view.mark_whole("vaults/0")
    view.mark_whole("vaults/1")

    view.clear(PLACE)

    assert not view.is_whole("vaults/0")
    assert not view.is_whole("vaults/1")
    assert view.generation == 1
    with pytest.raises(StoreUnavailableError):
        await view.sizes()
    view.asked_generation = 1
    assert await view.sizes() == {}
    assert run_sql(path, "SELECT count(*) FROM requests") == [(0,)]


async def test_each_lane_has_a_place_of_its_own(view: SQLiteView) -> None:
    view.insert_tracking(PLACE)
    view.insert_tracking(Place("vaults/12", 3))

    assert await view.sizes() == {0: 7, 12: 3}


def test_what_another_process_began_anew_is_not_cleared_again(view: SQLiteView, path: Path) -> None:
    other = SQLiteView(path, ChangeFeed.schema)
    view.insert_tracking(PLACE)
    other.clear(PLACE)
    other.insert_tracking(Place("vaults/0", 3))

    view.clear(PLACE)

    assert view.max_tracking_id("vaults/0") == 3
    other.close()


def test_whether_it_is_whole_outlasts_a_restart(path: Path) -> None:
    for expected in (False, True):
        view = SQLiteView(path, ChangeFeed.schema)
        assert view.is_whole("vaults/0") is expected
        assert not view.is_whole("vaults/1")
        view.mark_whole("vaults/0")
        view.close()


async def test_a_view_that_cannot_be_read_says_so(view: SQLiteView) -> None:
    view.write("DROP TABLE changes")

    with pytest.raises(StoreUnavailableError) as caught:
        await ChangeFeed(view).changes(SERVICE, START, 1)

    assert isinstance(caught.value.__cause__, apsw.SQLError)


REVEALED = change_feed._REVEALED  # noqa: SLF001
WENT_ON = change_feed._WENT_ON  # noqa: SLF001
LANES = change_feed._LANES  # noqa: SLF001
CONSENTS = consent_register._CONSENTS  # noqa: SLF001
REQUESTS = consent_register._ALL_REQUESTS  # noqa: SLF001


@pytest.mark.parametrize(
    ("schema", "question", "index"),
    [
        (ChangeFeed.schema, REVEALED, "changes_as_shown (service=? AND (shown,lane,position)>(?"),
        (
            ChangeFeed.schema,
            WENT_ON,
            "sqlite_autoindex_changes_1 (service=? AND lane=? AND position>?",
        ),
        (
            ChangeFeed.schema,
            LANES,
            "sqlite_autoindex_changes_1 (service=? AND lane=? AND position>?",
        ),
        (
            ConsentRegister.schema,
            CONSENTS,
            "consents_of_service (service=? AND (granted,lane,position)<(?,?,?))",
        ),
        (
            ConsentRegister.schema,
            REQUESTS,
            "requests_of_service (service=? AND (made,lane,position)<(?,?,?))",
        ),
    ],
)
def test_a_page_is_found_by_index(path: Path, schema: str, question: str, index: str) -> None:
    """A service with a hundred thousand consents has none read but those of the page."""
    view = SQLiteView(path, schema)
    names = ("service", "shown", "lane", "position", "before", "limit", "reached", "told", "size")
    bindings = {**dict.fromkeys(names, 1), "sizes": "{}", "stretches": "{}"}

    rows = view._writer.execute(f"EXPLAIN QUERY PLAN {question}", bindings).fetchall()  # noqa: SLF001
    view.close()

    said = [str(row[3]) for row in rows]
    assert any(f"INDEX {index}" in line for line in said)
    assert not any("TEMP B-TREE" in line for line in said)
    assert not any(line.startswith("SCAN") and "VIRTUAL TABLE" not in line for line in said)
