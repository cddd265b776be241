"""Whether a gateway serves a site, on any node: checked before everything changes.

A lock on a data folder keeps away who shares that folder; nodes have folders of their
own. What a gateway acknowledges in journals that are not in force any more is lost.
"""

from __future__ import annotations

from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from persistence.shared.presence import STALE_MS, RedisPresence


async def check_nobody_serves(site: Site) -> None:
    """Return if no gateway of a cluster says that it serves this site.

    Raises:
        Obstacle: one does, or did until a moment ago.
        RedisAway: it cannot be known just now.
    """
    if not site.settings.shared_redis:
        return  # one machine: the folder's lock says it all
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
