"""A client as it should be: asks, waits for the answer, checks it, asks again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from time import perf_counter

from loadtests.histogram import percentiles

PAUSE_S = 0.02
PATIENCE_S = 60.0
_ASK = (
    b"GET /v1/providers/prv_1/slots?from=2026-08-10&to=2026-08-11 HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\n\r\n"
)


@dataclass
class Served:
    """What the polite client was answered."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def percentile_ms(self, p: float) -> float:
        """``p`` per cent of the answers took no longer."""
        return percentiles(self.seconds).get(f"p{p:g}", float("nan"))


class Polite:
    """One client on one connection, which it opens again if it must."""

    def __init__(self, port: int) -> None:
        self._ask = _ASK % port
        self._port = port
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.served = Served()

    async def run(self, done: asyncio.Event, answers_min: int) -> Served:
        """Ask until ``done``, but so many times at least."""
        served = self.served
        while not done.is_set() or served.right + len(served.wrong) < answers_min:
            await self.ask()
            await asyncio.sleep(PAUSE_S)
        self._leave()
        return served

    async def ask(self) -> None:
        """One question and its answer, which counts as right or as wrong."""
        began = perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                fault = await self._answer_fault()
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            fault = repr(error)
        self.served.seconds.append(perf_counter() - began)
        if fault:
            self.served.wrong.append(fault)
            self._leave()
        else:
            self.served.right += 1

    async def _answer_fault(self) -> str:
        if self._line is None:
            self._line = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._line
        writer.write(self._ask)
        head = await reader.readuntil(b"\r\n\r\n")
        status, _, fields = head.partition(b"\r\n")
        length = fields.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
        if b" 200 " not in status:
            return f"{status!r} {body[:200]!r}"
        slots = json.loads(body)["slots"]
        return "" if len(slots) >= 1 else f"no slots in {body[:200]!r}"

    def _leave(self) -> None:
        if self._line is not None:
            self._line[1].close()
            self._line = None
