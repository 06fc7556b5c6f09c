# SPDX-License-Identifier: Apache-2.0
"""The auditor's rule for requests: within their purpose, answered once, in time, or taken back.

A request that its service took back never enters her vault afterwards, even if it was not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clients.auditor.facts import (
    ConsentGranted,
    ConsentRequestCancelled,
    ConsentRequested,
    OfRequest,
)
from clients.auditor.history import Vault
from clients.auditor.problem import Problem
from clients.auditor.registry import Registry

PENDING_OF_ONE_SERVICE: Final = 20


def judge_request(
    vault: Vault, registry: Registry, facts: ConsentRequested, *, is_delivered: bool
) -> Iterator[Problem]:
    """Say why a request may not be in her vault; what she claims herself is not counted."""
    if facts.consent_request_id in vault.requests:
        yield Problem("the request is in her vault already")
    if facts.consent_request_id in vault.taken_back:
        version = vault.taken_back[facts.consent_request_id]
        yield Problem(f"the request was taken back at version {version}")
    if facts.service != facts.asked.recipient.service:
        yield Problem("it asks for another service than it names")
    known = [request.facts for request in vault.requests.values()]
    for other in known:
        if facts.subject == other.subject and facts.service != other.service:
            yield Problem(f"services {other.service} and {facts.service} share a subject")
            break
    waiting = sum(
        request.is_delivered
        and request.facts.service == facts.service
        and request.is_pending(facts.time)
        for request in vault.requests.values()
    )
    if is_delivered and waiting >= PENDING_OF_ONE_SERVICE:
        yield Problem(f"{waiting} requests of the service wait for her already", needs_more=True)
    for why in registry.asked_beyond(facts.asked, facts.time):
        yield Problem(why)


def judge_answer(vault: Vault, facts: OfRequest | ConsentGranted) -> Iterator[Problem]:
    """Say why a request could not be granted, refused or taken back."""
    name = facts.consent_request_id
    request = vault.requests.get(name)
    if request is None:
        if not isinstance(facts, ConsentRequestCancelled):
            yield Problem(f"request {name} is not in her vault", needs_more=True)
        elif name in vault.taken_back:
            yield Problem(f"the request was taken back at version {vault.taken_back[name]}")
        return
    if request.answer:
        yield Problem(f"the request was {request.answer} at version {request.answered_version}")
    elif not request.is_pending(facts.time):
        yield Problem(f"the request had lapsed on {request.facts.expires}")
    if (facts.service, facts.subject) != (request.facts.service, request.facts.subject):
        yield Problem("the request is another service's, or knows her by another subject")
