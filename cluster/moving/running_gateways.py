"""Whether a gateway serves a site, on any node: checked before a reshard.

A lock on a data folder only excludes processes that share it, and each node has its own
folder. Anything a gateway acknowledged in inactive journals would be lost.
"""

from __future__ import annotations

from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from persistence.shared.presence import STALE_MS, RedisPresence


async def check_nobody_serves(site: Site) -> None:
    """Return if no gateway of a cluster has announced that it serves this site.

    Raises:
        Obstacle: one does, or did until recently.
        RedisAway: it cannot be determined now.
    """
    if not site.settings.shared_redis:
        return  # one machine: the folder's lock suffices
    presence = RedisPresence(site.settings.shared_redis, site.settings.site)
    try:
        lines = await presence.current(SystemClock().now())
    finally:
        await presence.close()
    if lines:
        places = ", ".join(f"{line.node} at {line.url}" for line in lines)
        raise Obstacle(
            f"Gateways serve this site: {places}.",
            "Stop every node, then run it again; one that was killed is forgotten "
            f"after {STALE_MS // 1000} seconds. Nothing has changed.",
        )
