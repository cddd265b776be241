"""Assembles the live side of a gateway: routes, feeds, reader, ticker.

The app mounts ``routes`` and ``socket``, awaits ``start`` before it serves, ``drain``
while the server still serves (so that watchers leave one by one), and ``stop`` at the
end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

import structlog
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from actors.domain.ids import ProviderId, ShardId
from actors.domain.messages.answers import BookingView
from actors.ports import Feed
from care.notices.ports import Notice
from gateway.access.rights import Access
from gateway.access.tokens import Authenticator
from gateway.calendars.hot_pages import PageShelf
from gateway.calendars.members.slots import MemberSlots
from gateway.calendars.reasons import OpenedFeed
from gateway.config import GatewayConfig, GatewayPorts, LiveSettings
from gateway.http.endpoint import Operation
from gateway.http.hosts import AllowedHosts
from gateway.http.limits import RateLimits
from gateway.live.core.frames import FrameEncoder
from gateway.live.feeds.feed import FeedFollower, ShardFeed
from gateway.live.feeds.inboxes import InboxFeed
from gateway.live.feeds.lists import ListFeed, Lists
from gateway.live.feeds.reader import HoldsOf, TopicReader
from gateway.live.metrics import LiveGauges
from gateway.live.sessions.commands import SocketCommands
from gateway.live.sessions.connection_limits import ConnectionLimits
from gateway.live.sessions.context import LiveContext
from gateway.live.sessions.identity import PersonCounts
from gateway.live.sessions.permits import Permits
from gateway.live.sessions.socket import LiveSocket
from gateway.live.sessions.sse import LiveStream
from gateway.live.sessions.topic_limits import TopicRoom
from gateway.live.ticker import Ticker
from gateway.live.topics.hub import Hub
from gateway.live.transport.waiting_room import protocol_of
from gateway.transport.endless import kept_going

log = structlog.get_logger("slotcast.live")


@dataclass(frozen=True, kw_only=True)
class LiveNeeds:
    """Parts shared with REST.

    ``operations`` are those of REST: commands on the socket run through them.
    ``booking_body`` writes the body of GET /bookings/{id}, ``notice_body`` an item of
    GET /notices, ``holds_of`` finds what GET /holds lists.
    """

    authenticator: Authenticator
    access: Access
    limits: RateLimits
    operations: Sequence[Operation]
    booking_body: Callable[[BookingView], bytes]
    notice_body: Callable[[Notice], bytes]
    holds_of: HoldsOf
    follower: FeedFollower | None = None
    """What is told of all changes of calendars, too."""
    lists: Lists | None = None
    """Watched lists; without them topics of lists are unavailable."""
    members: MemberSlots | None = None
    """What knows rooms and equipment; without it visits need none."""


class LiveService:
    """One per gateway process."""

    def __init__(
        self,
        ports: GatewayPorts,
        config: GatewayConfig,
        needs: LiveNeeds,
        settings: LiveSettings | None = None,
        random: Random | None = None,
    ) -> None:
        self.operations = needs.operations
        self._inboxes: InboxFeed | None = None
        self._lists: ListFeed | None = None
        self._follower = needs.follower
        self._ports = ports
        self._settings = settings or config.live
        # Jitter needs no secret; a test passes a seeded one.
        self._random = random or Random()  # noqa: S311  # nosec B311
        self.hub = self._make_hub(needs)
        self.persons = PersonCounts(self._settings.connections_per_person_max)
        self.context = context = LiveContext(
            hub=self.hub,
            authenticator=needs.authenticator,
            access=needs.access,
            commands=SocketCommands(needs.operations, needs.limits),
            clock=ports.clock,
            settings=self._settings,
            persons=self.persons,
            room=TopicRoom(self.hub, self._settings, ports.clock),
            revocations=ports.revocations,
        )
        self._limits = ConnectionLimits(
            context,
            needs.limits,
            config.allowed_origins,
            self._random,
            AllowedHosts(config.public_url),
        )
        self.hub.delivery.pace.load = self._limits.transport.flushes
        self.waiting_room = self._limits.waiting_room
        self.protocol = protocol_of(self.waiting_room)
        self._feed: Feed = ports.links
        if ports.persons is not None:
            self._feed = OpenedFeed(ports.links, ports.persons, self._is_shown)
        self._feeds: dict[ShardId, ShardFeed] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.permits = Permits(self.hub, needs.access, ports.clock, self._random)
        self.hub.doubt = self.permits.doubt
        self.ticker = Ticker(
            context, self._reader, self._random, self._keep_feeds, self.permits
        )
        needs.authenticator.revoked.heard.append(self.ticker.send_away_revoked)
        self._running: asyncio.Future[None] | None = None
        self._begun = asyncio.Event()
        self._stopping = asyncio.Event()
        self.socket: ASGIApp = LiveSocket(self._limits).serve
        self.routes: Sequence[BaseRoute] = (
            Route("/v1/stream", LiveStream(self._limits, self._random).__call__),
        )
        ports.registry.register(
            LiveGauges(self.hub, self.silences, self.waiting_room.admission)
        )

    def _make_hub(self, needs: LiveNeeds) -> Hub:
        # Random, so that no other process, and no restart, has the same epoch.
        me_epoch = self._ports.clock.now() * 1024 + self._random.randrange(1024)
        hub = Hub(
            FrameEncoder(needs.booking_body, needs.notice_body),
            self._ports.links.shard_of,
            me_epoch=me_epoch,
            wake=self._wake,
        )
        ports = self._ports
        if ports.notices is not None:
            self._inboxes = InboxFeed(ports.notices, hub, ports.clock)
        self._reader = TopicReader(
            *(ports, hub, self._settings, self._random, needs.holds_of),
            inboxes=self._inboxes,
        )
        self._reader.members = needs.members
        if needs.lists is not None:
            self._reader.lists = needs.lists
            self._lists = ListFeed(needs.lists, hub, ports.clock)
        return hub

    async def start(self) -> None:
        """Start to poll the shards and to read topics."""
        ready = asyncio.Event()
        self._running = asyncio.ensure_future(self._run(ready))
        self._begun.set()
        await ready.wait()

    async def drain(self) -> None:
        """Refuse new connections, and close the open ones over ``drain_s``."""
        self._limits.draining = True
        await self.ticker.drain()

    async def stop(self) -> None:
        """Stop everything. Open connections end with the server."""
        self._limits.draining = True
        self._stopping.set()
        if self._running is not None:
            await self._running

    async def until_ended(self) -> None:
        """Return when the live side has ended, by itself or because it was stopped."""
        await self._begun.wait()
        assert self._running is not None
        await asyncio.wait({self._running})

    def health(self, damaged: Collection[ShardId] = ()) -> Sequence[str]:
        """Problems, a sentence each; empty if all feeds answer.

        ``damaged`` shards are not expected to answer.
        """
        if self._running is None or self._running.done():
            return ("the live side is not running",)
        return [
            f"no answer from the feed of shard {shard} for {seconds:.0f} s"
            for shard, seconds in self.silences().items()
            if seconds > self._settings.deaf_s and shard not in damaged
        ]

    @property
    def week_shelf(self) -> PageShelf | None:
        """The hot pages for first watchers; None without a store."""
        warm_start = self._reader.warm_start
        return None if warm_start is None else warm_start.shelf

    def silences(self) -> dict[ShardId, float]:
        """Seconds since each shard's feed last answered."""
        return {shard: feed.silent_s() for shard, feed in self._feeds.items()}

    async def _run(self, ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._keep_feeds()
                for name, job in self._jobs():
                    tasks.create_task(kept_going(name, job))
                ready.set()
                await self._until_stopped()
        except* _Stopped:
            pass
        except* Exception:
            # Readiness fails from now on, and ``stop`` raises the error.
            log.critical("the live side has ended", exc_info=True)
            raise
        finally:
            self._tasks = None
            ready.set()

    def _jobs(self) -> Sequence[tuple[str, Callable[[], Awaitable[None]]]]:
        """The endless parts; a failure of one does not stop the rest."""
        warm_start, ticker = self._reader.warm_start, self.ticker
        inboxes, lists = self._inboxes, self._lists
        of_lists = (
            ()
            if lists is None
            else (("live lists", lists.run), ("live lists' members", lists.renew))
        )
        return (
            ("live reads", self._reader.run),
            *((("live pages", warm_start.run),) if warm_start is not None else ()),
            *((("live inboxes", inboxes.run),) if inboxes is not None else ()),
            *of_lists,
            ("live ticker", ticker.run),
            ("live release", ticker.release),
            ("live verification", ticker.verify),
            ("live review", ticker.review),
            ("live permits", self.permits.run),
        )

    def _is_shown(self, provider_id: ProviderId) -> bool:
        """Whether a provider's schedule is watched here."""
        known = self.hub.index.providers.get(provider_id)
        return known is not None and known.schedule is not None

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        raise _Stopped

    def look(self) -> None:
        """Follow the feeds of all shards without a pause, as their follower wants."""
        for feed in self._feeds.values():
            feed.look()

    def _wake(self) -> None:
        # The first topic of an unwatched shard needs its feed at once.
        self._keep_feeds()
        self.look()
        self._reader.wake()

    def _keep_feeds(self) -> None:
        """Every shard that may have news is polled; new ones are seen each second."""
        tasks = self._tasks
        if tasks is None:
            return
        for shard in {*self._ports.links.shards(), *self.hub.watched_shards()}:
            if shard not in self._feeds:
                feed = ShardFeed(
                    shard,
                    self._feed,
                    self.hub,
                    self._ports.clock,
                    self._settings,
                    self._random,
                )
                feed.follower = self._follower
                self._feeds[shard] = feed
                tasks.create_task(self._follow(feed))

    async def _follow(self, feed: ShardFeed) -> None:
        """Follow a shard for as long as it is active or is watched."""
        try:
            await feed.run()
        finally:
            del self._feeds[feed.shard]
            self.hub.index.drop_shard(feed.shard)


class _Stopped(Exception):
    """Raised to stop the service."""
