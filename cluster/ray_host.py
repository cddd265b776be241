"""The server's own Ray: begun and ended with it, in a folder that leaves nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree

from actors.domain.ids import ShardId
from actors.errors import Unavailable
from actors.remote import RayLinks, create_shards
from cluster.bootstrap import Registered, fixed_shards, shard_spec, site_placing
from cluster.clock import SystemClock
from cluster.local_ray import RayConfig, start_ray, stop_ray
from cluster.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.site import Site

log = logging.getLogger(__name__)

OPEN_S = 60.0
"""How long shards may take to open: a long journal is read at a start."""
LOOK_AGAIN_S = 0.02
CLOSE_S = 10.0
"""How long shards may take to store what changed at a stop."""


class RayHost:
    """Ray and the site's shards on it. ``start`` it, and ``stop`` it."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        self._spec = shard_spec(site)
        self._fixed = fixed_shards(site)
        self._known = Registered(site)
        self.links = RayLinks(
            site_placing(site),
            self._fixed,
            None if self._fixed else self._spec,
            known=self._known,
        )
        self.address = ""

    def start(self) -> None:
        """Start Ray and ask for the shards; blocks for two seconds.

        Raises:
            Obstacle: Ray does not start here; says why.
        """
        try:
            self.address = start_ray(RayConfig(folder=str(self._folder)))
        except Exception as error:
            log.exception("Ray does not start")
            raise Obstacle(
                f"Ray does not start: {type(error).__name__}: {error}",
                f"Its logs are in {self._folder}; free memory, /dev/shm and open "
                "files are the usual reasons.",
            ) from error
        create_shards(self._fixed, self._spec)

    async def opened(self, stopping: Callable[[], bool]) -> Sequence[ShardId]:
        """Return when every shard answers, or a stop is asked for.

        Shards whose journal is damaged are named: the others go on without them.

        Raises:
            Obstacle: all shards are damaged, or it takes too long.
        """
        damaged: list[ShardId] = []
        try:
            async with asyncio.timeout(OPEN_S):
                for shard in self._fixed:
                    state = ""
                    while not stopping() and state not in ("open", "corrupt"):
                        state = await self._state(shard)
                        if not state or state == "opening":
                            await asyncio.sleep(LOOK_AGAIN_S)
                    if state == "corrupt":
                        log.error("the journal of shard %s is damaged", shard)
                        damaged.append(shard)
        except TimeoutError:
            raise Obstacle(
                f"The shards did not open in {OPEN_S:.0f} s.",
                f"See {self._site.folder.logs}, and: slotcast journal verify",
                code=FOUND_A_PROBLEM,
            ) from None
        if damaged and len(damaged) == len(self._fixed):
            raise Obstacle(
                "The journals of all shards are damaged; see "
                f"{self._site.folder.logs}.",
                "Find the places with: slotcast journal verify; then put the journal "
                "back from a backup.",
                code=FOUND_A_PROBLEM,
            )
        return damaged

    async def _state(self, shard: ShardId) -> str:
        try:
            return (await self.links.status(shard)).state
        except Unavailable:
            return ""

    async def passivate(self) -> int:
        """End shards of one provider that nobody has asked for long; how many."""
        if self._fixed:
            return 0
        idle_ms = int(self._site.settings.passivate_minutes * 60_000)
        return await self.links.passivate(SystemClock().now(), idle_ms)

    async def close_shards(self) -> None:
        """Let every shard store what changed and close its journal; bounded."""
        await self.links.close_shards(CLOSE_S)
        await self.links.close()
        await self._known.close()

    def stop(self) -> None:
        """End Ray and wait for its processes; leaves no folder."""
        try:
            stop_ray()
        finally:
            rmtree(self._folder, ignore_errors=True)
