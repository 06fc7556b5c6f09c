# SPDX-License-Identifier: Apache-2.0
"""Which lane a stream lies in: the first 16 bits of its id say so, for ever.

A lane is one dense sequence of records and one log. The registry, requests and audits lie in lane
0; a vault's lane is chosen when it is opened.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

FIRST_LANE: Final = 0
"""The lane of the registry and of requests, which every deployment has."""
LARGEST_LANE: Final = 2**16 - 1


def in_lane(uuid: str, lane: int = FIRST_LANE) -> str:
    """Return a stream's id: the lane in its first 16 bits, the rest as it was."""
    return str(UUID(bytes=lane.to_bytes(2, "big") + UUID(uuid).bytes[2:]))


def lane_of(stream: str) -> int:
    """Return the lane of a stream, whose id is a UUID."""
    return int(stream[:4], 16)


def key_of(lane: int) -> str:
    """Return how the id of every stream of a lane begins."""
    return f"{lane:04x}"


def origin_of(deployment: str, lane: int) -> str:
    """Return the origin of a lane's log."""
    return f"{deployment}/{lane}"
