"""The request log: one JSON line each, with an id and without personal data.

A line has the route's template, not the path or the query: those contain ids of
bookings, which lead to patients. Tokens, reasons and bodies are never logged.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from time import perf_counter
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics.metrics import GatewayMetrics
from gateway.wire.problems import problem
from gateway.wire.replies import problem_reply, send_reply

_SANE_ID = re.compile(rb"[A-Za-z0-9_.\-]{1,64}")
_SECURITY: Final = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(self), payment=(), usb=(), "
        b"publickey-credentials-get=(self), publickey-credentials-create=(self)",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; connect-src 'self' ws: wss:; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
        b"object-src 'none'",
    ),
)
_ONLY_TLS: Final = (b"strict-transport-security", b"max-age=31536000")
"""For a year browsers ask for nothing but https. Other hosts of the domain are not
named: they may be another's."""
_STOPPING: Final = problem(
    "unavailable",
    "This server is shutting down. Retry with the same Idempotency-Key.",
    headers=((b"retry-after", b"1"),),
)


class StoppingAnswer:
    """ASGI middleware: 503 for a request that is cancelled when the server stops."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer 503 if it is cancelled before its answer."""
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            # The server is stopping and waits no longer. Whether the command was
            # executed is unknown here; a retry with the same key gets the answer from
            # the journal.
            task = asyncio.current_task()
            if begun or task is None:
                raise
            task.uncancel()
            await send_reply(scope, send, problem_reply(_STOPPING))


class RequestLog:
    """ASGI middleware: request ids, security headers, timing, one line per request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: GatewayMetrics,
        tokens: Callable[[], str],
        write_lines: bool = True,
        fixed_paths: frozenset[str] = frozenset(),
        only_tls: bool = False,
    ) -> None:
        """``only_tls``: people reach the site by https."""
        self._security = (*_SECURITY, _ONLY_TLS) if only_tls else _SECURITY
        self._app = app
        self._metrics = metrics
        self._tokens = tokens
        self._write_lines = write_lines
        self._fixed_paths = fixed_paths
        self._log = structlog.get_logger("slotcast.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and write its log line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        request_id = self._request_id(scope)
        extra = [*self._security, (b"x-request-id", request_id)]
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, request_id, status, perf_counter() - began)

    def _request_id(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                return value if _SANE_ID.fullmatch(value) else self._tokens().encode()
        return self._tokens().encode()

    def _route(self, scope: Scope) -> str:
        if scope["path"] in self._fixed_paths:
            return str(scope["path"])
        # Operations have their template themselves, routers of FastAPI at the route.
        for one in (scope.get("endpoint"), scope.get("route")):
            if (path := getattr(one, "path", None)) is not None:
                return str(path)
        return "unknown"

    def _note(
        self, scope: Scope, request_id: bytes, status: int, seconds: float
    ) -> None:
        route = self._route(scope)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.request(method, route, status, seconds)
        if self._write_lines:
            self._log.info(
                "request",
                request_id=request_id.decode(),
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
            )


_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
)
"""Unknown methods share one label in the metrics, which a client could otherwise
fill."""
