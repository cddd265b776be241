"""Limits at the door: how often one caller may ask, and how much. All bounded.

A token bucket per signed-in person, or per address without a token: ``rate`` tokens
flow in each second up to ``burst``, each request takes one. Buckets of callers who
have been away longest are forgotten first; a forgotten bucket is a full one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth import Caller
from gateway.config import GatewayConfig
from gateway.errors import TooManyRequests
from gateway.problems import Problem, problem
from gateway.reply import problem_reply, send_reply

_BUCKETS_MAX: Final = 50_000


class TokenBuckets:
    """Many token buckets with the same rate, by key."""

    def __init__(
        self, rate_per_s: float, burst: int, now: Callable[[], float] = monotonic
    ) -> None:
        if rate_per_s <= 0 or burst < 1:
            raise ValueError("rate_per_s must be above 0 and burst at least 1")
        self._rate = rate_per_s
        self._burst = float(burst)
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there is."""
        now = self._now()
        tokens, since = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        granted = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if granted else tokens, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1.0 - tokens) / self._rate


class RateLimits:
    """The buckets of people and of addresses."""

    def __init__(
        self, config: GatewayConfig, now: Callable[[], float] = monotonic
    ) -> None:
        self._on = config.rate_limited
        self._people = TokenBuckets(config.rate_per_s, config.rate_burst, now)
        self._addresses = TokenBuckets(
            config.anonymous_rate_per_s, config.anonymous_rate_burst, now
        )

    def admit(self, caller: Caller | None, address: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: the caller asks more often than they may.
        """
        if not self._on:
            return
        if caller is None:
            wait_s = self._addresses.take(address)
        else:
            wait_s = self._people.take(f"{caller.role}:{caller.subject}")
        if wait_s > 0:
            raise TooManyRequests(wait_s)


class Bounds:
    """ASGI middleware: bounds on addresses, headers, and requests in the house."""

    def __init__(self, app: ASGIApp, *, config: GatewayConfig) -> None:
        self._app = app
        self._config = config
        self._in_house = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._too_much(scope)
        if found is not None:
            await send_reply(scope, send, problem_reply(found))
            return
        self._in_house += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_house -= 1

    def _too_much(self, scope: Scope) -> Problem | None:
        config = self._config
        if self._in_house >= config.concurrency_max:
            return problem("unavailable", headers=((b"retry-after", b"1"),))
        if len(scope["raw_path"]) + len(scope["query_string"]) > config.url_bytes_max:
            return problem("uri_too_long")
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > config.header_bytes_max:
            return problem("headers_too_large")
        return None
