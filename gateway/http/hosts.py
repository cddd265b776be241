"""Names under which this server answers.

A hostile page can point its own host name at this machine or a private network; the
browser then treats its script as one of this site (DNS rebinding). If the site's public
URL is known, other names are refused.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.wire.problems import problem
from gateway.wire.replies import problem_reply, send_reply

FREE_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes and scrapers call a gateway by its own address."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class AllowedHosts:
    """The site's public name, and names of this machine; all names without one."""

    def __init__(self, public_url: str = "") -> None:
        parts = urlsplit(public_url)
        self._name = (parts.hostname or "").rstrip(".")
        self.takes_all = not self._name
        """Whether every name is accepted."""
        default = _DEFAULT_PORTS.get(parts.scheme)
        self._ports = {parts.port or default}
        if parts.port in (None, default):
            self._ports.add(None)

    def allows(self, host: str | None) -> bool:
        """Whether a Host header names this server."""
        if not self._name:
            return True
        try:
            parts = urlsplit(f"//{host or ''}")
            name, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if _is_loopback(name):
            return True
        return name == self._name and port in self._ports


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


class HostGuard:
    """ASGI middleware: 421 for requests to a name that is not this server's."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 421."""
        is_checked = scope["type"] == "http" and not self._hosts.takes_all
        if is_checked and scope["path"] not in FREE_PATHS:
            host = next((v for name, v in scope["headers"] if name == b"host"), b"")
            if not self._hosts.allows(host.decode("latin-1")):
                await send_reply(scope, send, problem_reply(problem("misdirected")))
                return
        await self._app(scope, receive, send)
