"""What goes wrong in a run, and when: the nemesis, and how bad it is for a seed.

Each seed has its own mixture: some are calm, some see one kind of fault often, some
see all of them. After the chaos everything heals, and the promises must hold.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from tests.simulation.kernel import Kernel


@dataclass
class Weather:
    """Chances of messages, and means of seconds between other faults (0: never)."""

    lost: float = 0.0
    late: float = 0.0
    doubled: float = 0.0
    store_trouble: float = 0.0
    crash: float = 0.0
    fuse: float = 0.0
    takeover: float = 0.0
    power: float = 0.0
    sync_error: float = 0.0
    disk_full: float = 0.0
    clock: float = 0.0
    wrong_clock: float = 0.0
    gateway: float = 0.0
    projector: float = 0.0
    watcher: float = 0.0
    snapshot: float = 0.0
    trim: float = 0.0
    passivate: float = 0.0


_MESSAGES = {"lost": 0.12, "late": 0.12, "doubled": 0.12, "store_trouble": 0.15}
_SECONDS = {
    "crash": 6.0,
    "fuse": 5.0,
    "takeover": 4.0,
    "power": 9.0,
    "sync_error": 9.0,
    "disk_full": 12.0,
    "clock": 10.0,
    "wrong_clock": 15.0,
    "gateway": 12.0,
    "projector": 6.0,
    "watcher": 2.0,
    "snapshot": 4.0,
    "trim": 7.0,
    "passivate": 5.0,
}


def weather_of(kernel: Kernel) -> Weather:
    """The mixture of this seed."""
    rng = kernel.rng
    share = rng.choice((0.15, 0.4, 0.4, 0.7, 1.0))
    weather = Weather()
    for name, chance in _MESSAGES.items():
        if rng.random() < share:
            setattr(weather, name, chance * rng.choice((0.3, 1.0, 2.0)))
    for name, seconds in _SECONDS.items():
        if rng.random() < share:
            setattr(weather, name, seconds * rng.choice((0.5, 1.0, 2.0)))
    return weather


class Nemesis:
    """Lets faults happen until ``until``; then the world heals."""

    def __init__(
        self, kernel: Kernel, world: Any, weather: Weather, until: int
    ) -> None:
        self._kernel = kernel
        self._world = world
        self._weather = weather
        self._until = until
        for one in fields(weather):
            act = getattr(self, "_" + one.name, None)
            if act is not None and getattr(weather, one.name):
                self._plan(one.name, act)

    def _plan(self, name: str, act: Callable[[], None]) -> None:
        mean = getattr(self._weather, name) * 1000
        pause = int(self._kernel.rng.uniform(0.1, 1.9) * mean) + 1
        if self._kernel.now + pause < self._until:
            self._kernel.after(pause, self._strike, name, act)

    def _strike(self, name: str, act: Callable[[], None]) -> None:
        if self._world.living():
            act()
        self._plan(name, act)

    def _any(self) -> Any:
        return self._kernel.rng.choice(self._world.living())

    def _crash(self) -> None:
        self._world.kill(self._any())

    def _fuse(self) -> None:
        """Killed within the next journal calls, at any one of them."""
        activation = self._any()
        activation.disk.fuse = self._kernel.rng.randrange(14)

    def _takeover(self) -> None:
        """A new activation begins while the old one lives on."""
        self._world.take_over(self._any().shard_id)

    def _power(self) -> None:
        if self._kernel.rng.random() < 0.3:
            self._world.power_cut()
        else:  # somewhere within the system calls to come
            self._world.disk.cut_after = self._kernel.rng.randrange(10)

    def _sync_error(self) -> None:
        self._world.disk.fail("sync", errno.EIO)

    def _disk_full(self) -> None:
        rng = self._kernel.rng
        if rng.random() < 0.5:
            self._world.disk.fail("write", errno.ENOSPC, short=rng.randrange(40))
            return
        self._world.disk.free = 0
        self._kernel.after(rng.randrange(200, 4_000), self._world.make_room)

    def _clock(self) -> None:
        rng = self._kernel.rng
        step = rng.choice((-40_000, -3_000, -500, 500, 4_000, 20_000))
        self._world.step_clock(step)

    def _wrong_clock(self) -> None:
        """For some seconds the machine shows another hour, day or year."""
        rng = self._kernel.rng
        hours = rng.choice((-24 * 30, -1, 1, 3 * 24, 400 * 24))
        self._world.show_wrong_time(hours * 3_600_000, rng.randrange(100, 15_000))

    def _gateway(self) -> None:
        self._world.crash_gateway(self._kernel.rng.choice(self._world.gateways))

    def _projector(self) -> None:
        self._kernel.rng.choice(self._world.projectors).crash()

    def _watcher(self) -> None:
        watcher = self._kernel.rng.choice(self._world.watchers)
        if self._kernel.rng.random() < 0.5:
            watcher.stall()
            return
        watcher.disconnect()
        self._kernel.after(self._kernel.rng.randrange(20, 3_000), watcher.back)

    def _snapshot(self) -> None:
        self._any().snapshot()

    def _trim(self) -> None:
        self._world.trim(self._any())

    def _passivate(self) -> None:
        self._any().passivate()
