# SPDX-License-Identifier: Apache-2.0
"""A room: the pages of one story, each a function of a visit (`Here`) that returns an answer.

    room = Room(__name__)

    @room.get("/sharing/{consent_id:uuid}")
    def sharing(here: Here) -> Response: ...

    @room.post("/sharing/{consent_id:uuid}/stop")
    def stop(here: Here) -> Response: ...

A page is for citizens, and for officials who help one, unless it says otherwise. A form is looked
at before its function is called: that it came from a page of ours, in this very browser.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.responses import Response

    from clients.web.here import Here

Role = Literal["", "citizen", "official", "staff"]

HERS: Final[frozenset[Role]] = frozenset({"citizen", "official"})
EVERYBODY: Final[frozenset[Role]] = frozenset({"", "citizen", "official", "staff"})


@dataclasses.dataclass(frozen=True)
class Route:
    """One page, or one form.

    Attributes:
        roles: who may come here; "" is whoever is not signed in.
        takes_files: the form may bring documents.
        room: the folder with its templates and texts.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Here], Response]
    roles: frozenset[Role]
    takes_files: bool
    room: str


class Room:
    """The pages of one story.

    Args:
        module: the `__name__` of a module of the room; its package has templates and texts.
    """

    def __init__(self, module: str) -> None:
        self.name = room_of(module)
        self._routes: list[Route] = []

    def get(
        self, path: str, *, roles: frozenset[Role] = HERS
    ) -> Callable[[Callable[[Here], Response]], Callable[[Here], Response]]:
        """Make a function answer at a path."""
        return self._answering("GET", path, roles, takes_files=False)

    def post(
        self, path: str, *, roles: frozenset[Role] = HERS, takes_files: bool = False
    ) -> Callable[[Callable[[Here], Response]], Callable[[Here], Response]]:
        """Make a function take the forms that are sent to a path."""
        return self._answering("POST", path, roles, takes_files=takes_files)

    def __iter__(self) -> Iterator[Route]:
        """Return its routes."""
        return iter(self._routes)

    def _answering(
        self,
        method: Literal["GET", "POST"],
        path: str,
        roles: frozenset[Role],
        *,
        takes_files: bool,
    ) -> Callable[[Callable[[Here], Response]], Callable[[Here], Response]]:
        def added(handler: Callable[[Here], Response]) -> Callable[[Here], Response]:
            self._routes.append(Route(method, path, handler, roles, takes_files, self.name))
            return handler

        return added


def room_of(module: str) -> str:
    """Return the room to which a module belongs; "" for those that belong to none."""
    return module.split(".")[2] if module.count(".") > 2 else ""
