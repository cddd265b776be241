"""A calendar at rest. Behaviour after a restart: tests/properties."""

from __future__ import annotations

import msgspec
import pytest

from actors.domain.calendar import window
from actors.domain.calendar.delta import change_of
from actors.domain.calendar.snapshot import SnapshotUnreadable, decode, encode
from actors.domain.ids import Millis
from actors.domain.rules import Policy
from tests import factories as f
from tests.factories import NOW, a_calendar, at, play


def test_a_snapshot_holds_all_that_counts() -> None:
    """The same bytes come out again, and the same decisions."""
    calendar = a_calendar()
    play(calendar, f.book_slot(1))
    play(calendar, f.place_hold(2, at(10)))
    play(calendar, f.place_hold(3, at(11)))
    play(calendar, f.extend_hold(3), Millis(NOW + 60_000))
    play(calendar, f.add_time_off(1))
    play(calendar, f.cancel_booking(1))
    play(calendar, f.expire_holds(), Millis(NOW + 120_000))
    again = f.restored(calendar)
    assert encode(again.state) == encode(calendar.state)
    assert again.state.answer("off-1") == calendar.state.answer("off-1")
    assert (
        again.state.occupancy.next_expiry()
        == calendar.state.occupancy.next_expiry()
        == NOW + 180_000
    )
    assert window.is_due(again.state, NOW) == window.is_due(calendar.state, NOW)
    for command in (f.release_hold(2), f.release_hold(3), f.book_slot(4, at(11))):
        assert again.decide(command, NOW) == calendar.decide(command, NOW)
    events = play(again, f.release_hold(3))
    assert isinstance(events, tuple)
    assert not change_of(again.state, events)[2]


@pytest.mark.parametrize("blob", [b"", b"\x93\x01\x02\x03", b"nonsense"])
def test_damaged_bytes_are_refused(blob: bytes) -> None:
    with pytest.raises(SnapshotUnreadable):
        decode(blob, Policy())


def test_an_unknown_format_is_refused() -> None:
    """A newer version's snapshot is not guessed at."""
    fields = msgspec.msgpack.decode(encode(a_calendar().state))
    fields[0] = 99
    with pytest.raises(SnapshotUnreadable, match="format 99"):
        decode(msgspec.msgpack.encode(fields), Policy())
