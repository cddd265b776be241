"""Faults to choose from, each with its repair: what the soak does to a site."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.one_server import OneServer

Strike = Callable[[random.Random], str]
"""Break something, wait, repair it; blocks meanwhile. Returns what was done."""


@dataclass(frozen=True)
class Menu:
    """The faults of a site, and how all of them are repaired."""

    strikes: Mapping[str, Strike]
    repair: Callable[[], None]

    def bag(self, dice: random.Random) -> Sequence[str]:
        """Every fault once, in random order."""
        names = sorted(self.strikes)
        dice.shuffle(names)
        return names


class _OneServerFaults:
    """What can be broken on one server on Redis and MariaDB."""

    def __init__(self, one_server: OneServer) -> None:
        self._one_server = one_server

    def shard_killed(self, dice: random.Random) -> str:
        pid = dice.choice(self._one_server.shard_pids())
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"

    def projector_killed(self, _dice: random.Random) -> str:
        for one in self._one_server.projectors():
            one.kill()
        return "killed"

    def redis_killed(self, dice: random.Random) -> str:
        self._one_server.redis.kill()
        return away(dice, 0.5, 3, self._one_server.redis.start)

    def redis_frozen(self, dice: random.Random) -> str:
        self._one_server.redis.freeze()
        return away(dice, 0.5, 8, self._one_server.redis.thaw)

    def mariadb_killed(self, dice: random.Random) -> str:
        self._one_server.mariadb.kill()
        return away(dice, 1, 10, self._one_server.mariadb.start)

    def mariadb_frozen(self, dice: random.Random) -> str:
        self._one_server.mariadb.freeze()
        return away(dice, 1, 15, self._one_server.mariadb.thaw)

    def journal_line_cut(self, dice: random.Random) -> str:
        size = dice.randrange(1, 20_000)
        self._one_server.to_redis.tell(cut_after=size)
        return (
            f"after {size} bytes, {away(dice, 0.5, 2, self._one_server.to_redis.heal)}"
        )

    def patients_line_cut(self, dice: random.Random) -> str:
        line = self._one_server.to_gateway
        line.tell(swallow_down=True)
        told = away(dice, 1, 5, lambda: line.tell(cut=True))
        line.heal()
        return told

    def machine_killed(self, dice: random.Random) -> str:
        self._one_server.kill_everything()
        return away(dice, 0.5, 3, self._one_server.server.start)

    def repair(self) -> None:
        """Undo what a fault that failed may have left."""
        self._one_server.repair()


def of_one_server(one_server: OneServer) -> Menu:
    """Of one server on Redis and MariaDB."""
    faults = _OneServerFaults(one_server)
    strikes: dict[str, Strike] = {
        "shard killed": faults.shard_killed,
        "projector killed": faults.projector_killed,
        "Redis killed": faults.redis_killed,
        "Redis frozen": faults.redis_frozen,
        "MariaDB killed": faults.mariadb_killed,
        "MariaDB frozen": faults.mariadb_frozen,
        "line to Redis cut": faults.journal_line_cut,
        "patients' line cut": faults.patients_line_cut,
        "machine killed": faults.machine_killed,
    }
    return Menu(strikes, faults.repair)


def away(
    dice: random.Random, least: float, most: float, repair: Callable[[], object]
) -> str:
    """Leave it broken for a while, then repair it."""
    pause = dice.uniform(least, most)
    time.sleep(pause)
    repair()
    return f"{pause:.1f} s"
