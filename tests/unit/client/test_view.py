"""A view moves by the wire's rule: apply, skip, or say that something is missing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from slotcast.client.frames import ServerMessage, Unreadable, read_frame
from slotcast.client.view import Applied, Change, Gap, Skipped, TopicView

TOPIC = "slots/prv_1/consult/2026-W49"
NINE, TEN = "2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"


def frame(kind: str, epoch: int, version: int, **fields: Any) -> ServerMessage:
    if "first" in fields:
        fields["from"] = fields.pop("first")
    told = {"t": kind, "topic": TOPIC, "epoch": epoch, "version": version, **fields}
    return read_frame(msgspec.json.encode(told))


def a_view() -> TopicView:
    view = TopicView(TOPIC)
    view.apply(frame("snapshot", 7, 101, slots=[[NINE, "free"], [TEN, "free"]]))
    return view


@pytest.mark.parametrize(
    ("epoch", "first", "version", "found"),
    [
        (7, 101, 105, Applied((7, 101), (Change(NINE, "free", "held"),))),
        (7, 99, 105, Applied((7, 101), (Change(NINE, "free", "held"),))),
        (7, 100, 102, Applied((7, 101), (Change(NINE, "free", "held"),))),
        (7, 90, 101, Skipped()),
        (7, 90, 100, Skipped()),
        (7, 102, 105, Gap((7, 101), (7, 105))),
        (8, 101, 105, Gap((7, 101), (8, 105))),
        (6, 101, 105, Gap((7, 101), (6, 105))),
    ],
)
def test_a_delta_is_applied_skipped_or_a_gap(
    epoch: int, first: int, version: int, found: object
) -> None:
    """Applied when the epoch is equal and from <= mine < version, skipped when
    version <= mine, else a gap; only what is applied moves the view."""
    view = a_view()
    delta = frame("delta", epoch, version, first=first, slots=[[NINE, "held"]])
    assert view.apply(delta) == found
    is_applied = isinstance(found, Applied)
    assert view.position == ((epoch, version) if is_applied else (7, 101))
    assert view.slots[NINE] == ("held" if is_applied else "free")


def test_a_delta_before_any_snapshot_is_a_gap() -> None:
    """Who has nothing can apply nothing."""
    view = TopicView(TOPIC)
    delta = frame("delta", 0, 0, first=0, slots=[[NINE, "held"]])
    assert view.apply(delta) == Gap(None, (0, 0))
    assert (view.position, view.slots) == (None, {})


def test_a_slot_that_is_gone_leaves_and_may_be_unknown() -> None:
    """Removal is absolute too, and told only where something was."""
    view = a_view()
    slots = [[NINE, "gone"], ["2026-12-02T09:00:00Z", "gone"], [TEN, "free"]]
    found = view.apply(frame("delta", 7, 102, first=101, slots=slots))
    assert found == Applied((7, 101), (Change(NINE, "free", ""),))
    assert view.slots == {TEN: "free"}


def test_a_snapshot_replaces_everything_and_tells_the_difference() -> None:
    """Even one of a lower version: it is what is shown now."""
    view = a_view()
    found = view.apply(frame("snapshot", 9, 3, slots=[[TEN, "booked"]]))
    changes = (Change(NINE, "free", ""), Change(TEN, "free", "booked"))
    assert found == Applied((7, 101), changes)
    assert (view.position, view.slots) == ((9, 3), {TEN: "booked"})


def test_bookings_replace_by_id_and_leave_as_a_whole() -> None:
    """A booking that only moved is news; time off stays unless it is named."""
    view = TopicView("me")
    first = {"booking_id": "bkg_1", "status": "booked", "start": NINE}
    leave = {"time_off_id": "off_1", "start": NINE, "end": TEN, "reason": ""}
    view.apply(frame("snapshot", 1, 1, bookings=[first], time_off=[leave]))
    moved = {**first, "start": TEN}
    other = {"booking_id": "bkg_2", "status": "booked", "start": NINE}
    found = view.apply(frame("delta", 1, 2, first=1, bookings=[moved, other]))
    assert found == Applied(
        (1, 1),
        (
            Change("bkg_1", "booked", "booked", moved),
            Change("bkg_2", "", "booked", other),
        ),
    )
    assert view.bookings == {"bkg_1": moved, "bkg_2": other}
    assert list(view.time_off) == [leave]
    view.apply(frame("delta", 1, 3, first=2, bookings=[], time_off=[]))
    assert list(view.time_off) == []
    again = view.apply(frame("snapshot", 2, 1, bookings=[first]))
    assert again == Applied(
        (1, 3),
        (
            Change("bkg_1", "booked", "booked", first),
            Change("bkg_2", "booked", ""),
        ),
    )


def test_what_a_newer_server_adds_is_ignored() -> None:
    """Fields and kinds that this client does not know do no harm."""
    view = a_view()
    told = frame("delta", 7, 102, first=101, slots=[[NINE, "held"]], con=True)
    assert isinstance(view.apply(told), Applied)
    assert read_frame('{"t":"fireworks","colour":"red"}').t == "fireworks"


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", '"t"', '{"t":1}', b"\xff\xfe", '{"t":"delta","slots":7}'],
)
def test_what_is_no_frame_is_unreadable(text: str | bytes) -> None:
    """Never a crash, never half a frame."""
    with pytest.raises(Unreadable):
        read_frame(text)


def test_holds_come_and_go() -> None:
    """A snapshot's replace all; in a delta only those that are held are live."""
    one = {"hold_id": "hld_1", "status": "held", "expires_at": NINE}
    two = {"hold_id": "hld_2", "status": "held", "expires_at": TEN}
    over = {"hold_id": "hld_1", "status": "booked"}
    view = TopicView("me")
    view.apply(frame("snapshot", 1, 1, holds=[one]))
    told = view.apply(frame("delta", 1, 2, first=1, holds=[two, over]))
    assert isinstance(told, Applied)
    assert told.changes == (
        Change("hld_2", "", "held", hold=two),
        Change("hld_1", "held", "booked", hold=over),
    )
    assert view.holds == {"hld_2": two}
    view.apply(frame("delta", 1, 3, first=2, holds=[over]))
    told = view.apply(frame("snapshot", 1, 4))
    assert isinstance(told, Applied)
    assert told.changes == (Change("hld_2", "held", ""),)
    assert not view.holds


def test_notices_come_and_are_read() -> None:
    """By their ids, with the number of unread ones, which other frames leave as it
    is."""
    view = TopicView("me")
    one = {"notice_id": "ntc_1", "read_at": None}
    two = {"notice_id": "ntc_2", "read_at": None}
    view.apply(frame("snapshot", 1, 1, notices=[one], unread=1))
    told = view.apply(frame("delta", 1, 2, first=1, notices=[two], unread=2))
    assert isinstance(told, Applied)
    assert told.changes == (Change("ntc_2", "", "unread", notice=two),)
    read = {**one, "read_at": "2026-08-10T09:00:00Z"}
    told = view.apply(frame("delta", 1, 3, first=2, notices=[read], unread=1))
    assert isinstance(told, Applied)
    assert told.changes == (Change("ntc_1", "unread", "read", notice=read),)
    view.apply(frame("delta", 1, 4, first=3, bookings=[]))
    assert (view.unread, view.notices) == (1, {"ntc_1": read, "ntc_2": two})
    again = view.apply(frame("snapshot", 2, 1, notices=[two], unread=1))
    assert isinstance(again, Applied)
    assert again.changes == (Change("ntc_1", "read", "", notice=None),)


def test_seats_of_a_group_visit_are_changes() -> None:
    """A slot that stays free with fewer seats is told, by a delta and by a snapshot."""
    view = TopicView(TOPIC)
    slots = [[NINE, "free"]]
    view.apply(frame("snapshot", 1, 1, slots=slots, seats_left={NINE: 3}))
    told = view.apply(frame("delta", 1, 2, first=1, slots=slots, seats_left={NINE: 2}))
    assert isinstance(told, Applied)
    assert told.changes == (Change(NINE, "free", "free", seats_left=2),)
    again = view.apply(frame("snapshot", 1, 9, slots=slots, seats_left={NINE: 1}))
    assert isinstance(again, Applied)
    assert again.changes == (Change(NINE, "free", "free", seats_left=1),)
    assert view.seats_left == {NINE: 1}
