"""The gateway of this process: its ports, its application, its web server."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import uvicorn

from actors.ports import ShardLinks
from care.accounts.providers import parsed_providers
from care.busy.ports import BusyPorts
from care.leave.ports import LeavePorts
from care.notices.push import PushPorts
from care.patients.documents.ports import DocumentPorts
from care.reports.ports import ReportPorts
from cluster.clock import SystemClock
from cluster.site.settings import Settings
from cluster.site.site import Site
from cluster.terminal.addresses import page_url
from cluster.wiring.blobs import document_quotas, open_blobs, photo_ports
from cluster.wiring.shared import shared_ports
from cluster.wiring.web_server import WebServer
from gateway.app.application import create_app
from gateway.calendars.courier import Courier
from gateway.config import GatewayConfig, GatewayPorts, LiveSettings
from gateway.http.router import GatewayApp
from gateway.transport.limits import HttpLimits
from persistence.accounts.store import account_stores
from persistence.audit.anchors import AuditAnchors
from persistence.audit.spool import FileSpool
from persistence.audit.store import SqlAudit
from persistence.directory.busy.store import SqlBusyCalendars
from persistence.directory.entries import SqlDirectoryEntries
from persistence.directory.leave.store import SqlLeaveQueue
from persistence.directory.reviews.store import SqlReviews
from persistence.directory.roster_source import SqlRosterSource
from persistence.grants.stores import grant_stores
from persistence.idempotency.store import SqlAnswerStore
from persistence.jobs.queue import SqlJobQueue
from persistence.keys.ring import KeyRing
from persistence.notices.inbox import notice_stores
from persistence.notices.links import NoticeLinks, SealedChooseLinks
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.notices.push.subscriptions import SqlPushSubscriptions
from persistence.notices.push.vapid import public_text, vapid_key
from persistence.notices.samples import SiteSamples
from persistence.patients.documents.store import SqlDocuments
from persistence.patients.feeds import SqlFeeds
from persistence.patients.notes import SqlMedicalNotes
from persistence.patients.recipients import erased_of, is_signed_in, was_erased
from persistence.patients.series.store import SqlSeries
from persistence.patients.store import SqlPatients
from persistence.patients.waiting import SqlWaitingList
from persistence.privacy.persons import SqlPersonKeys
from persistence.privacy.retaining import SqlKept
from persistence.privacy.store import SqlPrivacy
from persistence.readmodel.queries.bookings import SqlBookingHistory
from persistence.readmodel.queries.directory import SqlDirectory
from persistence.readmodel.queries.progress import SqlProgress
from persistence.records.reports.queries import SqlReports
from persistence.records.reports.workbooks import ChildWorkbooks
from persistence.sql.engine import open_engine
from persistence.sql.records import Records

WEB_BUILD: Final = Path(__file__).resolve().parents[2] / "web" / "dist"
"""The folder into which ``make run`` builds the web app."""
DRAIN_SHARE: Final = 0.7
"""Fraction of the stop time over which watchers are closed one by one; the rest is for
closing handshakes and answers in flight."""


class Tokens:
    """Fresh random tokens for ids: 16 characters, 96 bits each.

    The system's randomness is drawn for many at a time: a call to the kernel for
    each costs more than the rest of an id.
    """

    BYTES = 12
    DRAWN = 256

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def __call__(self) -> str:
        """The next one."""
        if self._at == len(self._drawn):
            self._drawn, self._at = secrets.token_bytes(self.BYTES * self.DRAWN), 0
        start, self._at = self._at, self._at + self.BYTES
        return urlsafe_b64encode(self._drawn[start : self._at]).decode()


def gateway_config(site: Site, version: str) -> GatewayConfig:
    """The gateway's settings from the site's. Raises Obstacle: the key is not safe."""
    return config_of(site.settings, site.token_key(), version)


TOPICS_PER_SOCKET = 10
"""Default topics per address."""
LISTS_PER_ADDRESS = 50
"""Watched lists that were first asked for from one address."""


def web_build(settings: Settings) -> Path | None:
    """The folder of the built web app; None if it is not built."""
    folder = settings.web or WEB_BUILD
    return folder if (folder / "index.html").is_file() else None


def config_of(settings: Settings, token_key: bytes, version: str) -> GatewayConfig:
    """The gateway's settings from the server's."""
    return GatewayConfig(
        token_keys=(token_key,),
        metrics_token=settings.metrics_token,
        allowed_origins=settings.allowed_origins,
        public_url=settings.public_url,
        demo=settings.is_demo,
        breached_passwords=settings.breached_passwords,
        staff_needs_factor=settings.staff_factor == "required",
        sms_token=unquote(urlsplit(settings.sms).password or ""),
        sms_countries=settings.sms_countries,
        identity_providers=parsed_providers(settings.oidc),
        demo_tokens=settings.demo != "off",
        site_url=page_url(settings.host, settings.port),
        rate_limited=settings.rate_limits,
        holds_per_person=settings.holds_per_person if settings.patient_limits else 0,
        visits_per_person=settings.upcoming_per_person
        if settings.patient_limits
        else 0,
        refuse_overlaps=settings.patient_limits,
        rate_per_s=settings.rate_per_second,
        rate_burst=settings.rate_burst,
        anonymous_rate_per_s=2 * settings.rate_per_second,
        anonymous_rate_burst=2 * settings.rate_burst,
        cell_minutes=settings.cell_minutes,
        early_outcomes=settings.early_outcomes,
        symptom_model=settings.symptom_model,
        version=version,
        web_dir=web_build(settings),
        log_requests=settings.log_requests,
        behind_proxy=settings.behind_proxy,
        http=HttpLimits(
            connections_max=settings.connections,
            connections_per_address_max=settings.connections_per_address,
        ),
        live=LiveSettings(
            connections_max=settings.sockets,
            connections_per_address_max=settings.sockets_per_address,
            connections_per_person_max=settings.sockets_per_person,
            topics_per_address_max=TOPICS_PER_SOCKET * settings.sockets_per_address,
            topics_per_person_max=(
                settings.topics_per_socket * settings.sockets_per_person
            ),
            lists_max=settings.watched_lists,
            lists_per_address_max=(
                LISTS_PER_ADDRESS if settings.sockets_per_address else 0
            ),
            handshakes_per_s=settings.handshakes_per_second,
            subscriptions_max=settings.topics_per_socket,
            message_bytes_max=settings.ws_frame_bytes_max,
            drain_s=DRAIN_SHARE * settings.drain_seconds,
        ),
    )


@asynccontextmanager
async def gateway_ports(
    site: Site, links: ShardLinks, hosting: Callable[[], str] = lambda: ""
) -> AsyncIterator[GatewayPorts]:
    """The gateway's ports over real adapters; closed afterwards."""
    clock = SystemClock()
    readers = open_engine(site.reader_url, "reader", fallback=site.database_url)
    counters = open_engine(site.reader_url, "reports", fallback=site.database_url)
    writer = open_engine(site.database_url, "writer")
    records = Records(site.records_url)
    ring = KeyRing(records, site.key_encryption_keys(), clock)
    courier = Courier(links, clock)
    anchors = AuditAnchors(records, ring, clock, site.audit_anchors)
    blobs = open_blobs(site)
    spool = FileSpool(site.folder.path / "audit" / "spool", records)
    try:
        async with shared_ports(site, clock) as shared:
            yield GatewayPorts(
                calendars=courier,
                links=links,
                hosting=hosting,
                directory=SqlDirectory(readers, writer),
                history=SqlBookingHistory(readers),
                progress=SqlProgress(readers),
                clock=clock,
                tokens=Tokens(),
                budgets=shared.budgets,
                holds=shared.holds,
                revocations=shared.revocations,
                pages=shared.pages,
                jobs=SqlJobQueue(records.engine),
                kept=SqlKept(records, readers),
                answers=SqlAnswerStore(records.engine, ring),
                entries=SqlDirectoryEntries(records),
                photos=photo_ports(records, blobs),
                roster=SqlRosterSource(readers, records),
                grants=grant_stores(records, ring),
                patients=SqlPatients(records, ring),
                notes=SqlMedicalNotes(records, ring),
                documents=DocumentPorts(
                    SqlDocuments(records, ring, clock),
                    blobs,
                    document_quotas(site.settings),
                ),
                accounts=account_stores(records, ring),
                outgoing=SqlOutgoingMessages(records, ring),
                notices=notice_stores(records, ring, was_erased),
                push=push_ports(site, records, ring),
                samples=SiteSamples(NoticeLinks(site.settings.site_url)),
                feeds=SqlFeeds(records, readers, NoticeLinks(site.settings.site_url)),
                busy=BusyPorts(
                    SqlBusyCalendars(records, ring), site.settings.calendars_anywhere
                ),
                waiting=SqlWaitingList(records, ring),
                series=SqlSeries(records),
                reviews=SqlReviews(records, ring),
                leave=LeavePorts(
                    SqlLeaveQueue(records, erased_of), SealedChooseLinks(ring)
                ),
                reports=ReportPorts(SqlReports(counters, records), ChildWorkbooks()),
                persons=SqlPersonKeys(records, ring),
                privacy=SqlPrivacy(records, ring),
                audit_spool=spool,
                audit=SqlAudit(records, ring, anchors),
            )
    finally:
        await courier.close()
        await spool.close()
        await blobs.close()
        await readers.dispose()
        await counters.dispose()
        await records.close()
        await writer.dispose()


def push_ports(site: Site, records: Records, ring: KeyRing) -> PushPorts:
    """Web Push. Raises Obstacle: the site's key cannot be used."""
    return PushPorts(
        SqlPushSubscriptions(records, ring, is_signed_in),
        public_text(vapid_key(site.vapid_secret())),
        site.settings.push_anywhere,
        site.settings.fcm is not None,
    )


def web_server(site: Site, ports: GatewayPorts, version: str) -> WebServer:
    """The server of this gateway, not yet serving."""
    return server_of(create_app(ports, gateway_config(site, version)), site.settings)


def server_of(app: GatewayApp, settings: Settings) -> WebServer:
    """The server of an application, not yet serving."""
    live = app.state.live
    config = uvicorn.Config(
        app,
        http=app.state.http_protocol,
        ws=live.protocol,
        ws_max_size=settings.ws_frame_bytes_max,
        ws_per_message_deflate=False,
        backlog=settings.backlog,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=settings.trusted_proxies if settings.behind_proxy else None,
        lifespan="on",
        timeout_graceful_shutdown=max(1, int(settings.drain_seconds)),
    )
    return WebServer(
        config,
        live.drain,
        settings.drain_seconds,
        lambda: len(live.hub.watchers),
        live.until_ended,
    )
