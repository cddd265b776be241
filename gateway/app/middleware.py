"""Layers that every request passes."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.config import GatewayConfig, GatewayPorts
from gateway.http.hosts import AllowedHosts, HostGuard
from gateway.http.limits import RequestBounds
from gateway.http.request_log import RequestLog, StoppingAnswer
from gateway.services import Services
from gateway.transport.connections import EXPOSED

CLIENTS_SEND: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Upload-Offset",
    "X-Request-Id",
)
"""Request headers allowed from pages of an allowed origin."""


def with_middleware(
    app: FastAPI,
    inner: ASGIApp,
    ports: GatewayPorts,
    config: GatewayConfig,
    made: Services,
) -> ASGIApp:
    """Middleware of every request, the log outermost.

    Refusing layers are inside CORS, so that a page of another origin can read the
    reason.
    """
    inner = StoppingAnswer(
        HostGuard(RequestBounds(inner, config=config), AllowedHosts(config.public_url))
    )
    if config.allowed_origins:
        inner = CORSMiddleware(
            inner,
            allow_origins=list(config.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=CLIENTS_SEND,
            expose_headers=EXPOSED,
            max_age=600,
        )
    fixed = (getattr(route, "path", "{") for route in app.router.routes)
    return RequestLog(
        inner,
        metrics=made.metrics,
        tokens=ports.tokens,
        write_lines=config.log_requests,
        only_tls=config.public_url.startswith("https://"),
        fixed_paths=frozenset(path for path in fixed if "{" not in path),
    )
