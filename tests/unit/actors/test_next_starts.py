"""Next starts of calendars: as a gateway asks for them, and as shards publish them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    VisitTypeId,
    booking_id,
    hold_id,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    HoldView,
    NextFreeView,
    NextStarts,
    SlotsView,
)
from actors.domain.messages.changes import CalendarChange
from actors.domain.messages.commands import (
    Command,
    ReleaseHold,
    RescheduleBooking,
    SetAvailability,
    SetWaiting,
)
from actors.domain.messages.reads import ReadNextFree
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Waiting
from actors.shard.shard import EACH_MAX
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import Bench

ASKED = ReadNextFree((p.ANA,), 4)


def _said(bench: Bench) -> NextFreeView:
    (view,) = bench.ask(ASKED)
    assert isinstance(view, NextFreeView)
    return view


def _free(bench: Bench) -> list[int]:
    """The free starts, as the page of slots shows them."""
    first, last = Minute(p.NOW // 60_000), Minute(p.NINE + 3 * 1440)
    (view,) = bench.ask(replace(p.slots(), first=first, last=last))
    assert isinstance(view, SlotsView)
    return [
        start
        for start, state in zip(view.starts, view.states, strict=True)
        if state == "f"
    ]


def _news(bench: Bench, since: int) -> list[CalendarChange]:
    return list(bench.shard.feed.since(bench.epoch, since, 1 << 20).changes)


def _starts(bench: Bench, since: int) -> list[NextStarts | None]:
    return [change.starts for change in _news(bench, since)]


def test_the_next_starts_are_the_first_free_slots() -> None:
    """Of each visit type, as many as were asked for, at a position."""
    bench = Bench().practice()
    bench.ask(replace(p.book("a"), start=_free(bench)[1]))
    view = _said(bench)
    assert list(view.next_starts[p.ANA][p.CONSULT]) == _free(bench)[:4]
    assert view.starts[p.ANA] == view.next_starts[p.ANA][p.CONSULT][0]
    version = bench.shard.residents.get(p.ANA)
    assert version is not None
    assert view.positions[p.ANA] == (bench.epoch, version.calendar.state.version)
    (many,) = bench.ask(replace(ASKED, each=1_000))
    assert isinstance(many, NextFreeView)
    assert len(many.next_starts[p.ANA][p.CONSULT]) == EACH_MAX


def test_who_does_not_want_them_is_not_sent_them() -> None:
    """An answer without them, and changes without them, as before."""
    bench = Bench().practice()
    (view,) = bench.ask(ReadNextFree((p.ANA,)))
    assert isinstance(view, NextFreeView)
    assert (view.next_starts, view.positions) == ({}, {})
    before = bench.shard.feed.number
    bench.ask(p.book("a"))
    assert _starts(bench, before) == [None]


def test_a_slot_that_is_reserved_at_once_is_not_published_as_free() -> None:
    """The waiting list has what a cancellation frees; given up, it is published."""
    bench = Bench().practice()
    bench.ask(replace(ASKED, each=EACH_MAX))
    ahead = p.NOW // 60_000 + 121
    near = next(start for start in _free(bench) if start >= ahead)
    first = Minute(near - near % 1440)
    waiting = Waiting((p.CONSULT,), first, Minute(first + 7 * 1440))
    bench.ask(SetWaiting(provider_id=p.ANA, waiting=waiting))
    bench.ask(replace(p.book("a"), start=near))
    begin = bench.shard.feed.number
    bench.ask(p.cancel("a"))
    (freed,) = _starts(bench, begin)
    assert freed is None or near not in freed[p.CONSULT]
    assert near not in _free(bench)
    ((_, reserve),) = _reserves(bench)
    begin = bench.shard.feed.number
    bench.ask(ReleaseHold(provider_id=p.ANA, hold_id=reserve, owner=None))
    (freed,) = _starts(bench, begin)
    assert freed is not None
    assert near in freed[p.CONSULT]


def _reserves(bench: Bench) -> list[tuple[int, HoldId]]:
    resident = bench.shard.residents.get(p.ANA)
    assert resident is not None
    holds = resident.calendar.state.occupancy.holds.values()
    return [(one.start, one.hold_id) for one in holds if one.reserved]


def test_what_may_make_a_start_sooner_is_published_and_nothing_else() -> None:
    """A cancellation and a hold's end; no booking, whose times stay lower bounds."""
    bench = Bench().practice()
    _said(bench)
    near, begin = _free(bench)[0], bench.shard.feed.number
    bench.ask(replace(p.book("a"), start=near))
    bench.ask(replace(p.hold("b", patient="pat_2"), start=_free(bench)[0]))
    assert _starts(bench, begin) == [None, None]
    end = bench.shard.feed.number
    bench.ask(p.cancel("a"))
    (freed,) = _starts(bench, end)
    assert freed is not None
    assert list(freed[p.CONSULT]) == _free(bench)[:4]
    assert freed[p.CONSULT][0] == near
    end = bench.shard.feed.number
    bench.ask(p.confirm("b"))
    (same,) = _starts(bench, end)
    assert same is None


def test_a_booking_over_a_longer_hold_of_ones_own_frees_what_is_left() -> None:
    """The hold of an hour ends with the booking of its second half."""
    bench = Bench().practice()
    long = VisitTypeId("long")
    (hours,) = (one for one in p.opened() if isinstance(one, SetAvailability))
    kinds = hours.availability.visit_types
    longer = replace(kinds[0], visit_type=long, minutes=60)
    rules = replace(hours.availability, visit_types=(*kinds, longer))
    bench.ask(replace(hours, key="longer", availability=rules))
    near = _free(bench)[0]
    bench.ask(replace(p.hold("a"), start=near, visit_type=long))
    _said(bench)
    begin = bench.shard.feed.number
    (reply,) = bench.ask(replace(p.book("b"), start=Minute(near + 30)))
    assert isinstance(reply, BookingView)
    (freed,) = _starts(bench, begin)
    assert freed is not None
    assert freed[p.CONSULT][0] == near == _free(bench)[0]


def test_what_is_freed_again_is_said_again() -> None:
    """A gateway may have asked between the two, and knows a later start."""
    bench = Bench().practice()
    _said(bench)
    near = _free(bench)[0]
    freed = []
    for token in "ab":
        bench.ask(replace(p.book(token), start=near))
        _said(bench)
        end = bench.shard.feed.number
        bench.ask(p.cancel(token))
        freed.append(_starts(bench, end)[0])
    assert freed[0] == freed[1] is not None


def test_what_a_follower_knows_is_a_lower_bound_after_every_command() -> None:
    """Whatever is asked, and whenever the follower asks itself; holds run out, too."""
    bench = Bench().practice()
    offered, draw = _free(bench), Random(7)
    known = _said(bench).next_starts[p.ANA][p.CONSULT]
    cursor = bench.shard.feed.number
    done = sooner = 0
    held, booked = [hold_id(p.ANA, "-")], [booking_id(p.ANA, "-")]
    for number in range(600):
        bench.now = Millis(bench.now + draw.choice((0, 1_000, 60_000)))
        (reply,) = bench.ask(_any_command(draw, str(number), offered, held, booked))
        done += not isinstance(reply, Refusal)
        if isinstance(reply, HoldView):
            held.append(reply.hold_id)
        elif isinstance(reply, BookingView) and reply.status is BookingStatus.BOOKED:
            booked.append(reply.booking_id)
        for change in _news(bench, cursor):
            if change.starts is not None:
                sooner += change.starts[p.CONSULT][0] < known[0]
                known = change.starts[p.CONSULT]
        cursor = bench.shard.feed.number
        if draw.random() < 0.1:
            known = _said(bench).next_starts[p.ANA][p.CONSULT]
        first = Minute(bench.now // 60_000)
        possible = [start for start in known if start >= first]
        assert not possible or possible[0] <= _free(bench)[0]
    assert done > 80
    assert sooner > 10


def _any_command(
    draw: Random,
    token: str,
    offered: list[int],
    held: list[HoldId],
    booked: list[BookingId],
) -> Command:
    """A hold, a booking, or the end or the move of a recent one."""
    start = Minute(draw.choice(offered[:12]))
    patient = f"pat_{draw.randrange(40)}"
    hold, booking = draw.choice(held[-4:]), draw.choice(booked[-8:])
    kinds: tuple[Callable[[], Command], ...] = (
        lambda: replace(p.hold(token, patient=patient), start=start),
        lambda: replace(p.book(token, patient=patient), start=start),
        lambda: replace(
            p.confirm(token), hold_id=hold, booking_id=booking_id(p.ANA, token)
        ),
        lambda: replace(p.cancel(token), booking_id=booking),
        lambda: ReleaseHold(
            provider_id=p.ANA,
            key=f"r-{token}",
            hold_id=hold,
            owner=None,
        ),
        lambda: RescheduleBooking(
            provider_id=p.ANA,
            key=f"m-{token}",
            booking_id=booking,
            start=start,
            owner=None,
        ),
    )
    return draw.choice(kinds)()


def test_a_new_owner_publishes_once_it_was_asked() -> None:
    """A gateway that followed the former owner sees a gap and asks again."""
    bench = Bench().practice()
    _said(bench)
    bench.open()
    bench.ask(p.book("a"))
    assert _starts(bench, 0) == [None]
    _said(bench)
    before = bench.shard.feed.number
    bench.ask(p.cancel("a"))
    assert _starts(bench, before)[0] is not None
