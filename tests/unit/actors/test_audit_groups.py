"""The audit of groups: visits and the rooms they take agree, or it names where not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.audit.groups import SETTLED_MS, AuditedGroups
from actors.domain.calendar.effects import apply
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    booking_id,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import BookingStatus, BookingView, HoldView
from actors.ports import Record
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import POLICY, Bench
from tests.unit.actors.test_shard_groups import (
    G1,
    G2,
    a_group,
    at_ana,
    at_ben,
    bench_with_both,
    call_off,
    pay,
    resolve,
)

VISIT, PART = booking_id(p.ANA, G1), booking_id(p.BEN, G1)
LONG_AFTER = 2 * SETTLED_MS
Calendars = dict[ProviderId, CalendarState]


def replayed(records: list[Record]) -> tuple[AuditedGroups, Calendars]:
    """The audit that followed all records, and the calendars after them."""
    groups, calendars = AuditedGroups(), Calendars()
    for record in records:
        provider = record.event.provider_id
        state = calendars.setdefault(provider, CalendarState(provider, POLICY))
        apply(state, record.event, record.epoch)
        groups.follow(record.event, state)
    return groups, calendars


def problems(
    records: list[Record],
    damage: Callable[[Calendars], object] = lambda _: None,
    later: int = 0,
) -> list[str]:
    """What the audit finds so long after the last record."""
    groups, calendars = replayed(records)
    damage(calendars)
    for state in calendars.values():
        groups.add(state, Millis(0))
    return list(groups.problems(Millis(records[-1].event.at + later)))


def settle(visit: BookingView, upto: int) -> cm.SettleGroup:
    booking = visit.booking_id
    return cm.SettleGroup(provider_id=p.ANA, booking_id=booking, settled=upto)


def a_settled_visit() -> Bench:
    """Booked at Ana, and at Ben, who is its member."""
    bench = bench_with_both()
    view = a_group(bench)
    bench.ask(pay(view.booking_id), settle(view, view.version))
    return bench


def a_whole_story() -> Bench:
    """A visit booked, paid, moved to another slot, and cancelled; a group given up."""
    bench = a_settled_visit()
    answers = bench.ask(
        at_ben(G2, 1, moving=PART),
        at_ana(G2, 1, moving=VISIT),
        cm.RescheduleBooking(
            provider_id=p.ANA,
            booking_id=VISIT,
            owner=PatientId("pat_1"),
            hold_id=hold_id(p.ANA, G2),
        ),
    )
    moved = answers[-1]
    assert isinstance(moved, BookingView), answers
    bench.ask(call_off(G1), pay(VISIT, G2), settle(moved, moved.version))
    cancel = cm.CancelBooking(
        provider_id=p.ANA, booking_id=VISIT, owner=None, key="cancel"
    )
    (cancelled,) = bench.ask(cancel)
    assert isinstance(cancelled, BookingView)
    bench.ask(call_off(G2), settle(cancelled, cancelled.version))
    return bench


def test_a_story_agrees_after_each_of_its_events() -> None:
    """Whatever is still owed, or held, while it is young; and long after its end."""
    records = a_whole_story().records
    opened = 4  # of both calendars
    for count in range(opened, len(records) + 1):
        assert problems(records[:count]) == [], count
    assert problems(records, later=LONG_AFTER) == []


def without_part(calendars: Calendars) -> None:
    occupancy = calendars[p.BEN].occupancy
    occupancy.remove_booking(occupancy.bookings[PART])


def part_elsewhere(calendars: Calendars) -> None:
    part = calendars[p.BEN].occupancy.bookings[PART]
    part.start = Minute(part.start + 30)


def part_of_another(calendars: Calendars) -> None:
    part = calendars[p.BEN].occupancy.bookings[PART]
    part.visit = booking_id(p.ANA, "other")


def part_cancelled(calendars: Calendars) -> None:
    part = calendars[p.BEN].occupancy.bookings[PART]
    part.status = BookingStatus.CANCELLED


def visit_cancelled(calendars: Calendars) -> None:
    visit = calendars[p.ANA].occupancy.bookings[VISIT]
    visit.status = BookingStatus.CANCELLED


def without_visit(calendars: Calendars) -> None:
    occupancy = calendars[p.ANA].occupancy
    occupancy.remove_booking(occupancy.bookings[VISIT])


def over(calendars: Calendars) -> None:
    groups = calendars[p.ANA].groups
    del groups.outcomes[G1]
    groups.over(G1, p.NOW)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_part, "prv_ben has no part of it"),
        (part_cancelled, "prv_ben has no part of it"),
        (part_elsewhere, "prv_ben has bkg_ana.g1 as bkg_ana.g1 at"),
        (part_of_another, "prv_ben has bkg_ana.g1 as bkg_ana.other"),
        (visit_cancelled, "prv_ben has a part of bkg_ana.g1, which does not take it"),
        (without_visit, "prv_ben has a part of bkg_ana.g1, which does not take it"),
        (over, "bkg_ana.g1 is booked with group g1, which is over"),
    ],
)
def test_each_damage_to_a_settled_visit_is_named(
    damage: Callable[[Calendars], object], says: str
) -> None:
    """A visit without its room, a room without its visit, and two that differ."""
    found = problems(a_settled_visit().records, damage)
    assert any(says in problem for problem in found), found


def debt_forgotten(calendars: Calendars) -> None:
    calendars[p.ANA].groups.owed.clear()


def hold_lost(calendars: Calendars) -> None:
    calendars[p.BEN].occupancy.end_hold(HoldId(hold_id(p.BEN, G1)), 99)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (debt_forgotten, "prv_ben has no part of it"),
        (hold_lost, "prv_ben holds nothing for it"),
    ],
)
def test_a_debt_that_cannot_be_paid_is_named(
    damage: Callable[[Calendars], object], says: str
) -> None:
    """A visit that is booked and not yet carried out needs its debt and its hold."""
    bench = bench_with_both()
    a_group(bench)
    assert problems(bench.records) == []
    found = problems(bench.records, damage)
    assert any(says in problem for problem in found), found


def test_what_is_owed_for_long_is_named() -> None:
    """Counted from the decision, also if a later one of the visit is young."""
    bench = bench_with_both()
    a_group(bench)
    assert problems(bench.records, later=SETTLED_MS) == []
    (problem,) = problems(bench.records, later=SETTLED_MS + 60_000)
    assert problem == "bkg_ana.g1 owes prv_ben its outcome for 11 min"
    bench.now = Millis(bench.now + LONG_AFTER)
    bench.ask(p.cancel("g1"))
    assert problems(bench.records) == ["bkg_ana.g1 owes prv_ben its outcome for 20 min"]


def test_time_held_for_a_group_that_is_over_is_named() -> None:
    """Long past its deadline; not while it may be under way, nor once it is freed."""
    bench = bench_with_both()
    bench.ask(at_ben())
    bench.now = Millis(bench.now + POLICY.hold_ms)
    bench.ask(resolve())
    assert problems(bench.records, later=SETTLED_MS) == []
    (problem,) = problems(bench.records, later=SETTLED_MS + 60_000)
    assert "prv_ben holds time for group g1 of prv_ana" in problem
    free = cm.ReleaseHold(
        provider_id=p.BEN, hold_id=hold_id(p.BEN, G1), owner=None, group=G1
    )
    bench.ask(free)
    assert problems(bench.records, later=LONG_AFTER) == []


def test_a_group_whose_patient_still_decides_is_none() -> None:
    """The primary holds: nothing is over, however long the member waits."""
    bench = bench_with_both()
    held = bench.ask(at_ben(), at_ana())
    assert all(isinstance(one, HoldView) for one in held)
    assert problems(bench.records, later=LONG_AFTER) == []


def test_a_debt_counts_from_where_the_journal_begins() -> None:
    """Of trimmed records nothing is known; the debt is at least as old as the rest."""
    bench = bench_with_both()
    a_group(bench)
    _, calendars = replayed(bench.records)
    groups = AuditedGroups()
    for state in calendars.values():
        groups.begin(state, p.NOW)
        groups.add(state, Millis(0))
    assert list(groups.problems(Millis(p.NOW + SETTLED_MS))) == []
    assert len(list(groups.problems(Millis(p.NOW + LONG_AFTER)))) == 1
