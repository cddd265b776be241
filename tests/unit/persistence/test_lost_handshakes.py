"""Connecting to a database server that hangs up during the handshake.

A server that is just being killed or started accepts and resets. On uvloop, the
transport of such a connection has no socket, which both drivers answer with an error
that is none of the database's.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest
import uvloop

from actors.errors import Unavailable
from persistence.sql.engine import open_engine, reading
from tests.fixtures.read_model import ON_SERVER

TRIES = 60
"""A third of the connections are lost at the line in question; all others elsewhere."""
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def resetting() -> Iterator[int]:
    """The port of a listener that resets every connection it accepts."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def reset() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    accepted.close()

        thread = Thread(target=reset, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("driver", ON_SERVER)
@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uv"]
)
def test_a_reset_during_the_handshake_is_unavailable(
    driver: str, new_loop: object, resetting: int
) -> None:
    """Every lost connection is ``Unavailable``, whatever the driver made of it."""

    async def connect() -> int:
        engine = open_engine(f"mysql+{driver}://u:p@127.0.0.1:{resetting}/x", "reader")
        lost = 0
        try:
            for _ in range(TRIES):
                with suppress(Unavailable):
                    async with reading(engine):
                        raise AssertionError("connected to a listener that resets")
                lost += 1
        finally:
            await engine.dispose()
        return lost

    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        assert runner.run(connect()) == TRIES
