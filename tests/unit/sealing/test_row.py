# SPDX-License-Identifier: Apache-2.0
"""A row opens in its own place, as what it is, and nowhere else."""

from pathlib import Path

import msgspec
import pytest

from vault.sealing.errors import SealError
from vault.sealing.keystore import Identity
from vault.sealing.row import Place, Row, open_row, seal_row
from vault.sealing.wrapper import FileKeyWrapper, create_key_file

PLACE = Place("keyrings", "stream-1", 7)
CONTEXT = b'["AES-256-GCM","key-store/1","keyrings","stream-1",7]'


@pytest.fixture
def wrapper(tmp_path: Path) -> FileKeyWrapper:
    path = tmp_path / "wrapping.key"
    create_key_file(path)
    return FileKeyWrapper(path)


def test_a_row_opens_in_its_place(wrapper: FileKeyWrapper) -> None:
    assert open_row(wrapper, PLACE, seal_row(wrapper, PLACE, "value"), str) == "value"


@pytest.mark.parametrize(
    "place",
    [
        Place("sign-ins", "stream-1", 7),
        Place("keyrings", "stream-2", 7),
        Place("keyrings", "stream-1", 6),
    ],
    ids=["table", "name", "number"],
)
def test_a_row_does_not_open_in_another_place(wrapper: FileKeyWrapper, place: Place) -> None:
    with pytest.raises(SealError):
        open_row(wrapper, place, seal_row(wrapper, PLACE, "value"), str)


def test_a_row_does_not_open_with_another_rows_key(wrapper: FileKeyWrapper) -> None:
    first, second = seal_row(wrapper, PLACE, "value"), seal_row(wrapper, PLACE, "value")

    with pytest.raises(SealError):
        open_row(wrapper, PLACE, Row(first.key, second.sealed), str)


def test_a_row_of_another_epoch_does_not_open(wrapper: FileKeyWrapper) -> None:
    row = seal_row(wrapper, PLACE, "value")
    moved = msgspec.structs.replace(row, key=msgspec.structs.replace(row.key, epoch="file-other"))

    with pytest.raises(SealError):
        open_row(wrapper, PLACE, moved, str)


def test_a_value_of_another_form_does_not_open(wrapper: FileKeyWrapper) -> None:
    with pytest.raises(SealError):
        open_row(wrapper, PLACE, seal_row(wrapper, PLACE, "value"), Identity)


def test_each_row_has_a_key_of_its_own(wrapper: FileKeyWrapper) -> None:
    rows = [seal_row(wrapper, PLACE, "value") for _ in range(2)]

    assert len({wrapper.unwrap(row.key, CONTEXT) for row in rows}) == 2
