"""Texts are read in processes of their own, which end."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from actors.domain.ids import Minute
from care.busy.ports import BusyFailure, BusyUnreadable
from care.busy.spans import BusySpan, BusyWanted
from cluster.work import busy_reader as module
from cluster.work.busy_reader import BusyReader
from tests import factories as make
from tests.fixtures.calendar_server import CalendarServer, entry

WANTED = BusyWanted("Europe/Berlin", Minute(make.MONDAY), Minute(make.MONDAY + 100_000))


def text(*entries: str) -> bytes:
    server = CalendarServer()
    server.entries = list(entries)
    return server.text.encode()


async def failure_of(given: bytes) -> BusyFailure:
    with pytest.raises(BusyUnreadable) as caught:
        await BusyReader().read(given, WANTED)
    return caught.value.failure


async def test_a_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans come back; the process gets none of the site's secrets."""
    monkeypatch.setenv("SLOTCAST_KEYS", "a secret")
    seen: list[dict[str, str]] = []
    start = asyncio.create_subprocess_exec

    async def spied(*program: str, env: dict[str, str], **more: Any) -> Any:
        seen.append(env)
        return await start(*program, env=env, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spied)
    lunch = entry("1", "20260812T090000Z", "20260812T100000Z")
    found = await BusyReader().read(text(lunch), WANTED)
    nine = make.at(9, day=2)
    assert list(found.spans) == [BusySpan(nine, Minute(nine + 60))]
    assert "SLOTCAST_KEYS" in os.environ
    assert not {name for name in seen[0] if name.startswith("SLOTCAST")}


async def test_what_is_wrong_with_a_text_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no calendar, or has too much, or takes too long: then it is killed."""
    assert await failure_of(b"<html>") is BusyFailure.NOT_A_CALENDAR
    lunch = entry("1", "20260812T090000Z", "20260812T100000Z")
    many = text(*([lunch] * 10_001))
    assert await failure_of(many) is BusyFailure.TOO_LARGE
    monkeypatch.setattr(module, "READ_S", 1.0)
    never = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    endless = text(
        *(
            entry(f"{n}", "20260812T090000Z", "20260812T100000Z", never)
            for n in range(500)
        )
    )
    assert await failure_of(endless) is BusyFailure.TOO_COMPLEX


async def test_an_entry_that_takes_too_long_costs_no_other() -> None:
    """An invitation whose days never come is searched for them until the year 9999:
    it is given up and counted, and the rest of the calendar is read."""
    never = "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"
    found = await BusyReader().read(
        text(
            entry("1", "20260812T090000Z", "20260812T100000Z", never),
            entry("2", "20260812T120000Z", "20260812T130000Z"),
        ),
        WANTED,
    )
    noon = make.at(12, day=2)
    assert BusySpan(noon, Minute(noon + 60)) in found.spans
    assert found.skipped == 1
