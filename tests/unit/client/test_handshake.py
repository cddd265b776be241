"""Addresses that people give, and handshakes that fail for now or for good."""

from __future__ import annotations

import errno

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
)
from websockets.frames import Close
from websockets.http11 import Response

from slotcast.client.errors import NotServed
from slotcast.client.handshake import (
    close_code,
    live_address,
    reason_of,
    retry_after_s,
)

URL = "ws://127.0.0.1:8000/v1/live"


def answered(status: int, **headers: str) -> InvalidStatus:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InvalidStatus(Response(status, "", Headers(named), b""))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://127.0.0.1:8000", URL),
        ("http://127.0.0.1:8000/", URL),
        (" ws://127.0.0.1:8000/v1/live ", URL),
        ("https://slots.example", "wss://slots.example/v1/live"),
        ("wss://slots.example/live", "wss://slots.example/live"),
        ("http://[::1]:8000", "ws://[::1]:8000/v1/live"),
    ],
)
def test_a_servers_address_is_enough(given: str, address: str) -> None:
    """The path is ours unless one is given; http becomes ws, https wss."""
    assert live_address(given) == address


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (answered(503, Retry_After="2"), 2.0),
        (answered(503), 0.0),
        (answered(429, Retry_After="1.5"), 1.5),
        (answered(503, Retry_After="Tue, 01 Dec 2026 09:00:00 GMT"), 0.0),
        (answered(503, Retry_After="-5"), 0.0),
        (answered(500), 0.0),
        (InvalidMessage("did not receive a valid HTTP response"), 0.0),
        (ConnectionRefusedError(errno.ECONNREFUSED, "no"), 0.0),
        (TimeoutError(), 0.0),
    ],
)
def test_what_fails_for_now_is_tried_again(error: Exception, seconds: float) -> None:
    """Not before the server says, if it says."""
    assert retry_after_s(error, URL) == seconds


@pytest.mark.parametrize(
    "error",
    [
        answered(400),
        answered(403),
        answered(404),
        answered(200),
        InvalidURI("x", "no"),
        NegotiationError("unsupported subprotocol"),
    ],
)
def test_what_fails_for_good_is_an_error(error: Exception) -> None:
    """Tomorrow it would be the same."""
    with pytest.raises(NotServed):
        retry_after_s(error, URL)


def test_reasons_are_words() -> None:
    """No numbers of an operating system, no class names where there is more to say."""
    assert reason_of(ConnectionRefusedError(errno.ECONNREFUSED, "[Errno]")) == (
        "Connection refused"
    )
    assert reason_of(TimeoutError()) == "TimeoutError"
    assert reason_of(answered(503)) == "it answered 503"
    broken = ConnectionClosedError(None, None)
    closed = ConnectionClosedError(Close(4012, "draining"), None)
    assert (reason_of(broken), close_code(broken)) == ("the connection broke", None)
    assert reason_of(closed) == "closed with 4012 draining"
    assert close_code(closed) == 4012
