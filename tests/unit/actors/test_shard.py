"""A shard decides and applies, and answers only when the journal has the events."""

from collections.abc import Sequence

import pytest

from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    Done,
    HoldView,
    NextFreeView,
    PositionsView,
    SlotsView,
)
from actors.domain.messages.events import HoldExpired, RefusalRecorded, WindowAdvanced
from actors.domain.messages.reads import (
    ReadNextFree,
    ReadPositions,
    ReadProvider,
    ReadSchedule,
)
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy
from actors.ports import Record, Request, ShardReply, StoredCalendar, Trouble
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from tests.unit.actors import practice as p

POLICY = Policy()


class Bench:
    """A shard with a journal that is a list."""

    def __init__(self, limits: ShardLimits | None = None) -> None:
        self.shard = Shard(ShardId("s0000"), POLICY, limits or ShardLimits())
        self.records: list[Record] = []
        self.stored: dict[ProviderId, StoredCalendar] = {}
        self.now = p.NOW
        self.epoch = 0
        self.open()

    def open(self, position: int = 0) -> None:
        self.epoch += 1
        tail = self.records[position:]
        self.shard.opened(self.epoch, len(self.records), position, tail)

    def load(self, requests: Sequence[Request]) -> None:
        for provider in self.shard.missing(requests):
            self.shard.adopt(provider, self.stored.get(provider))

    def ask(self, *requests: Request, pressure: float = 0.0) -> list[ShardReply]:
        self.load(requests)
        batch = self.shard.begin(requests, self.now, pressure)
        for event in batch.events:
            self.records.append(Record(len(self.records) + 1, self.epoch, event))
        return self.shard.commit(batch, len(self.records))

    def practice(self) -> "Bench":
        self.ask(*p.opened())
        return self


def states(reply: ShardReply) -> dict[int, str]:
    assert isinstance(reply, SlotsView)
    return dict(zip(reply.starts, reply.states, strict=True))


def test_a_batch_is_decided_in_order_and_readers_see_all_of_it() -> None:
    """Of two who want one slot the first wins; a read in the batch shows the end."""
    bench = Bench().practice()
    won, lost, view = bench.ask(p.hold("a"), p.hold("b", patient="pat_2"), p.slots())
    assert isinstance(won, HoldView)
    assert won.epoch == 1
    assert isinstance(lost, Refusal)
    assert lost.code is RefusalCode.SLOT_UNAVAILABLE
    assert states(view)[p.NINE] == "h"


def test_repeated_key_is_answered_word_for_word_and_only_by_the_owner() -> None:
    """A retry changes nothing, hears the first answer, needs the journal's check."""
    bench = Bench().practice()
    (first,) = bench.ask(p.hold("a"))
    bench.load([p.hold("a")])
    batch = bench.shard.begin([p.hold("a")], bench.now)
    assert batch.events == []
    assert batch.must_check
    assert bench.shard.commit(batch, len(bench.records)) == [first]


def test_keyed_refusal_is_journaled_and_survives_a_crash() -> None:
    """The same key hears the same no, though the slot is free meanwhile."""
    bench = Bench().practice()
    bench.ask(p.book("a"))
    (no,) = bench.ask(p.book("b", patient="pat_2"))
    assert isinstance(bench.records[-1].event, RefusalRecorded)
    bench.ask(p.cancel("a"))
    bench.open()
    assert bench.ask(p.book("b", patient="pat_2")) == [no]


def test_refusal_without_key_is_not_journaled_but_must_be_checked() -> None:
    """Nothing is written for it, and only the owner of the shard may say it."""
    bench = Bench().practice()
    bench.ask(p.book("a"))
    command = p.book("b", key="")
    batch = bench.shard.begin([command], bench.now)
    assert batch.events == []
    assert batch.must_check


def test_command_without_key_is_answered_too() -> None:
    """Internal commands carry no key and see what they did."""
    bench = Bench().practice()
    held, booked = bench.ask(p.hold("a", key=""), p.book("b", 1, key=""))
    assert isinstance(held, HoldView)
    assert isinstance(booked, BookingView)
    assert booked.version == held.version + 1


def test_providers_that_do_not_exist_leave_no_trace() -> None:
    """A scan over random ids grows neither the memory nor the journal."""
    bench = Bench()
    for number in range(100):
        stranger = ProviderId(f"prv_{number}")
        replies = bench.ask(p.hold("a", provider=stranger), p.slots(stranger))
        assert all(
            isinstance(reply, Refusal) and reply.code is RefusalCode.PROVIDER_NOT_FOUND
            for reply in replies
        )
    assert bench.records == []
    assert len(bench.shard.residents) == 0
    assert list(bench.shard.watched()) == []


def test_memory_after_a_crash_equals_memory_before() -> None:
    """Recovery from the tail alone, and from snapshots and the tail, is the same."""
    bench = Bench().practice()
    bench.ask(p.hold("a"), p.book("b", 2))
    before = bench.ask(p.slots())[0]
    bench.shard.residents.begin_round(bench.shard.last_seq)
    chunk = bench.shard.residents.encoded(
        bench.shard.residents.next_chunk(10), bench.shard.last_seq
    )
    bench.stored.update(chunk)
    position = bench.shard.residents.round_position()
    assert position == len(bench.records)
    bench.ask(p.confirm("a"))
    after = bench.ask(p.slots())[0]
    assert states(before) != states(after)
    for stored, start in (({}, 0), (bench.stored, 0), (bench.stored, position)):
        bench.stored = dict(stored)
        bench.open(start)
        (again,) = bench.ask(p.slots())
        assert states(again) == states(after)
        assert isinstance(again, SlotsView)
        assert isinstance(after, SlotsView)
        assert again.version == after.version
        assert again.epoch == bench.epoch


def test_due_holds_end_by_themselves() -> None:
    """The shard wakes at a hold's deadline, journals its end, and publishes it."""
    bench = Bench().practice()
    bench.ask(p.hold("a"), ReadProvider(p.ANA))  # the window stands where now is
    wakeup = bench.shard.next_wakeup(bench.now)
    assert wakeup == bench.now + POLICY.hold_ms
    number = bench.shard.feed.number
    follow = bench.shard.limits.watched_ms
    bench.now = Millis(wakeup - follow)
    bench.ask(ReadSchedule(p.ANA, p.NINE, p.NINE))  # a gateway shows it
    bench.now = wakeup
    bench.ask()
    assert isinstance(bench.records[-1].event, HoldExpired)
    changes = bench.shard.feed.since(bench.epoch, number, 10_000).changes
    assert [change.slots[0].states for change in changes] == ["f"]
    assert bench.shard.next_wakeup(bench.now) is None


def test_a_newly_watched_calendar_stands_where_now_is() -> None:
    """A page of a position that is asked for never shows slots that have passed."""
    bench = Bench().practice()
    bench.ask(p.slots())
    bench.now = Millis(bench.now + bench.shard.limits.watched_ms + 1)
    bench.ask()
    assert not list(bench.shard.watched())
    bench.now = Millis(p.NINE * 60_000 + 1)
    (stands,) = bench.ask(ReadPositions((p.ANA,)))
    (view,) = bench.ask(p.slots())
    assert isinstance(stands, PositionsView)
    assert isinstance(view, SlotsView)
    assert stands.versions[p.ANA] == view.version
    assert view.starts[0] > p.NINE


def test_watched_windows_advance_at_cell_boundaries() -> None:
    """Slots pass for those who watch, without anyone asking; others sleep."""
    bench = Bench()
    bench.ask(*p.opened(), *p.opened(p.BEN))
    bench.ask(p.slots())
    bench.now = Millis((p.NINE - 60) * 60_000 - 1)
    bench.ask(p.slots())
    wakeup = bench.shard.next_wakeup(bench.now)
    assert wakeup == (p.NINE - 60) * 60_000 + 1
    before = len(bench.records)
    bench.now = Millis(wakeup + 5 * 60_000)
    bench.ask(p.slots())
    bench.now = Millis(bench.now + 30 * 60_000)
    bench.shard._watched[p.ANA] = bench.now
    bench.ask()
    moved = [record.event for record in bench.records[before:]]
    assert {type(event) for event in moved} == {WindowAdvanced}
    assert {event.provider_id for event in moved} == {p.ANA}


def test_window_ticks_go_in_bounded_slices() -> None:
    """Many watched calendars do not stop the shard at a cell boundary."""
    bench = Bench(ShardLimits(due_max=2))
    providers = [ProviderId(f"prv_{number}") for number in range(5)]
    for provider in providers:
        bench.ask(*p.opened(provider))
        bench.ask(p.slots(provider))
    bench.now = Millis(bench.now + 60 * 60_000)
    for provider in providers:
        bench.shard._watched[provider] = bench.now
    moved = []
    for _ in range(3):
        assert bench.shard.next_wakeup(bench.now) is not None
        before = len(bench.records)
        bench.ask()
        moved.append(len(bench.records) - before)
    assert moved == [2, 2, 1]


@pytest.mark.parametrize(
    ("pressure", "held", "booked"),
    [(0.89, True, True), (0.90, False, True), (0.97, False, False)],
)
def test_full_journal_refuses_holds_first_then_bookings(
    pressure: float, held: bool, booked: bool
) -> None:
    """Cancelling goes on, and retries of what was done are answered."""
    bench = Bench().practice()
    (old,) = bench.ask(p.book("old", 5))
    replies = bench.ask(
        p.hold("a"),
        p.book("b", 1),
        p.book("old", 5),
        p.cancel("old"),
        pressure=pressure,
    )
    assert isinstance(replies[0], HoldView) == held
    assert isinstance(replies[1], BookingView) == booked
    assert isinstance(replies[0], Trouble) != held
    assert replies[2] == old
    assert isinstance(replies[3], BookingView)
    assert replies[3].status is BookingStatus.CANCELLED


def test_reader_ahead_of_the_calendar_is_told_to_come_again() -> None:
    """A version that is not there yet is no answer."""
    bench = Bench().practice()
    (reply,) = bench.ask(p.slots().__class__(p.ANA, p.CONSULT, p.NINE, p.NINE, 99))
    assert isinstance(reply, Refusal)
    assert reply.code is RefusalCode.DEADLINE_PASSED


def test_questions_about_many_providers_leave_out_unknown_ones() -> None:
    """Soonest starts and positions name only calendars that exist."""
    bench = Bench().practice()
    both = (p.ANA, p.BEN)
    soonest, positions = bench.ask(ReadNextFree(both), ReadPositions(both))
    assert isinstance(soonest, NextFreeView)
    assert list(soonest.starts) == [p.ANA]
    assert isinstance(positions, PositionsView)
    assert positions.epoch == bench.epoch
    assert list(positions.versions) == [p.ANA]
    assert list(bench.shard.watched()) == [p.ANA]


def test_passivated_calendar_comes_back_from_its_snapshot() -> None:
    """An idle calendar leaves memory once stored; one with a live hold stays."""
    bench = Bench()
    bench.ask(*p.opened(), *p.opened(p.BEN), p.hold("a", provider=p.BEN))
    residents = bench.shard.residents
    later = Millis(bench.now + 1)
    assert residents.passivate(later, ()) == 0
    residents.begin_round(bench.shard.last_seq)
    chunk = residents.encoded(residents.next_chunk(10), bench.shard.last_seq)
    bench.stored.update(chunk)
    residents.saved(chunk)
    assert residents.passivate(later, [p.ANA]) == 0
    assert residents.passivate(later, ()) == 1
    assert bench.shard.missing([p.slots(), p.slots(p.BEN)]) == {p.ANA}
    (reply,) = bench.ask(*p.opened()[:1])
    assert isinstance(reply, Done)
    assert reply.version == 1


def test_change_during_a_save_keeps_the_calendar_dirty() -> None:
    """What changed after it was encoded is stored by the next round."""
    bench = Bench().practice()
    residents = bench.shard.residents
    residents.begin_round(bench.shard.last_seq)
    chunk = residents.encoded(residents.next_chunk(10), bench.shard.last_seq)
    bench.ask(p.book("a"))
    residents.saved(chunk)
    assert residents.unsaved == 1


def test_defect_in_one_request_is_no_defect_of_the_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that meets an error of ours is told so; its neighbours are answered."""

    def broken(self: object) -> None:
        raise ZeroDivisionError

    bench = Bench().practice()
    monkeypatch.setattr("actors.domain.calendar.views.provider", broken)
    trouble, view = bench.ask(ReadProvider(p.ANA), p.slots())
    assert isinstance(trouble, Trouble)
    assert isinstance(view, SlotsView)


def test_abandoned_memory_is_read_again() -> None:
    """What was decided but not made durable never happened."""
    bench = Bench().practice()
    bench.shard.begin([p.book("ghost")], bench.now)
    bench.shard.abandon()
    bench.open()
    (view,) = bench.ask(p.slots())
    assert states(view)[p.NINE] == "f"


def test_last_room_of_the_journal_is_for_what_people_ask() -> None:
    """Near the end the shard journals nothing of its own; due holds block no slot."""
    bench = Bench().practice()
    bench.ask(p.hold("a"), p.slots())
    bench.now = Millis(bench.now + POLICY.hold_ms)
    before = len(bench.records)
    bench.ask(p.slots(), pressure=0.98)
    bench.ask(pressure=0.98)
    assert len(bench.records) == before
    bench.ask()
    own = [type(record.event) for record in bench.records[before:]]
    assert own == [HoldExpired, WindowAdvanced]


def test_a_chunk_of_snapshots_ends_at_its_bytes_and_the_round_goes_on() -> None:
    """Large calendars are encoded one at a time, each of them once in a round."""
    bench = Bench().practice()
    bench.ask(*p.opened(p.BEN))
    residents, seq = bench.shard.residents, bench.shard.last_seq
    residents.begin_round(seq)
    first = residents.encoded(residents.next_chunk(32), seq, bytes_max=1)
    assert residents.round_position() is None
    second = residents.encoded(residents.next_chunk(32), seq, bytes_max=1)
    assert [*first, *second] == [p.ANA, p.BEN]
    assert residents.round_position() == seq
