"""The whole server with a Redis for what gateways share, and without it again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.fixtures.redis_server import RedisServer
from tests.fixtures.server import ServerProcess, http_get

pytestmark = pytest.mark.acceptance
PATIENCE_S = 60.0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def closed_with(server: ServerProcess, token: str, then: Callable[[], None]) -> int:
    """The close code of a socket of this person after something happened."""
    address = f"ws://127.0.0.1:{server.port}/v1/live"
    with connect(address, subprotocols=[Subprotocol("slotcast.v1")]) as live:
        live.send(json.dumps({"op": "auth", "id": 1, "token": token}))
        assert json.loads(live.recv(timeout=PATIENCE_S))["t"] == "result"
        then()
        try:
            while True:
                live.recv(timeout=PATIENCE_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 0


def test_revoking_from_the_command_line_and_losing_redis(tmp_path: Path) -> None:
    """``token revoke`` ends requests and sockets of a running server; when Redis dies
    what was revoked stays so, all others are served, and readiness names it."""
    with (
        RedisServer(tmp_path / "redis") as redis,
        ServerProcess(
            tmp_path / "data", SLOTCAST_SEED="none", SLOTCAST_REDIS=redis.url
        ) as server,
    ):
        server.start()

        def asks(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return http_get(f"{server.url}/v1/bookings", headers=headers).status_code

        def checks() -> Any:
            answer = http_get(f"{server.url}/readyz")
            assert answer.status_code == 200, answer.text
            return answer.json()["checks"]

        mine, other = server.token("patient", "pat_1"), server.token("patient", "pat_2")
        until(lambda: bool(checks()["revocations"]["ok"]))
        assert (asks(mine), asks(other)) == (200, 200)

        def revoke() -> None:
            done = server.run("token", "revoke", mine)
            assert done.returncode == 0, done.stderr

        assert closed_with(server, mine, revoke) == 4501
        assert (asks(mine), asks(other)) == (401, 200)
        redis.kill()
        until(lambda: not checks()["revocations"]["ok"])
        assert (asks(mine), asks(other)) == (401, 200)
        metrics = http_get(f"{server.url}/metrics").text
        assert 'slotcast_shared_up{part="revocations"} 0.0' in metrics
        assert server.run("token", "revoke", "--id", "x").returncode == 1
        assert server.stop() == 0
