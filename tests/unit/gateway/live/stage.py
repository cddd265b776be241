"""Small things that tests of the live side act with: frames, writers, a hub."""

from __future__ import annotations

from typing import Any

import msgspec

from actors.domain.ids import Millis, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import BookingView, SlotsView
from actors.domain.messages.changes import CalendarChange, FeedBatch, SlotsChange
from gateway.live.core.frames import Frame, FrameEncoder, Position
from gateway.live.core.topic_names import TopicName, slots_topic
from gateway.live.topics.hub import Hub
from gateway.live.topics.watcher import Watcher

PROVIDER, CONSULT = ProviderId("prv_1"), VisitTypeId("consult")
SHARD = ShardId("s0000")
NOW = Millis(1_000_000)
NINE = 29_934_000
"""2026-11-30T12:00Z; the name says what a clinic would call it."""
TODAY = Millis(NINE * 60_000)
WEEK: TopicName = slots_topic(PROVIDER, CONSULT, "2026-W49")


class PageWriter:
    """A ``Writer`` that writes on a page; ``stalled`` stops topics' frames."""

    unsent = 0

    def __init__(self) -> None:
        self.page: list[dict[str, Any]] = []
        self.frames: list[Frame] = []
        self.stalled = False
        self.closed: int | None = None
        self.pings = 0

    @property
    def writable(self) -> bool:
        return not self.stalled and self.closed is None

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.page.append(msgspec.json.decode(frame.payload))

    answer = write

    def ping(self) -> None:
        self.pings += 1

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        if last is not None:
            self.write(last)
        self.closed = code


def a_body(view: BookingView) -> bytes:
    return msgspec.json.encode({"booking_id": view.booking_id})


def a_hub() -> Hub:
    return Hub(FrameEncoder(a_body), lambda _provider: SHARD, me_epoch=7)


def a_view(version: int, states: str = "fff", epoch: int = 1) -> SlotsView:
    starts = [NINE + 30 * n for n in range(len(states))]
    return SlotsView(PROVIDER, epoch, version, CONSULT, "UTC", 30, starts, states)


def a_change(version: int, states: str, first: int = NINE) -> CalendarChange:
    starts = [first + 30 * n for n in range(len(states))]
    part = SlotsChange(CONSULT, WEEK.week, starts, states)
    return CalendarChange(PROVIDER, version, version, [part])


def feed(hub: Hub, *changes: CalendarChange, epoch: int = 1, **fields: Any) -> bool:
    """The next reply of the shard's feed; a foreign epoch is a reset."""
    asked = hub.cursor(SHARD)
    number = asked.version + len(changes)
    reset = fields.pop("reset", epoch != asked.epoch)
    batch = FeedBatch(epoch, number, number, list(changes), reset=reset, **fields)
    return hub.on_feed(SHARD, asked, batch, NOW)


def watch(
    hub: Hub, since: Position | None = None, name: TopicName = WEEK
) -> tuple[Watcher, PageWriter]:
    """A new watcher of a topic."""
    writer = PageWriter()
    watcher = Watcher(writer)
    hub.joined(watcher)
    hub.subscribe(watcher, name, since, NOW)
    return watcher, writer


def read(hub: Hub, view: Any) -> None:
    """Answer every read that the hub wants."""
    for board in hub.take_wanted():
        assert hub.begin_read(board)
        assert hub.loaded(board, view, NOW)
