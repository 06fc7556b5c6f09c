# SPDX-License-Identifier: Apache-2.0
"""The tree of errors: each can be told apart by its reason, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders import ADDRESS
from vault.domain import errors
from vault.domain.errors import NotFoundError, StateError, VaultError


def leaves(kind: type[VaultError] = VaultError) -> Iterator[type[VaultError]]:
    """Yield every error that can be raised: those that have a reason."""
    if "reason" in vars(kind):
        yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


every_error = pytest.mark.parametrize("kind", list(leaves()), ids=lambda kind: kind.__name__)


@every_error
def test_an_error_has_the_name_of_its_reason(kind: type[VaultError]) -> None:
    words = kind.reason.title().replace("_", "")

    assert kind.__name__ == f"{words}Error"


@every_error
def test_a_message_is_made_of_sentences(kind: type[VaultError]) -> None:
    assert kind.message.endswith(".")
    assert kind.message[0].isupper()


def test_no_two_errors_share_a_reason() -> None:
    reasons = [kind.reason for kind in leaves()]

    assert len(reasons) == len(set(reasons))


def test_every_error_of_the_module_is_in_the_tree() -> None:
    in_module = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }

    assert in_module - set(leaves()) == {VaultError, errors.InvalidError, StateError}


def test_what_is_not_there_takes_no_detail_that_could_tell_it_apart() -> None:
    with pytest.raises(TypeError):
        NotFoundError(ADDRESS)  # type: ignore[call-arg]


def test_a_detail_follows_the_message() -> None:
    error = errors.FieldInvalidError("end_time", "It does not lie in the future.")

    assert str(error) == f"{errors.FieldInvalidError.message} It does not lie in the future."
    assert error.field == "end_time"
