"""Assembles the gateway's application; no global state.

``create_app(ports, config)`` mounts each feature's operations as thin ASGI routes on a
FastAPI application, so that ordinary FastAPI routers can be included beside them, and
replaces FastAPI's document by the one made from those operations.

One file because this is the only place that knows all parts.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from msgspec import json
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp

from actors.errors import Unavailable
from gateway.access.ended_grants import EndedGrants
from gateway.accounts.clients.client_routes import router as client_router
from gateway.accounts.clients.token_route import router as token_router
from gateway.accounts.demo_routes import router as demo_router
from gateway.accounts.factors.factor_routes import router as factor_router
from gateway.accounts.factors.flow_routes import router as flow_router
from gateway.accounts.needs import RandomIds
from gateway.accounts.providers.identity_routes import router as identity_router
from gateway.accounts.providers.provider_routes import router as oidc_router
from gateway.accounts.routes import router as auth_router
from gateway.accounts.session_routes import router as session_router
from gateway.accounts.side import AuthSide
from gateway.bookings.routes import operations as booking_operations
from gateway.bookings.schemas import booking_body
from gateway.bookings.series.routes import of_provider_router as provider_series_router
from gateway.bookings.series.routes import router as series_router
from gateway.bookings.series.service import SeriesService
from gateway.calendars.members.following import Followers
from gateway.calendars.reasons import with_reasons
from gateway.config import GatewayConfig, GatewayPorts
from gateway.directory.clinics.routes import operations as clinic_operations
from gateway.directory.clinics.standing import ClinicStanding
from gateway.directory.clinics.standing_routes import router as clinic_standing_router
from gateway.directory.entry_routes import router as entry_router
from gateway.directory.lists.metrics import ListsCollector
from gateway.directory.photo_routes import router as photo_router
from gateway.directory.photos import PhotoService
from gateway.directory.profile_routes import router as profile_router
from gateway.directory.profiles import ProviderProfiles
from gateway.directory.resources.routes import router as resource_router
from gateway.directory.roster.metrics import RosterCollector
from gateway.directory.service import DirectoryService
from gateway.directory.specialty_routes import router as specialty_router
from gateway.directory.symptoms.routes import router as symptom_router
from gateway.grants.application_by_id_routes import router as application_by_id_router
from gateway.grants.application_routes import router as application_router
from gateway.grants.glass_routes import router as glass_router
from gateway.grants.guardian_routes import router as guardian_router
from gateway.grants.mails import GrantMails
from gateway.grants.member_routes import router as member_router
from gateway.grants.service import GrantNeeds, GrantService
from gateway.holds.routes import operations as hold_operations
from gateway.http.endpoint import Endpoint, Operation, RequestGate
from gateway.http.features import FeatureRouter
from gateway.http.hosts import AllowedHosts, HostGuard
from gateway.http.limits import RequestBounds
from gateway.http.openapi import document as openapi_document
from gateway.http.openapi import with_features
from gateway.http.openapi_beside import with_routes_of
from gateway.http.request_log import RequestLog, StoppingAnswer
from gateway.http.router import GatewayApp, OperationRouter
from gateway.live.asyncapi import document as asyncapi_document
from gateway.live.service import LiveNeeds, LiveService
from gateway.metrics.busy import BusyCollector
from gateway.metrics.jobs import JobCollector
from gateway.metrics.kept import KeptCollector
from gateway.metrics.metrics import (
    Batching,
    CourierCollector,
    ShardAccounts,
    ShardCollector,
)
from gateway.patients.feeds.routes import public_router as feed_router
from gateway.patients.feeds.routes import router as feeds_router
from gateway.patients.notices.callback_routes import router as callback_router
from gateway.patients.notices.link_routes import router as link_router
from gateway.patients.notices.push_routes import router as push_router
from gateway.patients.notices.routes import router as notices_router
from gateway.patients.notices.schemas import notice_body
from gateway.patients.own_routes import router as own_patient_router
from gateway.patients.privacy import PrivacyService
from gateway.patients.privacy_deciding import router as deciding_router
from gateway.patients.privacy_routes import of_patient_router
from gateway.patients.privacy_routes import router as privacy_router
from gateway.patients.routes import router as patients_router
from gateway.patients.service import PatientService
from gateway.patients.waiting.routes import router as waiting_router
from gateway.patients.waiting.service import WaitingService
from gateway.patients.waiting.staff_routes import router as staff_waiting_router
from gateway.platform.account_routes import router as account_router
from gateway.platform.audit_routes import router as audit_router
from gateway.platform.jobs_routes import router as jobs_router
from gateway.platform.notice_routes import router as sample_router
from gateway.platform.role_routes import router as roles_router
from gateway.providers.busy_routes import router as busy_router
from gateway.providers.leave.choose_routes import link_router as choose_link_router
from gateway.providers.leave.choose_routes import router as choose_router
from gateway.providers.leave.service import LeaveService
from gateway.providers.leave.staff_routes import router as leave_router
from gateway.providers.routes import operations as provider_operations
from gateway.providers.staff_routes import operations as staff_operations
from gateway.providers.standing_routes import operations as standing_operations
from gateway.providers.watching_routes import operations as watching_operations
from gateway.services import Services, services
from gateway.system.cluster_routes import router as cluster_router
from gateway.system.health import Check, Health, NamedCheck
from gateway.system.pages import landing_page
from gateway.system.probes import Probes
from gateway.system.routes import Documents, Upgrade, pages
from gateway.system.site_routes import router as site_router
from gateway.system.web import WebApp
from gateway.transport.connections import EXPOSED, HttpConnections
from gateway.transport.endless import kept_going
from gateway.transport.http_protocol import http_protocol_of
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Refused,
    RequestError,
)
from gateway.wire.problems import Problem, of_error
from gateway.wire.replies import problem_reply

CLIENTS_SEND: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-Request-Id",
)
"""Request headers allowed from pages of an allowed origin."""


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
    refreshed = _collected(bare, accounts)
    auth = _auth_side(ports, config, made)

    app = GatewayApp(
        title="Slotcast",
        version=config.version,
        lifespan=_lifespan(ports, live, made, accounts, auth),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.live = live
    app.state.auth = auth
    _add_services(app, ports, config, made)
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
    operations = _operation_routes(gate, declared)
    app.router.routes.extend(live.routes)
    app.router.routes.append(Route(app.live_path, Upgrade()))
    app.state.health = health = Health(
        accounts,
        [
            lambda: _hosting_check(ports),
            lambda: _live_check(live, accounts),
            *_shared_checks(made),
            *_audit_checks(ports),
        ],
    )
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
    app.front = _middleware(app, routed, ports, config, made)
    _add_problem_handlers(app, made)
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


def _add_services(
    app: FastAPI, ports: GatewayPorts, config: GatewayConfig, made: Services
) -> None:
    """What ordinary features work with, those whose stores this gateway was given."""
    app.state.services = made
    if ports.patients is not None:
        app.state.patients = PatientService(ports, made.access, made.known)
    if ports.waiting is not None:
        app.state.waiting = WaitingService(
            ports, ports.waiting, made.bookings, made.holds, made.access
        )
    if ports.entries is not None:
        app.state.directory = DirectoryService(
            ports.entries, ports.calendars, made.clinics, ports.directory
        )
        if ports.photos is not None:
            app.state.photos = PhotoService(
                app.state.directory, ports.photos, ports.tokens
            )
        app.state.profiles = ProviderProfiles(
            made.commands, ports.calendars, made.access
        )
        app.state.clinic_standing = ClinicStanding(
            ports.entries, ports.directory, made.commands, ports.calendars
        )
    _add_visit_services(app, ports, made)
    if ports.privacy is not None:
        app.state.privacy = PrivacyService(ports, made.shared.revoked)
    if ports.grants is not None and ports.patients is not None:
        ended = EndedGrants(ports.revocations, made.shared.revoked, ports.clock)
        app.state.ended_grants = ended
        app.state.grants = GrantService(
            GrantNeeds(
                stores=ports.grants,
                patients=ports.patients,
                access=made.access,
                ended=ended,
                clock=ports.clock,
                random=RandomIds(),
                mails=GrantMails(config.public_url or config.site_url),
            )
        )


def _add_visit_services(app: FastAPI, ports: GatewayPorts, made: Services) -> None:
    """Features that place or move several visits."""
    if ports.series is not None:
        app.state.series = SeriesService(
            ports.series,
            ports,
            made.commands,
            made.access,
            made.commitments,
            made.bookings,
            made.acquaintances.booked,
        )
    if ports.leave is not None:
        app.state.leave = LeaveService(
            ports, ports.leave, made.commands, made.access, made.hearing
        )


def _collected(
    ports: GatewayPorts, accounts: ShardAccounts
) -> list[Callable[[], Awaitable[None]]]:
    """Register the collectors of /metrics; returns those to refresh before a scrape."""
    register = ports.registry.register
    register(ShardCollector(accounts))
    if isinstance(ports.calendars, Batching):
        register(CourierCollector(ports.calendars))
    refreshed: list[Callable[[], Awaitable[None]]] = [accounts.refresh]
    if ports.jobs is not None:
        jobs = JobCollector(ports.jobs, ports.clock)
        register(jobs)
        refreshed.append(jobs.refresh)
    if ports.kept is not None:
        kept = KeptCollector(ports.kept, ports.clock)
        register(kept)
        refreshed.append(kept.refresh)
    if ports.busy is not None:
        busy = BusyCollector(ports.busy.calendars, ports.clock)
        register(busy)
        refreshed.append(busy.refresh)
    return refreshed


def _lifespan(
    ports: GatewayPorts,
    live: LiveService,
    made: Services,
    accounts: ShardAccounts,
    auth: AuthSide | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Background work for the lifetime of the application."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await live.start()
        works = [
            made.shared.run(),
            accounts.follow(),
            kept_going("acquaintances", made.acquaintances.run),
        ]
        if made.hearing is not None:
            works.append(kept_going("search", made.hearing.live.run))
            works.append(kept_going("next starts", made.hearing.run))
        if ports.audit_spool is not None:
            works.append(kept_going("audit spool", ports.audit_spool.run))
        if ports.persons is not None:
            works.append(kept_going("keys", ports.persons.run))
        if auth is not None:
            works.append(kept_going("sessions", auth.seen.run))
        beside = [asyncio.ensure_future(work) for work in works]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            if auth is not None:
                auth.close()
            made.symptoms.close()
            made.followed.close()
            await made.groups.close()
            await live.stop()

    return lifespan


def all_operations(made: Services) -> list[Operation]:
    """Every REST operation; the most frequent first, for routes match in order."""
    return [
        *booking_operations(made.bookings, made.own_bookings, made.sessions),
        *hold_operations(made.holds),
        *provider_operations(made.search, made.providers),
        *watching_operations(),
        *staff_operations(made.providers),
        *standing_operations(made.standing),
        *clinic_operations(made.clinics),
    ]


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
    routers = _feature_routers(ports, config)
    app.state.routers = routers
    for router in routers:
        app.include_router(router)

    @cache
    def described() -> dict[str, Any]:
        # Half a second that no start waits for.
        document = openapi_document(declared, config.version, config.public_url)
        return with_features(document, routers)

    app.openapi = lambda: with_routes_of(app, described())  # type: ignore[method-assign]


ACCOUNT_ROUTERS: Final = (
    auth_router,
    session_router,
    flow_router,
    client_router,
    token_router,
    factor_router,
    oidc_router,
    identity_router,
    roles_router,
)
"""Features that need accounts."""
NOTICE_ROUTERS: Final = (notices_router, link_router, callback_router)
"""Features that need notices, and outgoing messages."""
FEED_ROUTERS: Final = (feeds_router, feed_router)
"""Features that need feeds for calendar programs."""
WAITING_ROUTERS: Final = (waiting_router, staff_waiting_router)
"""Features that need the waiting list."""
PATIENT_ROUTERS: Final = (own_patient_router, patients_router)
"""Features that need patients."""
DIRECTORY_ROUTERS: Final = (
    entry_router,
    profile_router,
    specialty_router,
    clinic_standing_router,
)
"""Features that need the directory's entries."""
LEAVE_ROUTERS: Final = (leave_router, choose_router, choose_link_router)
"""Features that need the queue of visits that leave affects."""
PHOTO_ROUTERS: Final = (photo_router,)
"""Features that need photos, and the directory's entries."""
SERIES_ROUTERS: Final = (series_router, provider_series_router)
"""Features that need series of visits."""
GRANT_ROUTERS: Final = (
    member_router,
    guardian_router,
    glass_router,
    application_router,
    application_by_id_router,
    account_router,
)
"""Features that need grants, which need accounts and patients."""
EVERY_ROUTER: Final = (
    *ACCOUNT_ROUTERS,
    *PATIENT_ROUTERS,
    *NOTICE_ROUTERS,
    *FEED_ROUTERS,
    *WAITING_ROUTERS,
    *GRANT_ROUTERS,
    *DIRECTORY_ROUTERS,
    resource_router,
    symptom_router,
    *PHOTO_ROUTERS,
    *SERIES_ROUTERS,
    privacy_router,
    of_patient_router,
    deciding_router,
    audit_router,
    demo_router,
    jobs_router,
    sample_router,
    push_router,
    busy_router,
    *LEAVE_ROUTERS,
)
"""All ordinary features, whatever stores they need."""


def _feature_routers(ports: GatewayPorts, config: GatewayConfig) -> list[FeatureRouter]:
    """Routers of ordinary features whose stores this gateway has."""
    needs: list[tuple[bool, Sequence[FeatureRouter]]] = [
        (True, (site_router, cluster_router, symptom_router)),
        (ports.jobs is not None and ports.answers is not None, (jobs_router,)),
        (ports.answers is not None, (resource_router,)),
        (ports.push is not None, (push_router,)),
        (ports.busy is not None, (busy_router,)),
        (ports.series is not None, SERIES_ROUTERS),
        (ports.leave is not None, LEAVE_ROUTERS),
        (ports.samples is not None, (sample_router,)),
        (ports.patients is not None, PATIENT_ROUTERS),
        (ports.entries is not None, DIRECTORY_ROUTERS),
        (ports.photos is not None and ports.entries is not None, PHOTO_ROUTERS),
        (ports.notices is not None and ports.outgoing is not None, NOTICE_ROUTERS),
        (ports.feeds is not None, FEED_ROUTERS),
        (ports.waiting is not None, WAITING_ROUTERS),
        (
            ports.privacy is not None,
            (privacy_router, of_patient_router, deciding_router),
        ),
        (ports.audit is not None, (audit_router,)),
        (ports.grants is not None, GRANT_ROUTERS),
        (ports.accounts is not None, ACCOUNT_ROUTERS),
        (
            config.demo and ports.accounts is not None and ports.outgoing is not None,
            (demo_router,),
        ),
    ]
    return [one for has_stores, routers in needs if has_stores for one in routers]


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


def _operation_routes(gate: RequestGate, declared: Sequence[Operation]) -> list[Route]:
    by_path: dict[str, list[Operation]] = defaultdict(list)
    for operation in declared:
        by_path[operation.path].append(operation)
    return [Route(path, Endpoint(gate, ops)) for path, ops in by_path.items()]


def _system_routes(
    system: Sequence[tuple[str, Any]], config: GatewayConfig
) -> list[BaseRoute]:
    if config.web_dir is None:
        return [Route(path, page) for path, page in system]
    return [Route(path, page) for path, page in system if path != "/"]


def _middleware(
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


def _add_problem_handlers(app: FastAPI, made: Services) -> None:
    """Turn the framework's own errors into problems."""

    def answer(found: Problem) -> Response:
        made.metrics.refused(found.code)
        reply = problem_reply(found)
        response = Response(reply.body, reply.status)
        response.raw_headers.extend(reply.headers)
        return response

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return answer(of_error(MethodNotAllowed(_methods_at(request))))
        return answer(of_error(_of_http_error(error)))

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = [
            FieldError(
                ".".join(str(part) for part in found["loc"][1:]) or "body", found["msg"]
            )
            for found in error.errors()
        ]
        return answer(of_error(InvalidRequest("", *fields)))

    async def broken(_request: Request, error: Exception) -> Response:
        return answer(of_error(error))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (RequestError, Refused, Unavailable, Exception):
        app.add_exception_handler(kind, broken)


def _methods_at(request: Request) -> str:
    """Methods of all routes of a path: the framework names the first one's alone."""
    app, found = request.app, set[str]()
    routers: Sequence[FeatureRouter] = app.state.routers
    for routes in (app.routes, *(one.routes for one in routers)):
        for route in routes:
            methods = getattr(route, "methods", None)
            if methods and route.matches(request.scope)[0] is not Match.NONE:
                found |= methods
    return ", ".join(sorted(found)) or "GET"


def _of_http_error(error: HTTPException) -> Exception:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound()
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidRequest("The request cannot be read.")
    return error


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


def _hosting_check(ports: GatewayPorts) -> NamedCheck:
    missing = ports.hosting()
    return "hosting", Check(ok=not missing, required=True, detail=missing)


def _audit_checks(ports: GatewayPorts) -> list[Callable[[], NamedCheck]]:
    """Bookings go on without the audit trail's spool; staff's reads do not."""
    spool = ports.audit_spool
    if spool is None:
        return []

    def check() -> NamedCheck:
        standing = spool.standing()
        return "audit", Check(ok=standing.ok, required=False, detail=standing.detail)

    return [check]


def _live_check(live: LiveService, accounts: ShardAccounts) -> NamedCheck:
    wrong = live.health(accounts.damaged())
    return "live", Check(ok=not wrong, required=True, detail="; ".join(wrong))


def _shared_checks(made: Services) -> list[Callable[[], NamedCheck]]:
    """Shared state is optional: bookings continue without it."""

    def check_of(part: str) -> Callable[[], NamedCheck]:
        def check() -> NamedCheck:
            standing = made.shared.standings()[part]
            return part, Check(ok=standing.ok, required=False, detail=standing.detail)

        return check

    return [check_of(part) for part in made.shared.standings()]
