"""The handshake of the live socket, ``GET /v1/live``: which connections are admitted.

Only connections of our own protocol class are served (uvicorn_protocol.py): after the
handshake a session takes the transport over. A server that was not given the class as
its ``ws`` answers 501 instead of serving sockets without their bounds.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.live.core.frames import bye_frame
from gateway.live.sessions.connection_limits import ConnectionLimits
from gateway.live.sessions.session import SocketSession
from gateway.live.transport.uvicorn_protocol import EXTENSION, FanoutProtocol
from gateway.wire.problems import CloseCode

SUBPROTOCOL = "slotcast.v1"
_FOREIGN = (
    "Live sockets are not served here: this server was started without Slotcast's "
    "WebSocket protocol. Start it with `slotcast serve`, or give uvicorn "
    "`LiveService.protocol` as `ws`."
)


class LiveSocket:
    """Serves live connections."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the handshake of one connection (ASGI); a session does the rest."""
        websocket = WebSocket(scope, receive, send)
        raw = scope.get("extensions", {}).get(EXTENSION)
        if not isinstance(raw, FanoutProtocol):
            await websocket.send_denial_response(PlainTextResponse(_FOREIGN, 501))
            return
        offered = scope.get("subprotocols") or []
        denied = self._denied(websocket, offered)
        if denied is not None:
            await websocket.send_denial_response(denied)
            raw.handshake_complete = (
                True  # otherwise uvicorn logs each denial as an error
            )
            return
        try:
            await websocket.accept(subprotocol=SUBPROTOCOL if offered else None)
        except (WebSocketDisconnect, RuntimeError):
            return
        origin = websocket.headers.get("origin")
        if origin is not None and not self._is_ours(websocket, origin):
            # A page's script sees no status of a handshake, only a close code.
            reason = "A page of this origin may not connect."
            self._turn_away(raw, CloseCode.FORBIDDEN, reason)
            return
        address = websocket.client.host if websocket.client else ""
        if not self._limits.enter(address):
            reason = "This address has too many connections; close some first."
            self._turn_away(raw, CloseCode.TOO_MANY_CONNECTIONS, reason)
            return
        connection = raw.adopt(self._limits.transport)
        if connection is None:
            self._limits.leave(address)
        else:
            SocketSession(self._limits, address, connection).begin(connection)

    def _turn_away(self, raw: FanoutProtocol, code: CloseCode, reason: str) -> None:
        context = self._limits.context
        context.hub.tally.closes[code] += 1
        # Adopted like any other, so that the frames of its end are bounded too.
        connection = raw.adopt(self._limits.transport)
        if connection is not None:
            connection.close(code, bye_frame(code, context.settings.retry_ms), reason)
            connection.begin(None)

    def _denied(
        self, websocket: WebSocket, offered: list[str]
    ) -> PlainTextResponse | None:
        if not self._limits.hosts.allows(websocket.headers.get("host")):
            return PlainTextResponse("This server does not serve that host name.", 421)
        if offered and SUBPROTOCOL not in offered:
            return PlainTextResponse(f"The subprotocol must be {SUBPROTOCOL}.", 400)
        if self._limits.is_full():
            return PlainTextResponse(
                "The server is full or shutting down. Retry after the given time.",
                503,
                headers={"Retry-After": "2"},
            )
        return None

    def _is_ours(self, websocket: WebSocket, origin: str) -> bool:
        if origin in self._limits.allowed_origins:
            return True
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return netloc == websocket.headers.get("host", "").lower()
