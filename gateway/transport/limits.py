"""Limits and deadlines of one HTTP connection, and of all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HttpLimits:
    """Limits of a connection before its request is parsed. ``0`` lifts a cap.

    The defaults admit every common browser and proxy, and Slotcast's own programs.
    """

    head_bytes_max: int = 32 * 1024
    """Request line and header lines, or what frames one chunk, or the trailers; more
    is answered 431, or 414 if it is the address. Give or take ``PIECE_BYTES``."""
    header_lines_max: int = 100
    head_s: float = 10.0
    """From a head's first byte to its last, and from a connection to its first."""
    body_s: float = 30.0
    """For a whole body, longer by a second for each ``body_bytes_per_s``."""
    body_bytes_per_s: int = 1024
    keep_alive_s: float = 75
    """Silence between two requests. Longer than the 60 s after which nginx closes
    unused connections: else a proxy might send on one that closes just now."""
    write_s: float = 60.0
    """For a client that reads nothing of its answer."""
    unread_body_bytes_max: int = 1024 * 1024
    """Of a body that still comes when its request is answered."""

    connections_max: int = 20_000
    """Connections of this process, live sockets not counted; further ones are answered
    503."""
    connections_per_address_max: int = 1_000
    """Connections of one address, or one /64 of IPv6; further ones are answered 429."""
    pipelined_bytes_max: int = 32 * 1024 * 1024
    """Of requests that wait behind others of their connections, all together; on one
    connection it is at most what was read at once."""
    lingering_max: int = 500
    """Refused connections whose last bytes are read, so that the answer arrives."""
    linger_s: float = 2.0
    linger_bytes_max: int = 1024 * 1024
