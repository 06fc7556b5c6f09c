# SPDX-License-Identifier: Apache-2.0
"""Ids and secrets that a command creates: the same again for the same, and nobody's guess."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.application.identifiers import Identifiers, new_vault_id
from vault.domain.errors import NotFoundError
from vault.sealing.keystore import Secrets, new_secrets

ORIGIN = "test/0"
words = st.text(max_size=20)


def identifiers(secrets: Secrets | None = None, origin: str = ORIGIN) -> Identifiers:
    return Identifiers(secrets or SECRETS, origin)


SECRETS = new_secrets()


@given(words, words, words)
def test_a_command_makes_the_same_key_again(caller: str, method: str, request_id: str) -> None:
    one = identifiers().request_key(caller, method, request_id)

    assert one == identifiers().request_key(caller, method, request_id)
    assert UUID(one).version == 8
    assert UUID(one).variant == "specified in RFC 4122"


@given(st.tuples(words, words, words), st.tuples(words, words, words))
def test_two_commands_never_share_a_key(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    ids = identifiers()

    assert (ids.request_key(*one) == ids.request_key(*other)) == (one == other)


def test_the_borders_between_parts_count() -> None:
    ids = identifiers()

    assert ids.request_key("ab", "c", "") != ids.request_key("a", "bc", "")


def test_another_deployment_makes_other_ids() -> None:
    other = identifiers(new_secrets())

    assert other.request_key("a", "b", "c") != identifiers().request_key("a", "b", "c")
    assert other.registry_stream != identifiers().registry_stream


def test_each_kind_of_id_is_of_its_own() -> None:
    ids = identifiers()

    made = {ids.consent_id("x"), ids.code("x", ""), ids.handoff_token("x"), ids.pseudonym("x", "")}
    assert len(made) == 4


def test_a_streams_id_begins_with_its_lane() -> None:
    assert new_vault_id().startswith("0000")
    assert new_vault_id(lane=0xABC).startswith("0abc")
    assert UUID(new_vault_id()).version == 8
    assert identifiers().registry_stream.startswith("0000")


def test_a_hand_off_token_leads_to_its_request_and_cannot_be_made_from_it() -> None:
    token = identifiers().handoff_token("request")

    assert identifiers().read_handoff_token(token) == "request"
    with pytest.raises(NotFoundError):
        identifiers(new_secrets()).read_handoff_token(token)


@given(st.text(max_size=100))
def test_what_is_no_hand_off_token_is_not_found(token: str) -> None:
    with pytest.raises(NotFoundError):
        identifiers().read_handoff_token(token)
