"""Several calendars booked as one: all or none, whatever dies in between.

One file because every promise is about the same steps of one protocol.
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.calendar import views
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import holds_of
from actors.domain.calendar.effects import apply
from actors.domain.calendar.holding import groups
from actors.domain.calendar.snapshot import encode, encode_for_new_shard
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    GroupId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    booking_id,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import (
    BookingStatus,
    DebtKind,
    GroupState,
    HoldView,
    SlotsView,
)
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Group, Policy
from tests import factories as f
from tests.factories import CONSULT, NOW, PROVIDER, at, play

ANN, BEN = f.a_patient_id(1), f.a_patient_id(2)
ROOM, SCANNER = ProviderId("prv_room"), ProviderId("prv_scanner")
G1, G2, G3 = GroupId("g1"), GroupId("g2"), GroupId("g3")
HOLD_MS = Policy().hold_ms
DAY_MS = 24 * 3_600_000


def opened(provider: ProviderId, policy: Policy | None = None) -> Calendar:
    calendar = Calendar(CalendarState(provider, policy or Policy()))
    for command in (
        f.register(provider_id=provider),
        f.set_availability(provider_id=provider),
        cm.AdvanceWindow(provider_id=provider),
    ):
        done(calendar, command)
    return calendar


def done(calendar: Calendar, command: cm.Command, now: int = NOW) -> list[ev.Event]:
    outcome = play(calendar, command, Millis(now))
    assert isinstance(outcome, tuple), outcome
    return list(outcome)


def code(calendar: Calendar, command: cm.Command, now: int = NOW) -> str:
    """How it was refused, which is journaled as a shard does; "" if it was done."""
    outcome = play(calendar, command, Millis(now))
    if not isinstance(outcome, Refusal):
        return ""
    if command.key:
        event = calendar.refused(command, outcome, Millis(now))
        apply(calendar.state, event, 1)
    return outcome.code.value


def member_hold(
    member: ProviderId, name: GroupId = G1, start: int = at(9), **changes: Any
) -> cm.PlaceHold:
    given: dict[str, Any] = {
        "provider_id": member,
        "key": f"hold-{name}",
        "hold_id": hold_id(member, name),
        "patient_id": PatientId(""),
        "group": Group(name, PROVIDER),
    }
    return f.place_hold(start=start, **(given | changes))


def primary_hold(
    name: GroupId = G1,
    start: int = at(9),
    members: tuple[ProviderId, ...] = (SCANNER, ROOM),
    **changes: Any,
) -> cm.PlaceHold:
    given: dict[str, Any] = {
        "key": f"hold-{name}",
        "hold_id": hold_id(PROVIDER, name),
        "patient_id": ANN,
        "group": Group(name, PROVIDER, members),
    }
    return f.place_hold(start=start, **(given | changes))


def commit(group: GroupId = G1) -> cm.ConfirmHold:
    given: dict[str, Any] = {"owner": ANN, "key": f"confirm-{group}"}
    return f.confirm_hold(hold_id=hold_id(PROVIDER, group), **given)


def pay(member: ProviderId, name: GroupId = G1, **changes: Any) -> cm.ConfirmHold:
    given: dict[str, Any] = {
        "provider_id": member,
        "key": "",
        "hold_id": hold_id(member, name),
        "booking_id": booking_id(member, name),
        "visit": f.a_booking_id(1),
    }
    return f.confirm_hold(**(given | changes))


def call_off(member: ProviderId, name: GroupId = G1, **changes: Any) -> Any:
    given: dict[str, Any] = {"provider_id": member, "key": "", "group": name}
    given |= {"booking_id": booking_id(member, name)}
    return f.cancel_booking(**(given | changes))


def let_go(member: ProviderId, name: GroupId = G1, **changes: Any) -> cm.ReleaseHold:
    given: dict[str, Any] = {"provider_id": member, "key": "", "group": name}
    given |= {"hold_id": hold_id(member, name)}
    return f.release_hold(**(given | changes))


def abort(group: GroupId = G1) -> cm.AbortGroup:
    return cm.AbortGroup(provider_id=PROVIDER, group_id=group)


def resolve(group: GroupId = G1) -> cm.ResolveGroup:
    return cm.ResolveGroup(provider_id=PROVIDER, group_id=group)


def settle(settled: int) -> cm.SettleGroup:
    return cm.SettleGroup(
        provider_id=PROVIDER, booking_id=f.a_booking_id(1), settled=settled
    )


def state_at(calendar: Calendar, start: int = at(9)) -> str:
    view = views.slots(calendar.state, CONSULT, Minute(start), Minute(start + 1))
    assert isinstance(view, SlotsView)
    return view.states


def stands(calendar: Calendar, group: GroupId = G1) -> GroupState:
    return groups.view(calendar.state, group).state


def debts(calendar: Calendar) -> list[tuple[ProviderId, GroupId, DebtKind]]:
    return [
        (debt.member, debt.group_id, debt.kind)
        for owed in calendar.state.groups.owed.values()
        for debt in owed
    ]


def a_booked_group() -> tuple[Calendar, Calendar]:
    """The primary and a room, booked and settled."""
    primary, room = opened(PROVIDER), opened(ROOM)
    done(room, member_hold(ROOM))
    done(primary, primary_hold(members=(ROOM,)))
    done(primary, commit())
    done(room, pay(ROOM))
    done(primary, settle(primary.state.version))
    return primary, room


# --- held: members do not let go ---


def test_a_members_hold_blocks_past_its_deadline() -> None:
    """Only the primary's outcome ends it: no clock of a member frees a slot."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    for late in (HOLD_MS - 1, HOLD_MS, HOLD_MS + 1, 60 * 60_000):
        rival = f.place_hold(2, at(9), provider_id=ROOM, by_staff=True, key="")
        assert code(room, rival, NOW + late) == "slot_unavailable"
        assert state_at(room) == "h"


def test_at_its_deadline_a_members_hold_is_doubtful_once() -> None:
    """The event says so; then nothing is due, and the slot is held as before."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    assert not room.state.groups.are_open
    assert done(room, cm.ExpireHolds(provider_id=ROOM), NOW + HOLD_MS - 1) == []
    (doubted,) = done(room, cm.ExpireHolds(provider_id=ROOM), NOW + HOLD_MS)
    assert isinstance(doubted, ev.HoldDoubted)
    assert doubted.group == Group(G1, PROVIDER)
    assert state_at(room) == "h"
    assert room.state.occupancy.next_expiry() is None
    assert done(room, cm.ExpireHolds(provider_id=ROOM), NOW + DAY_MS) == []
    found = groups.unsettled(room.state)
    assert [doubt.hold_id for doubt in found.doubts] == [hold_id(ROOM, G1)]
    assert groups.changed(room.state, [doubted])[0] == list(found.doubts)


@pytest.mark.parametrize("group", [None, GroupId("other")])
def test_a_members_hold_is_released_for_its_group_alone(group: Any) -> None:
    """Neither staff nor a patient nor another group ends it."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    assert code(room, let_go(ROOM, group=group)) == "hold_not_found"
    assert code(room, let_go(ROOM, group=group, owner=ANN)) == "hold_not_found"
    assert state_at(room) == "h"
    done(room, let_go(ROOM))
    assert state_at(room) == "f"
    assert code(room, let_go(ROOM)) == "hold_not_found"


def test_a_members_hold_is_no_patients() -> None:
    """It is not told, counted, extended, booked over or confirmed as one."""
    room = opened(ROOM)
    placed = done(room, member_hold(ROOM))
    assert holds_of(room.state, placed) == ([], [])
    assert code(room, f.extend_hold(provider_id=ROOM, hold_id=hold_id(ROOM, G1)))
    plain = f.confirm_hold(provider_id=ROOM, hold_id=hold_id(ROOM, G1))
    assert code(room, plain) == "hold_not_found"
    for patient in (ANN, PatientId("")):
        command = f.book_slot(provider_id=ROOM, patient_id=patient, key="")
        assert code(room, command) == "slot_unavailable"
    for number in range(2, 8):
        group = GroupId(f"g{number}")
        done(room, member_hold(ROOM, group, at(9 + number)))
    assert room.state.occupancy.renewals.entries == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"hold_id": HoldId("hld_1.other")},
        {"patient_id": PatientId("")},
        {"group": Group(G1, PROVIDER)},
        {"group": Group(G1, PROVIDER, (ROOM, ROOM))},
        {"group": Group(G1, PROVIDER, (PROVIDER,))},
        {"group": Group(GroupId("a b"), PROVIDER, (ROOM,))},
        {
            "group": Group(
                G1, PROVIDER, tuple(ProviderId(f"prv_{n}") for n in range(10, 19))
            )
        },
    ],
)
def test_a_malformed_group_is_refused(changes: dict[str, Any]) -> None:
    """Ids follow from the group's; its members are few, and others."""
    primary = opened(PROVIDER)
    assert code(primary, primary_hold(**changes)) == "invalid_request"
    assert code(opened(ROOM), member_hold(ROOM, patient_id=ANN)) == "invalid_request"


# --- booked: the primary commits, and owes ---


def test_the_primarys_booking_decides_for_all() -> None:
    """One event; the members are owed it until it is said to be paid."""
    primary, room, scanner = opened(PROVIDER), opened(ROOM), opened(SCANNER)
    done(scanner, member_hold(SCANNER))
    done(room, member_hold(ROOM))
    done(primary, primary_hold())
    assert stands(primary) is GroupState.PENDING
    (booked,) = done(primary, commit())
    assert isinstance(booked, ev.SlotBooked)
    assert booked.group == Group(G1, PROVIDER, (SCANNER, ROOM))
    assert stands(primary) is GroupState.BOOKED
    assert debts(primary) == [
        (SCANNER, G1, DebtKind.CONFIRM),
        (ROOM, G1, DebtKind.CONFIRM),
    ]
    late = NOW + 10 * HOLD_MS
    for member, calendar in ((SCANNER, scanner), (ROOM, room)):
        (part,) = done(calendar, pay(member), late)[-1:]
        assert isinstance(part, ev.SlotBooked)
        assert (part.visit, part.patient_id) == (f.a_booking_id(1), "")
        assert code(calendar, pay(member), late) == "hold_confirmed"
        assert state_at(calendar) == "b"
        assert not calendar.state.groups.are_open
    done(primary, settle(booked.version))
    assert debts(primary) == []
    assert done(primary, settle(booked.version)) == []
    assert stands(primary) is GroupState.BOOKED


def test_what_is_owed_is_said_to_those_who_follow() -> None:
    """The feed names a booking's debts when they arise."""
    primary = opened(PROVIDER)
    done(primary, primary_hold())
    booked = done(primary, commit())
    _, (owed,) = groups.changed(primary.state, booked)
    assert owed.booking_id == f.a_booking_id(1)
    assert [debt.member for debt in owed.debts] == [SCANNER, ROOM]
    assert groups.unsettled(primary.state).owed == (owed,)


def test_a_member_pays_although_it_closed_meanwhile() -> None:
    """What the primary has booked is booked: leave and rules only mark it."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    done(room, f.add_time_off(provider_id=ROOM))
    done(room, pay(ROOM), NOW + DAY_MS)
    (booking,) = room.state.occupancy.bookings.values()
    assert (booking.status, booking.stranded) == (BookingStatus.BOOKED, "leave")


def test_only_the_groups_visit_is_paid() -> None:
    """A member's hold is booked for a visit of its primary, under the group's id."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    other = booking_id(ProviderId("prv_2"), "t1")
    wrong: list[dict[str, Any]] = [{"visit": other}]
    wrong.append({"booking_id": booking_id(ROOM, "t9")})
    for changes in wrong:
        assert code(room, pay(ROOM, **changes)) == "invalid_request"
    assert code(room, pay(ROOM, G2)) == "hold_not_found"


def test_a_members_part_is_changed_by_its_visit_alone() -> None:
    """Staff cannot cancel, move, or record an outcome of a room by itself."""
    _, room = a_booked_group()
    name = booking_id(ROOM, G1)
    given: dict[str, Any] = {"provider_id": ROOM, "booking_id": name, "key": ""}
    later = at(10)
    for command in (
        f.cancel_booking(**given),
        f.reschedule_booking(start=at(11), **given),
        f.check_in(**given),
        f.complete_visit(**given),
        f.complete_visit(without_check_in=True, **given),
        f.mark_no_show(**given),
        cm.SetConfidential(owner=None, confidential=True, **given),
    ):
        assert code(room, command, later * 60_000) == "wrong_status", command
    assert code(room, call_off(ROOM, G2)) == "booking_not_found"
    assert code(room, f.cancel_booking(owner=ANN, **given)) == "booking_not_found"


# --- over: a tombstone before a release ---


def refused_hold(primary: Calendar) -> None:
    done(primary, f.book_slot(2, at(9)))
    assert code(primary, primary_hold()) == "slot_unavailable"


def released_hold(primary: Calendar) -> None:
    done(primary, primary_hold())
    done(primary, f.release_hold(hold_id=hold_id(PROVIDER, G1), owner=ANN))


def expired_hold(primary: Calendar) -> None:
    done(primary, primary_hold())
    done(primary, f.expire_holds(), NOW + HOLD_MS)


def aborted(primary: Calendar) -> None:
    (event,) = done(primary, abort())
    assert isinstance(event, ev.GroupAborted)


def aborted_hold(primary: Calendar) -> None:
    done(primary, primary_hold())
    (event,) = done(primary, abort())
    assert isinstance(event, ev.HoldReleased)
    assert state_at(primary) == "f"


def resolved(primary: Calendar) -> None:
    (event,) = done(primary, resolve())
    assert isinstance(event, ev.GroupAborted)


def resolved_when_due(primary: Calendar) -> None:
    done(primary, primary_hold())
    (event,) = done(primary, resolve(), NOW + HOLD_MS)
    assert isinstance(event, ev.HoldExpired)


def used_for_another(primary: Calendar) -> None:
    """The patient books a slot that only this hold stands in the way of."""
    done(primary, primary_hold())
    other = f.a_visit_type("long", minutes=60)
    rules = f.an_availability(f.a_visit_type(), other)
    done(primary, f.set_availability(rules, 2))
    done(primary, f.book_slot(1, at(9), visit_type=other.visit_type))


@pytest.mark.parametrize(
    "end",
    [
        refused_hold,
        released_hold,
        expired_hold,
        aborted,
        aborted_hold,
        resolved,
        resolved_when_due,
        used_for_another,
    ],
)
def test_what_is_over_stays_over(end: Any) -> None:
    """The tombstone is in events and snapshot; no late or second call revives it."""
    primary = opened(PROVIDER)
    end(primary)
    for calendar in (primary, f.restored(primary)):
        assert stands(calendar) is GroupState.OVER
        assert debts(calendar) == []
        late = primary_hold(key="", start=at(11))
        assert code(calendar, late, NOW + HOLD_MS) in (
            "hold_expired",
            "invalid_request",
        )
        assert done(calendar, resolve(), NOW + HOLD_MS) == []
        assert done(calendar, abort(), NOW + HOLD_MS) == []
        assert code(calendar, commit(), NOW + HOLD_MS) != ""


def test_what_is_held_is_pending_and_what_is_booked_is_not_aborted() -> None:
    """Resolving spares a live hold; aborting comes too late for a booking."""
    primary = opened(PROVIDER)
    done(primary, primary_hold())
    assert done(primary, resolve(), NOW + HOLD_MS - 1) == []
    found = groups.view(primary.state, G1)
    assert (found.state, found.expires) == (GroupState.PENDING, NOW + HOLD_MS)
    done(primary, commit())
    assert done(primary, abort()) == []
    assert stands(primary) is GroupState.BOOKED
    assert code(primary, primary_hold(key="again")) == "hold_confirmed"


def test_a_calendar_that_was_not_chosen_is_told_that_it_is_over() -> None:
    """Two attempts of one group may hold different rooms: the primary's are booked."""
    primary = opened(PROVIDER)
    done(primary, primary_hold(members=(ROOM,)))
    done(primary, commit())
    assert groups.view(primary.state, G1).members == (ROOM,)
    assert groups.view(primary.state, G1, ROOM).state is GroupState.BOOKED
    assert groups.view(primary.state, G1, SCANNER).state is GroupState.OVER
    done(primary, primary_hold(G2, at(11), (SCANNER,), moving=f.a_booking_id(1)))
    assert groups.view(primary.state, G2, ROOM).state is GroupState.PENDING
    move = f.reschedule_booking(1, hold_id=hold_id(PROVIDER, G2), owner=ANN)
    done(primary, move)
    assert groups.view(primary.state, G1, ROOM).state is GroupState.BOOKED
    assert groups.view(primary.state, G2, ROOM).state is GroupState.OVER


def test_a_refusal_of_a_second_hold_does_not_end_the_first() -> None:
    """Only what is neither held nor decided is decided against by a refusal."""
    primary = opened(PROVIDER)
    done(primary, primary_hold())
    assert code(primary, primary_hold(key="again")) == "invalid_request"
    assert stands(primary) is GroupState.PENDING
    done(primary, commit())


def test_a_member_does_not_decide() -> None:
    """Asked for the primary's word, a member that holds refuses."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    for kind in (cm.AbortGroup, cm.ResolveGroup):
        command = kind(provider_id=ROOM, group_id=G1)
        assert code(room, command) == "invalid_request"
    bad = cm.ResolveGroup(provider_id=PROVIDER, group_id=GroupId("a b"))
    assert code(opened(PROVIDER), bad) == "invalid_request"


def test_a_tombstone_outlasts_every_command_and_its_key() -> None:
    """Longer than a deadline can lie ahead and a key is kept; then it is forgotten."""
    primary = opened(PROVIDER)
    done(primary, abort())
    outlasts = NOW + DAY_MS // 2 + DAY_MS
    done(primary, abort(G2), outlasts)
    assert set(primary.state.groups.outcomes) == {G1, G2}
    done(primary, abort(G3), NOW + 3 * DAY_MS)
    assert set(primary.state.groups.outcomes) == {G2, G3}


def test_an_outcome_is_kept_while_anything_is_owed() -> None:
    """A member's shard may be away for days; afterwards the booking answers."""
    primary = opened(PROVIDER)
    done(primary, primary_hold(members=(ROOM,)))
    done(primary, commit())
    done(primary, abort(G2), NOW + 5 * DAY_MS)
    assert G1 in primary.state.groups.outcomes
    done(primary, settle(primary.state.version), NOW + 5 * DAY_MS)
    done(primary, abort(G3), NOW + 6 * DAY_MS)
    assert G1 not in primary.state.groups.outcomes
    assert stands(primary) is GroupState.BOOKED
    assert done(primary, resolve(), NOW + 6 * DAY_MS) == []


# --- cancelled and moved: decided at the primary, then owed ---


def test_a_cancelled_visit_is_owed_to_its_members() -> None:
    """What was not paid before is paid first; a repetition changes nothing."""
    primary, room = a_booked_group()
    (cancelled,) = done(primary, f.cancel_booking(1, owner=ANN))
    assert isinstance(cancelled, ev.BookingCancelled)
    assert cancelled.group == Group(G1, PROVIDER, (ROOM,))
    assert debts(primary) == [(ROOM, G1, DebtKind.CANCEL)]
    done(room, call_off(ROOM))
    assert state_at(room) == "f"
    assert code(room, call_off(ROOM)) == "wrong_status"
    assert code(room, pay(ROOM)) == "hold_confirmed"
    done(primary, settle(cancelled.version))
    assert debts(primary) == []


def test_debts_are_paid_in_their_order_and_settled_as_far_as_known() -> None:
    """A settlement by what was known before leaves what came since."""
    primary = opened(PROVIDER)
    done(primary, primary_hold(members=(ROOM,)))
    (booked,) = done(primary, commit())
    done(primary, f.cancel_booking(1))
    assert [kind for *_, kind in debts(primary)] == [DebtKind.CONFIRM, DebtKind.CANCEL]
    done(primary, settle(booked.version))
    assert debts(primary) == [(ROOM, G1, DebtKind.CANCEL)]


def test_a_visit_moves_to_the_hold_of_another_group() -> None:
    """The members before are owed the end of their part, those now their own."""
    primary, room = a_booked_group()
    done(room, member_hold(ROOM, G2, at(9, 30)))
    done(primary, primary_hold(G2, at(9, 30), (ROOM,), moving=f.a_booking_id(1)))
    move = f.reschedule_booking(1, hold_id=hold_id(PROVIDER, G2), owner=ANN)
    (moved,) = done(primary, move)
    assert isinstance(moved, ev.BookingRescheduled)
    assert debts(primary) == [
        (ROOM, G1, DebtKind.CANCEL),
        (ROOM, G2, DebtKind.CONFIRM),
    ]
    for group in (G1, G2):
        assert groups.view(primary.state, group).booking_id == f.a_booking_id(1)
    done(room, call_off(ROOM, G1))
    done(room, pay(ROOM, G2))
    assert (state_at(room, at(9)), state_at(room, at(9, 30))) == ("f", "b")
    done(primary, settle(moved.version))
    assert not primary.state.groups.are_open


def test_a_member_moves_to_a_time_that_its_part_meets() -> None:
    """The new hold may share the old part's time; that is cancelled first."""
    rules = f.an_availability(f.a_visit_type(minutes=60))
    primary, room = a_booked_group()
    room = opened(ROOM)
    done(room, f.set_availability(rules, 2, provider_id=ROOM))
    done(room, member_hold(ROOM, G1, at(9)))
    done(room, pay(ROOM, G1))
    before = booking_id(ROOM, G1)
    assert code(room, member_hold(ROOM, G3, at(9, 30))) == "slot_unavailable"
    done(room, member_hold(ROOM, G2, at(9, 30), moving=before))
    assert code(room, pay(ROOM, G2)) == "slot_unavailable"
    done(room, call_off(ROOM, G1))
    assert state_at(room, at(9)) == "h"
    done(room, pay(ROOM, G2))
    assert state_at(room, at(9, 30)) == "b"
    assert primary.state.version


def test_a_member_is_not_moved_from_another_visits_part() -> None:
    """``moving`` names a booked part here, not any booking, nor one given up."""
    primary, room = a_booked_group()
    done(room, call_off(ROOM, G1))
    moving = booking_id(ROOM, G1)
    command = member_hold(ROOM, G2, at(9, 30), moving=moving)
    assert code(room, command) == "wrong_status"
    done(room, f.book_slot(3, at(12), provider_id=ROOM))
    other = member_hold(ROOM, G3, at(12), moving=f.a_booking_id(3), key="")
    assert code(room, other) == "booking_not_found"
    assert primary.state.groups.are_open is False


def test_a_visit_with_members_does_not_move_without_them() -> None:
    """Neither to a start nor to a plain hold."""
    primary, _ = a_booked_group()
    assert code(primary, f.reschedule_booking(1, start=at(11))) == "wrong_status"
    hold = f.place_hold(1, at(11), moving=f.a_booking_id(1))
    done(primary, hold)
    move = f.reschedule_booking(2, booking_id=f.a_booking_id(1), hold_id=hold.hold_id)
    assert code(primary, move) == "wrong_status"


def test_a_late_hold_of_a_settled_group_is_refused_by_its_member() -> None:
    """A call that was executed after all else leaves no orphan."""
    _, room = a_booked_group()
    assert code(room, member_hold(ROOM, key="", start=at(11))) == "hold_confirmed"
    done(room, call_off(ROOM))
    assert code(room, member_hold(ROOM, key="", start=at(11))) == "hold_confirmed"


# --- at rest ---


def test_groups_are_in_the_snapshot() -> None:
    """Outcomes, debts and doubts are as before in another process or shard."""
    primary, room = opened(PROVIDER), opened(ROOM)
    done(room, member_hold(ROOM))
    done(room, member_hold(ROOM, G2, at(10)))
    done(room, cm.ExpireHolds(provider_id=ROOM), NOW + HOLD_MS)
    done(room, member_hold(ROOM, G3, at(11)), NOW + HOLD_MS)
    done(primary, primary_hold(members=(ROOM,)))
    done(primary, commit())
    done(primary, abort(G2))
    for calendar in (primary, room):
        again = f.restored(calendar)
        assert encode(again.state) == encode(calendar.state)
        assert groups.unsettled(again.state) == groups.unsettled(calendar.state)
        assert again.state.groups.outcomes == calendar.state.groups.outcomes
        due = calendar.state.occupancy.next_expiry()
        assert again.state.occupancy.next_expiry() == due
        left = ev.CalendarMovedOut(
            provider_id=calendar.state.provider_id,
            at=NOW,
            version=calendar.state.version,
            to_shard=ShardId("s-2"),
            seq=9,
        )
        apply(calendar.state, left, 1)
        came = ev.CalendarMovedIn(
            provider_id=calendar.state.provider_id,
            at=NOW,
            version=calendar.state.version,
            from_shard=ShardId("s-1"),
            from_epoch=1,
            from_seq=9,
            state=encode_for_new_shard(calendar.state),
        )
        there = Calendar(CalendarState(calendar.state.provider_id, Policy()))
        apply(there.state, came, 2)
        assert (
            groups.unsettled(there.state).doubts == groups.unsettled(again.state).doubts
        )
        assert there.state.groups.owed == again.state.groups.owed
        assert there.state.groups.outcomes == again.state.groups.outcomes


def test_a_snapshot_without_groups_has_none() -> None:
    """A calendar that was never part of one stores nothing of them."""
    calendar = opened(PROVIDER)
    done(calendar, f.book_slot(1))
    assert calendar.state.kept().groups is None


def test_a_doubtful_hold_is_shown_with_its_deadline() -> None:
    """Staff who read it are told when it was over, not the end of time."""
    room = opened(ROOM)
    done(room, member_hold(ROOM))
    done(room, cm.ExpireHolds(provider_id=ROOM), NOW + HOLD_MS)
    found = views.hold(room.state, hold_id(ROOM, G1))
    assert isinstance(found, HoldView)
    assert found.expires == NOW + HOLD_MS
    assert found.group == Group(G1, PROVIDER)
    assert isinstance(views.hold(room.state, hold_id(ROOM, G1), BEN), Refusal)
    assert BookingId("") not in room.state.occupancy.bookings
