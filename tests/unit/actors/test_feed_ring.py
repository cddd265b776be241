"""The ring answers any cursor with what follows it, or says that something is lost."""

from actors.domain.ids import ProviderId
from actors.domain.messages.changes import CalendarChange
from actors.shard.feed_ring import FeedRing, weight_of

ONE = ProviderId("prv_1")


def change(number: int) -> CalendarChange:
    return CalendarChange(ONE, version=number, seq=number)


def ring(published: int, capacity: int = 10) -> FeedRing:
    feed = FeedRing(epoch=7, seq=0, capacity=capacity)
    for number in range(1, published + 1):
        feed.publish(number, [change(number)])
    return feed


def test_cursor_gets_what_follows_it() -> None:
    """From each place within the ring exactly the later changes come, in order."""
    feed = ring(5)
    for number in range(6):
        batch = feed.since(7, number, 10_000)
        assert [one.version for one in batch.changes] == list(range(number + 1, 6))
        assert (batch.number, batch.seq) == (5, 5)
        assert not batch.reset
        assert not batch.more


def test_silence_is_no_news() -> None:
    """The newest cursor has nothing to hear; any other has."""
    feed = ring(3)
    assert not feed.has_after(7, 3)
    assert feed.has_after(7, 2)
    assert feed.has_after(6, 3)
    assert feed.has_after(7, 4)


def test_lost_changes_are_said_to_be_lost() -> None:
    """An old epoch, a cursor older than the ring or from nowhere means reset."""
    feed = ring(25, capacity=10)
    for epoch, number in ((6, 25), (0, 0), (7, 14), (7, 26)):
        batch = feed.since(epoch, number, 10_000)
        assert batch.reset
        assert batch.changes == []
        assert (batch.epoch, batch.number) == (7, 25)
    assert len(feed.since(7, 15, 10_000).changes) == 10


def test_long_answers_are_cut_and_continued() -> None:
    """Following ``more`` brings every change once, whatever the size limit."""
    feed = ring(9)
    for limit in (1, weight_of(change(1)), 3 * weight_of(change(1)) + 1):
        heard: list[int] = []
        number, more = 0, True
        while more:
            batch = feed.since(7, number, limit)
            assert batch.changes
            heard += [one.version for one in batch.changes]
            number, more = batch.number, batch.more
        assert heard == list(range(1, 10))
