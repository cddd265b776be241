"""What the audit says of journals between which a calendar moved, and was tampered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from actors.audit.audit import Audit
from actors.domain.calendar.at_rest import FORMAT_LEFT, unpack
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import decode, encode, encode_for_new_shard
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import ShardId
from actors.domain.messages.events import CalendarMovedIn, CalendarMovedOut, Event
from actors.domain.rules import Policy
from actors.ports import Record
from tests.factories import (
    NOW,
    PROVIDER,
    at,
    book_slot,
    cancel_booking,
    place_hold,
    register,
    set_availability,
)

HOME, OWN = ShardId("s0000"), ShardId("x-prv_1")


def lived() -> tuple[Calendar, list[Event]]:
    """A calendar, and its events up to and with where it left."""
    calendar, events = Calendar(CalendarState(PROVIDER, Policy())), []
    for command in (
        register(),
        set_availability(),
        book_slot(1, at(9)),
        book_slot(2, at(10)),
        cancel_booking(2),
        place_hold(3, at(11)),
    ):
        decided = calendar.decide(command, NOW)
        assert isinstance(decided, tuple)
        for event in decided:
            apply(calendar.state, event, 1)
            events.append(event)
    left = CalendarMovedOut(
        provider_id=PROVIDER,
        at=NOW,
        version=calendar.state.version,
        to_shard=OWN,
        seq=len(events) + 1,
    )
    apply(calendar.state, left, 1)
    return calendar, [*events, left]


def came(calendar: Calendar) -> CalendarMovedIn:
    """The first record of its new shard."""
    assert calendar.state.left is not None
    return CalendarMovedIn(
        provider_id=PROVIDER,
        at=NOW,
        version=calendar.state.version,
        from_shard=HOME,
        from_epoch=1,
        from_seq=calendar.state.left.seq,
        state=encode_for_new_shard(calendar.state),
    )


def audited(home: Sequence[Event], own: Sequence[Event], epoch: int = 2) -> Audit:
    audit = Audit()
    for shard, events, number in ((HOME, home, 1), (OWN, own, epoch)):
        audit.new_shard(0, shard)
        for seq, event in enumerate(events, 1):
            audit.feed(Record(seq, number, event))
    audit.close()
    return audit


def test_a_move_that_is_right() -> None:
    """No problem, one home, every booking once, and nothing before what was read."""
    calendar, events = lived()
    audit = audited(events, [came(calendar)])
    assert audit.problems == []
    assert audit.is_whole
    assert dict(audit.versions) == {PROVIDER: calendar.state.version}
    assert audit.bookings.keys() == calendar.state.occupancy.bookings.keys()


def test_an_origin_that_was_not_read() -> None:
    """Then the audit knows that bookings of long ago may be missing."""
    calendar, _ = lived()
    audit = audited([], [replace(came(calendar), from_shard=ShardId("s0009"))])
    assert audit.problems == []
    assert not audit.is_whole


def _older(calendar: Calendar, events: list[Event]) -> tuple[list[Event], int]:
    """What comes lacks the last booking."""
    older = Calendar(CalendarState(PROVIDER, Policy()))
    for event in events[:3]:
        apply(older.state, event, 1)
    moved = came(calendar)
    state = encode(older.state)
    return [replace(moved, version=older.state.version, state=state)], 2


def _same_epoch(calendar: Calendar, _events: list[Event]) -> tuple[list[Event], int]:
    return [came(calendar)], 1


def _twice(calendar: Calendar, _events: list[Event]) -> tuple[list[Event], int]:
    return [came(calendar), came(calendar)], 2


def _never(_calendar: Calendar, _events: list[Event]) -> tuple[list[Event], int]:
    return [], 2


def _elsewhere(calendar: Calendar, _events: list[Event]) -> tuple[list[Event], int]:
    return [replace(came(calendar), from_seq=3)], 2


@pytest.mark.parametrize(
    ("tampered", "named"),
    [
        (_older, "at version"),
        (_same_epoch, "under an epoch"),
        (_twice, "already"),
        (_never, "has not come"),
        (_elsewhere, "never left"),
    ],
)
def test_a_move_that_is_wrong_is_named(tampered: object, named: str) -> None:
    """Each way in which a move can lie is found."""
    assert callable(tampered)
    calendar, events = lived()
    own, epoch = tampered(calendar, events)
    assert any(named in problem for problem in audited(events, own, epoch).problems)


def test_who_goes_on_after_leaving_is_named() -> None:
    """A shard that decides about a calendar it gave away."""
    calendar, events = lived()
    late = replace(events[0], version=calendar.state.version + 1)
    problems = audited([*events, late], [came(calendar)]).problems
    assert any("left s0000 before" in problem for problem in problems)


def test_where_it_went_is_in_its_snapshot() -> None:
    """And a program that does not know of moves must not read it as its own."""
    calendar, _ = lived()
    blob = encode(calendar.state)
    assert decode(blob, Policy()).left == calendar.state.left
    assert unpack(blob)[0].format == FORMAT_LEFT
    taken = encode_for_new_shard(decode(blob, Policy()))
    assert taken == encode_for_new_shard(calendar.state)
    assert decode(taken, Policy()).left is None
