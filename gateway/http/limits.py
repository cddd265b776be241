"""Request limits: rate per caller, sizes, and requests in flight.

A token bucket per signed-in person, or without a token per address, per /64 of IPv6:
``rate`` tokens are added each second up to ``burst``, each request takes one. The least
recently used buckets are dropped first; a dropped bucket is a full one. How several
gateways share them is in access/rate_budgets.py.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access.rate_budgets import Settlement, TokenBuckets
from gateway.access.tokens import Caller
from gateway.config import GatewayConfig
from gateway.wire.addresses import network_of
from gateway.wire.errors import TooManyRequests
from gateway.wire.problems import Problem, problem
from gateway.wire.replies import problem_reply, send_reply


class RateLimits:
    """The buckets of people and of addresses.

    With a ``settlement``, shared by all gateways.
    """

    def __init__(
        self,
        config: GatewayConfig,
        now: Callable[[], float] = monotonic,
        settlement: Settlement | None = None,
    ) -> None:
        self._on = config.rate_limited
        make = settlement.buckets if settlement else _alone
        self._people = make("person", config.rate_per_s, config.rate_burst, now)
        self._addresses = make(
            "address",
            config.anonymous_rate_per_s,
            config.anonymous_rate_burst,
            now,
        )
        self._topics = TokenBuckets(config.topic_rate_per_s, config.topic_burst, now)

    def admit(self, caller: Caller | None, address: str) -> None:
        """Count one request.

        Raises:
            TooManyRequests: the caller exceeds the rate of requests.
        """
        if not self._on:
            return
        if caller is None:
            wait_s = self._addresses.take(network_of(address))
        else:
            wait_s = self._people.take(caller.person)
        if wait_s > 0:
            raise TooManyRequests(wait_s)

    def admit_topics(self, caller: Caller | None, address: str, count: int) -> None:
        """Count subscriptions to topics, a token each.

        Raises:
            TooManyRequests: the caller exceeds the rate of subscriptions.
        """
        if not self._on:
            return
        key = network_of(address) if caller is None else caller.person
        wait_s = self._topics.take(key, count)
        if wait_s > 0:
            raise TooManyRequests(wait_s)


def _alone(
    _kind: str, rate_per_s: float, burst: int, now: Callable[[], float]
) -> TokenBuckets:
    return TokenBuckets(rate_per_s, burst, now)


class RequestBounds:
    """ASGI middleware: bounds on addresses, headers, and requests in flight."""

    def __init__(self, app: ASGIApp, *, config: GatewayConfig) -> None:
        self._app = app
        self._config = config
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self._too_much(scope)
        if found is not None:
            await send_reply(scope, send, problem_reply(found))
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _too_much(self, scope: Scope) -> Problem | None:
        config = self._config
        if self._in_flight >= config.concurrency_max:
            return problem("unavailable", headers=((b"retry-after", b"1"),))
        if len(scope["raw_path"]) + len(scope["query_string"]) > config.url_bytes_max:
            return problem("uri_too_long")
        size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value) + 4
        if size > config.header_bytes_max:
            return problem("headers_too_large")
        return None
