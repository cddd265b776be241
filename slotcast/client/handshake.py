"""Addresses of the live socket, and what a failed handshake means."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
)

from slotcast.client.errors import NotServed

PATH: Final = "/v1/live"
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_LATER: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


def live_address(url: str) -> str:
    """The address of a server's live socket; ``http://host:port`` is enough.

    Raises:
        NotServed: this is not an address.
    """
    try:
        parts = urlsplit(url.strip())
        scheme = _SCHEMES[parts.scheme]
        is_whole = bool(parts.hostname) and parts.port != 0
    except (ValueError, KeyError):
        is_whole, parts, scheme = False, urlsplit(""), ""
    if not is_whole:
        raise NotServed(url, "an address is like http://127.0.0.1:8000")
    path = parts.path if parts.path.strip("/") else PATH
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def retry_after_s(error: Exception, url: str) -> float:
    """The Retry-After of a failed handshake in seconds; 0 without one.

    Raises:
        NotServed: a later attempt cannot succeed either.
    """
    if isinstance(error, InvalidURI):
        raise NotServed(url, "this is not the address of a socket") from error
    if isinstance(error, NegotiationError | InvalidUpgrade):
        raise NotServed(url, str(error)) from error
    if not isinstance(error, InvalidStatus):
        return 0.0
    status = error.response.status_code
    if status < _SERVER_ERRORS and status not in _LATER:
        raise NotServed(url, f"it answered {status}") from error
    return _seconds(error.response.headers)


def _seconds(headers: Headers) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0  # a date: the client's own wait is long enough


def reason_of(error: Exception) -> str:
    """Why there is no connection, in words."""
    if isinstance(error, ConnectionClosed):
        if error.rcvd is None:
            return "the connection broke"
        return f"closed with {error.rcvd.code} {error.rcvd.reason}".strip()
    if isinstance(error, InvalidStatus):
        return f"it answered {error.response.status_code}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def close_code(error: ConnectionClosed) -> int | None:
    """The code that the server closed with; None if the connection broke."""
    return error.rcvd.code if error.rcvd is not None else None
