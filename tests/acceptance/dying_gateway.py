"""Another gateway of a site, which is killed in the middle of a visit with a room.

    python -m tests.acceptance.dying_gateway held|booked < request.json

It joins the server of the data folder, as gateways of a node do, and answers the one
request on its input. ``held``: it ends once the room is held and before the provider is
asked; ``booked``: once the visit is booked and before the room is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import httpx

from cluster.site.site import existing_site
from cluster.wiring.calendars import open_links
from cluster.wiring.gateway import gateway_config, gateway_ports
from gateway.app.application import create_app
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


async def answer(request: dict[str, Any]) -> None:
    """Answer a request as a gateway of the site; it says so if it comes to an end."""
    site = existing_site(None)
    async with (
        open_links(site, "gateway") as links,
        gateway_ports(site, links) as ports,
    ):
        app = create_app(ports, gateway_config(site, "dying"))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://gateway"
            ) as client,
        ):
            found = await client.request(**request)
            sys.stdout.write(f"{found.status_code} {found.text}\n")


if __name__ == "__main__":
    dying(sys.argv[1])
    asyncio.run(answer(json.load(sys.stdin)))
