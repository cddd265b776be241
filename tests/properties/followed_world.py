"""A real shard and a real hub; the shard learns by reads which calendars are shown.

One seed decides everything. Reads and polls are late, verification fails for minutes,
gateways and the shard start again, watchers leave and come back with a position.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from actors.domain.ids import Millis, Minute, PatientId, ProviderId, ShardId, hold_id
from actors.domain.messages.answers import (
    BookingView,
    HoldView,
    PositionsView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.commands import Command, ReleaseHold
from actors.domain.messages.reads import (
    Read,
    ReadPositions,
    ReadProvider,
    ReadSchedule,
    ReadWeek,
)
from actors.domain.rules import Policy
from actors.ports import Record, Request, ShardReply
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from gateway.live.core.frames import FrameEncoder, Position
from gateway.live.core.topic_names import (
    Kind,
    TopicName,
    me_topic,
    schedule_topic,
    slots_topic,
)
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board, MeView
from gateway.live.topics.watcher import Watcher
from gateway.wire.formats import millis_text
from tests.properties.live_shards import WORDS, TestWriter, booking_body, slot_text
from tests.unit.actors import practice as p

SHARD = ShardId("s0000")
PROVIDERS = (p.ANA, p.BEN)
PATIENTS = (PatientId("pat_1"), PatientId("pat_2"))
NO_PATIENT = PatientId("")
WEEK = "2026-W37"
PLACES = 12


class FollowedWorld:
    """One shard with two practices, one gateway after another, three watchers."""

    def __init__(self, seed: int, kind: type[Shard] = Shard) -> None:
        self.random = Random(seed)
        self.now = p.NOW
        self.records: list[Record] = []
        self.shard = kind(SHARD, Policy(), ShardLimits(feed_max=24))
        self.tokens = 0
        self.named = self.unnamed = 0
        """Changes whose slots were named, and not, while a topic showed them."""
        self.live: dict[str, ProviderId] = {}
        self.open_shard()
        for provider in PROVIDERS:
            self.ask(*p.opened(provider))
        self.begun: list[Board] = []
        self.answered: list[tuple[Board, SlotsView | ScheduleView | MeView]] = []
        self.hub = self._new_hub()
        self.watchers = [
            self._watcher(TestWriter(one)) for one in (*PATIENTS, NO_PATIENT)
        ]

    def _new_hub(self) -> Hub:
        self.begun, self.answered = [], []
        encoder = FrameEncoder(booking_body)
        self.tokens += 1
        return Hub(encoder, lambda _: SHARD, me_epoch=self.tokens)

    def _watcher(self, writer: Any) -> tuple[Watcher, TestWriter]:
        watcher = Watcher(writer)
        self.hub.joined(watcher)
        writer.room = 1_000_000
        return watcher, writer

    # --- the shard ---------------------------------------------------------------

    def open_shard(self) -> None:
        """A new process with a new epoch, which no gateway has asked anything yet."""
        self.shard.opened(self.shard.epoch_to_beat + 1, len(self.records), 0, [])
        self.shard.epoch_to_beat += 1
        self.shard.residents.keep_tail(self.records)

    def ask(self, *requests: Request) -> list[ShardReply]:
        """One batch, which is durable at once."""
        for provider in self.shard.missing(requests):
            self.shard.adopt(provider, None)
        batch = self.shard.begin(requests, self.now)
        for event in batch.events:
            self.records.append(Record(len(self.records) + 1, self.shard.epoch, event))
        return self.shard.commit(batch, len(self.records))

    def command(self) -> None:
        """Some commands in one batch: holds, bookings, and the end of earlier ones."""
        self.ask(*(self._command() for _ in range(self.random.randint(1, 3))))

    def _command(self) -> Command:
        self.tokens += 1
        token, provider = f"t{self.tokens}", self.random.choice(PROVIDERS)
        place = self.random.randrange(PLACES)
        patient = self.random.choice(PATIENTS)
        if self.live and self.random.random() < 0.5:
            earlier = self.random.choice(list(self.live))
            provider = self.live.pop(earlier)
            if earlier.startswith("h"):
                return ReleaseHold(
                    provider_id=provider,
                    key=f"r-{token}",
                    hold_id=hold_id(provider, earlier),
                    owner=None,
                )
            return p.cancel(earlier, provider=provider)
        if self.random.random() < 0.5:
            self.live[f"h{token}"] = provider
            return p.hold(f"h{token}", place, provider=provider, patient=patient)
        self.live[token] = provider
        return p.book(token, place, provider=provider, patient=patient)

    # --- the gateway -------------------------------------------------------------

    def poll(self, limit: int = 2_000) -> None:
        """The feed's next part comes to the hub."""
        asked = self.hub.cursor(SHARD)
        batch = self.shard.feed.since(asked.epoch, asked.version, limit)
        for change in batch.changes:
            shown = self.hub.index.providers.get(change.provider_id)
            if shown is not None and any(board.loaded for board in shown.all()):
                self.named += not change.reread
                self.unnamed += change.reread
        self.hub.on_feed(SHARD, asked, batch, self.now)

    def read(self) -> None:
        """Reads that are wanted begin; one is answered; one answer arrives."""
        for board in self.hub.take_wanted():
            if self.hub.begin_read(board):
                self.begun.append(board)
        if self.begun and self.random.random() < 0.7:
            board = self.begun.pop(self.random.randrange(len(self.begun)))
            self.answered.append((board, self.view(board.name)))
        if self.answered and self.random.random() < 0.7:
            board, view = self.answered.pop(0)
            done = self.hub.loaded(board, view, self.now)
            if not done and self.hub.begin_read(board):
                self.begun.append(board)

    def verify(self) -> None:
        """The gateway asks where all its calendars stand."""
        for providers in self.hub.watched_providers().values():
            (found,) = self.ask(ReadPositions(providers))
            assert isinstance(found, PositionsView)
            self.hub.verified(found, self.now)

    def view(self, name: TopicName) -> SlotsView | ScheduleView | MeView:
        """What a read of this topic is answered, asked in the way that gateways ask."""
        if name.kind is Kind.ME:
            return self._mine(name)
        read: Read = ReadWeek(name.provider_id, p.CONSULT, WEEK)
        if name.kind is Kind.SCHEDULE:
            day = 24 * 60
            first, last = Minute(p.NINE - 30 * day), Minute(p.NINE + 30 * day)
            read = ReadSchedule(name.provider_id, first, last)
        (found,) = self.ask(read)
        assert isinstance(found, SlotsView | ScheduleView)
        return found

    def _mine(self, name: TopicName) -> MeView:
        bookings: list[BookingView] = []
        holds: list[HoldView] = []
        for provider in PROVIDERS:
            self.ask(ReadProvider(provider))
            resident = self.shard.residents.get(provider)
            assert resident is not None
            state = resident.calendar.state
            found = state.occupancy
            for booking in found.bookings.values():
                if booking.patient_id == name.patient_id:
                    bookings.append(state.booking_view(booking))
            for hold in found.holds.values():
                if hold.patient_id == name.patient_id:
                    holds.append(state.hold_view(hold))
        return MeView(bookings, holds)

    def start_gateway_again(self) -> None:
        """Its watchers come to the new process with the positions they have."""
        names = [
            [board.name for board in watcher.boards.values()]
            for watcher, _ in self.watchers
        ]
        self.hub = self._new_hub()
        self.watchers = [self._watcher(writer) for _, writer in self.watchers]
        for (watcher, writer), mine in zip(self.watchers, names, strict=True):
            for name in mine:
                self.follow(watcher, writer, name)

    # --- watchers ----------------------------------------------------------------

    def follow(self, watcher: Watcher, writer: TestWriter, name: TopicName) -> None:
        """Subscribe, from the position that the client has."""
        stands = writer.client.since(name.wire)
        since = None if stands is None else Position(*stands)
        self.hub.subscribe(watcher, name, since, self.now)

    def subscribe(self) -> None:
        """A watcher asks for a topic that it has, had, or never had."""
        watcher, writer = self.random.choice(self.watchers)
        names = [self.watched_week(one) for one in PROVIDERS]
        names += [schedule_topic(p.ANA)]
        if writer.patient_id:
            names.append(me_topic(writer.patient_id))
        self.follow(watcher, writer, self.random.choice(names))

    @staticmethod
    def watched_week(provider: ProviderId) -> TopicName:
        """The topic of slots in the only week that has any."""
        return slots_topic(provider, p.CONSULT, WEEK)

    def unsubscribe(self) -> None:
        """A watcher leaves a topic and keeps what it has of it."""
        watcher, _ = self.random.choice(self.watchers)
        if watcher.boards:
            wire = self.random.choice(list(watcher.boards))
            self.hub.unsubscribe(watcher, wire, self.now)

    # --- time --------------------------------------------------------------------

    def pass_time(self) -> None:
        """Up to a minute more than a shard remembers that a calendar is followed."""
        ms = self.random.choice((100, 2_500, 30_000, 50_000, 180_000))
        self.now = Millis(self.now + ms)
        self.ask()
        self.hub.tick(self.now)
        self.hub.delivery.release(self.now)

    def step(self) -> None:
        """One random thing happens."""
        steps = (
            (14, self.command),
            (10, self.poll),
            (12, self.read),
            (5, self.subscribe),
            (2, self.unsubscribe),
            (2, self.pass_time),
            (1, self.verify),
            (1, self.start_gateway_again),
            (1, self.open_shard),
        )
        weights = [weight for weight, _ in steps]
        self.random.choices([act for _, act in steps], weights)[0]()

    def settle(self) -> None:
        """Everything on its way arrives; nothing new happens."""
        for _ in range(6):
            self.now = Millis(self.now + 2_500)
            self.ask(*(ReadProvider(provider) for provider in PROVIDERS))
            for _ in range(30):
                self.poll(100_000)
                self.read()
            self.hub.tick(self.now)
            self.hub.delivery.release(self.now)

    # --- judgement ---------------------------------------------------------------

    def check(self) -> None:
        """No client saw a gap, and each has what a fresh read says."""
        for watcher, writer in self.watchers:
            assert not writer.client.gaps, writer.client.gaps[0]
            for wire, board in watcher.boards.items():
                copy = writer.client.copies.get(wire)
                assert copy is not None, f"nothing came for {wire}"
                assert copy.content == self.truth(board.name), f"{wire} differs"

    def truth(self, name: TopicName) -> dict[str, Any]:
        """A topic's content by a fresh read."""
        view = self.view(name)
        if isinstance(view, SlotsView):
            pairs = zip(view.starts, view.states, strict=True)
            return {slot_text(start): WORDS[state] for start, state in pairs}
        bookings: Sequence[BookingView] = view.bookings
        shown = {row.booking_id: row.status.value for row in bookings}
        held = (view.holds if isinstance(view, MeView) else None) or ()
        return shown | {hold.hold_id: millis_text(hold.expires) for hold in held}


def run_followed(seed: int, steps: int, kind: type[Shard] = Shard) -> FollowedWorld:
    """Live through ``steps`` random things, settle, and judge."""
    world = FollowedWorld(seed, kind)
    for _ in range(steps):
        world.step()
    world.settle()
    world.check()
    return world
