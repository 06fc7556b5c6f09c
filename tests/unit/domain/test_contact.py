# SPDX-License-Identifier: Apache-2.0
"""How she is reached: the state says where that lies and who said it, and nothing of what it is."""

from __future__ import annotations

import pytest

from tests.builders import SALT, a_stamp, at, contact_set, happened, vault_opened
from vault.domain import contact
from vault.domain.contact import ContactSet
from vault.domain.errors import VaultNotOpenError


def test_nobody_said_it_before_it_was_said() -> None:
    assert happened(vault_opened()).contact is None


def test_what_was_said_last_counts() -> None:
    state = happened(vault_opened(), contact_set(at(2)), contact_set(at(3)))

    assert state.contact is not None
    assert (state.contact.version, state.contact.time) == (3, at(3))
    assert state.contact.acting.capacity == "self"
    assert state.contact.mark is not None
    assert state.contact.mark.kind == "contact"


def test_the_event_says_nothing_but_that_it_was_said() -> None:
    draft = contact.set_contact(happened(vault_opened()), a_stamp(at(2)))

    assert draft.facts == ContactSet(time=at(2), salt=SALT)
    assert draft.items == ()


def test_without_a_vault_there_is_nothing_to_say_it_of() -> None:
    with pytest.raises(VaultNotOpenError):
        contact.set_contact(None, a_stamp(at(2)))
