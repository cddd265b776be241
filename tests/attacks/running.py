"""One attack from the first byte to the last look at the server's memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.attacks.attacked import PATIENCE_S, Attacked
from tests.attacks.attacker import attack_from_outside
from tests.attacks.polite import Polite, Served
from tests.attacks.registry import Aim, Outcome

MIB = 1024 * 1024
ANSWERS_MIN = 20
"""Polite answers before memory is looked at, for by then all code has been used once,
and beside an attack."""


@dataclass(frozen=True)
class Report:
    """What an attack cost the server and its polite client."""

    outcome: Outcome
    served: Served
    before_mib: float
    peak_mib: float
    after_mib: float

    @property
    def grown_mib(self) -> float:
        """The highest memory above that before."""
        return self.peak_mib - self.before_mib

    @property
    def kept_mib(self) -> float:
        """What is left of it once the attack is over."""
        return self.after_mib - self.before_mib


async def run(
    server: Attacked,
    name: str,
    mebibytes: float,
    seconds: float = 60.0,
    enough: int = 0,
) -> Report:
    """Attack a server by this name, with a polite client beside it."""
    warm_up = Polite(server.port)
    done = asyncio.Event()
    done.set()
    await warm_up.run(done, ANSWERS_MIN)
    before = server.resident_mib()
    server.forget_peak()
    done.clear()
    polite = asyncio.ensure_future(Polite(server.port).run(done, ANSWERS_MIN))
    aim = Aim(server.port, int(mebibytes * MIB), seconds, server.token, enough)
    try:
        outcome = await attack_from_outside(name, aim)
    finally:
        done.set()
        served = await polite
    return Report(outcome, served, before, server.peak_mib(), server.resident_mib())


async def until_grown(
    server: Attacked, name: str, mebibytes: float, more: float
) -> None:
    """Attack a server until its memory has grown by ``more`` MiB.

    Raises:
        TimeoutError: it does not grow so much.
    """
    done = asyncio.Event()
    done.set()
    await Polite(server.port).run(done, ANSWERS_MIN)
    goal = server.resident_mib() + more
    aim = Aim(server.port, int(mebibytes * MIB), PATIENCE_S, server.token)
    attack = asyncio.ensure_future(attack_from_outside(name, aim))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while server.resident_mib() <= goal:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)
    finally:
        attack.cancel()
        await asyncio.gather(attack, return_exceptions=True)
