"""``slotcast`` whose gateway is killed in the middle of a visit that takes a room.

    python -m tests.acceptance.dying_gateway serve

``DIES`` in the environment: ``held``, once the room is held and before the provider is
asked; ``booked``, once the visit is booked and before the room is told.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from cluster import cli
from gateway.calendars.members.booking import GroupBookings


def die() -> None:
    """As by kill -9: nothing more is sent, and nothing is tidied."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(step: str) -> None:
    """Let the gateway of this process die at a step."""
    if step == "booked":
        GroupBookings.settle = lambda *_given: die()  # type: ignore[method-assign]
        return
    hold_members = GroupBookings._hold_members

    async def held(*given: Any) -> Any:
        await hold_members(*given)
        die()

    GroupBookings._hold_members = held  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    dying(os.environ["DIES"])
    sys.argv = ["slotcast", *sys.argv[1:]]
    sys.exit(cli.main())
