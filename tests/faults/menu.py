"""Faults to choose from, each with its mending: what the soak throws at a site."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.house import House

Strike = Callable[[random.Random], str]
"""Break something, wait, mend it; blocks meanwhile. Says what was done."""


@dataclass(frozen=True)
class Menu:
    """The faults of a site, and how all of them are mended."""

    strikes: Mapping[str, Strike]
    mend: Callable[[], None]

    def bag(self, dice: random.Random) -> Sequence[str]:
        """Every fault once, in random order."""
        names = sorted(self.strikes)
        dice.shuffle(names)
        return names


class _HouseFaults:
    """What can be broken on one server on Redis and MariaDB."""

    def __init__(self, house: House) -> None:
        self._house = house

    def shard_killed(self, dice: random.Random) -> str:
        pid = dice.choice(self._house.shard_pids())
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"

    def projector_killed(self, _dice: random.Random) -> str:
        for one in self._house.projectors():
            one.kill()
        return "killed"

    def redis_killed(self, dice: random.Random) -> str:
        self._house.redis.kill()
        return away(dice, 0.5, 3, self._house.redis.start)

    def redis_frozen(self, dice: random.Random) -> str:
        self._house.redis.freeze()
        return away(dice, 0.5, 8, self._house.redis.thaw)

    def mariadb_killed(self, dice: random.Random) -> str:
        self._house.mariadb.kill()
        return away(dice, 1, 10, self._house.mariadb.start)

    def mariadb_frozen(self, dice: random.Random) -> str:
        self._house.mariadb.freeze()
        return away(dice, 1, 15, self._house.mariadb.thaw)

    def journal_line_cut(self, dice: random.Random) -> str:
        size = dice.randrange(1, 20_000)
        self._house.to_redis.tell(cut_after=size)
        return f"after {size} bytes, {away(dice, 0.5, 2, self._house.to_redis.heal)}"

    def patients_line_cut(self, dice: random.Random) -> str:
        line = self._house.to_gateway
        line.tell(swallow_down=True)
        told = away(dice, 1, 5, lambda: line.tell(cut=True))
        line.heal()
        return told

    def machine_killed(self, dice: random.Random) -> str:
        self._house.kill_everything()
        return away(dice, 0.5, 3, self._house.server.start)

    def mend(self) -> None:
        """Undo what a fault that failed may have left."""
        self._house.mend()


def of_house(house: House) -> Menu:
    """Of one server on Redis and MariaDB."""
    faults = _HouseFaults(house)
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
    return Menu(strikes, faults.mend)


def away(
    dice: random.Random, least: float, most: float, mend: Callable[[], object]
) -> str:
    """Leave it broken for a while, then mend it."""
    pause = dice.uniform(least, most)
    time.sleep(pause)
    mend()
    return f"{pause:.1f} s"
