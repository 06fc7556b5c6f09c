# SPDX-License-Identifier: Apache-2.0
"""Changed histories for the auditor's tests.

`relinked` makes a changed history follow from itself again, as an operator with every right on the
database could; then no digest helps, and the rule has to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from clients.auditor.report import Report
from tests.unit.auditor.stories import Placed, Story, audited
from vault.domain.canonical import b64, unb64
from vault.domain.disclosure import EvidenceDisclosed
from vault.domain.events import Event, Facts, Link
from vault.store.record import first_leaf, link_event

EditFacts = Callable[[Any], Facts]
EditLink = Callable[[Link], Link]


def relinked(placed: Sequence[Placed]) -> list[Placed]:
    """Return events linked and numbered anew, as if they had always been so; repeats follow."""
    result: list[Placed] = []
    leaves = {"": ""}
    for version, old in enumerate(placed, start=1):
        link, facts = old.event.link, old.event.facts
        previous = result[-1].event.leaf if result else first_leaf(link.origin, link.stream)
        link = replace(link, version=version, previous_leaf=previous)
        if isinstance(facts, EvidenceDisclosed):
            facts = replace(facts, repeats=leaves.get(facts.repeats, facts.repeats))
        result.append(Placed(link_event(link, facts), old.leaf_index))
        leaves[old.event.leaf] = result[-1].event.leaf
    return result


def changed(
    placed: Iterable[Placed],
    version: int,
    facts: EditFacts = lambda facts: facts,
    link: EditLink = lambda link: link,
) -> list[Placed]:
    """Return events of which one was changed; what follows still names the old one."""
    return [
        Placed(link_event(link(p.event.link), facts(p.event.facts)), p.leaf_index)
        if p.event.link.version == version
        else p
        for p in placed
    ]


def flipped(text: str) -> str:
    """Return another digest of the same length."""
    data = unb64(text)
    return b64(bytes([data[0] ^ 1]) + data[1:])


def judged(placed: Sequence[Placed], story: Story) -> Report:
    """Judge a history against the registry of a story."""
    return audited([one.line for one in placed], [one.line for one in story.registry])


def whys(report: Report, version: int) -> str:
    """Return why something of a version was found."""
    return "; ".join(f.why for f in report.findings if f.where.version == version)


def with_terms(**parts: Any) -> EditFacts:
    """Return an edit of a consent's terms."""
    return lambda facts: replace(facts, terms=replace(facts.terms, **parts))


def with_asked(**parts: Any) -> EditFacts:
    """Return an edit of what is asked."""
    return lambda facts: replace(facts, asked=replace(facts.asked, **parts))


def with_facts(**parts: Any) -> EditFacts:
    """Return an edit of facts."""
    return lambda facts: replace(facts, **parts)


def with_link(**parts: Any) -> EditLink:
    """Return an edit of a link."""
    return lambda link: replace(link, **parts)


def with_mark(**parts: Any) -> EditLink:
    """Return an edit of the registry's mark."""
    return lambda link: replace(link, registry=replace(link.registry, **parts))


def with_acting(**parts: Any) -> EditLink:
    """Return an edit of who acted."""
    return lambda link: replace(link, acting=replace(link.acting, **parts))


def replaced_event(event: Event, facts: Facts) -> Event:
    """Return an event of other facts, recorded under no request key."""
    return replace(event, facts=facts, link=replace(event.link, request_key=""))


def numbered(cases: list[Any]) -> list[str]:
    """Return names for test cases of which the third part is what is found."""
    return [f"{number}: {case[2]}" for number, case in enumerate(cases)]
