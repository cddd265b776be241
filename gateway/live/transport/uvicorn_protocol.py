"""uvicorn's WebSocket handshake, after which the application may have the transport.

Given to uvicorn as its ``ws`` class. uvicorn does for a new connection what it always
does: headers, proxies, routes, limits. Once the application has accepted, it may
``adopt`` the connection: from then on a ``LiveConnection`` has the transport, and
uvicorn's object, its scope and the application's call are released. Where this class is
missing the application finds no ``EXTENSION`` in its scope, and refuses the handshake.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.live.transport.connection import LiveConnection
from gateway.live.transport.write_scheduler import SharedTransport

EXTENSION: Final = "slotcast.fanout"
"""Where the application finds the connection, in its scope's ``extensions``."""
UNSENT_BYTES: Final = 16 * 1024
"""Most unsent bytes in the kernel. By default it buffers four megabytes for a client
that does not read: thousands of frames that are out of date before they are sent."""
BUFFER_HIGH, BUFFER_LOW = 8 * 1024, 2 * 1024
"""Unsent bytes outside the kernel at which writing pauses, and resumes."""

_NOTSENT_LOWAT: Final = 25
"""TCP_NOTSENT_LOWAT on Linux; the socket module has no name for it in 3.11."""


_HEAD_END: Final = b"\r\n\r\n"


class FanoutProtocol(WebSocketsSansIOProtocol):
    """uvicorn's connection, which can be handed over.

    It parses the handshake alone. Then reading is paused until the connection is
    adopted, for only there are frames counted; what came with the handshake is held.
    """

    held = b""
    """Bytes received behind the handshake."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # Frames are shared by all watchers, and parsers by all connections: no
        # compression.
        self.conn.available_extensions = []

    def data_received(self, data: bytes) -> None:
        """The handshake, which comes whole; hold the rest."""
        if not self.handshake_initiated:
            head, end, data = data.partition(_HEAD_END)
            super().data_received(head + end)
        self.held += data
        if self.handshake_initiated:
            self.transport.pause_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Limit the buffers for a client that does not read."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT_BYTES)

    async def run_asgi(self) -> None:
        """Put this object into the scope, for the application to adopt."""
        # Typed as a dict of one known key; ASGI lets a server add its own.
        extensions = cast("dict[str, Any]", self.scope["extensions"])
        extensions[EXTENSION] = self
        await super().run_asgi()

    def adopt(self, shared: SharedTransport) -> LiveConnection | None:
        """Hand the connection over; None if the client left in the meantime.

        The application has accepted, and sends and receives nothing any more.
        """
        transport = self.transport
        if self.disconnected or self.close_sent or transport.is_closing():
            return None
        self.stop_keepalive()
        # The server ends all members of its set; anything that can shut down may be
        # one.
        connections = cast("set[Any]", self.connections)
        connection = LiveConnection(transport, shared, connections, self.held)
        connections.discard(self)
        connections.add(connection)
        transport.set_protocol(connection)
        if not self.held:
            transport.resume_reading()
        self.transport = cast("asyncio.Transport", _Gone())
        self._break_cycles()
        return connection

    def _break_cycles(self) -> None:
        """Let reference counts free what is released, without the collector."""
        cast("dict[str, Any]", self.scope["extensions"]).pop(EXTENSION, None)
        self.conn.parser.close()


class _Gone:
    """What uvicorn's object closes when the application has returned."""

    def close(self) -> None:
        """Does nothing: another protocol has the transport."""
