"""The lean socket client against the websockets library as a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from loadtests.wire.socket_client import IN_FLIGHT_MAX, open_socket
from slotcast.client.session import SUBPROTOCOL

Handler = Callable[[ServerConnection], Awaitable[None]]


async def answer(socket: ServerConnection, asked: dict[str, Any], status: int) -> None:
    result = {"t": "result", "id": asked["id"], "status": status, "body": {"n": [1]}}
    await socket.send(json.dumps(result))


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    server = await serve(
        handler,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
    )
    async with server:
        (listening,) = server.sockets
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_each_answer_reaches_its_question() -> None:
    """In whatever order answers come, with other frames and pings between them."""

    async def handler(socket: ServerConnection) -> None:
        await answer(socket, json.loads(await socket.recv()), 200)
        asked = [json.loads(await socket.recv()) for _ in range(20)]
        for one in reversed(asked):
            await socket.send('{"t":"heartbeat","now":1}')
            await (await socket.ping())
            await answer(socket, one, 200 + one["number"])

    async with served(handler) as url:
        client = await open_socket(url, "token")
        statuses = await asyncio.gather(
            *(client.ask(f'"op":"book","number":{n}') for n in range(20))
        )
        assert statuses == [200 + n for n in range(20)]
        client.close()


async def test_no_more_are_in_flight_than_a_server_takes() -> None:
    """What is asked beyond that is sent when an answer has made room."""
    rounds: list[int] = []

    async def handler(socket: ServerConnection) -> None:
        await answer(socket, json.loads(await socket.recv()), 200)
        for _ in range(2):
            waiting = [json.loads(await socket.recv()) for _ in range(IN_FLIGHT_MAX)]
            # Whatever the client sent before its pong has come before the pong.
            await (await socket.ping())
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    waiting.append(json.loads(await socket.recv()))
            rounds.append(len(waiting))
            for one in waiting:
                await answer(socket, one, 201)

    async with served(handler) as url:
        client = await open_socket(url, "token")
        asked = [client.ask('"op":"book"') for _ in range(2 * IN_FLIGHT_MAX)]
        assert set(await asyncio.gather(*asked)) == {201}
        assert rounds == [IN_FLIGHT_MAX, IN_FLIGHT_MAX]
        client.close()


async def test_a_refused_token_and_a_lost_line_are_errors() -> None:
    """No operation waits for ever for an answer that cannot come."""

    async def refuses(socket: ServerConnection) -> None:
        await answer(socket, json.loads(await socket.recv()), 401)
        await socket.wait_closed()

    async def hangs_up(socket: ServerConnection) -> None:
        await answer(socket, json.loads(await socket.recv()), 200)
        await socket.recv()

    async with served(refuses) as url:
        with pytest.raises(ConnectionError, match="401"):
            await open_socket(url, "token")
    async with served(hangs_up) as url:
        client = await open_socket(url, "token")
        with pytest.raises(ConnectionError):
            await client.ask('"op":"book"')
