"""Assembles the gateway's application; no global state.

``create_app(ports, config)`` mounts each feature's operations as thin ASGI routes on a
FastAPI application, so that ordinary FastAPI routers can be included beside them, and
replaces FastAPI's document by the one made from those operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from time import monotonic
from typing import Any

from fastapi import FastAPI
from msgspec import json
from starlette.routing import BaseRoute, Route

from gateway.accounts.side import AuthSide
from gateway.app.checks import checks_of
from gateway.app.collectors import collected
from gateway.app.feature_services import add_services
from gateway.app.framework_errors import add_problem_handlers
from gateway.app.lifespan import lifespan_of
from gateway.app.middleware import with_middleware
from gateway.app.operations import all_operations, operation_routes
from gateway.app.routers import feature_routers
from gateway.bookings.schemas import booking_body
from gateway.calendars.members.following import Followers
from gateway.calendars.reasons import with_reasons
from gateway.config import GatewayConfig, GatewayPorts
from gateway.directory.lists.metrics import ListsCollector
from gateway.directory.roster.metrics import RosterCollector
from gateway.http.endpoint import Operation, RequestGate
from gateway.http.openapi import document as openapi_document
from gateway.http.openapi import with_features
from gateway.http.openapi_beside import with_routes_of
from gateway.http.router import GatewayApp, OperationRouter
from gateway.live.asyncapi import document as asyncapi_document
from gateway.live.service import LiveNeeds, LiveService
from gateway.metrics.metrics import ShardAccounts
from gateway.patients.notices.schemas import notice_body
from gateway.services import Services, services
from gateway.system.health import Health
from gateway.system.pages import landing_page
from gateway.system.probes import Probes
from gateway.system.routes import Documents, Upgrade, pages
from gateway.system.web import WebApp
from gateway.transport.connections import HttpConnections
from gateway.transport.http_protocol import http_protocol_of


def create_app(ports: GatewayPorts, config: GatewayConfig) -> GatewayApp:
    """The ASGI application of one gateway process.

    ``app.state.services`` are the services, ``app.state.live`` is the live side; its
    ``drain()`` must be awaited before the server closes sockets. ``app.state.
    http_protocol`` is for uvicorn, as ``http``.
    """
    bare, ports = ports, with_reasons(ports)
    made = services(ports, config)
    declared = all_operations(made)
    live = _live(ports, config, made, declared)
    _connect(ports, made, live)
    accounts = ShardAccounts(ports.links, ports.progress)
    refreshed = collected(bare, accounts)
    auth = _auth_side(ports, config, made)

    app = GatewayApp(
        title="Slotcast",
        version=config.version,
        lifespan=lifespan_of(ports, live, made, accounts, auth),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.live = live
    app.state.auth = auth
    add_services(app, ports, config, made)
    app.state.http_protocol = http_protocol_of(
        HttpConnections(
            config.http,
            ports.registry,
            config.allowed_origins,
            by_address=not config.behind_proxy,
        )
    )
    gate = RequestGate(
        made.authenticator, made.limits, config.body_bytes_max, made.metrics.refused
    )
    _mount_features(app, ports, config, gate, declared)
    operations = operation_routes(gate, declared)
    app.router.routes.extend(live.routes)
    app.router.routes.append(Route(app.live_path, Upgrade()))
    app.state.health = health = Health(accounts, checks_of(ports, live, accounts, made))
    documents = Documents(
        openapi=app.openapi,
        asyncapi=asyncapi_document(declared, config.version, config.public_url),
        version=config.version,
        landing=landing_page(config.version),
    )
    system = pages(
        health, refreshed, ports.registry, documents, Probes(config.metrics_token)
    )
    app.router.routes.extend(_system_routes(system, config))
    if config.web_dir is not None:
        # Not a route, so that routes added later still take precedence.
        app.router.default = WebApp(config.web_dir)
    routed = OperationRouter(operations, app.behind)
    app.live = live.socket
    app.front = with_middleware(app, routed, ports, config, made)
    add_problem_handlers(app, made)
    return app


def _connect(ports: GatewayPorts, made: Services, live: LiveService) -> None:
    """What REST and the live side know of one another."""
    if made.hearing is not None:
        made.hearing.silences, made.hearing.look = live.silences, live.look
        ports.registry.register(RosterCollector(made.hearing))
    if made.lists is not None:
        ports.registry.register(ListsCollector(made.lists.watched))
    if live.week_shelf is not None:
        made.shared.shelves["weeks"] = live.week_shelf


def _mount_features(
    app: FastAPI,
    ports: GatewayPorts,
    config: GatewayConfig,
    gate: RequestGate,
    declared: Sequence[Operation],
) -> None:
    """Mount the ordinary features; the OpenAPI document is made when it is read."""
    app.state.ports = ports
    app.state.config = config
    app.state.gate = gate
    routers = feature_routers(ports, config)
    app.state.routers = routers
    for router in routers:
        app.include_router(router)

    @cache
    def described() -> dict[str, Any]:
        # Half a second that no start waits for.
        document = openapi_document(declared, config.version, config.public_url)
        return with_features(document, routers)

    app.openapi = lambda: with_routes_of(app, described())  # type: ignore[method-assign]


def _auth_side(
    ports: GatewayPorts, config: GatewayConfig, made: Services
) -> AuthSide | None:
    """Routers of signing in, if this gateway has accounts."""
    if ports.accounts is None:
        return None
    shared = made.shared
    auth = AuthSide(ports, config, shared.revoked, shared.settlement, monotonic)
    made.authenticator.saw = auth.seen.saw
    return auth


def _system_routes(
    system: Sequence[tuple[str, Any]], config: GatewayConfig
) -> list[BaseRoute]:
    if config.web_dir is None:
        return [Route(path, page) for path, page in system]
    return [Route(path, page) for path, page in system if path != "/"]


def _live(
    ports: GatewayPorts,
    config: GatewayConfig,
    made: Services,
    declared: Sequence[Operation],
) -> LiveService:
    needs = LiveNeeds(
        authenticator=made.authenticator,
        access=made.access,
        limits=made.limits,
        operations=declared,
        booking_body=lambda view: json.encode(booking_body(view)),
        notice_body=notice_body,
        holds_of=made.commitments.live_holds,
        follower=Followers(made.hearing, made.followed),
        lists=made.lists,
        members=made.members,
    )
    return LiveService(ports, config, needs)
