# SPDX-License-Identifier: Apache-2.0
"""What there is about signing in and safety, and the device that others use, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.web.room import Room

if TYPE_CHECKING:
    from starlette.responses import Response

    from clients.web.here import Here

room = Room(__name__)


@room.get("/account")
def account(here: Here) -> Response:
    """Return what can be looked at and changed."""
    return here.page("account/account.html")


@room.get("/account/device", roles=frozenset({"citizen"}))
def device(here: Here) -> Response:
    """Ask whether others use this device, too."""
    return here.page("account/device.html", is_shared=here.session.is_shared_device)


@room.post("/account/device", roles=frozenset({"citizen"}))
def keep_device(here: Here) -> Response:
    """Sign her out sooner on a device that others use, too."""
    answer = here.form.text("shared")
    if answer not in {"yes", "no"}:
        errors = {"shared": here.words("page.needed")}
        return here.page("account/device.html", errors=errors, is_shared=None)
    here.session.is_shared_device = answer == "yes"
    here.tell(here.words(f"device.kept.{answer}"))
    return here.to("/account")
