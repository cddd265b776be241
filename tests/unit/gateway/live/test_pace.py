"""Windows: the first change at once, the next ones as one, and nothing is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from actors.domain.ids import BookingId, LocationId, Millis, Minute, PatientId
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.messages.changes import CalendarChange
from gateway.live.core.frames import NOWHERE, Position, Rows
from gateway.live.core.topic_names import me_topic, slots_topic
from gateway.live.feeds.warm_start import WarmStart
from gateway.live.topics.coalescing import SHARE, WINDOW_MS_MAX
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import MeView
from gateway.wire.problems import problem
from persistence.shared.memory import MemoryPages
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import (
    CONSULT,
    NINE,
    NOW,
    PROVIDER,
    WEEK,
    PageWriter,
    a_change,
    a_hub,
    a_view,
    feed,
    read,
    watch,
)


class Busy:
    """So much for a write, and so much that waits."""

    def __init__(self, write_s: float, backlog_s: float = 0.0) -> None:
        self.write_s, self.backlog_s = write_s, backlog_s


def a_busy_hub(write_s: float = 0.1, backlog_s: float = 0.0) -> Hub:
    hub = a_hub()
    hub.delivery.pace.load = Busy(write_s, backlog_s)
    feed(hub)
    return hub


def told(writer: PageWriter) -> list[tuple[int, int]]:
    """From and to of each delta."""
    return [(one["from"], one["version"]) for one in writer.page if one["t"] == "delta"]


def later(ms: float) -> Millis:
    return Millis(NOW + int(ms))


WINDOW_MS = 1000 * SHARE * 0.1
"""With one watcher."""


def test_the_first_change_goes_at_once_and_the_next_ones_as_one() -> None:
    """What was undone in the window is not mentioned."""
    hub = a_busy_hub()
    _, writer = watch(hub)
    read(hub, a_view(1, "ff"))
    feed(hub, a_change(2, "h"))
    assert told(writer) == [(1, 2)]
    feed(hub, a_change(3, "b"))
    feed(hub, a_change(4, "h", NINE + 30))
    feed(hub, a_change(5, "f", NINE + 30))
    assert hub.delivery.release(later(WINDOW_MS - 1)) == later(WINDOW_MS)
    assert told(writer) == [(1, 2)]
    assert hub.delivery.release(later(WINDOW_MS)) is None
    assert told(writer) == [(1, 2), (2, 5)]
    assert writer.page[-1]["slots"] == [["2026-11-30T12:00:00Z", "booked"]]


def test_without_load_nothing_is_held_back() -> None:
    """Every change is told as it comes."""
    hub = a_busy_hub(0.0)
    _, writer = watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    assert told(writer) == [(1, 2), (2, 3)]
    assert hub.delivery.pace.next_due is None


def test_windows_widen_with_work_and_backlog_up_to_a_bound() -> None:
    """Twice what the topic costs and what waits already."""
    pace = a_busy_hub(0.000_01, 0.02).delivery.pace
    assert pace.window_ms(0) == 40
    assert pace.window_ms(10_000) == 240
    assert pace.window_ms(1_000_000) == WINDOW_MS_MAX


def test_who_comes_in_the_window_loses_nothing() -> None:
    """A snapshot of what is shown, then the delta that follows it."""
    hub = a_busy_hub()
    watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    _, writer = watch(hub)
    assert writer.page[0]["version"] == 2
    hub.delivery.release(later(500))
    assert told(writer) == [(2, 3)]


def test_who_has_seen_what_is_held_back_starts_from_our_page() -> None:
    """Another gateway showed it, and it is undone before we tell of it."""
    hub = a_busy_hub()
    watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    _, writer = watch(hub, Position(1, 3))
    assert writer.page[0]["t"] == "snapshot"
    assert writer.page[0]["version"] == 2
    feed(hub, a_change(4, "h"))
    hub.delivery.release(later(500))
    assert told(writer) == []
    assert writer.page[0]["slots"][0][1] == "held"


def test_a_read_tells_what_is_held_back() -> None:
    """The difference is that of the page people see."""
    hub = a_busy_hub()
    _, writer = watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    (board,) = hub.index.boards.values()
    hub.read_again(board)
    read(hub, a_view(3, "bff"))
    assert told(writer) == [(1, 2), (2, 3)]
    assert hub.delivery.release(later(500)) is None
    assert told(writer) == [(1, 2), (2, 3)]


def test_a_new_epoch_forgets_what_is_held_back() -> None:
    """The page of the new epoch has it, or it was never durable."""
    hub = a_busy_hub()
    _, writer = watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    feed(hub, epoch=2)
    read(hub, a_view(2, "hff", epoch=2))
    hub.delivery.release(later(500))
    assert writer.page[-1]["t"] == "snapshot"
    assert writer.page[-1]["slots"][0][1] == "held"


def test_topics_are_released_in_the_order_of_their_windows() -> None:
    """And a clock that is set back delays no topic."""
    hub = a_busy_hub()
    names = [slots_topic(PROVIDER, CONSULT, f"2026-W{week}") for week in (49, 50)]
    writers = [watch(hub, name=name)[1] for name in names]
    read(hub, a_view(1))
    boards = [hub.index.board(name) for name in names]
    order: list[PageWriter] = []
    for version, (board, at) in enumerate(zip(boards * 2, (5, 0, 6, 6), strict=True)):
        rows: Rows = {NINE: "hhbb"[version]}
        hub.delivery.tell(board, rows, 2 + version, later(at))
    for writer in writers:
        writer.page.clear()
    assert hub.delivery.release(later(WINDOW_MS)) == later(WINDOW_MS + 5)
    order = [writer for writer in writers if writer.page]
    assert order == [writers[1]]
    assert hub.delivery.release(Millis(NOW - 3_600_000)) is None
    assert writers[0].page


def a_booking(version: int, status: BookingStatus) -> BookingView:
    return BookingView(
        booking_id=BookingId("bkg_1"),
        provider_id=PROVIDER,
        patient_id=PatientId("pat_1"),
        visit_type=CONSULT,
        location_id=LocationId("loc_1"),
        start=Minute(NINE),
        end=Minute(NINE + 30),
        status=status,
        booked_at=NOW,
        epoch=1,
        version=version,
    )


def test_of_two_states_of_a_booking_the_newer_one_is_told() -> None:
    """A late read of the read model does not undo what is held back."""
    hub = a_busy_hub()
    mine = me_topic("pat_1")
    _, writer = watch(hub, name=mine)
    read(hub, MeView([]))
    booked = a_booking(2, BookingStatus.BOOKED)
    arrived = a_booking(3, BookingStatus.ARRIVED)
    cancelled = a_booking(4, BookingStatus.CANCELLED)
    for booking in (booked, cancelled, arrived):
        feed(hub, CalendarChange(PROVIDER, booking.version, 1, [], [booking]))
    board = hub.index.board(mine)
    hub.delivery.release(later(500))
    assert board.rows == {"bkg_1": cancelled}
    assert [one["t"] for one in writer.page] == ["snapshot", "delta", "delta"]
    assert board.position != NOWHERE


def test_who_is_told_that_a_topic_is_gone_is_told_nothing_more() -> None:
    """Neither what was held back, nor that it is owed."""
    hub = a_busy_hub()
    _, writer = watch(hub)
    slow, stalled = watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    stalled.stalled = True
    (board,) = hub.index.boards.values()
    hub.read_again(board)
    assert hub.take_wanted() == [board]
    assert hub.begin_read(board)
    hub.refused(board, problem("not_found", "gone"))
    hub.delivery.release(later(500))
    assert writer.page[-1]["t"] == "error"
    assert not slow.dirty
    assert slow not in hub.delivery.paused


async def test_a_page_that_lacks_what_is_held_back_is_not_kept_for_others() -> None:
    """Other gateways would show it as the newest, and never hear of the change."""
    hub = a_busy_hub()
    watch(hub)
    read(hub, a_view(1))
    feed(hub, a_change(2, "h"))
    feed(hub, a_change(3, "b"))
    ports: Any = SimpleNamespace(clock=SteppedClock(NOW))
    warm_start = WarmStart(ports, MemoryPages(), hub)

    async def kept() -> list[tuple[int, str]]:
        warm_start.offer()
        await warm_start.shelf.flush()
        pages = await warm_start.shelf.find([WEEK.key])
        return [(page.view.version, page.view.states) for page in pages.values()]

    assert await kept() == []
    hub.delivery.release(later(500))
    assert await kept() == [(3, "bff")]
