"""A small world around the hub: calendars, feeds, reads and watchers, all unreliable.

One seed decides everything. Polls are lost, late or doubled; shards begin new epochs;
reads are answered early and arrive late, some from an owner who was replaced; feeds
fall mute and say nothing of it; watchers stall, leave, and come back with a position.

One file because each step may follow any other, and the judgement knows them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    HoldView,
    PositionsView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.changes import (
    CalendarChange,
    FeedBatch,
    HoldEnd,
    HoldEnding,
    SlotsChange,
)
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
from tests.properties.live_client import TopicCopy
from tests.properties.live_shards import (
    CONSULT,
    FIRST,
    PATIENTS,
    PROVIDERS,
    SHARDS,
    WEEK,
    WORDS,
    Busy,
    CalendarModel,
    ShardModel,
    TestWriter,
    booking_body,
    slot_text,
)


class LiveWorld:
    """Everything around one hub, driven by a seed."""

    def __init__(self, seed: int, make_hub: Callable[..., Hub] = Hub) -> None:
        self.random = Random(seed)
        self.now = Millis(1_000_000)
        shards = sorted(set(SHARDS.values()))
        self.shards = {
            s: ShardModel([p for p in PROVIDERS if SHARDS[p] == s]) for s in shards
        }
        self.encoder = FrameEncoder(booking_body)
        self.hub = make_hub(self.encoder, lambda p: SHARDS[p], me_epoch=77)
        self.hub.delivery.pace.load = Busy(self.random)
        self.watchers: list[tuple[Watcher, TestWriter]] = []
        self.begun: list[Board] = []
        self.answered: list[tuple[Board, SlotsView | ScheduleView | MeView]] = []
        self.in_flight: list[tuple[ShardId, Position, FeedBatch]] = []
        self.tokens = 0
        self.names: list[TopicName] = [
            *(slots_topic(p, CONSULT, WEEK) for p in PROVIDERS),
            *(schedule_topic(p) for p in PROVIDERS[:2]),
        ]

    # --- what happens ------------------------------------------------------------

    def step(self) -> None:
        """One random thing happens."""
        steps = [
            (12, self.change_slots),
            (4, self.change_booking),
            (4, self.change_hold),
            (2, self.change_rules),
            (1, self.fall_mute),
            (10, self.poll),
            (3, self.poll_badly),
            (8, self.begin_reads),
            (8, self.answer_read),
            (8, self.finish_read),
            (1, self.restart_shard),
            (4, self.join),
            (4, self.subscribe),
            (2, self.unsubscribe),
            (2, self.leave),
            (2, self.come_back),
            (3, self.stall),
            (4, self.resume),
            (3, self.pass_time),
            (8, self.breathe),
            (1, self.verify),
            (2, self.heartbeat),
        ]
        weights = [weight for weight, _ in steps]
        self.random.choices([act for _, act in steps], weights)[0]()

    def _calendar(self) -> tuple[ShardModel, ProviderId, CalendarModel]:
        provider = self.random.choice(PROVIDERS)
        shard = self.shards[SHARDS[provider]]
        calendar = shard.calendars[provider]
        calendar.version += 1
        shard.seq += 1
        return shard, provider, calendar

    def change_slots(self) -> None:
        shard, provider, calendar = self._calendar()
        starts, states = [], ""
        for _ in range(self.random.randint(1, 3)):
            start = FIRST + 30 * self.random.randrange(8)
            state = self.random.choice("fhbg")
            if start in starts:
                continue
            starts.append(start)
            states += state
            if state == "g":
                calendar.slots.pop(start, None)
            else:
                calendar.slots[start] = state
        part = SlotsChange(CONSULT, WEEK, starts, states)
        shard.publish(CalendarChange(provider, calendar.version, shard.seq, [part]))

    def fall_mute(self) -> None:
        """A shard's feed goes silent, without an error, until it restarts."""
        self.random.choice(list(self.shards.values())).mute = True

    def change_booking(self) -> None:
        shard, provider, calendar = self._calendar()
        number = self.random.randrange(3)
        view = BookingView(
            provider_id=provider,
            epoch=shard.epoch,
            version=calendar.version,
            booking_id=BookingId(f"bkg_{provider[4:]}.{number}"),
            status=self.random.choice(list(BookingStatus)),
            patient_id=PATIENTS[number % 2],
            visit_type=CONSULT,
            start=Minute(FIRST),
            end=Minute(FIRST + 30),
            location_id=LocationId("loc_1"),
            booked_at=Millis(0),
        )
        calendar.bookings[view.booking_id] = view
        shard.publish(
            CalendarChange(provider, calendar.version, shard.seq, bookings=[view])
        )

    def change_hold(self) -> None:
        """Placed, extended, or over: an id never lives twice."""
        shard, provider, calendar = self._calendar()
        live = list(calendar.holds)
        change = CalendarChange(provider, calendar.version, shard.seq)
        if live and self.random.random() < 0.5:
            ended = calendar.holds.pop(self.random.choice(live))
            how = self.random.choice(list(HoldEnding))
            end = HoldEnd(ended.hold_id, ended.patient_id, how)
            change = msgspec.structs.replace(change, ended=[end])
        else:
            hold = self._hold(shard, provider, calendar)
            calendar.holds[hold.hold_id] = hold
            change = msgspec.structs.replace(change, holds=[hold])
        shard.publish(change)

    def _hold(
        self, shard: ShardModel, provider: ProviderId, calendar: CalendarModel
    ) -> HoldView:
        live = list(calendar.holds)
        is_new = not live or self.random.random() < 0.5
        self.tokens += 1
        name = f"hld_{self.tokens}" if is_new else self.random.choice(live)
        return HoldView(
            provider_id=provider,
            epoch=shard.epoch,
            version=calendar.version,
            hold_id=HoldId(name),
            patient_id=self.random.choice(PATIENTS)
            if is_new
            else calendar.holds[name].patient_id,
            visit_type=CONSULT,
            start=Minute(FIRST),
            end=Minute(FIRST + 30),
            expires=Millis(120_000 * self.tokens),
            extended=not is_new,
            location_id=LocationId("loc_1"),
        )

    def change_rules(self) -> None:
        shard, provider, calendar = self._calendar()
        calendar.slots = {
            FIRST + 30 * n: self.random.choice("fhb")
            for n in self.random.sample(range(8), 4)
        }
        shard.publish(
            CalendarChange(provider, calendar.version, shard.seq, reread=True)
        )

    def restart_shard(self) -> None:
        self.random.choice(list(self.shards.values())).restart()

    def poll(self) -> None:
        shard = self.random.choice(list(self.shards))
        asked = self.hub.cursor(shard)
        batch = self.shards[shard].poll(asked, self.random.randint(1, 6))
        self.hub.on_feed(shard, asked, batch, self.now)

    def poll_badly(self) -> None:
        """A reply is kept back, or one kept back arrives, perhaps twice."""
        if self.in_flight and self.random.random() < 0.6:
            late = self.random.choice(self.in_flight)
            if self.random.random() < 0.5:
                self.in_flight.remove(late)
            self.hub.on_feed(*late, self.now)
            return
        shard = self.random.choice(list(self.shards))
        asked = self.hub.cursor(shard)
        self.in_flight.append((shard, asked, self.shards[shard].poll(asked, 6)))

    # --- reads -------------------------------------------------------------------

    def begin_reads(self) -> None:
        for board in self.hub.take_wanted():
            if self.hub.begin_read(board):
                self.begun.append(board)

    def answer_read(self) -> None:
        if self.begun:
            board = self.begun.pop(self.random.randrange(len(self.begun)))
            self.answered.append((board, self.view(board.name)))

    def finish_read(self) -> None:
        if not self.answered:
            return
        board, view = self.answered.pop(self.random.randrange(len(self.answered)))
        if self.random.random() < 0.1 and not isinstance(view, MeView):
            view = msgspec.structs.replace(view, epoch=max(0, view.epoch - 1))
            if isinstance(view, SlotsView):
                view = msgspec.structs.replace(view, starts=[], states="")
            if view.epoch >= self.hub.cursor(SHARDS[view.provider_id]).epoch:
                # Unnoticeable: it is not known yet that it was replaced.
                view = self.view(board.name)
        if not self.hub.loaded(board, view, self.now) and self.hub.begin_read(board):
            self.begun.append(board)

    def view(self, name: TopicName) -> SlotsView | ScheduleView | MeView:
        if name.kind is Kind.ME:
            patient_id = name.patient_id
            return MeView(self._bookings_of(patient_id), self._holds_of(patient_id))
        shard = self.shards[SHARDS[name.provider_id]]
        calendar = shard.calendars[name.provider_id]
        if name.kind is Kind.SCHEDULE:
            rows = list(calendar.bookings.values())
            return ScheduleView(
                name.provider_id, shard.epoch, calendar.version, "UTC", rows, []
            )
        starts = sorted(calendar.slots)
        return SlotsView(
            provider_id=name.provider_id,
            epoch=shard.epoch,
            version=calendar.version,
            visit_type=CONSULT,
            time_zone="UTC",
            minutes=30,
            starts=starts,
            states="".join(calendar.slots[start] for start in starts),
        )

    def _bookings_of(self, patient_id: PatientId) -> list[BookingView]:
        return [
            view
            for shard in self.shards.values()
            for calendar in shard.calendars.values()
            for view in calendar.bookings.values()
            if view.patient_id == patient_id
        ]

    def _holds_of(self, patient_id: PatientId) -> list[HoldView]:
        return [
            view
            for shard in self.shards.values()
            for calendar in shard.calendars.values()
            for view in calendar.holds.values()
            if view.patient_id == patient_id
        ]

    # --- watchers ----------------------------------------------------------------

    def join(self) -> None:
        if len(self.watchers) < 5:
            writer = TestWriter(self.random.choice(PATIENTS))
            watcher = Watcher(writer)
            self.hub.joined(watcher)
            self.watchers.append((watcher, writer))

    def _anyone(self) -> tuple[Watcher, TestWriter] | None:
        return self.random.choice(self.watchers) if self.watchers else None

    def subscribe(self) -> None:
        found = self._anyone()
        if found is None:
            return
        watcher, writer = found
        name = self.random.choice([*self.names, me_topic(writer.patient_id)])
        self._subscribe(watcher, writer, name)

    def _subscribe(self, watcher: Watcher, writer: TestWriter, name: TopicName) -> None:
        if name.kind is Kind.SLOTS and self.random.random() < 0.2:
            self._look_elsewhere(writer, name)
        stands = writer.client.since(name.wire)
        since = None if stands is None else Position(*stands)
        if since is None:
            writer.client.copies.pop(name.wire, None)
        self.hub.subscribe(watcher, name, since, self.now)

    def _look_elsewhere(self, writer: TestWriter, name: TopicName) -> None:
        """Another gateway showed the page: our hub may know less, or hold it back."""
        view = self.view(name)
        assert isinstance(view, SlotsView)
        page = TopicCopy(view.epoch, view.version, self.truth(name))
        writer.client.copies[name.wire] = page

    def unsubscribe(self) -> None:
        found = self._anyone()
        if found and found[0].boards:
            wire = self.random.choice(list(found[0].boards))
            self.hub.unsubscribe(found[0], wire, self.now)
            if self.random.random() < 0.5:
                found[1].client.copies.pop(wire, None)

    def leave(self) -> None:
        found = self._anyone()
        if found:
            self.hub.dropped(found[0], self.now)
            self.watchers.remove(found)

    def come_back(self) -> None:
        """A connection breaks, and its client resumes on a new one."""
        found = self._anyone()
        if found is None:
            return
        old, writer = found
        names = [board.name for board in old.boards.values()]
        self.hub.dropped(old, self.now)
        watcher = Watcher(writer)
        writer.stalled, writer.room = False, 8
        self.hub.joined(watcher)
        self.watchers[self.watchers.index(found)] = (watcher, writer)
        for name in names:
            self._subscribe(watcher, writer, name)

    def stall(self) -> None:
        found = self._anyone()
        if found:
            found[1].stalled = True

    def resume(self) -> None:
        found = self._anyone()
        if found:
            found[1].stalled, found[1].room = False, self.random.randint(1, 8)
            self.hub.writable(found[0], self.now)

    def heartbeat(self) -> None:
        found = self._anyone()
        if found and found[1].writable:
            found[1].write(self.hub.delivery.heartbeat(found[0], self.now))

    # --- time --------------------------------------------------------------------

    def breathe(self) -> None:
        """A moment passes, and windows may be over."""
        self.now = Millis(self.now + self.random.choice([0, 1, 20, 300]))
        self.hub.delivery.release(self.now)

    def pass_time(self) -> None:
        self.now = Millis(self.now + self.random.choice([100, 1_000, 5_000, 70_000]))
        self.hub.tick(self.now)

    def verify(self) -> None:
        for shard, providers in self.hub.watched_providers().items():
            model = self.shards[shard]
            versions = {p: model.calendars[p].version for p in providers}
            self.hub.verified(PositionsView(model.epoch, versions), self.now)

    def settle(self) -> None:
        """Everything that is on its way arrives; nothing new happens."""
        self.in_flight.clear()
        for turn in range(12):
            for shard, model in self.shards.items():
                asked = self.hub.cursor(shard)
                self.hub.on_feed(shard, asked, model.poll(asked, 1_000), self.now)
            self.begin_reads()
            while self.begun or self.answered:
                self.answer_read()
                self.finish_read()
            for watcher, writer in self.watchers:
                writer.stalled, writer.room = False, 1_000
                self.hub.writable(watcher, self.now)
            self.verify()
            self.now = Millis(self.now + (301_000 if turn == 4 else 2_500))
            self.hub.tick(self.now)
            self.hub.delivery.release(self.now)

    # --- judgement ---------------------------------------------------------------

    def truth(self, name: TopicName) -> dict[str, Any]:
        view = self.view(name)
        if isinstance(view, SlotsView):
            pairs = zip(view.starts, view.states, strict=True)
            return {slot_text(start): WORDS[state] for start, state in pairs}
        shown = {row.booking_id: row.status.value for row in view.bookings}
        held = (view.holds if isinstance(view, MeView) else None) or ()
        return shown | {hold.hold_id: millis_text(hold.expires) for hold in held}

    def check(self) -> None:
        """No client saw a gap, and each has what a fresh snapshot would say."""
        for watcher, writer in self.watchers:
            client = writer.client
            assert not client.gaps, client.gaps[0]
            for wire, board in watcher.boards.items():
                copy = client.copies.get(wire)
                assert copy is not None, f"nothing came for {wire}"
                wanted = self.truth(board.name)
                assert copy.content == wanted, f"{wire} differs: {json.dumps(wanted)}"


def run_world(seed: int, steps: int, make_hub: Callable[..., Hub] = Hub) -> LiveWorld:
    """Live through ``steps`` random things, settle, and judge."""
    world = LiveWorld(seed, make_hub)
    for _ in range(steps):
        world.step()
    world.settle()
    world.check()
    return world
