# SPDX-License-Identifier: Apache-2.0
"""A memory that never holds more than it may, and forgets what was used least."""

from __future__ import annotations

from vault.store.memory import Memory


def test_what_was_used_least_is_forgotten_first() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.put("a", 1)
    memory.put("b", 2)
    memory.get("a")

    memory.put("c", 3)

    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)
    assert len(memory) == 2


def test_what_is_put_again_takes_no_second_place() -> None:
    memory: Memory[str, int] = Memory(2)
    for value in range(5):
        memory.put("a", value)
    memory.put("b", 2)

    assert (memory.get("a"), memory.get("b")) == (4, 2)


def test_what_is_forgotten_is_gone_and_forgetting_twice_is_no_error() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.put("a", 1)
    memory.put("b", 2)

    memory.forget("a")
    memory.forget("a")
    assert (memory.get("a"), memory.get("b")) == (None, 2)

    memory.clear()
    assert len(memory) == 0
