# SPDX-License-Identifier: Apache-2.0
"""The wrapping key's file: made whole, for its owner alone, and refused otherwise."""

import os
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from vault.sealing.errors import KeyFileError, SealError
from vault.sealing.wrapper import FileKeyWrapper, WrappedKey, create_key_file

SECRET = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "wrapping.key"
    create_key_file(path)
    return path


def test_a_wrapped_key_unwraps_in_its_context(path: Path) -> None:
    wrapper = FileKeyWrapper(path)

    assert wrapper.unwrap(wrapper.wrap(SECRET, b"context"), b"context") == SECRET


def test_a_wrapped_key_unwraps_after_a_restart(path: Path) -> None:
    wrapped = FileKeyWrapper(path).wrap(SECRET, b"context")

    assert FileKeyWrapper(path).unwrap(wrapped, b"context") == SECRET


def test_another_context_does_not_unwrap(path: Path) -> None:
    wrapper = FileKeyWrapper(path)

    with pytest.raises(SealError):
        wrapper.unwrap(wrapper.wrap(SECRET, b"context"), b"other")


def test_another_file_does_not_unwrap(path: Path, tmp_path: Path) -> None:
    create_key_file(tmp_path / "other.key")
    wrapped = FileKeyWrapper(path).wrap(SECRET, b"context")

    with pytest.raises(SealError):
        FileKeyWrapper(tmp_path / "other.key").unwrap(wrapped, b"context")


def test_another_file_does_not_unwrap_under_a_borrowed_epoch(path: Path, tmp_path: Path) -> None:
    create_key_file(tmp_path / "other.key")
    other = FileKeyWrapper(tmp_path / "other.key")
    wrapped = FileKeyWrapper(path).wrap(SECRET, b"context")

    with pytest.raises(SealError):
        other.unwrap(WrappedKey(other.epoch, wrapped.data), b"context")


@pytest.mark.parametrize("size", [0, 5, 12, 27, 59])
def test_part_of_a_wrapped_key_does_not_unwrap(path: Path, size: int) -> None:
    wrapper = FileKeyWrapper(path)
    wrapped = wrapper.wrap(SECRET, b"context")

    with pytest.raises(SealError):
        wrapper.unwrap(WrappedKey(wrapped.epoch, wrapped.data[:size]), b"context")


def test_the_epoch_is_named_after_the_key(path: Path, tmp_path: Path) -> None:
    create_key_file(tmp_path / "other.key")

    assert FileKeyWrapper(path).epoch == FileKeyWrapper(path).epoch
    assert FileKeyWrapper(path).epoch != FileKeyWrapper(tmp_path / "other.key").epoch


def test_the_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_key_file(tmp_path / "wrapping.key")
    finally:
        os.umask(before)

    assert (tmp_path / "wrapping.key").stat().st_mode & 0o777 == 0o600


def test_nothing_but_the_key_file_is_left_in_the_folder(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_a_key_file_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()

    with pytest.raises(KeyFileError, match="never overwritten"):
        create_key_file(path)

    assert path.read_bytes() == before


def test_a_refused_key_file_leaves_nothing_behind(path: Path) -> None:
    with pytest.raises(KeyFileError):
        create_key_file(path)

    assert list(path.parent.iterdir()) == [path]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be created"):
        create_key_file(tmp_path / "absent" / "wrapping.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)

    with pytest.raises(KeyFileError, match="open to group or others"):
        FileKeyWrapper(path)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_file_of_another_size_is_refused(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))

    with pytest.raises(KeyFileError, match="exactly 32 bytes"):
        FileKeyWrapper(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="does not exist"):
        FileKeyWrapper(tmp_path / "absent.key")


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"cannot be read|not a regular file"):
        FileKeyWrapper(tmp_path)


def test_a_pipe_is_no_key_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(KeyFileError, match="not a regular file"):
        FileKeyWrapper(tmp_path / "pipe")


def test_the_wrapper_shows_no_key(path: Path) -> None:
    path.write_bytes(b"canary-secret-0123456789abcdefgh")
    wrapper = FileKeyWrapper(path)

    assert "canary" not in repr(wrapper) + pretty_repr(wrapper) + repr(vars(wrapper))
