"""The hub: positions first, no delta across a gap, everything encoded once."""

from __future__ import annotations

from actors.domain.ids import HoldId, LocationId, Millis, Minute, PatientId
from actors.domain.messages.answers import HoldView, PositionsView
from actors.domain.messages.changes import CalendarChange, FeedBatch
from gateway.live.core.frames import Position
from gateway.live.core.topic_names import me_topic
from gateway.live.topics.hub import FORGET_MS, SUSPECT_MS, Hub
from gateway.live.topics.topic import MeView
from gateway.wire.problems import problem
from tests.unit.gateway.live.stage import (
    CONSULT,
    NINE,
    NOW,
    PROVIDER,
    SHARD,
    WEEK,
    a_change,
    a_hub,
    a_view,
    feed,
    read,
    watch,
)


def a_hold(version: int) -> HoldView:
    return HoldView(
        provider_id=PROVIDER,
        epoch=1,
        version=version,
        hold_id=HoldId("hld_1"),
        patient_id=PatientId("pat_1"),
        visit_type=CONSULT,
        start=Minute(NINE),
        end=Minute(NINE + 30),
        expires=NOW,
        extended=False,
        location_id=LocationId("loc_1"),
    )


def a_live_hub() -> Hub:
    hub = a_hub()
    feed(hub)
    return hub


def test_a_first_watcher_waits_for_the_read() -> None:
    """Nothing is sent before the topic has been read; then a snapshot."""
    hub = a_live_hub()
    _, writer = watch(hub)
    assert writer.page == []
    read(hub, a_view(5, "fh"))
    assert writer.page == [
        {
            "t": "snapshot",
            "topic": WEEK.wire,
            "epoch": 1,
            "version": 5,
            "slots": [
                ["2026-11-30T12:00:00Z", "free"],
                ["2026-11-30T12:30:00Z", "held"],
            ],
        }
    ]


def test_changes_during_the_read_wait_for_it() -> None:
    """Those that the read contains are skipped, the others follow as deltas."""
    hub = a_live_hub()
    _, writer = watch(hub)
    board = hub.take_wanted()[0]
    hub.begin_read(board)
    feed(hub, a_change(5, "h"), a_change(6, "b"))
    feed(hub, a_change(7, "f"))
    assert writer.page == []
    assert hub.loaded(board, a_view(6, "b"), NOW)
    kinds = [(f["t"], f.get("from"), f["version"]) for f in writer.page]
    assert kinds == [("snapshot", None, 7)]
    assert writer.page[0]["slots"] == [["2026-11-30T12:00:00Z", "free"]]


def test_from_is_the_topics_previous_frame() -> None:
    """Events of the calendar that this topic does not show leave no gap."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5))
    elsewhere = CalendarChange(PROVIDER, 6, 6)
    feed(hub, elsewhere, CalendarChange(PROVIDER, 7, 7), a_change(8, "h"))
    delta = writer.page[-1]
    assert (delta["from"], delta["version"]) == (5, 8)


def test_one_batch_makes_one_delta() -> None:
    """Several changes of a topic in one reply become one frame, the newest winning."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5))
    feed(hub, a_change(6, "h"), a_change(7, "b"))
    assert [f["t"] for f in writer.page] == ["snapshot", "delta"]
    assert writer.page[1]["slots"] == [["2026-11-30T12:00:00Z", "booked"]]


def test_a_change_that_shows_nothing_new_is_not_sent() -> None:
    """States that watchers have already make no frame, and no gap later."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5, "f"))
    feed(hub, a_change(6, "f"), a_change(7, "g", first=NINE + 900))
    assert len(writer.page) == 1
    feed(hub, a_change(8, "h"))
    assert writer.page[-1]["from"] == 5


def test_every_watcher_gets_the_same_bytes() -> None:
    """A delta for many is one object, encoded one time."""
    hub = a_live_hub()
    writers = [watch(hub)[1] for _ in range(50)]
    read(hub, a_view(5))
    feed(hub, a_change(6, "h"))
    assert (hub.encoder.snapshots, hub.encoder.deltas) == (1, 1)
    assert len({id(writer.frames[1]) for writer in writers}) == 1


def test_rules_changed_are_read_and_told_as_the_difference() -> None:
    """After reread, one delta from the last version to the read's, with gone."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5, "fff"))
    feed(hub, CalendarChange(PROVIDER, 6, 6, reread=True))
    assert len(writer.page) == 1
    read(hub, a_view(6, "fb"))
    delta = writer.page[-1]
    assert (delta["t"], delta["from"], delta["version"]) == ("delta", 5, 6)
    assert delta["slots"] == [
        ["2026-11-30T12:30:00Z", "booked"],
        ["2026-11-30T13:00:00Z", "gone"],
    ]


def test_a_read_older_than_the_change_is_asked_again() -> None:
    """The read that answers a rules change must have seen it."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5))
    feed(hub, CalendarChange(PROVIDER, 9, 9, reread=True))
    board = hub.take_wanted()[0]
    assert hub.begin_read(board)
    assert not hub.loaded(board, a_view(8, "b"), NOW)
    assert hub.begin_read(board)
    assert hub.loaded(board, a_view(9, "h"), NOW)
    assert writer.page[-1]["version"] == 9


def test_a_read_that_began_before_a_reset_is_not_believed() -> None:
    """It may have missed what the reset hides."""
    hub = a_live_hub()
    watch(hub)
    board = hub.take_wanted()[0]
    assert hub.begin_read(board)
    feed(hub, reset=True)
    assert not hub.loaded(board, a_view(5), NOW)
    assert hub.begin_read(board)
    assert hub.loaded(board, a_view(5), NOW)


def test_a_new_epoch_is_a_snapshot_for_everybody() -> None:
    """Versions of another epoch chain to nothing."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5))
    feed(hub, epoch=2)
    board = hub.take_wanted()[0]
    hub.begin_read(board)
    assert not hub.loaded(board, a_view(5, epoch=1), NOW), "a replaced owner's view"
    hub.begin_read(board)
    assert hub.loaded(board, a_view(5, epoch=2), NOW)
    assert [(f["t"], f["epoch"]) for f in writer.page] == [
        ("snapshot", 1),
        ("snapshot", 2),
    ]


def test_replies_of_old_cursors_are_ignored() -> None:
    """A late or doubled reply, and one of a replaced owner, change nothing."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5))
    asked = hub.cursor(SHARD)
    batch = FeedBatch(1, asked.version + 1, 6, [a_change(6, "h")])
    assert hub.on_feed(SHARD, asked, batch, NOW)
    assert not hub.on_feed(SHARD, asked, batch, NOW)
    assert not hub.on_feed(SHARD, hub.cursor(SHARD), FeedBatch(0, 9, 9), NOW)
    assert len(writer.page) == 2


def test_resume_from_the_ring() -> None:
    """Few missing deltas are sent as they were, many as one, the current get none."""
    hub = a_live_hub()
    watch(hub)
    read(hub, a_view(1, "ffffff"))
    for version in range(2, 9):
        feed(hub, a_change(version, "hb"[version % 2], NINE + 30 * (version % 3)))
    _, few = watch(hub, Position(1, 6))
    assert [(f["from"], f["version"]) for f in few.page] == [(6, 7), (7, 8)]
    _, many = watch(hub, Position(1, 1))
    assert [(f["from"], f["version"]) for f in many.page] == [(1, 8)]
    _, none = watch(hub, Position(1, 8))
    assert none.page == []
    _, old = watch(hub, Position(0, 8))
    assert old.page[0]["t"] == "snapshot"
    assert hub.tally.resumes == {"ring": 2, "none": 1, "snapshot": 1}


def test_who_saw_what_was_undone_hears_of_it() -> None:
    """A delta tells the difference of its ends: it is not for those in between.

    The simulator found it: a watcher came from another gateway, having seen a booking
    at 2 that was moved at 3; here both came in one batch, so nothing was undone.
    """
    hub = a_live_hub()
    watch(hub)
    read(hub, a_view(1, "ff"))
    _, ahead = watch(hub, Position(1, 2))
    assert [frame["t"] for frame in ahead.page] == ["snapshot"]
    feed(hub, a_change(2, "b"), a_change(3, "fb"))
    assert (ahead.page[1]["from"], ahead.page[1]["version"]) == (1, 3)
    _, between = watch(hub, Position(1, 2))
    assert [frame["t"] for frame in between.page] == ["snapshot"]


def test_a_stalled_watcher_gets_the_newest_state() -> None:
    """No frame waits for it; when it can be written again it gets one conflated."""
    hub = a_live_hub()
    watcher, writer = watch(hub)
    read(hub, a_view(1, "ffffff"))
    writer.stalled = True
    for version in range(2, 42):
        feed(hub, a_change(version, "hb"[version % 2]))
    assert len(writer.page) == 1
    assert watcher.paused_since == NOW
    beat = hub.delivery.heartbeat(watcher, NOW)
    assert b'"%b":[1,1]' % WEEK.wire.encode() in beat.payload
    writer.stalled = False
    hub.writable(watcher, NOW)
    assert [(f["from"], f["version"]) for f in writer.page[1:]] == [(1, 41)]
    assert not watcher.dirty
    assert watcher.paused_since is None


def test_who_takes_bytes_slowly_is_not_one_who_takes_none() -> None:
    """It counts from when bytes were taken last, not from when all was well."""
    hub = a_live_hub()
    watcher, writer = watch(hub)
    read(hub, a_view(1, "f"))
    writer.stalled = True
    feed(hub, a_change(2, "h"))
    assert watcher.paused_since == NOW
    hub.writable(watcher, Millis(NOW + 9_000))  # and full again at once
    assert watcher.dirty
    assert watcher.paused_since == NOW + 9_000


def test_a_stall_longer_than_the_ring_ends_in_a_snapshot() -> None:
    """What the ring has forgotten is never sent in part."""
    hub = a_live_hub()
    watcher, writer = watch(hub)
    read(hub, a_view(1, "f"))
    writer.stalled = True
    for version in range(2, 300):
        feed(hub, a_change(version, "hb"[version % 2]))
    writer.stalled = False
    hub.writable(watcher, NOW)
    assert writer.page[-1]["t"] == "snapshot"


def test_a_topic_is_remembered_for_a_minute() -> None:
    """A quick reconnect needs no read; after a minute the topic is forgotten."""
    hub = a_live_hub()
    watcher, _ = watch(hub)
    read(hub, a_view(5))
    hub.dropped(watcher, NOW)
    feed(hub, a_change(6, "h"))
    hub.tick(Millis(NOW + FORGET_MS - 1))
    _, writer = watch(hub, Position(1, 5))
    assert writer.page[0]["from"] == 5
    assert hub.take_wanted() == []
    for other in list(hub.watchers):
        hub.dropped(other, NOW)
    hub.tick(Millis(NOW + FORGET_MS))
    assert not hub.index.boards
    assert hub.watched_shards() == []


def test_a_silent_gap_is_found_by_verification() -> None:
    """A calendar that moved without a word is read again, after some patience."""
    hub = a_live_hub()
    _, writer = watch(hub)
    read(hub, a_view(5, "f"))
    hub.verified(PositionsView(1, {PROVIDER: 6}), NOW)
    hub.tick(NOW)
    assert hub.take_wanted() == [], "the change may be on its way"
    hub.tick(Millis(NOW + SUSPECT_MS))
    read(hub, a_view(6, "b"))
    assert writer.page[-1]["version"] == 6
    assert hub.tally.gaps_healed == 1
    hub.verified(PositionsView(1, {PROVIDER: 6}), NOW)
    hub.tick(Millis(NOW + SUSPECT_MS * 2))
    assert hub.take_wanted() == []


def test_a_refused_topic_ends_its_subscriptions() -> None:
    """Its watchers hear an error that names it, and may ask again."""
    hub = a_live_hub()
    watcher, writer = watch(hub)
    board = hub.take_wanted()[0]
    no = problem("visit_type_not_found")
    hub.refused(board, no)
    assert writer.page[-1]["topic"] == WEEK.wire
    assert not watcher.boards
    assert not hub.begin_read(board)
    hub.subscribe(watcher, WEEK, None, NOW)
    assert len(hub.take_wanted()) == 1


def test_too_many_changes_during_a_read_mean_another_read() -> None:
    """What waits is bounded; beyond it the read is done again."""
    hub = a_live_hub()
    watch(hub)
    board = hub.take_wanted()[0]
    hub.begin_read(board)
    for version in range(6, 1_100):
        feed(hub, a_change(version, "hb"[version % 2]))
    assert len(board.held) <= 1_024
    assert not hub.loaded(board, a_view(5), NOW)
    hub.begin_read(board)
    assert not hub.loaded(board, a_view(5), NOW), "older than what was dropped"
    hub.begin_read(board)
    assert hub.loaded(board, a_view(1_099), NOW)


def test_topics_nobody_watches_cost_nothing() -> None:
    """Changes of other calendars are dropped unread."""
    hub = a_live_hub()
    feed(hub, a_change(6, "h"))
    assert not hub.index.boards
    assert hub.encoder.deltas == 0


def test_a_refusal_of_a_forgotten_topic_touches_nobody() -> None:
    """Its name may stand for another topic by now, or for none."""
    hub = a_live_hub()
    watcher, _ = watch(hub)
    (old,) = hub.take_wanted()
    assert hub.begin_read(old)
    hub.unsubscribe(watcher, WEEK.wire, NOW)
    hub.tick(Millis(NOW + FORGET_MS))
    no = problem("not_found", "no such provider")
    hub.refused(old, no)
    _, writer = watch(hub)
    hub.refused(old, no)
    read(hub, a_view(5))
    assert [frame["t"] for frame in writer.page] == ["snapshot"]


def test_a_hold_heard_of_before_a_reset_is_asked_about_and_not_shown() -> None:
    """Its end may be among the changes that were missed; the read knows."""
    hub = a_hub()
    feed(hub)
    mine = me_topic("pat_1")
    _, writer = watch(hub, name=mine)
    (board,) = hub.take_wanted()
    hub.begin_read(board)
    hold = a_hold(2)
    feed(hub, CalendarChange(PROVIDER, 2, 2, holds=[hold]))
    feed(hub, epoch=2)
    assert board.holds == [hold]
    assert not hub.loaded(board, MeView([], [hold]), NOW)
    assert hub.begin_read(board)
    assert hub.loaded(board, MeView([], []), NOW)
    assert [frame["t"] for frame in writer.page] == ["snapshot"]
    assert "holds" not in writer.page[0]
    assert board.holds == []
