# SPDX-License-Identifier: Apache-2.0
"""What is remembered of keys ends: an erased key must not live on in a process."""

from __future__ import annotations

import time

import pytest

from vault.application.keyrings import REMEMBERED_SECONDS, Remembered


def test_what_was_put_is_remembered() -> None:
    memory: Remembered[str, str] = Remembered(2)
    memory.put("a", "key")

    assert memory.get("a") == "key"
    assert memory.get("b") is None


def test_what_was_put_is_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: Remembered[str, str] = Remembered(2)
    memory.put("a", "key")
    later = time.monotonic() + REMEMBERED_SECONDS + 1
    monkeypatch.setattr("vault.application.keyrings.time.monotonic", lambda: later)

    assert memory.get("a") is None
    assert REMEMBERED_SECONDS <= 60


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    memory: Remembered[str, str] = Remembered(2)
    for name in ("a", "b", "c"):
        memory.put(name, name)

    assert [memory.get(name) for name in ("a", "b", "c")] == [None, "b", "c"]


def test_what_is_put_again_is_young_again() -> None:
    memory: Remembered[str, str] = Remembered(2)
    for name in ("a", "b", "a", "c"):
        memory.put(name, name)

    assert [memory.get(name) for name in ("a", "b", "c")] == ["a", None, "c"]


def test_what_is_forgotten_is_gone() -> None:
    memory: Remembered[str, str] = Remembered(2)
    memory.put("a", "key")
    memory.forget("a")
    memory.forget("b")

    assert memory.get("a") is None
