# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule on lanes: a vault lies in a lane that is listed, and in its log."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clients.auditor.report import Report
from tests.unit.auditor.stories import SALT, VAULT, Placed, an_honest_story, log_signer
from tests.unit.auditor.tampering import judged, relinked
from vault.domain import registry
from vault.domain.events import Draft
from vault.domain.registry import LaneListed, LogKeyListed
from vault.store.record import link_event


def listed(*lanes: tuple[int, str], lane: int = 1) -> Report:
    """Judge an honest history in a lane against a registry that lists these lanes alone."""
    story = an_honest_story(lane)
    story.registry = [
        placed
        for placed in story.registry
        if not isinstance(placed.event.facts, LaneListed)
        and getattr(placed.event.facts, "origin", "test/0") == "test/0"
    ]
    for number, origin in lanes:
        facts = LaneListed(time=story.time, salt=SALT, lane=number, origin=origin)
        story.register(Draft(facts=facts))
    return story.audit()


def test_a_vault_in_a_listed_lane_is_where_it_belongs() -> None:
    assert listed((2, "test/2"), (1, "test/1")).findings == ()


@pytest.mark.parametrize(
    ("lanes", "why"),
    [
        ([], "its lane is not listed"),
        ([(2, "test/2")], "its lane is not listed"),
        ([(1, "elsewhere/1")], "its lane has another origin"),
        ([(1, "test/2")], "its lane has another origin"),
    ],
)
def test_a_vault_in_a_lane_that_is_not_listed_so_is_found(
    lanes: list[tuple[int, str]], why: str
) -> None:
    assert why in {finding.why for finding in listed(*lanes).findings}


@pytest.mark.parametrize(
    ("lanes", "why"),
    [
        ([(1, "test/1"), (1, "test/1")], "the lane is listed already"),
        ([(1, "test/1"), (0, "test/0")], "the lane is listed already"),
        ([(1, "test/1"), (2, "test/3")], "the lane's origin is not of this deployment"),
        ([(1, "test/1"), (2, "elsewhere/2")], "the lane's origin is not of this deployment"),
    ],
)
def test_a_lane_that_is_listed_wrongly_is_found(lanes: list[tuple[int, str]], why: str) -> None:
    (finding,) = listed(*lanes).findings

    assert finding.why == why


@pytest.mark.parametrize(
    ("lane", "origin", "name", "why"),
    [
        (1, "test/1", "test/1", "the lane's log has a key already"),
        (2, "test/2", "test/2", "a log key is of a lane or an origin that is not listed"),
        (3, "test/2", "test/2", "a log key is of a lane or an origin that is not listed"),
        (3, "test/3", "test/1", "a log key does not bear the name of its log"),
        (3, "test/3", "", "a log key is no Ed25519 vkey of type 0x01"),
    ],
)
def test_a_log_key_that_is_listed_wrongly_is_found(
    lane: int, origin: str, name: str, why: str
) -> None:
    vkey = log_signer(name).verifier.vkey if name else f"{origin}+00000000+AAAA"
    story = an_honest_story(lane=1)
    story.register(registry.list_lane(story.registered, story.stamp, 3, "test/3"))
    facts = LogKeyListed(time=story.time, salt=SALT, lane=lane, origin=origin, vkey=vkey)
    story.register(Draft(facts=facts))

    (finding,) = story.audit().findings

    assert finding.why == why


def test_a_vault_whose_id_is_of_another_lane_than_its_origin_is_found() -> None:
    story = an_honest_story(lane=1)
    moved = relinked(
        [
            Placed(link_event(replace(p.event.link, stream=VAULT), p.event.facts), p.leaf_index)
            for p in story.vault
        ]
    )

    assert "its lane has another origin" in {f.why for f in judged(moved, story).findings}
