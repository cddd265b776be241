"""All HTTP connections of a gateway: their number, and early refusals.

A request is refused early, before it reaches the application, if it is malformed, too
large, too slow, or on one connection too many. Each reason is counted in a metric and
logged at a limited rate, so that a hostile client cannot fill the disk.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Collection
from time import monotonic
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as CounterMetric

from gateway.transport.limits import HttpLimits
from gateway.wire.problems import Headers

LOG_EVERY_S: Final = 10.0
"""Seconds between two log lines of the same reason."""
FILES_RESERVED: Final = 256
"""Descriptors reserved for the journal, the read model and the shards' connections.
A connection beyond that gets 503; without the reserve it would run into the kernel's
limit and be reset without an answer."""
EXPOSED: Final = ("ETag", "Retry-After", "X-Request-Id")
"""Response headers readable for pages of another origin."""

log = structlog.get_logger("slotcast.http")


class SampledLog:
    """Rate-limited warnings per reason, with the number of refusals."""

    def __init__(
        self,
        now: Callable[[], float] = monotonic,
        write: Callable[[str, int], None] | None = None,
    ) -> None:
        self._now = now
        self._write = write or _write
        self._last: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()

    def warn(self, reason: str) -> None:
        """Count a refusal, and log it if the last line is long enough ago."""
        self._unsaid[reason] += 1
        now = self._now()
        if now - self._last.get(reason, float("-inf")) < LOG_EVERY_S:
            return
        self._last[reason] = now
        self._write(reason, self._unsaid.pop(reason))


def _write(reason: str, times: int) -> None:
    log.warning("refused early", reason=reason, times=times)


class HttpConnections:
    """State shared by the HTTP connections of one gateway."""

    def __init__(
        self,
        limits: HttpLimits,
        registry: CollectorRegistry,
        allowed_origins: Collection[str] = (),
        *,
        by_address: bool = True,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.limits = limits
        self.lingering = 0
        self.pipelined_bytes = 0
        self._by_address = by_address
        self._origins = frozenset(origin.encode() for origin in allowed_origins)
        self._addresses: Counter[str] = Counter()
        self._count = 0
        self._files_max = _connection_files_max()
        self._sampled = SampledLog(now)
        self._refused = CounterMetric(
            "slotcast_http_refused_early",
            "Connections and requests refused before the application, by reason.",
            ("reason",),
            registry=registry,
        )
        Gauge(
            "slotcast_http_connections",
            "Open HTTP connections, live sockets not counted.",
            registry=registry,
        ).set_function(lambda: self._count)

    def enter(self, network: str, descriptor: int) -> str:
        """Count a new connection; returns why it is refused, if it is.

        The kernel assigns the lowest free descriptor, so a high one shows how many
        files are open.
        """
        limits = self.limits
        if descriptor >= self._files_max:
            return "open_files"
        if 0 < limits.connections_max <= self._count:
            return "connections"
        cap = limits.connections_per_address_max if self._by_address else 0
        if 0 < cap <= self._addresses[network]:
            return "connections_per_address"
        self._count += 1
        self._addresses[network] += 1
        return ""

    def leave(self, network: str) -> None:
        """Stop counting a connection."""
        self._count -= 1
        self._addresses[network] -= 1
        if not self._addresses[network]:
            del self._addresses[network]

    def refused(self, reason: str) -> None:
        """Count and log a refusal before the application."""
        self._refused.labels(reason).inc()
        self._sampled.warn(reason)

    def cors(self, headers: list[tuple[bytes, bytes]]) -> Headers:
        """The CORS headers of an early refusal."""
        origin = next((value for name, value in headers if name == b"origin"), b"")
        if origin not in self._origins:
            return ()
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", ", ".join(EXPOSED).encode()),
            (b"vary", b"Origin"),
        )


def _connection_files_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 2**31
    return soft - min(FILES_RESERVED, soft // 4)
