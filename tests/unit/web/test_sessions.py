# SPDX-License-Identifier: Apache-2.0
"""What the pages keep of a browser: nothing that anybody else can read, and not for long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apsw
import pytest

from clients.web.sessions import (
    IDLE_SECONDS,
    LAPSED_SECONDS,
    SHARED_DEVICE_SECONDS,
    Session,
    Sessions,
)

TOKEN = "a-token-that-nobody-else-may-have"
TYPED = {"path": "/information/add/income", "fields": [["payer", "The Widget Works"]]}


@dataclasses.dataclass
class Clock:
    now: float = 1_800_000_000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path / "web" / "sessions.db", clock)


def signed_in(sessions: Sessions, clock: Clock, sub: str = "mair") -> Session:
    session = sessions.new()
    session.role, session.issuer, session.sub, session.token = "citizen", "https://i", sub, TOKEN
    session.expires = int(clock.now) + 3600
    sessions.keep(session)
    return session


def test_what_lapsed_for_good_is_forgotten_without_a_restart(
    sessions: Sessions, clock: Clock, tmp_path: Path
) -> None:
    for number in range(20):
        signed_in(sessions, clock, f"somebody-{number}")
    clock.now += IDLE_SECONDS + LAPSED_SECONDS

    signed_in(sessions, clock)

    database = apsw.Connection(str(tmp_path / "web" / "sessions.db"))
    try:
        assert database.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    finally:
        database.close()


def test_what_is_kept_comes_back_to_the_same_browser(sessions: Sessions, clock: Clock) -> None:
    session = signed_in(sessions, clock)
    session.notes["draft"] = {"names": ["postalCode"]}
    sessions.keep(session)

    found = sessions.find(session.secret)

    assert found is not None
    assert found.is_signed_in
    assert (found.sub, found.token, found.notes) == ("mair", TOKEN, session.notes)


@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "A" * 5000, "é" * 43])
def test_another_secret_finds_nothing(sessions: Sessions, clock: Clock, secret: str) -> None:
    signed_in(sessions, clock)

    assert sessions.find(secret) is None


def test_the_files_tell_nothing(sessions: Sessions, clock: Clock, tmp_path: Path) -> None:
    session = signed_in(sessions, clock)
    session.notes["typed"] = TYPED
    sessions.keep(session)
    sessions.close()

    kept = b"".join(file.read_bytes() for file in (tmp_path / "web").iterdir())

    assert kept
    for canary in (TOKEN, session.secret, "mair", "Widget", "income"):
        assert canary.encode() not in kept
    assert (tmp_path / "web" / "sessions.db").stat().st_mode & 0o077 == 0


def test_a_row_under_another_secret_opens_nothing(
    sessions: Sessions, clock: Clock, tmp_path: Path
) -> None:
    """Whoever can write the file puts her session under a secret of his own."""
    hers, his = signed_in(sessions, clock), signed_in(sessions, clock, "emlyn")
    file = apsw.Connection(str(tmp_path / "web" / "sessions.db"))
    rows = file.execute("SELECT id, sealed FROM sessions").fetchall()
    (_, one), (_, other) = rows
    for an_id, sealed in zip((rows[0][0], rows[1][0]), (other, one), strict=True):
        file.execute("UPDATE sessions SET sealed = ? WHERE id = ?", (sealed, an_id))
    file.close()

    assert sessions.find(hers.secret) is None
    assert sessions.find(his.secret) is None


@pytest.mark.parametrize(
    ("is_shared", "seconds"), [(False, IDLE_SECONDS), (True, SHARED_DEVICE_SECONDS)]
)
def test_idle_for_too_long_is_signed_out(
    sessions: Sessions, clock: Clock, *, is_shared: bool, seconds: int
) -> None:
    session = signed_in(sessions, clock)
    session.is_shared_device = is_shared
    sessions.keep(session)

    clock.now += seconds - 1
    before = sessions.find(session.secret)
    clock.now += 1
    after = sessions.find(session.secret)

    assert before is not None
    assert before.is_signed_in
    assert after is not None
    assert not after.is_signed_in
    assert after.token == ""


def test_a_visit_begins_the_time_anew(sessions: Sessions, clock: Clock) -> None:
    session = signed_in(sessions, clock)
    for _ in range(3):
        clock.now += IDLE_SECONDS - 1
        sessions.keep(session)

    found = sessions.find(session.secret)

    assert found is not None
    assert found.is_signed_in is (session.expires > clock.now)


def test_a_token_that_has_ended_signs_out(sessions: Sessions, clock: Clock) -> None:
    session = signed_in(sessions, clock)
    session.expires = int(clock.now) + 10
    sessions.keep(session)
    clock.now += 10

    found = sessions.find(session.secret)

    assert found is not None
    assert not found.is_signed_in


def test_what_was_typed_stays_for_a_while_and_no_longer(sessions: Sessions, clock: Clock) -> None:
    session = signed_in(sessions, clock)
    session.notes = {"typed": TYPED, "draft": "something else"}
    sessions.keep(session)

    clock.now += IDLE_SECONDS
    lapsed = sessions.find(session.secret)
    clock.now += LAPSED_SECONDS
    gone = sessions.find(session.secret)

    assert lapsed is not None
    assert (lapsed.sub, lapsed.notes) == ("mair", {"typed": TYPED})
    assert gone is None


def test_on_a_shared_device_nothing_stays(sessions: Sessions, clock: Clock) -> None:
    session = signed_in(sessions, clock)
    session.is_shared_device, session.notes = True, {"typed": TYPED}
    sessions.keep(session)

    clock.now += SHARED_DEVICE_SECONDS
    found = sessions.find(session.secret)

    assert found is not None
    assert found.notes == {}


def test_signing_in_draws_a_new_secret(sessions: Sessions, clock: Clock) -> None:
    """Whoever set the secret in her browser beforehand is not signed in with her."""
    session = signed_in(sessions, clock)
    fixed = session.secret

    sessions.renew(session)
    sessions.keep(session)

    assert session.secret != fixed
    assert sessions.find(fixed) is None
    assert sessions.find(session.secret) is not None


def test_signing_out_everywhere_ends_all_of_hers_and_no_others(
    sessions: Sessions, clock: Clock
) -> None:
    here, there = signed_in(sessions, clock), signed_in(sessions, clock)
    his = signed_in(sessions, clock, "emlyn")

    assert [one.is_this for one in sessions.of_owner(here)].count(True) == 1
    assert len(sessions.of_owner(here)) == 2
    sessions.end_of_owner(here)

    assert sessions.find(here.secret) is None
    assert sessions.find(there.secret) is None
    assert sessions.find(his.secret) is not None


def test_what_was_ended_is_not_brought_back_by_a_visit_under_way(
    sessions: Sessions, clock: Clock
) -> None:
    here = signed_in(sessions, clock)
    there = sessions.find(here.secret)
    assert there is not None

    sessions.end_of_owner(here)
    sessions.keep(there)

    assert sessions.find(here.secret) is None


def test_sweeping_forgets_what_lapsed_for_good(
    sessions: Sessions, clock: Clock, tmp_path: Path
) -> None:
    old = signed_in(sessions, clock)
    clock.now += IDLE_SECONDS + LAPSED_SECONDS
    new = signed_in(sessions, clock)

    sessions.sweep()

    file = apsw.Connection(str(tmp_path / "web" / "sessions.db"))
    assert file.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]
    file.close()
    assert sessions.find(old.secret) is None
    assert sessions.find(new.secret) is not None
