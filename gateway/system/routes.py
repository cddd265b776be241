"""Routes of health, metrics, documents and pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import json
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import Receive, Scope, Send

from gateway.system.health import Health
from gateway.system.probes import Check, Probes
from gateway.system.reference import (
    ASSETS,
    asset,
    codes_page,
    live_page,
    rest_page,
)
from gateway.wire.errors import MethodNotAllowed, RequestError
from gateway.wire.problems import CODES, of_error, problem
from gateway.wire.replies import (
    HTML,
    JSON,
    NO_STORE,
    REVALIDATE,
    Reply,
    problem_reply,
    send_reply,
    squeezed,
)

Answer = Callable[[], Awaitable[Reply]]


class SystemPage:
    """The ASGI application of a read-only address."""

    def __init__(self, answer: Answer, admit: Check | None = None) -> None:
        """``admit`` raises a RequestError if this request is not to be answered."""
        self._answer = answer
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD."""
        del receive
        if scope["method"] in ("GET", "HEAD"):
            reply = await self._admitted(scope)
        elif scope["method"] == "OPTIONS":
            reply = Reply(204, headers=((b"allow", b"GET, HEAD, OPTIONS"),))
        else:
            reply = problem_reply(of_error(MethodNotAllowed("GET, HEAD, OPTIONS")))
        await send_reply(scope, send, reply)

    async def _admitted(self, scope: Scope) -> Reply:
        try:
            if self._admit is not None:
                self._admit(scope)
        except RequestError as error:
            return problem_reply(of_error(error))
        return squeezed(scope, await self._answer())


class Upgrade:
    """The ASGI application of the live socket's address for plain HTTP requests."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer how to connect, and where server-sent events are."""
        del receive
        found = problem(
            "upgrade_required",
            "Connect here with a WebSocket, subprotocol slotcast.v1 (see "
            "/asyncapi.json), or read /v1/stream as server-sent events.",
            headers=((b"upgrade", b"websocket"), (b"connection", b"upgrade")),
        )
        await send_reply(scope, send, problem_reply(found))


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Static documents; routes may still be added to ``openapi``."""

    openapi: Callable[[], dict[str, Any]]
    asyncapi: dict[str, Any]
    version: str
    landing: bytes


def pages(
    health: Health,
    refreshed: Sequence[Callable[[], Awaitable[None]]],
    registry: CollectorRegistry,
    documents: Documents,
    probes: Probes,
) -> Sequence[tuple[str, SystemPage]]:
    """Path and page, in the order of the docs.

    ``refreshed`` are called before the metrics are collected.
    """

    async def healthz() -> Reply:
        return Reply(200, b'{"status":"ok"}')

    async def readyz() -> Reply:
        found = await health.readiness()
        return Reply(200 if found.ready else 503, json.encode(found))

    async def metrics() -> Reply:
        await asyncio.gather(*(refresh() for refresh in refreshed))
        kind = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return Reply(200, generate_latest(registry), (kind, NO_STORE))

    async def openapi() -> Reply:
        # The first time it is made, which takes half a second.
        document = await asyncio.to_thread(documents.openapi)
        return Reply(200, json.encode(document), (JSON, REVALIDATE))

    return [
        ("/healthz", SystemPage(healthz)),
        ("/readyz", SystemPage(readyz, probes.admit_ready)),
        ("/metrics", SystemPage(metrics, probes.admit_metrics)),
        ("/openapi.json", SystemPage(openapi)),
        ("/asyncapi.json", SystemPage(_fixed(json.encode(documents.asyncapi), JSON))),
        *_reference(documents),
        ("/", SystemPage(_fixed(documents.landing, HTML))),
    ]


def _reference(documents: Documents) -> list[tuple[str, SystemPage]]:
    """The reference of REST, of the live socket and of error codes, and its files."""
    found = {
        "/docs": rest_page(documents.version),
        "/docs/live": live_page(documents.asyncapi),
        "/docs/codes": codes_page(CODES),
    }
    shown = [(path, SystemPage(_fixed(body, HTML))) for path, body in found.items()]
    for path, kind in ASSETS.items():
        shown.append((path, SystemPage(_fixed(asset(path), (b"content-type", kind)))))
    return shown


def _fixed(body: bytes, kind: tuple[bytes, bytes]) -> Answer:
    reply = Reply(200, body, (kind, REVALIDATE))

    async def answer() -> Reply:
        return reply

    return answer
