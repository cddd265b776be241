"""The gateway's settings and ports.

Nothing here is global: ``create_app(ports, config)`` takes both, and so does every
service. Settings are read from the environment by cluster/site/settings.py only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry

from actors.ports import Calendars, Clock, ShardLinks
from care.accounts.ports import AccountStores
from care.accounts.providers import IdentityProvider
from care.audit.ports import AuditSpool, AuditStore
from care.busy.ports import BusyPorts
from care.directory.photos import PhotoPorts
from care.directory.ports import DirectoryEntries, RosterSource
from care.directory.reviews.ports import Reviews
from care.feeds.ports import Feeds
from care.grants.ports import GrantStores
from care.idempotency.ports import AnswerStore
from care.jobs.ports import JobQueue
from care.keys.ports import PersonKeys
from care.leave.ports import LeavePorts
from care.notices.messages import OutgoingMessages
from care.notices.ports import NoticeStores
from care.notices.push import PushPorts
from care.notices.samples import LetterSamples
from care.patients.documents.ports import DocumentPorts
from care.patients.notes import MedicalNotes
from care.patients.ports import Patients
from care.privacy.ports import Privacy, RetainedRows
from care.readmodel import BookingHistory, Directory, ProjectionProgress
from care.reports.ports import ReportPorts
from care.series.ports import SeriesStore
from care.sharing import HotPages, RateBudgets, Revocations, SharedHolds
from care.waiting.ports import WaitingList
from gateway.transport.limits import HttpLimits


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Settings of live topics in one gateway process. ``0`` lifts a cap."""

    subscriptions_max: int = 256
    """Topics of one connection; exceeding it closes the connection with 4505."""
    topics_max: int = 100_000
    """Topics that one process keeps current; each costs a few kilobytes."""
    topics_per_address_max: int = 10_000
    """Of these, topics first subscribed to from one address."""
    topics_per_person_max: int = 8_192
    """Of these, topics first subscribed to by one signed-in person."""
    lists_max: int = 500
    """Of these, watched lists of providers: their members' calendars are asked."""
    lists_per_address_max: int = 50
    """Of these lists, those first subscribed to from one address."""
    message_bytes_max: int = 128 * 1024
    """Largest message of a client in bytes; a larger one closes the connection with
    4509."""
    commands_in_flight_max: int = 64
    """Commands of one connection that wait for an answer."""
    handshakes_per_s: float = 500.0
    """New connections admitted each second, however busy this process is; see
    live/transport/admission.py."""
    connections_max: int = 20_000
    """Connections of this process; further ones get 503 before their handshake."""
    connections_per_address_max: int = 1_000
    """Connections of one address: a clinic's whole office may share it."""
    connections_per_person_max: int = 32
    """Connections of one signed-in person, on all tabs and devices."""

    heartbeat_s: int = 20
    """Interval of heartbeats: below the 30 s after which common proxies close idle
    connections."""
    sse_comment_s: float = 15.0
    slow_s: float = 15.0
    """A connection that takes no bytes for this long is closed with 4008."""
    drain_s: float = 5.0
    """Time over which a stopping gateway closes its watchers, one by one."""
    retry_ms: tuple[int, int] = (500, 15_000)
    """Range of the random delay after which a closed watcher reconnects."""

    poll_wait_s: float = 10.0
    poll_jitter_s: float = 3.0
    deaf_s: float = 30.0
    """A feed without a successful poll for this long makes the gateway not ready."""
    verify_s: float = 20.0
    review_s: float = 60.0
    """Interval of checking that clinic staff may still read their topics."""
    reads_in_flight_max: int = 256
    me_retry_s: float = 5.0
    """Delay before a patient's bookings are read again when the read model was
    behind."""
    me_bookings_max: int = 200


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """Settings of one gateway process; the defaults fit one machine.

    ``token_keys``: the first signs, all verify, so that a key can be replaced
    without ending any session. Each is at least 32 bytes.
    """

    token_keys: tuple[bytes, ...]
    token_leeway_s: int = 5
    """Allowed difference between the clocks of two machines."""

    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may call the gateway (CORS, and the Origin of live sockets);
    its own origin is always allowed."""

    demo: bool = False
    """Whether this is a demo site: one-click log-ins, outgoing messages shown."""
    breached_passwords: Path | None = None
    """A file of stolen passwords, which are refused; see ``care.accounts.breached``."""
    demo_tokens: bool = True
    """Whether tokens without an account, as made by `slotcast token`, are accepted."""
    site_url: str = ""
    """Base URL of links in mails if there is no ``public_url``."""
    staff_needs_factor: bool = False
    """Whether accounts with a role beside patient need a second factor."""
    sms_token: str = field(default="", repr=False)
    """What the service for phones signs its calls with; empty: none is accepted."""
    sms_countries: tuple[str, ...] = ()
    """Countries that codes are sent to, by ISO 3166; empty: all of them."""
    identity_providers: tuple[IdentityProvider, ...] = ()
    """Other providers that people may sign in by."""
    password_memory_kib: int = 19_456
    """Memory of one password hash; only tests use less."""

    public_url: str = ""
    """The site's public URL; other host names are then refused (hosts.py)."""

    body_bytes_max: int = 64 * 1024
    url_bytes_max: int = 8 * 1024
    header_bytes_max: int = 16 * 1024

    metrics_token: str = ""
    """Token for ``/metrics``; without it only this machine may read them."""

    rate_limited: bool = True
    """False for load tests from one address."""
    rate_per_s: float = 50.0
    """Sustained requests per second of one signed-in person."""
    rate_burst: int = 200
    anonymous_rate_per_s: float = 100.0
    """The same of one address without a token: a clinic's whole office may share it."""
    anonymous_rate_burst: int = 400
    topic_rate_per_s: float = 500.0
    """Sustained subscriptions to live topics per second, of one person or one
    address."""
    topic_burst: int = 10_000
    """Subscriptions at once: an office whose connections all return together."""
    holds_per_person: int = 3
    """Live holds of one patient over all calendars; 0 lifts it."""
    visits_per_person: int = 20
    """Visits ahead of one patient over all calendars; 0 lifts it."""
    refuse_overlaps: bool = True
    """Whether a patient's visits may not overlap unless the request says so."""
    concurrency_max: int = 8_192
    """Maximum requests in flight; further ones get 503 at once."""

    command_timeout_s: float = 5.0
    """Timeout of a command; its deadline for the calendar."""
    read_timeout_s: float = 5.0
    access_cache_s: float = 60.0
    """How long a provider's clinic is cached."""

    cell_minutes: int = 5
    """The cell of the site's grid, which lengths in rules are multiples of."""
    early_outcomes: bool = False
    """Whether calendars take outcomes before their time; pages offer them then."""

    lists_believed_s: float = 0.5
    """How long lists show what the read model and the calendars have just said;
    changes made at this gateway are shown at once. 0: they are read each time."""

    symptom_model: bool = False
    """Whether plain words are understood by the language model too, if installed."""

    soonest_providers_max: int = 1_000
    """``sort=soonest`` considers this many matches, in the directory's order."""

    web_dir: Path | None = None
    """Folder of the built web app; without it ``/`` is a small landing page."""
    version: str = "0.1.0"
    log_requests: bool = True

    stale_after_s: float = 0.5
    """How long to wait for a calendar before a hot page is shown, marked as stale."""
    http: HttpLimits = field(default_factory=HttpLimits)
    """Limits and deadlines of HTTP connections."""
    behind_proxy: bool = False
    """Whether all connections come from a proxy, which then limits them."""
    live: LiveSettings = field(default_factory=LiveSettings)
    """Limits and rhythms of the live side."""


@dataclass(frozen=True, kw_only=True)
class GatewayPorts:
    """The gateway's ports."""

    calendars: Calendars
    links: ShardLinks
    directory: Directory
    history: BookingHistory
    progress: ProjectionProgress
    clock: Clock
    tokens: Callable[[], str]
    """A fresh random token, 16 to 32 characters of ``A-Za-z0-9_-``, for ids."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Registry of this gateway's metrics."""

    hosting: Callable[[], str] = lambda: ""
    """Why the shards cannot run, in words; empty if they can."""
    budgets: RateBudgets | None = None
    """Rate limits shared by all gateways; without it each limits locally."""
    holds: SharedHolds | None = None
    """Patients' live holds over all gateways; without it each knows only its own."""
    revocations: Revocations | None = None
    """Source of revoked tokens; without it no token can be revoked."""
    jobs: JobQueue | None = None
    """Background jobs, for operators; without it there is no ``/v1/jobs``."""
    kept: RetainedRows | None = None
    """What is kept for a time, for its metrics."""
    answers: AnswerStore | None = None
    """Answers by idempotency key; ordinary features that write need it."""
    entries: DirectoryEntries | None = None
    """What clinics and providers say of themselves in the directory; without it
    nothing can be said."""
    photos: PhotoPorts | None = None
    """Photos of clinics and providers; without it there are none."""
    roster: RosterSource | None = None
    """The providers that a search keeps in memory; without it SQL finds by words,
    specialty and place."""
    grants: GrantStores | None = None
    """Memberships, guardianships and so on; there whenever ``accounts`` are."""
    patients: Patients | None = None
    """Patients and their profiles; without them clinics know any patient."""
    notes: MedicalNotes | None = None
    """Patients' histories; there whenever ``patients`` are."""
    documents: DocumentPorts | None = None
    """Documents of patients; without it there is no ``/v1/documents``."""
    accounts: AccountStores | None = None
    """Accounts; without them there is no ``/v1/auth``."""
    provider_transport: httpx.AsyncBaseTransport | None = None
    """How identity providers are reached; without it over the network."""
    outgoing: OutgoingMessages | None = None
    """Messages to people, for demo sites to show."""
    notices: NoticeStores | None = None
    """Inboxes and choices; without it there is no ``/v1/notices``."""
    push: PushPorts | None = None
    """Browsers that show notices; without it there is no ``/v1/push``."""
    samples: LetterSamples | None = None
    """Notices of an invented visit, for operators to look at."""
    feeds: Feeds | None = None
    """Visits for calendar programs; without it there is no ``/v1/me/feeds``."""
    series: SeriesStore | None = None
    """Series of visits; without it there is no ``/v1/series``."""
    busy: BusyPorts | None = None
    """Doctors' own calendars; without it no busy times are imported."""
    reviews: Reviews | None = None
    """Reviews of visits; without it there are none."""
    waiting: WaitingList | None = None
    """The waiting list; without it there is no ``/v1/waiting``."""
    leave: LeavePorts | None = None
    """The queue of visits that leave affects; without it there is none."""
    reports: ReportPorts | None = None
    """Reports on visits; without it their routes are not there."""
    persons: PersonKeys | None = None
    """Keys of people, which seal the reasons of visits; without it they are not."""
    privacy: Privacy | None = None
    """Requests of people about their data; without it their routes are not there."""
    audit_spool: AuditSpool | None = None
    """Where reads by staff and acts on accounts are written before they are answered;
    without it nothing is audited."""
    audit: AuditStore | None = None
    """The audit trail, for auditors; without it ``/v1/audit`` is not there."""
    pages: HotPages | None = None
    """Pages shown a moment ago by any gateway; without it calendars are asked."""
