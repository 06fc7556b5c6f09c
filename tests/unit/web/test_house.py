# SPDX-License-Identifier: Apache-2.0
"""The provider where people sign in: asked who it is once, and left alone where it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.oidc.provider import Provider, SignInError
from clients.web import house
from clients.web.house import ASK_AGAIN_SECONDS, House
from clients.web.settings import Settings


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[House]:
    settings = Settings("127.0.0.1:1", "http://localhost:8000", "http://127.0.0.1:1", "c", tmp_path)
    opened = House(settings)
    yield opened
    opened.close()


def test_a_provider_that_does_not_answer_keeps_one_visit_waiting_and_not_all(
    pages: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    clock = [100.0]

    def discover(*_: Any, **__: Any) -> object:
        asked.append(clock[0])
        if len(asked) == 1:
            raise SignInError("unreachable")
        return known

    known = object()
    monkeypatch.setattr(Provider, "discover", discover)
    monkeypatch.setattr(house, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    for _ in range(3):
        with pytest.raises(SignInError):
            _ = pages.provider
    clock[0] += ASK_AGAIN_SECONDS

    assert all(pages.provider is known for _ in range(3))
    assert asked == [100.0, 100.0 + ASK_AGAIN_SECONDS]
