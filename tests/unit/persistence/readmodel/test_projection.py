"""The projection of events to operations, and the plan of a batch."""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.ids import HoldId, Millis, Minute, PatientId, ShardId, TimeOffId
from actors.domain.messages import events as ev
from actors.domain.messages.answers import BookingStatus
from actors.domain.rules import TimeOff
from actors.ports import Record
from persistence.readmodel.projection import operations as o
from persistence.readmodel.projection import operations_of as p
from persistence.readmodel.projection.plan import Plan
from tests.fixtures.story import NINE, SHARD, Story


def operations(*events: ev.Event) -> list[o.Operation]:
    records = [Record(seq, 7, event) for seq, event in enumerate(events, 1)]
    return [one for record in records for one in p.project(SHARD, record)]


def test_cells_cover_the_busy_span() -> None:
    """A span claims each cell it touches, also where it is not on the grid."""
    assert p.cells(10, 20) == (2, 4)
    assert p.cells(11, 21) == (2, 5)
    assert p.cells(-10, 5) == (-2, 1)


def test_a_booking_is_a_row_claims_history_and_a_notice() -> None:
    """One event gives everything that the read model shows of it."""
    put, claims, history, notice = operations(Story().booked(1))
    assert isinstance(put, o.PutAppointment)
    assert (put.status, put.epoch, put.version) == (BookingStatus.BOOKED, 7, 1)
    assert claims == o.AddClaims(
        put.provider_id, put.booking_id, (NINE - 5) // 5, (NINE + 30) // 5
    )
    assert isinstance(history, o.AddHistory)
    assert (history.kind, history.start) == ("booked", NINE)
    assert isinstance(notice, o.AddOutbox)
    assert (notice.event_id, notice.kind) == ("s0000-1", "booking.booked")


def test_notices_carry_no_words_of_a_person() -> None:
    """Neither the reason of a visit nor that of a cancellation leaves by a notice."""
    story = Story()
    found = operations(story.booked(1), story.cancelled(1, reason="pregnant"))
    notices = [one for one in found if isinstance(one, o.AddOutbox)]
    text = msgspec.json.encode([one.payload for one in notices]).decode()
    assert "private" not in text
    assert "pregnant" not in text
    assert len(notices) == 2


@pytest.mark.parametrize("event_type", ev.Event.__args__)
def test_every_event_is_known(event_type: type) -> None:
    """Each kind of event is either projected or named as not shown."""
    assert (event_type in p._HANDLERS) != (event_type in p._NOT_PROJECTED)


def test_holds_are_not_projected() -> None:
    """A hold leaves no row: it ends within minutes."""
    hold = ev.HoldPlaced(
        hold_id=HoldId("hld_1.1"),
        patient_id=PatientId("pat_1"),
        expires=Millis(1),
        **Story()._span(NINE, 30),
        **Story()._common(None),
    )
    assert operations(hold) == []


def test_an_unknown_event_is_poison() -> None:
    """An event of a newer version is not skipped in silence."""

    class Novelty(ev.EventBase, frozen=True, kw_only=True, tag="novelty"):
        pass

    event = Novelty(**Story()._common(None))
    with pytest.raises(o.Poison, match="Novelty"):
        p.project(SHARD, Record(1, 1, event))  # type: ignore[arg-type]


def test_changes_fold_into_a_new_row() -> None:
    """What happens to a booking in its first batch is one insert."""
    story = Story()
    plan = Plan(
        operations(story.booked(1), story.moved(1, NINE + 60), story.arrived(1))
    )
    assert not plan.changes
    (row,) = plan.appointments.values()
    assert (row.start, row.status, row.seq) == (NINE + 60, BookingStatus.ARRIVED, 3)


def test_an_outcome_that_was_undone_is_in_the_history_and_not_in_the_row() -> None:
    """The row has the status before; history and notice say that it was undone."""
    story = Story()
    booked, arrived = story.booked(1), story.arrived(1)
    events = booked, arrived, story.undone(1, BookingStatus.BOOKED)
    found = operations(*events)
    (row,) = Plan(found).appointments.values()
    assert (row.status, row.seq) == (BookingStatus.BOOKED, 3)
    assert [one.kind for one in found if isinstance(one, o.AddHistory)] == [
        "booked",
        "arrived",
        "undone",
    ]
    notice = [one for one in found if isinstance(one, o.AddOutbox)][-1]
    assert (notice.kind, notice.payload["status"]) == ("booking.undone", "booked")


def test_every_visit_that_is_stranded_or_covered_again_has_one_notice() -> None:
    """With ids of their own that a replay repeats; held slots have none."""
    story = Story()
    marks = {"bkg_1.1": "leave", "hld_1.1": "leave", "bkg_1.2": ""}
    leave = TimeOff(TimeOffId("off_1.1"), Minute(0), Minute(60))
    head = {"provider_id": story.provider_id, "at": Millis(1), "version": 7}
    event = ev.TimeOffAdded(time_off=leave, stranded=marks, **head)  # type: ignore[arg-type]
    added = [one for one in operations(event) if isinstance(one, o.AddOutbox)]
    *found, news = added
    assert (news.event_id, news.kind) == ("s0000-1", "leave.added")
    assert news.payload["time_off_id"] == "off_1.1"
    assert [(one.event_id, one.kind, one.payload["booking_id"]) for one in found] == [
        ("s0000-1.1", "booking.stranded", "bkg_1.1"),
        ("s0000-1.2", "booking.covered", "bkg_1.2"),
    ]
    assert found[0].payload["stranded"] == "leave"
    assert added == [one for one in operations(event) if isinstance(one, o.AddOutbox)]


def test_changes_of_one_booking_are_one_update() -> None:
    """Later changes win; earlier ones of other columns stay."""
    story = Story()
    plan = Plan(operations(story.moved(1, NINE), story.arrived(1), story.noshow(1)))
    (change,) = plan.changes.values()
    assert change.changes["start"] == NINE
    assert change.changes["status"] is BookingStatus.NOSHOW
    assert change.seq == 3


def test_claims_keep_their_order_per_provider() -> None:
    """A release after a claim goes to the next phase; other providers share phases."""
    one, two = Story(1), Story(2)
    plan = Plan(
        operations(
            one.cancelled(9),
            one.booked(1),
            two.booked(1),
            one.cancelled(1),
            one.booked(2),
            two.booked(2, NINE + 60),
        )
    )
    shape = [
        ([d.booking_id for d in ph.drops], [a.booking_id for a in ph.adds])
        for ph in plan.claims
    ]
    assert shape == [
        (["bkg_1.9"], ["bkg_1.1", "bkg_2.1", "bkg_2.2"]),
        (["bkg_1.1"], ["bkg_1.2"]),
    ]


def test_parking_keeps_the_whole_event() -> None:
    """A parked event can be read back as it was."""
    event = Story().booked(1)
    park = p.parked(Record(4, 1, event), "claim", "x" * 900, "bkg_1.2")
    kept = msgspec.json.decode(park.event)
    assert getattr(ev, kept.pop("event"))(**kept) == event
    assert len(park.reason) == 500
    assert (park.seq, park.other_booking_id) == (4, "bkg_1.2")


def test_event_ids_name_shard_and_seq() -> None:
    """Two shards never share an event id."""
    assert p.event_id(ShardId("s0001"), 12) == "s0001-12"
