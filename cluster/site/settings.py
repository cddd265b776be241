"""Every setting of a site, with its unit and the reason for its default.

Each can come from the environment: ``SLOTCAST_`` and the name in capitals. A setting
that is fixed for the life of a data folder (``shards``, ``placement``,
``cell_minutes``) is written into the folder when it is made and checked at every
start; see cluster/site/data_folder.py.

One file because the page of settings is made from it, in its order.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from actors.domain.rules import BookingLimits, Policy
from actors.placement import Placement
from care.accounts.providers import parsed_providers
from care.keys.sealing import parsed_keys
from cluster.terminal.addresses import page_url
from cluster.terminal.obstacle import Obstacle

ENV_PREFIX = "SLOTCAST_"
CELL_CHOICES = (1, 3, 5, 15)
REMINDER_MAX = 30 * 24 * 60
"""Minutes before a visit of the earliest reminder."""
"""Cell lengths in minutes: they divide the quarter hours that zones differ by."""
SECRETS = (
    "journal",
    "database",
    "database_reader",
    "records",
    "blobs",
    "redis",
    "keys",
    "mail",
    "sms",
    "oidc",
    "cluster_secret",
    "metrics_token",
)
"""Settings that hold passwords: never shown, and each may come from a file that
``SLOTCAST_<NAME>_FILE`` names."""


def shards_of_machine() -> int:
    """The number of shards of a new site: one for each two cores of this machine.

    A shard is one thread, and the cores are also gateways', projectors' and the
    journal's. With more shards than that each wakes for smaller batches: on two cores
    four shards cost half as much again for each booking as one.
    """
    return max(1, len(os.sched_getaffinity(0)) // 2)


class Settings(BaseSettings):
    """The settings of one site; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # a trace may be logged, and some are secrets
    )

    # --- where it serves ---------------------------------------------------------
    host: str = "127.0.0.1"
    """Address to listen on. Loopback by default: TLS is the business of a proxy."""
    port: int = Field(8000, ge=1, le=65535)
    """TCP port of REST, live socket, docs and metrics."""
    public_url: str = ""
    """Where people find this site, for instance ``https://slots.example.org``. Requests
    to another name are then answered 421, those to a name of this machine (localhost,
    127.0.0.0/8, ::1) excepted, and /healthz, /readyz and /metrics, which are asked for
    by address. Empty: every name is taken."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of web pages that may call and watch, comma separated; the server's
    own origin always may."""
    behind_proxy: bool = False
    """Whether a proxy speaks for the callers, so that their address is the one in
    X-Forwarded-For."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses or networks of those proxies, comma separated (``10.0.0.0/8``), for
    proxies on other machines; used only with ``behind_proxy``."""
    ws_frame_bytes_max: int = Field(64 * 1024, ge=1024)
    """Largest frame a client may send, in bytes: a subscription to hundreds of
    topics fits, a flood does not."""
    web: Path | None = None
    """Folder of the built web app; empty for ``web/dist`` beside the code. Without a
    build ``/`` is a small page and the API is served alone."""
    backlog: int = Field(4096, ge=128)
    """Connections that may wait for accept: ten thousand watchers reconnect at once."""

    # --- where it keeps its data -------------------------------------------------
    data: Path = Path("var/slotcast")
    """The data folder: journal, snapshots, read model, secrets, logs."""
    seed: Literal["demo", "none"] = "demo"
    """What a new data folder is filled with."""
    disk_free_mib_min: int = Field(512, ge=0)
    """Free space, in MiB, under which the server refuses to start: the journal
    needs room for a day of bookings and Ray refuses to work on a full disk."""
    journal_budget_mib: int = Field(0, ge=0)
    """Room for the journal in MiB; 0 means as much as the disk has. At 90 % new
    holds are refused, at 97 % new bookings."""
    trim_journal: bool = True
    """Whether the journal gives back whole segments that snapshots and read model
    both have; turn it off to keep every event for ever."""

    journal_retention_hours: int = Field(72, ge=0)
    """How long the journal keeps what snapshots and read model both have: long
    enough to notice a power cut that took back the read model's last transactions,
    or to restore yesterday's backup. Ignored when the journal's room is 80 % full."""

    # --- services, for a site on more than one machine ---------------------------
    journal: str = Field("file", repr=False)
    """Where the journal and the snapshots are: ``file`` (the data folder) or
    ``redis://…`` (streams in a Redis that syncs every write)."""
    journal_replicas: int = Field(0, ge=0, le=16)
    """Replicas of the journal's Redis, all of which must have synced an event before
    it is acknowledged. Slotcast never lowers this number by itself."""
    site: str = Field("slotcast", pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    """Prefix of everything this site keeps in Redis: several sites may share one."""
    database: str = Field("", repr=False)
    """The read model: empty for SQLite in the data folder, or ``mysql://…`` or
    ``mariadb://…`` (asyncmy unless the URL names another driver)."""
    database_reader: str = Field("", repr=False)
    """A read replica of it for schedules, history, directory and reports; while it is
    away the database itself is asked. Empty: none."""
    records: str = Field("", repr=False)
    """Accounts, notices, documents and jobs, which no journal can bring back: empty
    for ``records.db`` in the data folder or, with ``database`` on a server, for a
    database of its own beside it, whose name ends in ``_records``."""
    blobs: str = Field("", repr=False)
    """Where photos, and the sealed documents of patients, are: empty for documents/ in
    the data folder; another folder, which several machines must share
    (``/mnt/documents``); or Azure Blob Storage as
    ``azure://CONTAINER/PREFIX`` or
    ``https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX``, for this site alone.
    Azure's credentials come from AZURE_STORAGE_CONNECTION_STRING,
    AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_KEY, or from a file that the name with
    ``_FILE`` appended names."""
    keys: str = Field("", repr=False)
    """Key encryption keys that wrap the keys of sealed personal data: ``id:base64``,
    32 bytes each, more of them after commas; the first wraps, the others still unwrap.
    Empty: made from the cluster's secret, or the file secrets/keys of the data folder,
    which is made when it is first needed. Keep a copy apart from the backups: without
    it sealed data cannot be read."""
    breached_passwords: Path | None = None
    """A file of passwords that were stolen somewhere, which are refused: sorted lines
    ``SHA1:count``, as downloaders of the list of haveibeenpwned.com write it. Empty:
    only common passwords are refused."""
    keep_messages_days: int = Field(90, ge=1)
    """Days that messages to people and notices are kept, and after a visit what people
    were told of it. Messages that were given up stay until they are resent."""
    keep_outbox_days: int = Field(7, ge=1)
    """Days that events of visits stay in the outbox after people were told of them."""
    keep_sessions_days: int = Field(90, ge=1)
    """Days that a sign-in is kept after it has ended."""
    keep_attempts_days: int = Field(30, ge=1)
    """Days that failed sign-ins at an address are counted at most."""
    keep_documents_days: int = Field(3_653, ge=1)
    """Days that documents of patients are kept after they were handed in. Medical
    records have longer times in some places: ten years in Germany, for example."""
    document_mib_per_person: int = Field(500, ge=1)
    """MiB that all documents of one patient may have."""
    document_mib_per_clinic: int = Field(50_000, ge=1)
    """MiB that all documents of one clinic's patients may have."""
    clamd: str = ""
    """Where ClamAV's clamd is, which scans documents before they are shown: its socket
    on this machine (``/run/clamav/clamd.ctl``), or ``host:port``. While it is away
    documents wait. Empty: they are not scanned for malware."""
    audit_anchors: Path | None = None
    """Folder in which the heads of the audit trail are written every minute, so that
    a trail whose end was cut off is found; best where the database's administrators
    cannot write, such as a share that only takes additions. Empty: audit/anchors in
    the data folder."""
    mail: str = Field("", repr=False)
    """The mail server: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…``.
    Empty: messages to people are written to outgoing/ in the data folder."""
    mail_from: str = "Slotcast <slotcast@localhost.localdomain>"
    """The sender of mails."""
    sms: str = Field("", repr=False)
    """The service that sends messages to phones, spoken to as to Twilio:
    ``https://account:token@api.twilio.com``. Empty: they are written to outgoing/
    in the data folder."""
    sms_from: str = ""
    """The sender of messages to phones: a number of that service, or its name."""
    sms_countries: Annotated[tuple[str, ...], NoDecode] = ()
    """Countries that codes are sent to, comma separated (``DE,AT,CH``); empty: all.
    Name them: fraud by messages to expensive countries is common."""
    reminders: Annotated[tuple[int, ...], NoDecode] = (24 * 60, 2 * 60)
    """When people are reminded of visits: minutes before the start, comma separated;
    empty: never."""
    fcm: Path | None = None
    """The key of a Firebase service account (a JSON file), by which notices go to apps
    on phones. Empty: apps cannot be registered."""
    push_anywhere: bool = False
    """Whether browsers may name any address for Web Push, also http and those of this
    network. For tests: otherwise only https addresses of the internet are asked."""
    calendars_anywhere: bool = False
    """Whether doctors may name any address for the calendar that their busy times are
    read from, also http and those of this network. For tests, as above."""
    staff_factor: Literal["required", "optional"] = "required"
    """Whether accounts with another role than patient need a second factor: without
    one they are asked to add it when they sign in."""
    demo: Literal["auto", "on", "off"] = "auto"
    """Whether this is a demo site: it has one-click people and shows outgoing messages.
    ``auto``: on loopback without a public URL. Never ``on`` with real people. With
    ``off`` tokens of ``slotcast token``, which name no account, are refused as well."""
    oidc: str = Field("", repr=False)
    """Providers that people may sign in by (OpenID Connect), as a JSON list:
    ``[{"preset": "google", "client_id": "…", "secret": "…"}]``. Presets are google,
    facebook and linkedin; others have name, title, issuer, client_id and secret, and
    where they depart from the standard what docs/accounts.md lists. At the provider
    register the address ``<public_url>/v1/auth/oidc/<name>/callback``."""
    redis: str = Field("", repr=False)
    """Redis for shared rate limits, revocations, hot pages and wake-ups; empty: the
    journal's, if that is a Redis, else everything stays in this process."""

    # --- nodes -------------------------------------------------------------------
    cluster_secret: str = Field("", repr=False)
    """Shared by all nodes: Ray's token and the token key are made from it. Empty: the
    file secrets/cluster.secret of the data folder."""
    node_name: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,63}$")
    """How this node is called in ``slotcast cluster status``; empty: the host name."""
    node_host: str = "127.0.0.2"
    """This node's address for the other nodes. Ray takes 127.0.0.1 for "no address",
    so a cluster on one machine begins at 127.0.0.2."""
    ray_port: int = Field(6380, ge=1, le=65535)
    """Port of Ray's control service on the head."""
    head: str = ""
    """``host:port`` of the head's Ray, for nodes that join."""
    gateways: int = Field(1, ge=0, le=64)
    """Gateway processes on this node: about one for each core."""

    ray_extras: bool = False
    """Whether Ray's dashboard, log monitor and autoscaler monitor run beside it, to
    look into Ray itself: three processes, about 150 MiB. Bookings need none of them."""
    workers: int = Field(1, ge=0, le=16)
    """Worker processes on this node, which run background jobs; 0: none. One runs 64
    jobs of each kind at a time; another node's worker takes over what it leaves."""

    metrics_token: str = Field("", pattern=r"^[\x21-\x7e]{0,256}$", repr=False)
    """Opens ``/metrics`` to other machines, as ``Authorization: Bearer …``; empty: only
    programs on the gateway's own machine may read it."""

    # --- the calendars -----------------------------------------------------------
    shards: int = Field(default_factory=shards_of_machine, ge=1, le=4096)
    """Number of shards, for the life of the folder, one process each. By default one
    for each two cores of the machine that makes a new folder (1 on two cores), since
    fewer shards decide larger batches; the first node of a cluster makes 8 at least.
    ``slotcast reshard`` changes it."""
    placement: Placement = Placement.SHARD
    """``shard``: many providers per process; ``provider``: one process each, for a
    practice of a few dozen."""
    cell_minutes: int = 5
    """Smallest piece of a calendar's grid in minutes, for the life of the folder."""
    hold_seconds: int = Field(120, ge=5, le=3600)
    """How long a hold lasts, from its placing and from each extension on: time enough
    to fill in a form, short enough not to starve others."""
    hold_extensions: int = Field(10, ge=0, le=1_000)
    """How often a hold may be extended while its holder answers: WCAG 2.2.1 asks for
    ten times at least."""
    hold_minutes_total: int = Field(20, ge=1, le=24 * 60)
    """How long a hold lasts at most in minutes, all extensions included."""
    upcoming_per_patient: int = Field(3, ge=0, le=1_000)
    """Visits ahead that one patient may have with one provider, 0 for no limit; a
    provider's own rules may say otherwise. Staff may book beyond it."""
    holds_per_person: int = Field(3, ge=0, le=1_000)
    """Live holds of one patient over all calendars, as far as a gateway sees; 0 for no
    limit."""
    upcoming_per_person: int = Field(20, ge=0, le=150)
    """Visits ahead of one patient over all providers, 0 for no limit. Staff may book
    beyond it."""
    patient_limits: bool = True
    """Whether the site limits what one patient takes, and refuses overlapping visits;
    load tests turn it off. Limits in a provider's own rules hold all the same."""
    renewals_per_slot: int = Field(2, ge=0, le=1_000)
    """How often one patient may hold the same time again within an hour without booking
    it, 0 for no limit; a provider's own rules may say otherwise."""
    holds_per_patient: int = Field(3, ge=1, le=100)
    """Live holds of one patient on one calendar: enough to compare, not to hoard."""
    early_outcomes: bool = False
    """Whether staff may record check-ins, completions and no-shows before their time:
    for replays of a trace and for training, never for a clinic at work."""
    symptom_model: bool = True
    """Whether "describe what troubles you" may use the language model, if the extra
    ``symptoms`` is installed. Each gateway loads it at its first use and keeps it: 130
    MB of memory. Without it words alone suggest."""
    key_retention_hours: int = Field(24, ge=1, le=24 * 31)
    """How long the answer to an idempotency key is kept: longer than any client
    retries."""
    snapshot_events: int = Field(10_000, ge=100)
    """Events of a shard after which it stores snapshots: bounds the replay of a
    recovery to a fraction of a second."""
    snapshot_seconds: float = Field(60.0, gt=0)
    """Longest time from a change to its snapshot, in seconds: a quiet site recovers
    from snapshots alone."""
    passivate_minutes: float = Field(10.0, gt=0)
    """How long a calendar without requests stays in memory, in minutes."""

    # --- limits for callers -------------------------------------------------------
    rate_limits: bool = True
    """Whether callers are limited; load tests from one address turn it off."""
    rate_per_second: float = Field(50.0, gt=0)
    """Requests a second that one caller may make in the long run: far above a
    person, far below a flood."""
    rate_burst: int = Field(200, ge=1)
    """Requests that one caller may make at once."""
    token_hours: float = Field(12.0, gt=0, le=24)
    """Life of tokens that the command line gives out, in hours: one working day."""

    connections: int = Field(20_000, ge=0)
    """HTTP connections of one gateway, live sockets not counted, 0 for no cap; further
    ones are answered 503."""
    connections_per_address: int = Field(1_000, ge=0)
    """HTTP connections from one address, or one /64 of IPv6; further ones are answered
    429. Not counted with ``behind_proxy``, where all of them are the proxy's. 0 lifts
    it, as for a load test."""
    sockets: int = Field(20_000, ge=0)
    """Live sockets and streams of one gateway, 0 for no cap; further ones are answered
    503."""
    sockets_per_address: int = Field(1_000, ge=0)
    """Live sockets and streams from one address: a clinic's whole office may share one.
    0 lifts it, as for a proxy that does not forward addresses, or a load test."""
    sockets_per_person: int = Field(32, ge=0)
    """Live sockets and streams signed in as the same person, on all tabs and devices;
    further ones are closed with 4504. 0 lifts it."""
    handshakes_per_second: float = Field(500.0, ge=0)
    """New live sockets and streams that one gateway accepts each second even when it is
    busy; when it is not, it accepts more. A connection that would wait for more than 20
    s at this rate is answered 503. 0: no limit."""
    topics_per_socket: int = Field(256, ge=1)
    """Topics that one socket may watch."""
    watched_lists: int = Field(500, ge=0)
    """Lists of searches that one gateway keeps current for those who watch them, 0 for
    no cap; further ones are refused with ``list_limit``, and are read once."""

    # --- running and stopping ----------------------------------------------------
    drain_seconds: float = Field(10.0, ge=0, le=600)
    """Longest time for sockets and answers in flight to end at a stop, in seconds."""
    log_requests: bool = True
    """Whether each request leaves a line in the log, without anything personal."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that goes to the log files."""

    @field_validator("allowed_origins", "sms_countries", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("reminders", mode="before")
    @classmethod
    def _minutes(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        steps = [part.strip() for part in value.split(",") if part.strip()]
        if not all(one.isdecimal() and 0 < int(one) <= REMINDER_MAX for one in steps):
            raise ValueError(
                f"must be minutes before the start, up to {REMINDER_MAX} (30 days), "
                "with commas between"
            )
        return tuple(sorted({int(one) for one in steps}, reverse=True))

    @field_validator("public_url")
    @classmethod
    def _a_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not (parts.scheme in {"http", "https"} and parts.hostname):
            raise ValueError("must be empty, or begin with https:// or http://")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must name a scheme and a host only, without a path")
        return value

    @field_validator("journal")
    @classmethod
    def _a_journal(cls, value: str) -> str:
        if value != "file" and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must be file, or begin with redis:// or rediss://")
        if value != "file":
            _must_be_understood_redis(value)
        return value

    @field_validator("redis")
    @classmethod
    def _a_redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must be empty, or begin with redis:// or rediss://")
        if value:
            _must_be_understood_redis(value)
        return value

    @field_validator("database", "database_reader", "records")
    @classmethod
    def _a_database(cls, value: str) -> str:
        family = value.partition(":")[0].partition("+")[0]
        if value and family not in {"mysql", "mariadb", "sqlite"}:
            raise ValueError("must be empty, or begin with mysql:// or mariadb://")
        if value:
            _must_be_understood_database(value)
        return value

    @field_validator("blobs")
    @classmethod
    def _a_place_of_blobs(cls, value: str) -> str:
        parts = urlsplit(value)
        is_azure = parts.scheme in {"azure", "https"} and parts.netloc
        if value and not is_azure and not Path(value).is_absolute():
            raise ValueError(
                "must be empty, a folder from / on, or begin with azure:// or https://"
            )
        if is_azure and parts.query:
            raise ValueError("must not carry a token: it belongs into the environment")
        return value

    @field_validator("clamd")
    @classmethod
    def _an_address_of_clamd(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        is_socket = value.startswith("/")
        if value and not is_socket and not (host and port.isdecimal()):
            raise ValueError("must be empty, the path of a socket, or host:port")
        return value

    @field_validator("keys")
    @classmethod
    def _of_keys(cls, value: str) -> str:
        if value:
            parsed_keys(value)
        return value

    @field_validator("sms")
    @classmethod
    def _an_sms_service(cls, value: str) -> str:
        if value:
            from persistence.notices.twilio import TwilioCourier

            TwilioCourier(value, "")
        return value

    @field_validator("oidc")
    @classmethod
    def _of_providers(cls, value: str) -> str:
        parsed_providers(value)
        return value

    @field_validator("mail")
    @classmethod
    def _a_mail_server(cls, value: str) -> str:
        if value:
            from persistence.notices.smtp import SmtpCourier

            SmtpCourier(value, "")
        return value

    @field_validator("cell_minutes")
    @classmethod
    def _divides_an_hour(cls, value: int) -> int:
        if value not in CELL_CHOICES:
            choices = ", ".join(map(str, CELL_CHOICES))
            raise ValueError(f"must be one of {choices}, to divide a quarter hour")
        return value

    @property
    def policy(self) -> Policy:
        """The rules that hold for every calendar."""
        return Policy(
            cell_minutes=self.cell_minutes,
            hold_ms=self.hold_seconds * 1000,
            hold_extensions=self.hold_extensions,
            hold_total_ms=self.hold_minutes_total * 60_000,
            booking_limits=BookingLimits(
                self.upcoming_per_patient, self.renewals_per_slot
            )
            if self.patient_limits
            else BookingLimits(0, 0),
            holds_per_patient=self.holds_per_patient,
            early_outcomes=self.early_outcomes,
            key_retention_ms=self.key_retention_hours * 3_600_000,
        )

    @property
    def journal_is_redis(self) -> bool:
        """Whether the journal is in Redis, so that any node can own any shard."""
        return self.journal != "file"

    @property
    def shared_redis(self) -> str:
        """The Redis for all that is not the journal; empty if there is none."""
        return self.redis or (self.journal if self.journal_is_redis else "")

    @property
    def site_url(self) -> str:
        """Where links in messages lead: the public URL, else this machine's."""
        return (self.public_url or page_url(self.host, self.port)).rstrip("/")

    @property
    def is_demo(self) -> bool:
        """Whether this is a demo site; see ``demo``."""
        if self.demo == "auto":
            return self.is_loopback and not self.public_url
        return self.demo == "on"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"} or self.host.startswith(
            "127."
        )


def _must_be_understood_redis(url: str) -> None:
    """Check that every library parses this address alike. Raises ValueError."""
    from persistence.redis.wire import address_of

    address_of(url)


def _must_be_understood_database(url: str) -> None:
    """Likewise; the error contains no part of the address."""
    from sqlalchemy.exc import ArgumentError

    from persistence.sql.engine import read_model_url

    try:
        parsed = read_model_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        raise ValueError(
            "it is not understood: it is mysql://user:password@host:port/database, and "
            "in the password / # ? @ : % are written as %2F %23 %3F %40 %3A %25"
        )


def _secrets_from_files() -> dict[str, str]:
    """Secrets from files named by variables ending in ``_FILE``.

    Only their owner may read them.
    """
    found: dict[str, str] = {}
    for name in SECRETS:
        variable = f"{ENV_PREFIX}{name.upper()}_FILE"
        place = os.environ.get(variable, "")
        if not place:
            continue
        try:
            mode = Path(place).stat().st_mode & 0o777
            found[name] = Path(place).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Obstacle(
                f"{variable} names {place}, which cannot be read: {error}.",
                "Name a file that this user may read, or leave the variable out.",
            ) from error
        if mode & 0o007:
            raise Obstacle(
                f"The secret in {place} can be read by every user (mode {mode:o}).",
                f"chmod 600 {place}",
            )
    return found


def read_settings(**given: Any) -> Settings:
    """The settings from the environment; what is ``given`` (and not None) wins.

    Raises:
        Obstacle: a setting does not make sense; says which variable and why.
    """
    chosen: dict[str, Any] = dict(_secrets_from_files())
    chosen.update((name, value) for name, value in given.items() if value is not None)
    try:
        return Settings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        reason = str(first["msg"]).removeprefix("Value error, ")
        shown = "not shown" if name in SECRETS else repr(first["input"])
        raise Obstacle(
            f"The setting {ENV_PREFIX}{name.upper()} is {shown}: {reason}.",
            f"Set {ENV_PREFIX}{name.upper()} (or the option) to a value that fits, "
            "or leave it out for the default.",
        ) from error
