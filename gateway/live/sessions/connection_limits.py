"""Caps on live connections, and the parts they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from random import Random

from gateway.http.hosts import AllowedHosts
from gateway.http.limits import RateLimits
from gateway.live.sessions.context import LiveContext
from gateway.live.topics.watcher import Watcher, Writer
from gateway.live.transport.admission import Admission
from gateway.live.transport.waiting_room import WaitingRoom
from gateway.live.transport.write_scheduler import SharedTransport
from gateway.wire.addresses import network_of


class ConnectionLimits:
    """Counts connections, in total and per address."""

    def __init__(
        self,
        context: LiveContext,
        limits: RateLimits,
        allowed_origins: Collection[str],
        random: Random,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self.context = context
        self.rates = limits
        self.allowed_origins = frozenset(allowed_origins)
        self.hosts = hosts or AllowedHosts()
        self.transport = SharedTransport(context.settings.message_bytes_max)
        self.transport.retry_ms = context.settings.retry_ms
        self.draining = False
        admission = Admission(context.settings.handshakes_per_s, random)
        self.waiting_room = WaitingRoom(admission, self.is_full)
        self._random = random
        self._addresses: Counter[str] = Counter()
        self._count = 0

    def is_full(self) -> bool:
        """Whether new connections are refused before their handshake."""
        limit = self.context.settings.connections_max
        return self.draining or 0 < limit <= self._count

    def enter(self, address: str) -> bool:
        """Count a connection; False if its address has too many."""
        address = network_of(address)
        limit = self.context.settings.connections_per_address_max
        if 0 < limit <= self._addresses[address]:
            return False
        self._addresses[address] += 1
        self._count += 1
        return True

    def leave(self, address: str) -> None:
        """Stop counting a connection."""
        address = network_of(address)
        self._count -= 1
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def watcher(self, writer: Writer) -> Watcher:
        """A new connection's watcher, with a random second for its heartbeats."""
        return Watcher(
            writer, self._random.randrange(self.context.settings.heartbeat_s)
        )
