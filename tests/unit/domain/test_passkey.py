# SPDX-License-Identifier: Apache-2.0
"""Her passkeys: added once, exactly as shown; removed whatever became of the history before."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.builders import (
    ABSENT,
    PASSKEY,
    SALT,
    a_key,
    a_stamp,
    at,
    happened,
    passkey_added,
    passkey_removed,
    vault_opened,
)
from vault.domain import passkey
from vault.domain.canonical import b64, digest, encode
from vault.domain.choice import Shown
from vault.domain.errors import (
    FieldInvalidError,
    LimitExceededError,
    NotFoundError,
    ShownDiffersError,
    VaultNotOpenError,
)
from vault.domain.events import Draft
from vault.domain.passkey import MOST_PASSKEYS, NewPasskey, Passkey, PasskeyRemoved
from vault.domain.state import VaultState
from vault.domain.values import Time, later

OPENED = (vault_opened(),)
ADDED = (vault_opened(), passkey_added())
REMOVED = (*ADDED, passkey_removed())
PAGE = Shown(time=at(1), salt=SALT)


def add(
    state: VaultState | None,
    *,
    key: NewPasskey | None = None,
    page: Shown = PAGE,
    shown_hash: str = "",
    time: Time | None = None,
) -> Draft:
    chosen = key or a_key()
    return passkey.add_passkey(
        state,
        a_stamp(time or at(2)),
        passkey_id=PASSKEY,
        key=chosen,
        shown=page,
        shown_hash=shown_hash or digest(passkey.shown_passkey(state, chosen, page)),
    )


def many(count: int) -> tuple[Draft, ...]:
    return tuple(
        passkey_added(f"{number:08x}-1111-8000-8000-0000000000f1", **distinct(number))
        for number in range(count)
    )


def distinct(number: int) -> dict[str, str]:
    return {"credential": b64(b"%d" % number), "public_key": b64(b"key %d" % number)}


def test_adding_names_the_key_and_the_site_and_what_was_shown() -> None:
    draft = add(happened(*OPENED))

    assert draft.facts == passkey_added().facts
    key = a_key()
    assert draft.shown == encode(
        {
            "credential": key.credential,
            "algorithm": key.algorithm,
            "public_key": key.public_key,
            "rp_id": key.rp_id,
            "shown_time": PAGE.time,
            "salt": PAGE.salt,
        }
    )


def test_a_passkey_is_hers_until_she_removes_it() -> None:
    added, removed = happened(*ADDED), happened(*REMOVED)

    expected = Passkey(passkey_id=PASSKEY, key=a_key(), added=at(2))
    assert added.passkeys == {PASSKEY: expected}
    assert removed.passkeys[PASSKEY].removed == at(8)
    assert passkey.find_by_credential(added, a_key().credential) == expected
    assert passkey.find_by_credential(removed, a_key().credential) is None


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"public_key": b64(b"another")}, id="the same credential"),
        pytest.param({"credential": b64(b"another")}, id="the same key"),
        pytest.param({}, id="both"),
    ],
)
@pytest.mark.parametrize("before", [ADDED, REMOVED], ids=["added", "removed"])
def test_a_passkey_is_added_once_for_ever(
    before: tuple[Draft, ...], changed: dict[str, str]
) -> None:
    with pytest.raises(FieldInvalidError):
        add(happened(*before), key=a_key(**changed))


def test_there_is_a_bound_to_those_that_were_not_removed() -> None:
    full = (*OPENED, *many(MOST_PASSKEYS))

    with pytest.raises(LimitExceededError):
        add(happened(*full))
    one_less = passkey_removed(f"{0:08x}-1111-8000-8000-0000000000f1")
    assert add(happened(*full, one_less), time=at(9)).facts


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(Shown(time=at(3), salt=SALT), id="in the future"),
        pytest.param(
            Shown(time=later(at(2), seconds=-86_401), salt=SALT), id="more than a day ago"
        ),
    ],
)
def test_a_passkey_that_was_shown_at_another_time_is_not_added(page: Shown) -> None:
    with pytest.raises(ShownDiffersError):
        add(happened(*OPENED), page=page)


def test_another_passkey_than_the_one_shown_is_not_added() -> None:
    state = happened(*OPENED)
    other = digest(passkey.shown_passkey(state, a_key(**distinct(1)), PAGE))

    with pytest.raises(ShownDiffersError):
        add(state, shown_hash=other)


def test_without_a_vault_there_is_nothing_to_add_to() -> None:
    with pytest.raises(VaultNotOpenError):
        passkey.shown_passkey(None, a_key(), PAGE)


def test_removing_names_the_passkey() -> None:
    draft = passkey.remove_passkey(happened(*ADDED), a_stamp(at(8)), PASSKEY)

    assert draft.facts == PasskeyRemoved(time=at(8), salt=SALT, passkey_id=PASSKEY)


@pytest.mark.parametrize(
    ("state", "passkey_id"),
    [
        pytest.param(None, PASSKEY, id="no vault"),
        pytest.param(happened(*OPENED), PASSKEY, id="none was added"),
        pytest.param(happened(*ADDED), ABSENT, id="another"),
        pytest.param(happened(*REMOVED), PASSKEY, id="removed already"),
    ],
)
def test_what_is_not_there_cannot_be_removed(state: VaultState | None, passkey_id: str) -> None:
    with pytest.raises(NotFoundError):
        passkey.remove_passkey(state, a_stamp(at(9)), passkey_id)


def test_a_broken_history_does_not_stop_her_from_removing() -> None:
    broken = replace(happened(*ADDED), broken_at=2)

    assert passkey.remove_passkey(broken, a_stamp(at(8)), PASSKEY).facts


def test_removing_what_the_fold_does_not_know_changes_nothing() -> None:
    assert happened(*OPENED, passkey_removed()).passkeys == {}
