"""Addresses in URLs: an IPv6 host stands in brackets."""

from __future__ import annotations

# Compared, never bound.
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nosec B104
"""Wildcard hosts, and the loopback address to connect to instead."""


def http_url(host: str, port: int) -> str:
    """The URL of an HTTP server that listens on this host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def local_url(host: str, port: int) -> str:
    """The same, as a program on this machine reaches it."""
    return http_url(ANYWHERE.get(host, host), port)


def page_url(host: str, port: int) -> str:
    """The same, as a person on this machine opens it in a browser.

    By name: browsers offer passkeys on ``localhost``, and on no IP address.
    """
    asked = ANYWHERE.get(host, host)
    return http_url("localhost" if asked in {"127.0.0.1", "::1"} else asked, port)
