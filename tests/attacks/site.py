"""The attacked server: the gateway and its web server, shards in memory, without Ray.

Usage: python -m tests.attacks.site JSON, an object with ``serve``'s parameters.

Prints its port and a patient's token once it serves; ends when its input does.
``without`` names guards that are taken away, for controls: see GUARDS;
``files`` limits open files if it is not 0; ``limits`` are of HttpLimits.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import uvloop

from cluster.site.settings import read_settings
from cluster.wiring.gateway import config_of, server_of
from cluster.wiring.web_server import WebServer
from gateway.http.router import GatewayApp
from gateway.live.transport import connection
from gateway.live.transport import parsers as incoming
from tests import factories as make
from tests.fakes.api import KEY, open_api
from tests.fakes.clocks import RunningClock


def _plain_http(server: WebServer) -> None:
    server.config.http = "httptools"


def _any_frames(_server: WebServer) -> None:
    for name in ("FRAMES_A_TURN", "PIECE_BYTES"):
        setattr(connection, name, 1 << 30)
    setattr(incoming, "FRAMES_PER_S", 1 << 30)  # noqa: B010 - it is Final


GUARDS: Final[dict[str, Callable[[WebServer], None]]] = {
    "http": _plain_http,
    "frames": _any_frames,
}
"""Name -> what takes this guard away from a server that does not run yet."""


async def serve(
    without: list[str], files: int, limits: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Serve until the input ends."""
    if files:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    chosen = read_settings(log_requests=False, drain_seconds=1.0, **settings)
    config = config_of(chosen, KEY, "0")
    config = replace(config, http=replace(config.http, **limits))
    async with open_api(config=config, clock=RunningClock(make.NOW)) as api:
        await api.add_provider()
        await api.project()
        assert isinstance(api.app, GatewayApp)
        server = server_of(api.app, chosen)
        for guard in without:
            GUARDS[guard](server)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        await server.listening.wait()
        told = {
            "port": listener.getsockname()[1],
            "token": api.token("patient", "pat_1"),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        server.stop()
        await serving


if __name__ == "__main__":
    uvloop.run(serve(**json.loads(sys.argv[1])))
