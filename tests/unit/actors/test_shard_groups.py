"""A shard answers about groups from its journal, and says what is not settled."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from actors.audit.audit import Audit
from actors.domain.ids import GroupId, Millis, PatientId, booking_id, hold_id
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import (
    BookingView,
    DebtKind,
    GroupState,
    GroupsView,
    GroupView,
    HoldView,
)
from actors.domain.messages.reads import ReadGroups
from actors.domain.rules import Group
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard import POLICY, Bench

G1, G2 = GroupId("g1"), GroupId("g2")


def at_ben(group: GroupId = G1, place: int = 0, **changes: Any) -> cm.PlaceHold:
    """Ben is the member here, Ana the primary."""
    told = Group(group, p.ANA)
    command = p.hold(group, place, provider=p.BEN, patient="")
    return replace(command, group=told, **changes)


def at_ana(group: GroupId = G1, place: int = 0, **changes: Any) -> cm.PlaceHold:
    return replace(p.hold(group, place), group=Group(group, p.ANA, (p.BEN,)), **changes)


def pay(visit: Any, group: GroupId = G1) -> cm.ConfirmHold:
    command = replace(p.confirm(group, provider=p.BEN), key="")
    return replace(command, visit=visit)


def call_off(group: GroupId = G1) -> cm.CancelBooking:
    return replace(p.cancel(group, provider=p.BEN), key="", group=group)


def resolve(group: GroupId = G1) -> cm.ResolveGroup:
    return cm.ResolveGroup(provider_id=p.ANA, group_id=group, member=p.BEN)


def bench_with_both() -> Bench:
    bench = Bench().practice()
    bench.ask(*p.opened(p.BEN))
    return bench


def a_group(bench: Bench, group: GroupId = G1, place: int = 0) -> BookingView:
    """Held by both, and booked by its primary."""
    held = bench.ask(at_ben(group, place), at_ana(group, place))
    assert all(isinstance(one, HoldView) for one in held), held
    (view,) = bench.ask(p.confirm(group))
    assert isinstance(view, BookingView)
    return view


def test_over_is_answered_from_the_journal() -> None:
    """The answer leaves with its tombstone, or after the journal said who owns."""
    bench = bench_with_both()
    before = len(bench.records)
    (first,) = bench.ask(resolve())
    assert isinstance(first, GroupView)
    assert first.state is GroupState.OVER
    assert len(bench.records) == before + 1
    bench.load([resolve()])
    batch = bench.shard.begin([resolve()], bench.now)
    assert (batch.events, batch.must_check) == ([], True)
    assert bench.shard.commit(batch, len(bench.records)) == [first]
    bench.open()
    (again,) = bench.ask(resolve())
    assert isinstance(again, GroupView)
    assert again.state is GroupState.OVER


def test_booked_is_answered_by_a_proven_owner() -> None:
    """A former owner knows of no later decision: it asks the journal first."""
    bench = bench_with_both()
    view = a_group(bench)
    read = ReadGroups(p.ANA)
    bench.load([resolve(), read])
    batch = bench.shard.begin([resolve(), read], bench.now)
    assert (batch.events, batch.must_check) == ([], True)
    found, owed = bench.shard.commit(batch, len(bench.records))
    assert isinstance(found, GroupView)
    assert (found.state, found.booking_id) == (GroupState.BOOKED, view.booking_id)
    assert [debt.kind for debt in found.owed] == [DebtKind.CONFIRM]
    assert isinstance(owed, GroupsView)
    assert [one.debts for one in owed.owed] == [found.owed]


def test_the_feed_says_what_is_doubtful_and_owed() -> None:
    """Resolvers hear of a deadline that passed, and of a decision, as they happen."""
    bench = bench_with_both()
    bench.ask(at_ben(G2, 4))
    view = a_group(bench)
    number = bench.shard.feed.number
    bench.now = Millis(bench.now + POLICY.hold_ms)
    bench.ask()
    changes = bench.shard.feed.since(1, 0, 1 << 20).changes
    (owed,) = [owed for change in changes for owed in change.owed]
    assert owed.booking_id == view.booking_id
    doubts = [doubt for change in changes[number:] for doubt in change.doubts]
    assert {doubt.hold_id for doubt in doubts} == {
        hold_id(p.BEN, G1),
        hold_id(p.BEN, G2),
    }


def test_a_doubt_outlives_the_process() -> None:
    """The holds of groups in the tail are in memory once the shard is open again."""
    bench = bench_with_both()
    bench.ask(at_ben())
    bench.now = Millis(bench.now + 9 * POLICY.hold_ms)
    bench.open()
    since = Millis(bench.now - POLICY.hold_ms)
    assert p.BEN in bench.shard.residents.lately_held(since)
    (found,) = bench.ask(ReadGroups(p.BEN))
    assert isinstance(found, GroupsView)
    assert [doubt.hold_id for doubt in found.doubts] == [hold_id(p.BEN, G1)]


def test_a_full_journal_lets_groups_end() -> None:
    """What ends a group is not refused for lack of room: it gives room."""
    bench = bench_with_both()
    bench.ask(at_ben())
    abort = cm.AbortGroup(provider_id=p.ANA, group_id=G1)
    free = cm.ReleaseHold(
        provider_id=p.BEN, hold_id=hold_id(p.BEN, G1), owner=None, group=G1
    )
    over, freed = bench.ask(abort, free, pressure=0.99)
    assert isinstance(over, GroupView)
    assert over.state is GroupState.OVER
    assert not isinstance(freed, cm.CommandBase)
    (empty,) = bench.ask(ReadGroups(p.BEN))
    assert isinstance(empty, GroupsView)
    assert empty.doubts == ()


def test_the_audit_follows_groups() -> None:
    """Doubt, payment, a move to a time that meets the old part, and a cancellation."""
    bench = bench_with_both()
    view = a_group(bench)
    bench.now = Millis(bench.now + 2 * POLICY.hold_ms)
    bench.ask(pay(view.booking_id))
    bench.ask(
        cm.SettleGroup(
            provider_id=p.ANA, booking_id=view.booking_id, settled=view.version
        )
    )
    part = booking_id(p.BEN, G1)
    held = bench.ask(at_ben(G2, 0, moving=part), at_ana(G2, 0, moving=view.booking_id))
    assert all(isinstance(one, HoldView) for one in held), held
    (moved,) = bench.ask(
        cm.RescheduleBooking(
            provider_id=p.ANA,
            booking_id=view.booking_id,
            owner=PatientId("pat_1"),
            hold_id=hold_id(p.ANA, G2),
        )
    )
    assert isinstance(moved, BookingView)
    for answer in (*bench.ask(call_off(G1)), *bench.ask(pay(view.booking_id, G2))):
        assert isinstance(answer, BookingView), answer
    bench.ask(replace(p.cancel("g1"), booking_id=view.booking_id))
    (last,) = bench.ask(call_off(G2))
    assert isinstance(last, BookingView)
    audit = Audit()
    audit.new_shard(0, "s0000")
    for record in bench.records:
        audit.feed(record)
    audit.close()
    assert audit.problems == []
    assert {one.status.value for one in audit.bookings.values()} == {"cancelled"}
