"""The live socket, ``GET /v1/live``: who may come in, and who serves them.

Where the server lets go of its connections (fanout.py) a session takes them over. On
another server two tasks serve each: one waits in ``receive()``, for it also reads
pongs, and a connection whose reader is away is thought dead; frames leave by the other
(outbox.py).
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.live.core.frames import Frame, bye_frame
from gateway.live.sessions.connection_limits import LiveDoor
from gateway.live.sessions.conversation import Conversation
from gateway.live.sessions.session import LiveSession
from gateway.live.topics.watcher import Watcher
from gateway.live.transport.asgi_writer import RowWriter
from gateway.live.transport.uvicorn_protocol import EXTENSION, FanoutProtocol
from gateway.live.transport.waiting_room import LiveProtocol
from gateway.wire.problems import CLOSE_REASONS, CloseCode

SUBPROTOCOL = "slotcast.v1"


class LiveSocket:
    """Serves live connections."""

    def __init__(self, door: LiveDoor) -> None:
        self._door = door

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, without a framework in between."""
        await self(WebSocket(scope, receive, send))

    async def __call__(self, websocket: WebSocket) -> None:
        """One connection: its handshake, and on another server all of it."""
        offered = websocket.scope.get("subprotocols") or []
        denied = self._denied(websocket, offered) or await self._waits(websocket)
        if denied is not None:
            await websocket.send_denial_response(denied)
            raw = websocket.scope.get("extensions", {}).get(EXTENSION)
            if isinstance(raw, FanoutProtocol):
                raw.handshake_complete = True  # or each denial is logged as our error
            return
        try:
            await websocket.accept(subprotocol=SUBPROTOCOL if offered else None)
        except (WebSocketDisconnect, RuntimeError):
            return
        origin = websocket.headers.get("origin")
        if origin is not None and not self._is_ours(websocket, origin):
            # A page's script sees no status of a handshake, only a close code.
            reason = "A page of this origin may not connect."
            await self._turn_away(websocket, CloseCode.FORBIDDEN, reason)
            return
        address = websocket.client.host if websocket.client else ""
        if not self._door.enter(address):
            reason = "This address has too many connections; close some first."
            await self._turn_away(websocket, CloseCode.TOO_MANY_CONNECTIONS, reason)
            return
        raw = websocket.scope.get("extensions", {}).get(EXTENSION)
        if isinstance(raw, FanoutProtocol):
            self._hand_over(raw, address)
            return
        try:
            await self._serve(websocket, address)
        finally:
            self._door.leave(address)

    def _hand_over(self, raw: FanoutProtocol, address: str) -> None:
        connection = raw.adopt(self._door.switchboard)
        if connection is None:
            self._door.leave(address)
        else:
            LiveSession(self._door, address, connection).begin(connection)

    async def _turn_away(
        self, websocket: WebSocket, code: CloseCode, reason: str
    ) -> None:
        context = self._door.context
        context.hub.tally.closes[code] += 1
        last = bye_frame(code, context.settings.retry_ms)
        raw = websocket.scope.get("extensions", {}).get(EXTENSION)
        if isinstance(raw, FanoutProtocol):
            # Its last frames are counted as everybody's are.
            connection = raw.adopt(self._door.switchboard)
            if connection is not None:
                connection.close(code, last, reason)
                connection.begin(None)
            return
        try:
            await websocket.send({"type": "websocket.send", "text": last.text})
            await websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return

    def _denied(
        self, websocket: WebSocket, offered: list[str]
    ) -> PlainTextResponse | None:
        if not self._door.hosts.allows(websocket.headers.get("host")):
            return PlainTextResponse("This server is called otherwise.", 421)
        if offered and SUBPROTOCOL not in offered:
            return PlainTextResponse(f"The subprotocol is {SUBPROTOCOL}.", 400)
        if self._door.is_full():
            return _full(2)
        return None

    async def _waits(self, websocket: WebSocket) -> PlainTextResponse | None:
        """Let a newcomer of another server's socket wait here; ours have waited."""
        raw = websocket.scope.get("extensions", {}).get(EXTENSION)
        if isinstance(raw, LiveProtocol):
            return None
        seconds = await self._door.entrance.pass_through()
        return _full(seconds) if seconds else None

    def _is_ours(self, websocket: WebSocket, origin: str) -> bool:
        if origin in self._door.allowed_origins:
            return True
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return netloc == websocket.headers.get("host", "").lower()

    async def _serve(self, websocket: WebSocket, address: str) -> None:
        door = self._door
        context = door.context
        row = RowWriter()
        watcher = door.watcher(row)
        conversation = Conversation(context, watcher, address)
        context.hub.joined(watcher)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(websocket, row, watcher))
                await self._receive(websocket, conversation, tasks)
        except* _Ended:
            pass
        finally:
            context.hub.dropped(watcher, context.clock.now())
            conversation.ended()

    async def _receive(
        self, websocket: WebSocket, conversation: Conversation, tasks: asyncio.TaskGroup
    ) -> None:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise _Ended
            later = conversation.hear(message.get("text"))
            if later is not None:
                tasks.create_task(later)
            # Messages that came together are heard without a pause: let the answers
            # go, or a quick client would be taken for one who does not read.
            await asyncio.sleep(0)

    async def _send(
        self, websocket: WebSocket, writer: RowWriter, watcher: Watcher
    ) -> None:
        context = self._door.context

        async def send(frame: Frame) -> None:
            await websocket.send({"type": "websocket.send", "text": frame.text})

        def relieved() -> None:
            context.hub.writable(watcher, context.clock.now())

        try:
            code = await writer.run(send, relieved)
            context.hub.tally.closes[code] += 1
            reason = writer.reason or CLOSE_REASONS.get(code, "")
            await websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            # The client is gone; its reader hears of it and ends the connection.
            return


def _full(seconds: int) -> PlainTextResponse:
    return PlainTextResponse(
        "Full or stopping; come back soon.",
        503,
        headers={"Retry-After": str(seconds)},
    )


class _Ended(Exception):
    """The client is gone: whatever still runs for it has nobody to answer."""
