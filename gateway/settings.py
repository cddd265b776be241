"""Limits and rhythms of the live side; the defaults fit one machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """Settings of live topics in one gateway process. ``0`` lifts a cap."""

    subscriptions_max: int = 256
    """Topics of one connection; one more closes it with 4505."""
    topics_max: int = 100_000
    """Topics that one process keeps current; each costs a few kilobytes."""
    topics_per_address_max: int = 10_000
    """Of these, those that were first asked for from one address."""
    topics_per_person_max: int = 8_192
    """Or by one signed-in person."""
    message_bytes_max: int = 128 * 1024
    """What a client says at once; more closes the connection with 4509."""
    deflate: Literal["off", "shared"] = "off"
    """Whether frames of public topics are compressed, once for all; see deflate.py."""
    commands_in_flight_max: int = 64
    """Commands of one connection that wait for an answer."""
    handshakes_per_s: float = 500.0
    """Newcomers let in each second however busy this process is; see turnstile.py."""
    connections_max: int = 20_000
    """Of this process; the next one is told 503 before its handshake."""
    connections_per_address_max: int = 1_000
    """A clinic's whole office may share an address."""
    connections_per_person_max: int = 32
    """Tabs and devices of one signed-in person."""

    heartbeat_s: int = 20
    """Below the 30 s after which common proxies cut a silent connection."""
    sse_comment_s: float = 15.0
    slow_s: float = 15.0
    """A connection that takes no bytes for this long is closed with 4008."""
    drain_s: float = 5.0
    """Over this time a stopping gateway sends its watchers away, one by one."""
    retry_ms: tuple[int, int] = (500, 15_000)
    """Between these a watcher who was sent away comes back."""

    poll_wait_s: float = 10.0
    poll_jitter_s: float = 3.0
    deaf_s: float = 30.0
    """A feed without a successful poll for this long makes us not ready."""
    verify_s: float = 20.0
    review_s: float = 60.0
    """How often it is asked whether clinic staff may still read what they watch."""
    reads_in_flight_max: int = 256
    me_retry_s: float = 5.0
    """How soon a patient's bookings are read again when the read model was behind."""
    me_bookings_max: int = 200
