"""The server's own Ray and its shards: started, watched, restarted, ended.

Ray restarts a shard's process, but not its own processes: when one that shards need
ends, this whole Ray is ended and another started in its place, with the shards. Nothing
acknowledged is lost: it is in the journal, whose epochs fence any surviving shard.
Watchers stay connected meanwhile, and commands wait.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree
from signal import SIGHUP, SIGINT, SIGTERM

from actors.domain.ids import ShardId
from actors.errors import SchedulingError, Unavailable
from actors.remote.links import RayLinks, create_shards
from cluster.clock import SystemClock
from cluster.own_ray.folder import new_ray_folder
from cluster.own_ray.local import RayConfig, start_ray, stop_ray
from cluster.own_ray.parts import RayPart, RayWatch, ray_processes
from cluster.own_ray.raylet import end_soon
from cluster.site.run_file import ProcessMark, living, stop_processes
from cluster.site.site import Site
from cluster.terminal.alongside import alongside
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.wiring.calendars import Registered, fixed_shards, shard_spec, site_placing

log = logging.getLogger(__name__)

OPEN_S = 60.0
"""How long shards may take to open: a long journal is read at a start."""
LOOK_AGAIN_S = 0.02
CLOSE_S = 10.0
"""How long shards may take to store what changed at a stop."""
HANG_S = 90.0
"""How long Ray may take to start or to end; two seconds, where there is room."""
SIGNALS_S = 0.02
"""Interval at which signal handlers are restored, in seconds."""
LEAVE_S = 30.0
"""Seconds the server may take to exit when Ray hangs, and with it its thread."""
STARTS_MAX = 3
"""Starts in a row that may fail before the server gives up and ends."""


class RayHost:
    """Ray and the site's shards on it: ``run`` it, then ``end`` it.

    ``told`` is called with sentences for the terminal, ``changed`` when another Ray
    runs (``address`` and ``folder`` are new).
    """

    def __init__(
        self,
        site: Site,
        told: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._site = site
        self._told = told
        self._changed = changed
        self._spec = shard_spec(site)
        self._fixed = fixed_shards(site)
        self._known = Registered(site)
        self.links = RayLinks(
            site_placing(site),
            self._fixed,
            None if self._fixed else self._spec,
            known=self._known,
        )
        self._in_use: Sequence[ShardId] = self.links.suspend()
        # One thread for the life of Ray: the kernel ends a thread's child processes
        # when that thread ends.
        self._thread = ThreadPoolExecutor(1, "ray")
        self._missing = "Ray is starting"
        self._processes: set[ProcessMark] = set()
        self._failures = 0
        self.address = ""
        self.folder: Path | None = None
        self.started = asyncio.Event()
        """Set once Ray has run; the shards may not be open yet."""
        self.opened = asyncio.Event()
        """Set once every shard has been open."""

    def missing(self) -> str:
        """Why shards are not all open, in words; empty if they are."""
        return self._missing

    async def run(self) -> None:
        """Start Ray and the shards, and again whenever a part that they need ends.

        Raises:
            Obstacle: Ray does not start, or the shards do not open.
        """
        while True:
            try:
                await self._live_once()
            except Obstacle as obstacle:
                self._failures += 1
                if not self.opened.is_set() or self._failures >= STARTS_MAX:
                    raise
                log.warning("%s It is tried again, for it ran before.", obstacle.wrong)
            await self._clear()

    async def _live_once(self) -> None:
        """Run one Ray, until a part that shards need has ended."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.folder = new_ray_folder()
        self._changed()
        await self._in_thread(self._start)
        self.links.resume()
        self.started.set()
        self._missing = "the shards are opening"
        self._changed()
        with closing(RayWatch()) as watch:
            watch.add(self.look_around())
            async with alongside(self._first_needed(watch)) as ended:
                async with alongside(self.open_shards()) as opening:
                    await asyncio.wait(
                        {ended, opening}, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not ended.done():
                        opening.result()
                if not ended.done():
                    watch.add(self.look_around())  # some start later
                    self._now_open(loop.time() - began)
                await ended

    def _now_open(self, seconds: float) -> None:
        self._missing = ""
        self._failures = 0
        if self.opened.is_set():
            self._told(f"Ray and the shards run again, after {seconds:.1f} s")
            log.warning("Ray and the shards run again after %.1f s", seconds)
        self.opened.set()
        self._changed()

    async def _first_needed(self, watch: RayWatch) -> None:
        """Return when a part that shards need has ended; other ends are only logged."""
        while True:
            part = await watch.ended()
            named = f"Ray's {part.kind} (pid {part.mark.pid}) has ended"
            if part.is_spare:
                log.warning("%s; nothing here needs it", named)
                self._told(f"{named}; nothing here needs it, so the server goes on.")
                continue
            self._missing = f"{named}; Ray and the shards are being started again"
            log.error("%s; Ray and the shards are started again", named)
            self._told(f"{named}; Ray and the shards are started again.")
            return

    def _start(self) -> None:
        """Start Ray and create the shards; blocks for about two seconds."""
        try:
            self.address = start_ray(
                RayConfig(
                    folder=str(self.folder), extras=self._site.settings.ray_extras
                )
            )
            create_shards(self._fixed, self._spec)
        except Exception as error:
            log.exception("Ray does not start")
            raise Obstacle(
                f"Ray does not start: {type(error).__name__}: {error}",
                f"Its logs are in {self.folder}; free memory, /dev/shm and open "
                "files are the usual reasons.",
                code=FOUND_A_PROBLEM,
            ) from error

    def look_around(self) -> Sequence[RayPart]:
        """Remember the processes of this Ray: once orphaned they could not be found."""
        if self.folder is None:
            return ()
        found = ray_processes(self.folder)
        before = [mark for mark in self._processes if living(mark) is not None]
        self._processes = {*before, *(part.mark for part in found)}
        return found

    async def open_shards(self) -> None:
        """Return when every shard answers.

        Shards whose journal is damaged are reported; the rest serve without them.

        Raises:
            Obstacle: all shards are damaged, or it takes too long.
        """
        for shard in self._in_use:  # with placement "provider": those with
            with suppress(SchedulingError):  # possible watchers
                await self.links.status(shard)
        try:
            async with asyncio.timeout(OPEN_S):
                states = {shard: await self._settled(shard) for shard in self._fixed}
        except TimeoutError:
            raise Obstacle(
                f"The shards did not open in {OPEN_S:.0f} s.",
                f"See {self._site.folder.logs}, and: slotcast journal verify",
                code=FOUND_A_PROBLEM,
            ) from None
        damaged = [shard for shard, state in states.items() if state == "corrupt"]
        if damaged and len(damaged) == len(self._fixed):
            raise Obstacle(
                "The journals of all shards are damaged; see "
                f"{self._site.folder.logs}.",
                "Find the places with: slotcast journal verify; then put the journal "
                "back from a backup.",
                code=FOUND_A_PROBLEM,
            )
        if damaged:
            log.error("damaged: the journal of %s", ", ".join(damaged))
            self._told(
                f"The journal of {', '.join(damaged)} is damaged: its calendars cannot "
                "be booked, the others go on. Find the place with: slotcast journal "
                "verify; see docs/operations/failures.md."
            )

    async def _settled(self, shard: ShardId) -> str:
        """The shard's state once it is open, or will never be."""
        while True:
            with suppress(Unavailable):
                state = (await self.links.status(shard)).state
                if state in {"open", "corrupt"}:
                    return state
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _clear(self) -> None:
        """End the rest of this Ray, its shards first."""
        self._in_use = self.links.suspend() or self._in_use
        self.look_around()
        marks, self._processes = self._processes, set()
        await asyncio.to_thread(stop_processes, marks, 0.0)
        await self._in_thread(stop_ray)
        self._drop_folder()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Run a blocking call of Ray in its thread.

        The event loop must be on the main thread.

        Ray's C++ removes signal handlers at its start and end, and they cannot be
        restored from another thread: so they are restored here, meanwhile.

        Raises:
            Obstacle: it hangs; the process then exits within ``END_S``.
        """
        loop = asyncio.get_running_loop()
        handlers = {kind: signal.getsignal(kind) for kind in (SIGTERM, SIGINT, SIGHUP)}
        doing = loop.run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(HANG_S):
                while not doing.done():
                    await asyncio.wait({doing}, timeout=SIGNALS_S)
                    for kind, handler in handlers.items():
                        signal.signal(kind, handler)
        except TimeoutError:
            self._failures = STARTS_MAX
            end_soon(LEAVE_S)
            raise Obstacle(
                f"Ray has not started, or not ended, within {HANG_S:.0f} s.",
                f"Its logs are in {self.folder}. Start the server again.",
                code=FOUND_A_PROBLEM,
            ) from None
        doing.result()

    async def passivate(self) -> int:
        """End idle single-provider shards; returns their number."""
        if self._fixed or self._missing:
            return 0
        idle_ms = int(self._site.settings.passivate_minutes * 60_000)
        return await self.links.passivate(SystemClock().now(), idle_ms)

    async def end(self) -> None:
        """Let every shard store its changes, and end Ray; bounded, removes its folder.

        After ``run`` has been cancelled.
        """
        try:
            if not self._missing:
                await self.links.close_shards(CLOSE_S)
            await self.links.close()
            await self._known.close()
        finally:
            try:
                if self.folder is not None:
                    await self._in_thread(stop_ray)
            finally:
                self._thread.shutdown(wait=False)
                self._drop_folder()

    def _drop_folder(self) -> None:
        if self.folder is not None:
            rmtree(self.folder, ignore_errors=True)
