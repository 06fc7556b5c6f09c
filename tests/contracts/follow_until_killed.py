# SPDX-License-Identifier: Apache-2.0
"""Follows a store into a view, a few records a page, and says how far, until somebody kills it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from projections import follower as followers
from projections.consent_register import ConsentRegister
from projections.follower import Follower
from projections.tracking import SQLiteView
from tests.contracts.views import open_vaults

if __name__ == "__main__":
    followers.PAGE = 3  # type: ignore[misc]
    folder = Path(sys.argv[1])
    vaults = open_vaults(folder)
    view = SQLiteView(folder / "view.db", ConsentRegister.schema)
    follower = Follower(ConsentRegister(view), vaults.lanes[0])
    follower.resume()
    while follower.take_page():
        # Unbuffered, so that the reader knows that it is under way.
        os.write(1, f"{follower.seen}\n".encode())
