"""The web server: uvicorn with an orderly stop for live sockets.

Signals are handled in cluster/server/serve.py; before connections are closed, watchers
get ``bye`` and are closed at a limited rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn

log = logging.getLogger(__name__)
_SLACK_S = 1.0
"""Seconds a drain may take beyond its own bound before it is cut off."""


class WebServer(uvicorn.Server):
    """Serves one application on one socket until ``stop``."""

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Callable[[], Awaitable[None]],
        drain_s: float,
        watchers: Callable[[], int] = lambda: 0,
        until_deaf: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self.watchers = watchers
        """Number of live connections."""
        self._until_deaf = until_deaf
        self._drain = drain
        self._drain_s = drain_s
        self.listening = asyncio.Event()
        """Set when the first request can be answered."""

    async def until_deaf(self) -> None:
        """Return when the live side has ended."""
        if self._until_deaf is None:
            await asyncio.Event().wait()
        else:
            await self._until_deaf()

    def stop(self) -> None:
        """Begin to stop: no new connections, then drain, then close."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process's own handlers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self.started:
            self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the watchers, send answers in flight, close."""
        for server in self.servers:
            server.close()
        if not self.force_exit:
            try:
                async with asyncio.timeout(self._drain_s + _SLACK_S):
                    await self._drain()
            except TimeoutError:
                log.warning("watchers were not sent away in %.0f s", self._drain_s)
        await super().shutdown(sockets)
