"""Every setting of a site, with its unit and the reason for its default.

Each can come from the environment: ``SLOTCAST_`` and the name in capitals. A setting
that is fixed for the life of a data folder (``shards``, ``placement``,
``cell_minutes``) is written into the folder when it is made and checked at every
start; see cluster/data_folder.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from actors.domain.rules import Policy
from actors.placement import Placement
from cluster.obstacle import Obstacle

ENV_PREFIX = "SLOTCAST_"
CELL_CHOICES = (1, 3, 5, 15)
"""Cell lengths in minutes: they divide the quarter hours that zones differ by."""


class Settings(BaseSettings):
    """The settings of one site; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="ignore", populate_by_name=True
    )

    # --- where it serves ---------------------------------------------------------
    host: str = "127.0.0.1"
    """Address to listen on. Loopback by default: TLS is the business of a proxy."""
    port: int = Field(8000, ge=1, le=65535)
    """TCP port of REST, live socket, docs and metrics."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of web pages that may call and watch, comma separated; the server's
    own origin always may."""
    behind_proxy: bool = False
    """Whether a proxy on this machine speaks for the callers, so that their address
    is the one in X-Forwarded-For."""
    ws_frame_bytes_max: int = Field(64 * 1024, ge=1024)
    """Largest frame a client may send, in bytes: a subscription to hundreds of
    topics fits, a flood does not."""
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

    # --- the calendars -----------------------------------------------------------
    shards: int = Field(4, ge=1, le=4096)
    """Number of shards, for the life of the folder. One process each: two per core
    leave room to grow and start in two seconds."""
    placement: Placement = Placement.SHARD
    """``shard``: many providers per process; ``provider``: one process each, for a
    practice of a few dozen."""
    cell_minutes: int = 5
    """Smallest piece of a calendar's grid in minutes, for the life of the folder."""
    hold_seconds: int = Field(120, ge=5, le=3600)
    """How long a hold lasts, and by how much its one extension lengthens it: time
    enough to fill in a form, short enough not to starve others."""
    holds_per_patient: int = Field(3, ge=1, le=100)
    """Live holds of one patient on one calendar: enough to compare, not to hoard."""
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
    """How long a calendar nobody asks for stays in memory, in minutes."""

    # --- who may do how much -----------------------------------------------------
    rate_limits: bool = True
    """Whether callers are limited; load tests from one address turn it off."""
    rate_per_second: float = Field(50.0, gt=0)
    """Requests a second that one caller may make in the long run: far above a
    person, far below a flood."""
    rate_burst: int = Field(200, ge=1)
    """Requests that one caller may make at once."""
    token_hours: float = Field(12.0, gt=0, le=24)
    """Life of tokens that the command line gives out, in hours: one working day."""

    # --- running and stopping ----------------------------------------------------
    drain_seconds: float = Field(10.0, ge=0, le=600)
    """Longest time for sockets and answers in flight to end at a stop, in seconds."""
    log_requests: bool = True
    """Whether each request leaves a line in the log, without anything personal."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that goes to the log files."""

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
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
            holds_per_patient=self.holds_per_patient,
            key_retention_ms=self.key_retention_hours * 3_600_000,
        )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in {"127.0.0.1", "::1", "localhost"} or self.host.startswith(
            "127."
        )


def read_settings(**given: Any) -> Settings:
    """The settings from the environment; what is ``given`` (and not None) wins.

    Raises:
        Obstacle: a setting does not make sense; says which variable and why.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise Obstacle(
            f"The setting {ENV_PREFIX}{name.upper()} is {first['input']!r}: {reason}.",
            f"Set {ENV_PREFIX}{name.upper()} (or the option) to a value that fits, "
            "or leave it out for the default.",
        ) from error
