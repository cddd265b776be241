"""Access and rate limits of metrics and readiness, which cost work.

Metrics are for this machine, or for callers with the configured token: they reveal the
site's activity. A request forwarded by a proxy does not count as this machine's.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic
from typing import Final

from starlette.types import Scope

from gateway.access.rate_budgets import TokenBuckets
from gateway.wire.errors import Forbidden, TooManyRequests

METRICS_PER_S: Final = 5.0
METRICS_BURST: Final = 60
READY_PER_S: Final = 20.0
READY_BURST: Final = 200
"""Rate per address. A load balancer asks once a second, Prometheus every ten
seconds."""

Check = Callable[[Scope], None]
_PASSED_ON: Final = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})


class Probes:
    """The rules of one gateway."""

    def __init__(
        self, metrics_token: str, now: Callable[[], float] = monotonic
    ) -> None:
        self._token = metrics_token.encode()
        self._metrics = TokenBuckets(METRICS_PER_S, METRICS_BURST, now)
        self._ready = TokenBuckets(READY_PER_S, READY_BURST, now)

    def admit_ready(self, scope: Scope) -> None:
        """Count one request for readiness. Raises TooManyRequests."""
        _take(self._ready, scope)

    def admit_metrics(self, scope: Scope) -> None:
        """Count one request for metrics.

        Raises:
            Forbidden: it comes from another machine, without the token.
            TooManyRequests: this address exceeds its rate.
        """
        _take(self._metrics, scope)
        if not (_is_of_this_machine(scope) or self._shows_token(scope)):
            raise Forbidden(
                "Metrics are for this machine, or with the token of "
                "SLOTCAST_METRICS_TOKEN as: Authorization: Bearer <token>."
            )

    def _shows_token(self, scope: Scope) -> bool:
        if not self._token:
            return False
        shown = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(shown, b"Bearer " + self._token)


def _take(buckets: TokenBuckets, scope: Scope) -> None:
    client = scope.get("client")
    wait_s = buckets.take(client[0] if client else "")
    if wait_s > 0:
        raise TooManyRequests(wait_s)


def _is_of_this_machine(scope: Scope) -> bool:
    client = scope.get("client")
    if not client or any(name in _PASSED_ON for name, _ in scope["headers"]):
        return False
    try:
        address = ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
