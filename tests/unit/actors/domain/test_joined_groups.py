"""Members that are held for a time which their primary has kept without them.

An offer of the waiting list, an overbooked visit, several dates of a series.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.holding import groups
from actors.domain.calendar.snapshot import encode
from actors.domain.ids import (
    GroupId,
    HoldId,
    Millis,
    PatientId,
    ProviderId,
    VisitTypeId,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import NEEDS_MEMBERS, DebtKind, GroupState
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Group, Need, ResourceKind, Waiting
from tests import factories as f
from tests.factories import NOW, PROVIDER, a_calendar, at, play

ROOM, OTHER_ROOM = ProviderId("prv_room"), ProviderId("prv_other")
SCAN = VisitTypeId("scan")
G1, G2 = GroupId("g1"), GroupId("g2")
ANN, BEN = f.a_patient_id(1), f.a_patient_id(2)
HALF_HOUR_MS = 1_800_000


def opened() -> Calendar:
    """Consultations, and scans, which take a room; overbooked as often as three."""
    needs = (Need(ResourceKind.ROOM),)
    rules = f.an_availability(f.a_visit_type(), f.a_visit_type(SCAN, needs=needs))
    return a_calendar(replace(rules, lanes=3))


def group(name: GroupId = G1, *members: ProviderId) -> Group:
    return Group(name, PROVIDER, members or (ROOM,))


def done(calendar: Calendar, command: cm.Command) -> list[ev.Event]:
    outcome = play(calendar, command)
    assert isinstance(outcome, tuple), outcome
    return list(outcome)


def code(calendar: Calendar, command: cm.Command) -> str:
    outcome = play(calendar, command)
    return outcome.code.value if isinstance(outcome, Refusal) else ""


def scan(number: int, start: int = at(9), **changes: Any) -> cm.BookSlot:
    return f.book_slot(number, start, visit_type=SCAN, **changes)


def overbooked(number: int, **changes: Any) -> cm.BookSlot:
    given: dict[str, Any] = {"overbook": True, "by_staff": True, "reason": "acute"}
    return scan(number, **(given | changes))


def owed(calendar: Calendar) -> list[tuple[DebtKind, str, ProviderId]]:
    found = calendar.state.groups.owed.values()
    return [(d.kind, d.group_id, d.member) for debts in found for d in debts]


def abort(name: GroupId) -> cm.AbortGroup:
    return cm.AbortGroup(provider_id=PROVIDER, group_id=name)


def an_offer(
    calendar: Calendar, patient: PatientId = BEN, start: int = at(9)
) -> HoldId:
    """A scan that patient 4 gave up is offered."""
    waiting = Waiting((SCAN,), at(0), at(0, day=7), 8)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))
    done(calendar, scan(4, start, group=group(GroupId("old"))))
    events = done(calendar, f.cancel_booking(4))
    assert isinstance(events[0], ev.SlotReserved), events
    held = events[0].hold_id
    offer = cm.OfferHold(
        provider_id=PROVIDER,
        hold_id=held,
        patient_id=patient,
        until=Millis(NOW + HALF_HOUR_MS),
    )
    done(calendar, offer)
    calendar.state.groups.owed.clear()
    return held


def test_a_visit_is_overbooked_with_its_room() -> None:
    """Booked in the first lane, and owed to the room; not without one."""
    calendar = opened()
    done(calendar, scan(1, group=group(G1)))
    assert play(calendar, overbooked(2)) is NEEDS_MEMBERS
    (event,) = done(calendar, overbooked(2, group=group(G2, OTHER_ROOM)))
    assert isinstance(event, ev.SlotBooked)
    assert (event.lane, event.group, event.hold_id) == (1, group(G2, OTHER_ROOM), None)
    assert owed(calendar) == [
        (DebtKind.CONFIRM, G1, ROOM),
        (DebtKind.CONFIRM, G2, OTHER_ROOM),
    ]
    view = groups.view(calendar.state, G2)
    assert (view.state, view.booking_id) == (GroupState.BOOKED, event.booking_id)


@pytest.mark.parametrize("overbook", [False, True])
def test_a_group_that_is_over_is_not_booked(overbook: bool) -> None:
    """Its rooms were released: a late command finds the tombstone."""
    calendar = opened()
    done(calendar, scan(1, group=group(G1)))
    done(calendar, abort(G2))
    start = at(9) if overbook else at(10)
    assert code(calendar, overbooked(2, start=start, group=group(G2))) == "hold_expired"
    assert groups.view(calendar.state, G2).state is GroupState.OVER


def test_a_group_is_booked_once() -> None:
    """By another command too: it is told the visit."""
    calendar = opened()
    done(calendar, scan(1, group=group(G1)))
    again = scan(2, at(10), group=group(G1))
    outcome = play(calendar, again)
    assert isinstance(outcome, Refusal)
    assert (outcome.code.value, outcome.about) == ("hold_confirmed", f.a_booking_id(1))


def test_a_group_with_a_hold_is_booked_by_its_hold() -> None:
    """Else it would be booked by both."""
    calendar = opened()
    hold = f.place_hold(
        start=at(9), visit_type=SCAN, hold_id=hold_id(PROVIDER, G1), group=group(G1)
    )
    done(calendar, hold)
    assert code(calendar, scan(1, at(10), group=group(G1))) == "invalid_request"
    confirm = f.confirm_hold(1, hold_id=hold_id(PROVIDER, G1), owner=ANN)
    (event,) = done(calendar, confirm)
    assert isinstance(event, ev.SlotBooked)
    assert event.group == group(G1)


@pytest.mark.parametrize(
    "wrong",
    [
        Group(GroupId("no id"), PROVIDER, (ROOM,)),
        Group(G1, ROOM, (OTHER_ROOM,)),
        Group(G1, PROVIDER, ()),
        Group(G1, PROVIDER, (PROVIDER,)),
        Group(G1, PROVIDER, (ROOM, ROOM)),
    ],
)
def test_a_malformed_group_is_refused(wrong: Group) -> None:
    """A bad id, another primary, no members, itself, one of them twice."""
    assert code(opened(), scan(1, group=wrong)) == "invalid_request"


def test_an_offer_is_taken_with_its_room() -> None:
    """Kept without it, booked with it: the hold ends with the booking, which owes."""
    calendar = opened()
    held = an_offer(calendar)
    take = f.confirm_hold(5, hold_id=held, owner=BEN)
    assert play(calendar, take) is NEEDS_MEMBERS
    (event,) = done(calendar, replace(take, key="with", group=group(G1)))
    assert isinstance(event, ev.SlotBooked)
    assert (event.hold_id, event.group, event.patient_id) == (held, group(G1), BEN)
    assert owed(calendar) == [(DebtKind.CONFIRM, G1, ROOM)]
    assert held not in calendar.state.occupancy.holds


def test_an_offer_stands_although_its_group_is_over() -> None:
    """Another attempt may have another room."""
    calendar = opened()
    held = an_offer(calendar)
    done(calendar, abort(G1))
    take = f.confirm_hold(5, hold_id=held, owner=BEN, group=group(G1))
    assert code(calendar, take) == "hold_expired"
    done(calendar, replace(take, key="again", group=group(G2)))


def test_a_visit_moves_to_an_offer_with_another_room() -> None:
    """One event: what the old room is owed comes first, then the new one's."""
    calendar = opened()
    done(calendar, scan(1, at(15), group=group(GroupId("mine"))))
    held = an_offer(calendar, ANN)
    move = f.reschedule_booking(1, hold_id=held)
    assert play(calendar, move) is NEEDS_MEMBERS
    (event,) = done(calendar, replace(move, key="m", group=group(G1, OTHER_ROOM)))[-1:]
    assert isinstance(event, ev.BookingRescheduled)
    assert event.left is None
    assert owed(calendar) == [
        (DebtKind.CANCEL, "mine", ROOM),
        (DebtKind.CONFIRM, G1, OTHER_ROOM),
    ]


def test_a_visit_leaves_its_room_for_an_offer_that_takes_none() -> None:
    """The event says so, for those who read no calendar; then it has no group, and
    moves as any."""
    calendar = opened()
    done(calendar, scan(1, at(15), group=group(GroupId("mine"))))
    calendar.state.groups.owed.clear()
    waiting = Waiting((f.CONSULT,), at(0), at(0, day=7), 8)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))
    done(calendar, f.book_slot(4))
    held = done(calendar, f.cancel_booking(4))[0]
    assert isinstance(held, ev.SlotReserved)
    offer = cm.OfferHold(
        provider_id=PROVIDER,
        hold_id=held.hold_id,
        patient_id=ANN,
        until=Millis(NOW + HALF_HOUR_MS),
    )
    done(calendar, offer)
    moved = done(calendar, f.reschedule_booking(1, hold_id=held.hold_id))[-1]
    assert isinstance(moved, ev.BookingRescheduled)
    assert (moved.group, moved.left) == (None, group(GroupId("mine")))
    assert owed(calendar) == [(DebtKind.CANCEL, "mine", ROOM)]
    done(calendar, f.reschedule_booking(2, booking_id=f.a_booking_id(1), start=at(11)))


def test_dates_that_are_held_are_booked_by_one_command() -> None:
    """Each with its group; without one of the holds none is, and a gateway is told to
    hold."""
    calendar = opened()
    starts = (at(9), at(9, day=1))
    many = cm.BookMany(
        provider_id=PROVIDER,
        key="many",
        booking_ids=(f.a_booking_id(11), f.a_booking_id(12)),
        patient_id=ANN,
        visit_type=SCAN,
        starts=starts,
    )
    for name, start in zip((G1, G2), starts, strict=True):
        assert play(calendar, many) is NEEDS_MEMBERS
        hold = f.place_hold(
            start=start,
            visit_type=SCAN,
            hold_id=hold_id(PROVIDER, name),
            group=group(name),
            key=name,
        )
        done(calendar, hold)
    events = done(calendar, many)
    assert [getattr(one, "group", None) for one in events] == [group(G1), group(G2)]
    assert len(owed(calendar)) == 2


def test_a_room_that_is_free_again_keeps_a_slot_for_the_list() -> None:
    """As any that was freed: for the list alone, of what is waited for, and no more."""
    calendar = opened()
    reserve = cm.ReserveSlot(provider_id=PROVIDER, visit_type=SCAN, start=at(10))
    assert code(calendar, reserve) == "slot_not_offered"
    waiting = Waiting((SCAN,), at(0), at(0, day=1), 1)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))
    assert code(calendar, replace(reserve, visit_type=f.CONSULT)) == "slot_not_offered"
    assert code(calendar, replace(reserve, start=at(10, day=1))) == "slot_not_offered"
    done(calendar, f.book_slot(1, at(9)))
    assert code(calendar, replace(reserve, start=at(9))) == "slot_unavailable"
    (event,) = done(calendar, reserve)
    assert isinstance(event, ev.SlotReserved)
    assert event.booking_id is None
    assert code(calendar, scan(2, at(10), group=group(G1))) == "slot_unavailable"
    assert code(calendar, replace(reserve, start=at(11))) == "slot_unavailable"
    encode(calendar.state)


def test_a_near_slot_is_not_kept() -> None:
    """Nearer than the cut-off all may have it."""
    calendar = opened()
    waiting = Waiting((SCAN,), at(0), at(0, day=1), 1)
    done(calendar, cm.SetWaiting(provider_id=PROVIDER, waiting=waiting))
    reserve = cm.ReserveSlot(provider_id=PROVIDER, visit_type=SCAN, start=at(9))
    near = Millis(at(9) * 60_000 - calendar.state.policy.reserve_cutoff_ms + 1)
    outcome = play(calendar, reserve, near)
    assert isinstance(outcome, Refusal)
    assert outcome.code.value == "slot_unavailable"
