# SPDX-License-Identifier: Apache-2.0
"""Notices: what there is to tell somebody; deliveries: what she is told in one message."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from vault.application.contacts import Subject

Kind = Subject | Literal["contact-changed", "sign-in-linked"]
Way = Literal["email", "telephone", "post"]

WAYS: tuple[Way, ...] = ("email", "telephone", "post")
"""In the order in which she is told by them: by the first that she gave and that is served."""


class Notice(Struct, frozen=True, kw_only=True):
    """Something to tell her; ids and times only.

    Attributes:
        stream: her vault.
        version: of the event that is told; 0 where time alone brings it.
        service: whom it concerns, "" if nobody.
        time: when it happened, or when it will end.
        detail: what kind of thing it is, where a kind has several: a way in.
    """

    stream: str
    version: int
    kind: Kind
    service: str = ""
    time: str = ""
    detail: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """A notice in the outbox, by its number; `gathers` if it waits for her weekly message."""

    number: int
    notice: Notice
    gathers: bool


class Delivery(Struct, frozen=True, kw_only=True):
    """One message to be.

    Attributes:
        delivery_id: drawn once; what a channel knows it by when it is sent again.
        contact_version: the event beside which the contact lies that is used; 0: her current one.
        way: the address of that contact; "": the first that is served.
        made: when it was decided.
        attempts: how often sending it was begun.
    """

    delivery_id: str
    stream: str
    notices: tuple[Notice, ...]
    made: str
    contact_version: int = 0
    way: Way | Literal[""] = ""
    attempts: int = 0
