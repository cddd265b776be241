"""``slotcast reshard``: another number of shards, or the other placement. Offline.

::

    1  seal      take over every shard of the old generation; other writers are fenced
    2  flush     store all calendars; the read model reaches their end
    3  write     the next generation's journals (CalendarMovedIn) and snapshots
    4  check     the old and the new journals are unchanged and still owned
    5  switch    the layout names the new generation: the commit point
    6  follow    the read model files calendars under their new shards; a server
                 does it, too

If interrupted before 5, the old generation stays active, and the next attempt uses an
unused one. The old journals, with the earlier history, are kept until ``--forget-old``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.calendar.at_rest import unpack
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.events import CalendarMovedIn
from actors.domain.rules import Policy
from actors.placement import Placement, Placing, isolated_shard, placing
from actors.ports import Clock, Journal, Sealed, StoredCalendar
from cluster.moving.running_gateways import check_nobody_serves
from cluster.site.data_folder import Layout
from cluster.site.layout_change import change_layout
from cluster.site.site import Site
from cluster.site.stores import Snapshots, open_journal, open_snapshots
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.calendars import shard_config
from cluster.wiring.shard import ShardStores

CHUNK = 64
"""Calendars in memory at a time: a few megabytes."""
CHUNK_BYTES = 2 * 1024 * 1024
FLUSHES_MAX = 20
GENERATIONS_MAX = 100
"""Maximum number of interrupted attempts that are skipped."""

OnProgress = Callable[[str, int, int], None]
"""Called with (what, done, total)."""


class Resharded(Struct, frozen=True):
    """What was done."""

    generation: int
    shards: int
    calendars: int


class _Source(Struct, frozen=True):
    """A shard of the old generation, sealed by this command."""

    shard: ShardId
    epoch: int
    last_seq: int
    last_at: Millis


class _Written(Struct, frozen=True):
    """The next generation: its layout, where it came from, and what it holds."""

    layout: Layout
    sources: Sequence[_Source]
    ends: dict[ShardId, int]
    calendars: int


class Stores:
    """One generation's journal and snapshots."""

    def __init__(self, journal: Journal, snapshots: Snapshots) -> None:
        self.journal = journal
        self.snapshots = snapshots


@asynccontextmanager
async def stores_of(site: Site, generation: int) -> AsyncIterator[Stores]:
    """The stores of a generation; closed afterwards."""
    config = site.stores_of(generation)
    journal, snapshots = open_journal(config), open_snapshots(config)
    try:
        yield Stores(journal, snapshots)
    finally:
        await snapshots.close()
        await journal.close()


async def flush(site: Site, on_progress: OnProgress) -> None:
    """Let every shard store all its calendars, in this process (step 2).

    Raises:
        Obstacle: they cannot be stored.
    """
    for attempt in range(FLUSHES_MAX):
        on_progress("flushing", attempt, FLUSHES_MAX)
        async with stores_of(site, site.layout.generation) as old:
            behind = await _unflushed(old)
        if not behind:
            return
        stores = ShardStores(shard_config(site, logs=False))
        try:
            for shard in behind:
                mailbox = stores.mailbox(shard)
                await mailbox.open()
                await mailbox.close()  # an orderly stop stores what changed
        finally:
            await stores.close()
    raise Obstacle(
        "The calendars could not be stored.", "Make room on the disk; run it again."
    )


async def _unflushed(old: Stores) -> list[ShardId]:
    return [
        shard
        for shard in await old.journal.shards()
        if await old.snapshots.position(shard) < await old.journal.last_seq(shard)
    ]


async def write_next(
    site: Site,
    wanted: Layout,
    clock: Clock,
    on_progress: OnProgress,
) -> _Written:
    """Seal the old generation and write the next one (steps 1 and 3).

    Raises:
        Obstacle: the old generation changed, or another process writes as well.
    """
    async with stores_of(site, site.layout.generation) as old:
        sources = [await _sealed(old, one) for one in await old.journal.shards()]
        generation = await _unused(site, site.layout.generation)
        layout = _next(site.layout, wanted, generation)
        place = placing(
            Placement(layout.placement), layout.shards, layout.isolated, generation
        )
        async with stores_of(site, generation) as new:
            writer = _Writer(new, place, sources, site.settings.policy, clock)
            for done, source in enumerate(sources):
                on_progress("writing", done, len(sources))
                await writer.take(old, source)
            await writer.finish()
            on_progress("writing", len(sources), len(sources))
        return _Written(layout, sources, writer.ends, writer.calendars)


async def check_whole(site: Site, written: _Written) -> None:
    """Check that the new journals hold what was written (step 4).

    Raises:
        Obstacle: another process has removed or changed them (``--forget-old``).
    """
    async with stores_of(site, written.layout.generation) as new:
        for shard, end in written.ends.items():
            if (
                await new.journal.last_seq(shard) != end
                or await new.snapshots.position(shard) != end
            ):
                raise _two_at_once(shard)


def _two_at_once(shard: ShardId) -> Obstacle:
    return Obstacle(
        f"Another process changed the new journal of shard {shard}: another reshard "
        "is running, possibly on another node.",
        "Let one command finish, then run this one again; nothing has changed.",
    )


async def check_untouched(site: Site, sources: Sequence[_Source]) -> None:
    """Check that the old journals have not changed since they were read (step 4).

    Raises:
        Obstacle: a process writes to this site.
    """
    async with stores_of(site, site.layout.generation) as old:
        for source in sources:
            sealed_again = await old.journal.seal(source.shard)
            if (
                sealed_again.last_seq != source.last_seq
                or sealed_again.epoch > source.epoch + 1
            ):
                raise Obstacle(
                    f"Shard {source.shard} was opened meanwhile: a server runs.",
                    "Stop every server and node of this site, then run it again. "
                    "Nothing has changed.",
                )


def switch(site: Site, layout: Layout) -> Layout:
    """Activate the new generation (step 5). Blocks. Raises Obstacle."""

    def switched(now: Layout) -> Layout:
        if now != site.layout:
            raise Obstacle(
                "The site's layout was changed meanwhile.",
                "Run it again; nothing has changed.",
            )
        return layout

    return change_layout(site, switched)


def _next(now: Layout, wanted: Layout, generation: int) -> Layout:
    isolated = (
        {
            provider: str(isolated_shard(ProviderId(provider), generation))
            for provider in now.isolated
        }
        if Placement(wanted.placement) is Placement.SHARD
        else {}
    )
    return replace(
        now,
        shards=wanted.shards,
        placement=wanted.placement,
        generation=generation,
        isolated=isolated,
    )


async def _unused(site: Site, generation: int) -> int:
    """The next generation that no attempt has written to."""
    for number in range(generation + 1, generation + GENERATIONS_MAX):
        if site.stores.in_redis:
            async with stores_of(site, number) as stores:
                if not await stores.journal.shards():
                    return number
        elif not site.folder.journal_of(number).exists():
            site.folder.journal_of(number).mkdir()
            site.folder.snapshots_of(number).mkdir(exist_ok=True)
            return number
    raise Obstacle(
        f"{GENERATIONS_MAX} attempts have been interrupted.",
        "Find the cause, then remove their journals: slotcast reshard --forget-old.",
    )


async def _sealed(old: Stores, shard: ShardId) -> _Source:
    sealed = await old.journal.seal(shard)
    if await old.snapshots.position(shard) < sealed.last_seq:
        raise Obstacle(
            f"Shard {shard} accepted events meanwhile: a server is running.",
            "Stop every server and node of this site, then run it again.",
        )
    last = await old.journal.read(shard, max(0, sealed.last_seq - 1), 1)
    at = last[0].event.at if last else Millis(0)
    return _Source(shard, sealed.epoch, sealed.last_seq, at)


class _Writer:
    """Writes calendars to the shards of the new generation."""

    def __init__(
        self,
        new: Stores,
        place: Placing,
        sources: Sequence[_Source],
        policy: Policy,
        clock: Clock,
    ) -> None:
        self.calendars = 0
        self._new = new
        self._place = place
        self._policy = policy
        # An event must not be older than its calendar's newest one.
        self._at = Millis(max(clock.now(), *(one.last_at for one in sources), 0))
        self._above = max((one.epoch for one in sources), default=0)
        self._open: dict[ShardId, Sealed] = {}

    @property
    def ends(self) -> dict[ShardId, int]:
        """Where each new journal ends."""
        return {shard: sealed.last_seq for shard, sealed in self._open.items()}

    async def take(self, old: Stores, source: _Source) -> None:
        """Write all calendars of a shard of the old generation."""
        providers = list(await old.snapshots.providers(source.shard))
        for first in range(0, len(providers), CHUNK):
            some = providers[first : first + CHUNK]
            stored = await old.snapshots.load(source.shard, some)
            coming: dict[ShardId, list[CalendarMovedIn]] = {}
            for provider in some:
                event = self._event(source, stored[provider])
                if event is not None:
                    coming.setdefault(self._place(provider), []).append(event)
            for shard, events in coming.items():
                await self._write(shard, events)

    async def finish(self) -> None:
        """Check that every calendar is stored and nothing is left to replay."""
        for shard, sealed in self._open.items():
            await self._new.snapshots.advance(shard, sealed.epoch, sealed.last_seq)

    def _event(self, source: _Source, stored: StoredCalendar) -> CalendarMovedIn | None:
        kept, left = unpack(stored.blob)
        if left is not None or kept.profile is None:
            return None  # it belongs to another shard
        return CalendarMovedIn(
            provider_id=kept.provider_id,
            at=self._at,
            version=kept.version,
            from_shard=source.shard,
            from_epoch=source.epoch,
            from_seq=source.last_seq,
            state=stored.blob,
        )

    async def _write(self, shard: ShardId, events: Sequence[CalendarMovedIn]) -> None:
        part: list[CalendarMovedIn] = []
        for event in events:
            part.append(event)
            if sum(len(one.state) for one in part) >= CHUNK_BYTES:
                await self._append(shard, part)
                part = []
        if part:
            await self._append(shard, part)

    async def _append(self, shard: ShardId, events: Sequence[CalendarMovedIn]) -> None:
        sealed = await self._sealed(shard)
        end = await self._new.journal.append(
            shard, sealed.epoch, sealed.last_seq, events
        )
        self._open[shard] = Sealed(sealed.epoch, end)
        resting = {
            event.provider_id: StoredCalendar(end, self._at_rest(event, sealed.epoch))
            for event in events
        }
        await self._new.snapshots.save(shard, sealed.epoch, resting)
        self.calendars += len(events)

    def _at_rest(self, event: CalendarMovedIn, epoch: int) -> bytes:
        calendar = CalendarState(event.provider_id, self._policy)
        apply(calendar, event, epoch)
        return encode(calendar)

    async def _sealed(self, shard: ShardId) -> Sealed:
        sealed = self._open.get(shard)
        if sealed is None:
            sealed = await self._new.journal.seal(shard)
            if sealed.last_seq:  # it was empty when this generation was chosen
                raise _two_at_once(shard)
            while sealed.epoch <= self._above:
                sealed = await self._new.journal.seal(shard)
            self._open[shard] = sealed
        return sealed


def as_wanted(layout: Layout, shards: int | None, placement: str | None) -> Layout:
    """The layout with the requested values. Raises Obstacle: nothing would change."""
    wanted = replace(
        layout,
        shards=shards or layout.shards,
        placement=placement or layout.placement,
    )
    if wanted == layout:
        raise Obstacle(
            f"The site has {layout.shards} shards and placement={layout.placement} "
            "already.",
            "Name another number (--shards) or placement (--placement).",
        )
    return wanted


async def reshard(
    site: Site, wanted: Layout, clock: Clock, on_progress: OnProgress
) -> tuple[Site, Resharded]:
    """Steps 1 to 5. Needs the folder's lock, and no server anywhere.

    Raises:
        Obstacle: the old generation stays active.
    """
    await check_nobody_serves(site)
    await flush(site, on_progress)
    written = await write_next(site, wanted, clock, on_progress)
    layout = written.layout
    await check_whole(site, written)
    await check_nobody_serves(site)
    await check_untouched(site, written.sources)
    in_force = await asyncio.to_thread(switch, site, layout)
    settings = site.settings.model_copy(
        update={"shards": layout.shards, "placement": Placement(layout.placement)}
    )
    done = Resharded(layout.generation, layout.shards, written.calendars)
    return Site(settings, site.folder, in_force), done
