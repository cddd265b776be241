"""Periodic work: heartbeats, expired tokens, slow watchers, feeds, checks.

One clock tick for all connections, not a timer for each: ten thousand of those would
cost more than the heartbeats. Heartbeats are spread over their interval by the turn
that each watcher drew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

import structlog
from websockets.frames import CloseCode as WireCode

from actors.domain.ids import Millis
from gateway.live.core.frames import bye_frame
from gateway.live.feeds.reader import TopicReader
from gateway.live.sessions.context import LiveContext
from gateway.live.sessions.permits import Permits
from gateway.live.topics.watcher import Watcher
from gateway.wire.problems import CloseCode

_LOOK_S: Final = 0.005
"""Longest pause in seconds while a topic holds something back: a window that ends
sooner than the present ones may be opened at any time."""
_PAUSE_S_MAX: Final = 0.02
"""Interval between closes, in seconds, if there are few watchers."""

_GOODBYE_S: Final = 1.0
"""Seconds for the last closing handshakes."""

log = structlog.get_logger("slotcast.live")


class Ticker:
    """Runs once a second, for all connections together."""

    def __init__(
        self,
        context: LiveContext,
        reader: TopicReader,
        random: Random,
        keep_feeds: Callable[[], None],
        permits: Permits,
    ) -> None:
        self._context = context
        self._reader = reader
        self._random = random
        self._keep_feeds = keep_feeds
        self._permits = permits
        self._turn = 0

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            self.tick(self._context.clock.now())
            await asyncio.sleep(1.0)

    async def release(self) -> None:
        """Send what topics hold back, as their windows end."""
        delivery, clock = self._context.hub.delivery, self._context.clock
        held = asyncio.Event()
        delivery.pace.wake = held.set
        while True:
            await held.wait()
            held.clear()
            while (due := delivery.release(clock.now())) is not None:
                wait_s = (due - clock.now()) / 1000
                await asyncio.sleep(min(_LOOK_S, max(0.0, wait_s)))

    async def verify(self) -> None:
        """Compare positions with the shards, every twenty seconds or so."""
        interval = self._context.settings.verify_s
        while True:
            await asyncio.sleep(interval * self._random.uniform(0.8, 1.2))
            await self._reader.verify()

    async def review(self) -> None:
        """Check once a minute that watchers still have their rights."""
        interval = self._context.settings.review_s
        while True:
            await asyncio.sleep(interval * self._random.uniform(0.8, 1.2))
            await self._permits.review()

    def tick(self, now: Millis) -> None:
        """One second: the hub's, and each watcher's."""
        steps: tuple[Callable[[], None], ...] = (
            self._keep_feeds,
            partial(self._context.hub.tick, now),
            partial(self._beat, now),
            self.send_away_revoked,
            partial(self._close_slow, now),
        )
        for step in steps:
            try:
                step()
            except Exception:
                # The other steps, and the next second, are independent of the failure.
                log.exception("a part of the live side's second failed")

    def _beat(self, now: Millis) -> None:
        self._turn = (self._turn + 1) % self._context.settings.heartbeat_s
        for watcher in list(self._context.hub.watchers):
            try:
                self._look_after(watcher, now)
            except Exception:
                log.exception("a connection is closed after an internal error")
                watcher.writer.close(WireCode.INTERNAL_ERROR)

    def _look_after(self, watcher: Watcher, now: Millis) -> None:
        if watcher.turn == self._turn:
            if watcher.writer.writable:
                watcher.writer.write(self._context.hub.delivery.heartbeat(watcher, now))
            watcher.writer.ping()
        if watcher.caller is not None and watcher.caller.expires <= now:
            self._send_away(watcher, CloseCode.TOKEN_EXPIRED)

    def send_away_revoked(self) -> None:
        """Close connections whose token was revoked; they must sign in again."""
        revoked = self._context.authenticator.revoked
        if not len(revoked):
            return
        for watcher in list(self._context.hub.watchers):
            if watcher.caller is not None and revoked.covers(watcher.caller):
                reason = "Your token was revoked; sign in again."
                self._send_away(watcher, CloseCode.UNAUTHENTICATED, reason)

    def _close_slow(self, now: Millis) -> None:
        slow_ms = self._context.settings.slow_s * 1000
        for watcher in list(self._context.hub.delivery.paused):
            before, watcher.unsent = watcher.unsent, watcher.writer.unsent
            if watcher.unsent < before and watcher.paused_since is not None:
                watcher.paused_since = now  # it reads, if slowly: restart the time
            since = watcher.paused_since
            if since is not None and watcher.dirty and now - since >= slow_ms:
                self._send_away(watcher, CloseCode.TOO_SLOW)

    def _send_away(self, watcher: Watcher, code: CloseCode, reason: str = "") -> None:
        retry_ms = self._context.settings.retry_ms
        watcher.writer.close(code, bye_frame(code, retry_ms), reason)

    async def drain(self) -> None:
        """Close all connections, one by one, over the configured time."""
        watchers = list(self._context.hub.watchers)
        self._random.shuffle(watchers)
        drain_s = self._context.settings.drain_s
        pause_s = min(_PAUSE_S_MAX, drain_s / max(1, len(watchers)))
        for watcher in watchers:
            self._send_away(watcher, CloseCode.DRAINING)
            await asyncio.sleep(pause_s * self._random.uniform(0, 2))
        await self._until_gone(min(drain_s, _GOODBYE_S))

    async def _until_gone(self, patience_s: float) -> None:
        # The server, which stops next, closes remaining connections without a bye.
        for _ in range(int(patience_s / _PAUSE_S_MAX)):
            if not self._context.hub.watchers:
                return
            await asyncio.sleep(_PAUSE_S_MAX)
