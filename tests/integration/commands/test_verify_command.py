"""``slotcast verify`` without a server says what is missing, at once."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from cluster.commands.projections import _rebuild
from cluster.commands.verifying import _verified
from cluster.site.settings import read_settings
from cluster.site.site import site_made_if_needed
from cluster.terminal.obstacle import Obstacle
from cluster.wiring.calendars import open_calendars
from tests.unit.actors import practice as p


def test_a_projection_that_is_behind_is_named_with_the_command(tmp_path: Path) -> None:
    """Seeded and never served: so many events behind; after the command all agree."""
    settings = read_settings(data=tmp_path / "data", seed="none", shards=2)
    site = site_made_if_needed(settings, date(2026, 9, 1))
    told: list[tuple[str, int, int]] = []

    async def work() -> None:
        async with open_calendars(site, "a test") as calendars:
            for command in p.opened():
                await calendars.ask(command)
        with pytest.raises(Obstacle) as found:
            await _verified(site, lambda *one: told.append(one))
        assert "2 events behind" in found.value.wrong
        assert "slotcast projection rebuild" in str(vars(found.value))
        await _rebuild(site, lambda *_: None)
        verdict = await _verified(site, lambda *one: told.append(one))
        assert verdict.problems == []

    asyncio.run(work())
    assert told[-1] == ("events", 2, 2), "how far it is, is shown"
