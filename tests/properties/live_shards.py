"""What stands around the hub in its world: calendars, shards, connections."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import msgspec

from actors.domain.ids import PatientId, ProviderId, ShardId, VisitTypeId
from actors.domain.messages.answers import BookingView, HoldView
from actors.domain.messages.changes import CalendarChange, FeedBatch
from gateway.live.core.frames import Frame, Position
from tests.properties.live_client import WireClient

PROVIDERS = [ProviderId(f"prv_{n}") for n in (1, 2, 3)]
SHARDS = {p: ShardId(f"s000{n % 2}") for n, p in enumerate(PROVIDERS)}
PATIENTS = [PatientId("pat_1"), PatientId("pat_2")]
WEEK, CONSULT = "2026-W49", VisitTypeId("consult")
FIRST = 29_934_000
"""A minute; the topic's week need not be its own."""
RING = 12
"""Changes a shard's feed remembers; few, so that resets happen."""


def booking_body(view: BookingView) -> bytes:
    return msgspec.json.encode({"booking_id": view.booking_id, "status": view.status})


def slot_text(minute: int) -> str:
    """An instant, written in the oracle's own way."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


WORDS = {"f": "free", "h": "held", "b": "booked"}


class CalendarModel:
    """A calendar as the oracle knows it."""

    def __init__(self) -> None:
        self.version = 1
        self.slots = {FIRST + 30 * n: "f" for n in range(6)}
        self.bookings: dict[str, BookingView] = {}
        self.holds: dict[str, HoldView] = {}


class ShardModel:
    """A shard: calendars, an epoch, and a feed that forgets."""

    def __init__(self, providers: list[ProviderId]) -> None:
        self.epoch = 1
        self.number = 0
        self.seq = 0
        self.calendars = {p: CalendarModel() for p in providers}
        self.recent: list[tuple[int, CalendarChange]] = []
        self.mute = False

    def publish(self, change: CalendarChange) -> None:
        if self.mute:
            return
        self.number += 1
        self.recent = [*self.recent, (self.number, change)][-RING:]

    def poll(self, asked: Position, limit: int) -> FeedBatch:
        oldest = self.recent[0][0] if self.recent else self.number + 1
        if asked.epoch != self.epoch or asked.version + 1 < oldest:
            return FeedBatch(self.epoch, self.number, self.seq, reset=True)
        news = [(n, c) for n, c in self.recent if n > asked.version][:limit]
        number = news[-1][0] if news else asked.version
        return FeedBatch(self.epoch, number, self.seq, [c for _, c in news])

    def restart(self) -> None:
        self.epoch += 1
        self.number = 0
        self.recent = []
        self.mute = False


class Busy:
    """A load that is never the same."""

    backlog_s = 0.0

    def __init__(self, random: Random) -> None:
        self._random = random

    @property
    def write_s(self) -> float:
        return self._random.choice([0.0, 0.001, 0.01, 0.1])


class TestWriter:
    """A connection that takes frames while it is open, and stalls now and then."""

    unsent = 0

    __test__ = False

    def __init__(self, patient_id: PatientId) -> None:
        self.client = WireClient()
        self.patient_id = patient_id
        self.stalled = False
        self.room = 8

    @property
    def writable(self) -> bool:
        return not self.stalled and self.room > 0

    def write(self, frame: Frame) -> None:
        self.room -= 1
        self.client.hear(frame.text)

    def answer(self, frame: Frame) -> None:
        self.client.hear(frame.text)

    def ping(self) -> None:
        """No client is away here."""

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        raise AssertionError("the hub closes no connection")
