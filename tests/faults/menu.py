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

    def __init__(self, single: OneServer) -> None:
        self._single = single

    def shard_killed(self, dice: random.Random) -> str:
        pid = dice.choice(self._single.shard_pids())
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"

    def projector_killed(self, _dice: random.Random) -> str:
        for one in self._single.projectors():
            one.kill()
        return "killed"

    def redis_killed(self, dice: random.Random) -> str:
        self._single.redis.kill()
        return away(dice, 0.5, 3, self._single.redis.start)

    def redis_frozen(self, dice: random.Random) -> str:
        self._single.redis.freeze()
        return away(dice, 0.5, 8, self._single.redis.thaw)

    def mariadb_killed(self, dice: random.Random) -> str:
        self._single.mariadb.kill()
        return away(dice, 1, 10, self._single.mariadb.start)

    def mariadb_frozen(self, dice: random.Random) -> str:
        self._single.mariadb.freeze()
        return away(dice, 1, 15, self._single.mariadb.thaw)

    def journal_line_cut(self, dice: random.Random) -> str:
        size = dice.randrange(1, 20_000)
        self._single.to_redis.tell(cut_after=size)
        return f"after {size} bytes, {away(dice, 0.5, 2, self._single.to_redis.heal)}"

    def patients_line_cut(self, dice: random.Random) -> str:
        line = self._single.to_gateway
        line.tell(swallow_down=True)
        told = away(dice, 1, 5, lambda: line.tell(cut=True))
        line.heal()
        return told

    def machine_killed(self, dice: random.Random) -> str:
        self._single.kill_everything()
        return away(dice, 0.5, 3, self._single.server.start)

    def repair(self) -> None:
        """Undo what a fault that failed may have left."""
        self._single.repair()


def of_one_server(single: OneServer) -> Menu:
    """Of one server on Redis and MariaDB."""
    faults = _OneServerFaults(single)
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
