"""A calendar that cannot be read harms requests for it alone."""

from typing import Any

import msgspec
import pytest

from actors.domain.calendar import window
from actors.domain.calendar.holding import holds
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import Millis
from actors.domain.messages.answers import BookingView, SlotsView
from actors.errors import JournalCorrupt
from actors.ports import StoredCalendar, Trouble
from tests.unit.actors import practice as p
from tests.unit.actors.test_mailbox import desk


async def test_calendar_whose_window_cannot_move_does_not_end_the_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A defect while looking after one calendar is noted; the others are served."""
    real = window.is_due

    def is_due(state: CalendarState, now: Millis) -> bool:
        if state.provider_id == p.ANA:
            raise RuntimeError("a defect")
        return real(state, now)

    async with desk() as one:
        await one.mailbox.execute(p.opened(p.BEN))
        epoch = one.mailbox.status().epoch
        monkeypatch.setattr(window, "is_due", is_due)
        replies: list[Any] = await one.mailbox.execute(
            [p.slots(p.ANA), p.slots(p.BEN), p.book("a", provider=p.BEN)]
        )
        assert isinstance(replies[1], SlotsView)
        assert isinstance(replies[2], BookingView)
        assert one.mailbox.status().epoch == epoch, "the shard did not restart"


async def test_calendar_whose_holds_cannot_end_does_not_end_the_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A defect while a hold expires stops neither its batch nor another calendar."""
    real = holds.are_due

    def are_due(state: CalendarState, now: Millis) -> bool:
        if state.provider_id == p.ANA:
            raise RuntimeError("a defect")
        return real(state, now)

    async with desk() as one:
        await one.mailbox.execute([*p.opened(p.BEN), p.hold("a")])
        epoch = one.mailbox.status().epoch
        monkeypatch.setattr(holds, "are_due", are_due)
        one.clock.time = Millis(one.clock.time + 200_000)
        replies: list[Any] = await one.mailbox.execute(
            [p.slots(p.ANA), p.slots(p.BEN), p.book("b", provider=p.BEN)]
        )
        assert isinstance(replies[1], SlotsView)
        assert isinstance(replies[2], BookingView)
        assert one.mailbox.status().epoch == epoch, "the shard did not restart"


async def test_snapshot_of_a_newer_program_ends_the_shard_and_says_why() -> None:
    """Opening again and again would not help: a person must run the right program."""
    async with desk() as one:
        await one.mailbox.execute([p.book("a")])
        await one.mailbox.close()
        for provider, stored in one.snapshots.calendars.items():
            fields = msgspec.msgpack.decode(stored.blob)
            newer = msgspec.msgpack.encode([99, *fields[1:]])
            one.snapshots.calendars[provider] = StoredCalendar(stored.seq, newer)
        again = one.make()
        await again.open()
        (reply,) = await again.execute([p.slots()])
        assert isinstance(reply, Trouble)
        with pytest.raises(JournalCorrupt, match=r"prv_ana.*format 99"):
            await again.open()
        assert again.state == "corrupt"
        await again.close()
