"""Once a second: who is too slow, whose token is over, whose turn it is."""

from __future__ import annotations

from random import Random
from typing import cast

import pytest

from actors.domain.ids import Millis
from gateway.access.rights import Access
from gateway.access.tokens import Authenticator, Caller, Role
from gateway.config import LiveSettings
from gateway.live.core.frames import NOWHERE, Frame
from gateway.live.feeds.reader import TopicReader
from gateway.live.sessions.commands import SocketCommands
from gateway.live.sessions.context import LiveContext
from gateway.live.sessions.identity import PersonCounts
from gateway.live.sessions.permits import Permits
from gateway.live.sessions.topic_limits import TopicRoom
from gateway.live.ticker import Ticker
from gateway.live.topics.watcher import Watcher
from tests.fakes.api import CONFIG
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import (
    NOW,
    WEEK,
    a_change,
    a_hub,
    a_view,
    feed,
    read,
    watch,
)


def a_ticker(**settings: float) -> tuple[Ticker, LiveContext]:
    clock = SteppedClock(NOW)
    hub, chosen = a_hub(), LiveSettings(**settings)  # type: ignore[arg-type]
    api = LiveContext(
        hub=hub,
        authenticator=Authenticator(CONFIG, clock),
        access=cast("Access", None),
        commands=cast("SocketCommands", None),
        clock=clock,
        settings=chosen,
        persons=PersonCounts(0),
        room=TopicRoom(hub, chosen, clock),
    )
    reader = cast("TopicReader", None)
    permits = cast("Permits", None)
    return Ticker(api, reader, Random(1), lambda: None, permits), api


def test_a_watcher_paused_for_too_long_is_closed() -> None:
    """After fifteen seconds without taking a byte: 4008, and not before."""
    ticker, api = a_ticker()
    feed(api.hub)
    _, writer = watch(api.hub)
    read(api.hub, a_view(5))
    writer.stalled = True
    feed(api.hub, a_change(6, "h"))
    ticker.tick(Millis(NOW + 14_999))
    assert [writer.closed] == [None]
    ticker.tick(Millis(NOW + 15_000))
    assert writer.closed == 4008
    assert writer.page[-1] == {"t": "bye", "code": 4008, "retry_ms": [500, 15_000]}


def test_who_takes_a_few_bytes_now_and_then_is_not_too_slow() -> None:
    """Too few for the writer to be writable again; the control stands still."""
    ticker, api = a_ticker()
    pairs = [watch(api.hub) for _ in range(2)]
    for watcher, writer in pairs:
        writer.stalled = True
        writer.unsent = 10_000
        api.hub.delivery.owe(watcher, api.hub.index.board(WEEK), NOWHERE, NOW)
    taking = pairs[0][1]
    for second in range(40):
        taking.unsent -= 100
        ticker.tick(Millis(NOW + 1_000 * second))
    assert [writer.closed for _, writer in pairs] == [None, 4008]


def test_every_watcher_has_its_turn_for_a_heartbeat() -> None:
    """In each round of twenty ticks every watcher hears one, not all in one tick."""
    ticker, api = a_ticker()
    writers = []
    for turn in range(40):
        watcher, writer = watch(api.hub)
        watcher.turn = turn % 20
        writers.append(writer)
    for _ in range(20):
        before = sum(len(writer.page) for writer in writers)
        ticker.tick(NOW)
        assert sum(len(writer.page) for writer in writers) == before + 2
    assert all(writer.page[-1]["t"] == "heartbeat" for writer in writers)
    assert all(writer.pings == 1 for writer in writers)


def test_a_token_that_is_over_closes_with_4005() -> None:
    """At its end, not before."""
    ticker, api = a_ticker()
    watcher, writer = watch(api.hub)
    watcher.caller = Caller(Role.PATIENT, "pat_1", Millis(NOW + 1_000))
    ticker.tick(NOW)
    assert [writer.closed] == [None]
    ticker.tick(Millis(NOW + 1_000))
    assert writer.closed == 4005


async def test_draining_says_bye_to_everybody() -> None:
    """Each hears it before its connection is closed."""
    ticker, api = a_ticker(drain_s=0.001)
    writers = [watch(api.hub)[1] for _ in range(10)]
    await ticker.drain()
    assert [writer.closed for writer in writers] == [4012] * 10
    assert all(writer.page[-1]["t"] == "bye" for writer in writers)


def test_a_defect_in_one_second_costs_one_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is closed; all others have their heartbeats, and every other step is done."""
    ticker, api = a_ticker(heartbeat_s=1)
    pairs = [watch(api.hub) for _ in range(5)]
    heartbeat = api.hub.delivery.heartbeat

    def fails(watcher: Watcher, now: Millis) -> Frame:
        if watcher is pairs[2][0]:
            raise RuntimeError("a defect")
        return heartbeat(watcher, now)

    def tick(_now: Millis) -> None:
        raise RuntimeError("another")

    monkeypatch.setattr(api.hub.delivery, "heartbeat", fails)
    monkeypatch.setattr(api.hub, "tick", tick)
    ticker.tick(NOW)
    closed = [writer.closed for _, writer in pairs]
    assert closed == [None, None, 1011, None, None]
    beats = [[frame["t"] for frame in writer.page] for _, writer in pairs]
    assert [one == ["heartbeat"] for one in beats] == [True, True, False, True, True]
