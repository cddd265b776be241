"""Limits and deadlines of one HTTP connection, and of all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HttpLimits:
    """Limits of a connection before its request is parsed. ``0`` lifts a cap.

    The defaults admit every common browser and proxy, and Slotcast's own programs.
    """

    head_bytes_max: int = 32 * 1024
    """Bytes of request line and header lines, of a chunk's framing, or of the trailers;
    more is answered 431, or 414 for a long address. Accurate to ``PIECE_BYTES``."""
    header_lines_max: int = 100
    head_s: float = 10.0
    """Seconds from a head's first byte to its last, or from connecting to the first."""
    body_s: float = 30.0
    """Seconds for a whole body, plus one for each ``body_bytes_per_s`` bytes."""
    body_bytes_per_s: int = 1024
    keep_alive_s: float = 75
    """Idle seconds between two requests. Longer than the 60 s after which nginx closes
    idle connections: otherwise a proxy might send on one that is just being closed."""
    write_s: float = 60.0
    """Seconds for a client that reads nothing of its answer."""
    unread_body_bytes_max: int = 1024 * 1024
    """Bytes read of a body that still arrives when its request is answered."""

    connections_max: int = 20_000
    """Connections of this process, live sockets not counted; further ones are answered
    503."""
    connections_per_address_max: int = 1_000
    """Connections of one address, or one /64 of IPv6; further ones are answered 429."""
    pipelined_bytes_max: int = 32 * 1024 * 1024
    """Bytes of pipelined requests that wait, over all connections; on one connection
    it is at most one read."""
    lingering_max: int = 500
    """Refused connections that are drained at a time, so that their answer arrives."""
    linger_s: float = 2.0
    linger_bytes_max: int = 1024 * 1024
