"""Addresses as a person or a program writes them: an IPv6 host stands in brackets."""

from __future__ import annotations

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""Hosts that mean every address of the machine, and which of them is asked from it."""


def http_url(host: str, port: int) -> str:
    """Where an HTTP server that listens on this host and port is asked."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def local_url(host: str, port: int) -> str:
    """The same, as a program on this machine reaches it."""
    return http_url(ANYWHERE.get(host, host), port)
