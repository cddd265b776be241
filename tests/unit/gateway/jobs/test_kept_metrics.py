"""What /metrics shows of the age of what is kept for a time."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, generate_latest

from actors.domain.ids import Millis
from actors.errors import Unavailable
from gateway.metrics.kept import KeptCollector
from tests.fakes.clocks import SteppedClock

NOW = Millis(1_700_000_000_000)


class Kept:
    """Tables with an old row, which can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def oldest(self) -> Mapping[str, Millis]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        ahead = Millis(NOW + 5_000)
        return {"outbox": Millis(NOW - 90_000), "told_visit": ahead}


async def shown(collector: KeptCollector) -> list[str]:
    await collector.refresh()
    registry = CollectorRegistry()
    registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


async def test_ages_are_shown_by_table() -> None:
    """In seconds, a visit to come with none; nothing while the store is away, and the
    store is asked at most once a minute."""
    kept, clock = Kept(), SteppedClock(NOW)
    collector = KeptCollector(kept, clock)
    name = "slotcast_kept_oldest_seconds"
    wanted = [f'{name}{{table="outbox"}} 90.0', f'{name}{{table="told_visit"}} 0.0']
    assert await shown(collector) == wanted
    kept.is_away = True
    assert await shown(collector) == wanted
    assert kept.asked == 1
    collector._fresh.fresh_s = 0.0
    assert await shown(collector) == []
