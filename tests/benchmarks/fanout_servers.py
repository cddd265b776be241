"""The servers that ``bench_fanout`` compares, each in a process of its own.

``gateway`` is ours, with calendars in memory; it prints a patient's token. ``plain`` is
Starlette's ``send_text`` to a set of sockets. Both on uvloop and httptools.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.config import GatewayConfig, LiveSettings
from tests.factories import NOW
from tests.fakes.api import KEY, open_api
from tests.fakes.clocks import RunningClock


async def serve(app: Any, port: int, ws: Any) -> None:
    """Until killed."""
    config = uvicorn.Config(
        app,
        port=port,
        http="httptools",
        ws=ws,
        ws_per_message_deflate=False,
        backlog=8192,
        log_config=None,
        access_log=False,
    )
    await uvicorn.Server(config).serve()


async def gateway(port: int) -> None:
    """Ours."""
    live = LiveSettings(
        connections_max=0, connections_per_address_max=0, topics_per_address_max=0
    )
    config = GatewayConfig(
        token_keys=(KEY,), rate_limited=False, log_requests=False, live=live
    )
    clock = RunningClock(NOW)
    async with open_api(config, clock=clock) as api:
        await api.add_provider(1)
        sys.stdout.write(api.token("patient", "pat_1", ttl_s=86_400) + "\n")
        sys.stdout.flush()
        await serve(api.app, port, api.app.state.live.protocol)


async def plain(port: int) -> None:
    """The usual first version: a loop over a set of sockets."""
    sockets: set[WebSocket] = set()

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.add(websocket)
        with suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()
        sockets.discard(websocket)

    async def publish(request: Request) -> Response:
        text = (await request.body()).decode()
        for websocket in tuple(sockets):
            await websocket.send_text(text)
        return Response(status_code=202)

    routes = [
        WebSocketRoute("/watch", watch),
        Route("/publish", publish, methods=["POST"]),
    ]
    await serve(Starlette(routes=routes), port, "websockets-sansio")


if __name__ == "__main__":
    servers = {"gateway": gateway, "plain": plain}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(servers[sys.argv[1]](int(sys.argv[2])))
