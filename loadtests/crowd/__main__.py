"""Many WebSocket connections that only listen, for raw figures beside Locust's.

    python -m loadtests.crowd ws://127.0.0.1:8000/v1/live --count 5000
        --say '{"op":"subscribe","id":1,"topics":["slots/…"]}' [--first-source 1]
    python -m loadtests.crowd ws://127.0.0.1:8000/v1/live --count 5000 --plan FILE

Holds the connections from several loopback addresses, and answers commands on standard
input with a line of JSON each (below). It parses headers and the heads of frames and no
content, so that the load generator takes as little of the machine as possible.

With ``--say`` every connection sends that text. Frames that begin with ``--counts`` are
counted by how many a connection had before, so with one such frame for each change
``at[n]`` is when the last connection received the n-th, on the monotonic clock that all
processes of a machine share.

With ``--plan``, a JSON list of lists of topics, the n-th listener watches the n-th list
(from the beginning again when they end; ``--first`` is the number of this process's
first). Every delivery is kept: see ``deliveries``.

Commands, a line each:

- ``report``: counts, and how many stand at each version of each topic.
- ``reset``: the same, then counting starts again from zero.
- ``deliveries FILE``: write each delta and snapshot, a line of JSON each, with when the
  first listener received it and how many microseconds later each other did.
- ``stall N`` / ``read N``: of every N listeners the last one stops / resumes reading;
  their deliveries are not kept. ``--small N`` gives them a small receive buffer.
- ``drop``: abort all connections at once.
- ``rejoin {"since":"last","jitter_s":0,"at_once":64}``: all reconnect, from where each
  stood (``last``), from a version that is too old to resume (``old``), or from nowhere
  (``none``). Answered when all are connected again.
- ``quit``.

``--buffer`` bounds what the kernel keeps for a listener that falls behind, so that it
shows at the server; the default is hundreds of kilobytes each.

A handshake answered with 503 is repeated after its Retry-After plus a random part of
up to half of it; failed connections are retried until ``--patience`` is over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from loadtests.crowd.listener import Crowd, Listener, Refused
from loadtests.crowd.wire import request_of
from loadtests.wire.arguments import positive
from loadtests.wire.websocket import SOCKETS_PER_SOURCE

AT_ONCE = 64
"""Handshakes in flight."""
RETRY_S = 0.25
"""About how long to wait before a failed connection is retried."""
SMALL_BYTES = 4096
"""Receive buffer of listeners that will stall: a phone's network holds little more."""


class Gathering:
    """Connects the listeners of a crowd to their server, at first and after drops."""

    def __init__(self, crowd: Crowd, chosen: argparse.Namespace) -> None:
        self.crowd = crowd
        self._host, self._port, _ = request_of(chosen.url)
        self._first_source: int = chosen.first_source
        self._small: int = chosen.small
        self._buffer: int = chosen.buffer
        self._first: int = chosen.first
        self._patience_s: float = chosen.patience
        self._dice = random.Random(chosen.first)
        self.failed = 0
        """Connections that failed and were retried."""

    async def all(self, at_once: int, jitter_s: float = 0.0) -> dict[str, Any]:
        """Connect all listeners; how long it took, and how many attempts failed."""
        crowd, room = self.crowd, asyncio.Semaphore(at_once)
        began, failed = time.monotonic(), self.failed
        refused = crowd.refused.total()
        outcomes = await asyncio.gather(
            *(self._bring(one, room, jitter_s, began) for one in crowd.listeners),
            return_exceptions=True,
        )
        absent = [repr(one) for one in outcomes if isinstance(one, BaseException)]
        return {
            "connected_s": round(time.monotonic() - began, 3),
            "began": began,
            "failed": len(absent),
            "why": sorted(set(absent))[:3],
            "again": self.failed - failed,
            "refused": crowd.refused.total() - refused,
        }

    async def _bring(
        self, one: Listener, room: asyncio.Semaphore, jitter_s: float, began: float
    ) -> None:
        if jitter_s:
            await asyncio.sleep(self._dice.uniform(0, jitter_s))
        while True:
            try:
                async with room:
                    await self._connect(one)
            except Refused as no:
                pause_s = no.retry_s * self._dice.uniform(1.0, 1.5)
                if not no.retry_s or not self._may_wait(began, pause_s):
                    raise
            except OSError:
                self.failed += 1
                pause_s = RETRY_S * self._dice.uniform(0.5, 1.5)
                if not self._may_wait(began, pause_s):
                    raise
            else:
                return
            await asyncio.sleep(pause_s)

    def _may_wait(self, began: float, pause_s: float) -> bool:
        return time.monotonic() + pause_s < began + self._patience_s

    async def _connect(self, one: Listener) -> None:
        one.prepare()
        up = one.up
        assert up is not None
        place = (one.number - self._first) // SOCKETS_PER_SOURCE
        source = f"127.1.{self._first_source}.{1 + place}"
        loop = asyncio.get_running_loop()
        size = SMALL_BYTES if is_of(one, self._small) else self._buffer
        if size:
            narrow = await self._narrow(source, size)
            await loop.create_connection(lambda: one, sock=narrow)
        else:
            await loop.create_connection(
                lambda: one, self._host, self._port, local_addr=(source, 0)
            )
        async with asyncio.timeout(self._patience_s):
            await up

    async def _narrow(self, source: str, size: int) -> socket.socket:
        made = socket.socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            made.settimeout(0)
            made.bind((source, 0))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(made, (self._host, self._port))
        except BaseException:
            made.close()
            raise
        return made


def is_of(one: Listener, every: int) -> bool:
    """Whether the listener is the last of its group of this size."""
    return every > 0 and one.number % every == every - 1


class Commands:
    """The commands of a crowd; each returns the answer to print."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._crowd = gathering.crowd

    async def answer(self, line: str) -> dict[str, Any]:
        """Run the command on a line."""
        word, _, rest = line.partition(" ")
        match word:
            case "reset":
                self._crowd.reset()
            case "deliveries":
                return self._deliveries(Path(rest))
            case "stall" | "read":
                return self._stall(int(rest), is_over=word == "read")
            case "drop":
                for one in self._crowd.listeners:
                    one.leave()
                return {"at": time.monotonic()}
            case "rejoin":
                return await self._rejoin(**json.loads(rest or "{}"))
            case _:
                pass
        return self._crowd.report()

    def _deliveries(self, path: Path) -> dict[str, Any]:
        seen = [one for one in self._crowd.heads.values() if one.at]
        with path.open("w", encoding="ascii") as file:
            file.writelines(json.dumps(one.told()) + "\n" for one in seen)
        return {"frames": len(seen), "deliveries": sum(len(one.at) for one in seen)}

    def _stall(self, every: int, *, is_over: bool) -> dict[str, Any]:
        there = (one for one in self._crowd.listeners if not one.is_lost)
        chosen = [one for one in there if is_of(one, every)]
        for one in chosen:
            one.is_noted = False
            if is_over:
                one.read_on()
            else:
                one.stall()
        return {"stalled": 0 if is_over else len(chosen)}

    async def _rejoin(
        self, since: str = "last", jitter_s: float = 0.0, at_once: int = AT_ONCE
    ) -> dict[str, Any]:
        for one in self._crowd.listeners:
            stood = one.stands() if since != "none" else None
            if stood is not None and since == "old":
                stood = {topic: (epoch, 0) for topic, (epoch, _) in stood.items()}
            one.since = stood
        self._crowd.reset()
        found = await self._gathering.all(at_once, jitter_s)
        return {**found, "answered_at": self._crowd.answered_at}


async def hold(chosen: argparse.Namespace) -> None:
    """Connect, then run commands until ``quit``."""
    _, _, request = request_of(chosen.url)
    crowd = Crowd(request, chosen.say.encode(), chosen.counts.encode())
    plan: list[list[str]] = [[]]
    if chosen.plan is not None:
        plan = json.loads(chosen.plan.read_text())
    topics = [tuple(one) for one in plan]
    for number in range(chosen.first, chosen.first + chosen.count):
        listener = Listener(crowd, number, topics[number % len(topics)])
        listener.is_noted = not is_of(listener, chosen.small)
        crowd.listeners.append(listener)
    gathering = Gathering(crowd, chosen)
    tell(await gathering.all(AT_ONCE))
    commands = Commands(gathering)
    while (line := await asyncio.to_thread(sys.stdin.readline)).strip() != "quit":
        if not line:
            return
        tell(await commands.answer(line.strip()))


def tell(what: dict[str, Any]) -> None:
    """Answer with a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def options() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--count", type=positive, default=1_000)
    parser.add_argument("--say", default="", help="sent once, as text")
    parser.add_argument("--counts", default="", help="count only these")
    parser.add_argument("--plan", type=Path, default=None, help="who watches what")
    parser.add_argument("--first", type=int, default=0, help="first listener's number")
    parser.add_argument("--first-source", type=int, default=1, help="127.1.N.*")
    parser.add_argument("--small", type=int, default=0, help="1 of N: small buffer")
    parser.add_argument("--buffer", type=int, default=0, help="receive buffer, bytes")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds")
    return parser


def main() -> None:
    """Connect and serve a crowd."""
    uvloop.run(hold(options().parse_args()))


if __name__ == "__main__":
    main()
