"""A clock that is set back stops time for a while, and no booking."""

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import BookingView
from actors.domain.messages.events import RefusalRecorded
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy
from actors.ports import Record, Request, ShardReply
from actors.shard.limits import ShardLimits
from actors.shard.shard import Shard
from tests.unit.actors import practice as p

HOUR = 3_600_000
JOURNAL: list[Record] = []
"""What the shard under test has journaled."""


def opened() -> Shard:
    """A shard whose journal's newest instant is ``p.NOW``."""
    JOURNAL.clear()
    shard = Shard(ShardId("s0000"), Policy(), ShardLimits())
    shard.opened(1, 0, 0, ())
    turn(shard, p.NOW, *p.opened())
    return shard


def turn(shard: Shard, now: int, *requests: Request) -> list[ShardReply]:
    for provider in shard.missing(requests):
        shard.adopt(provider, None)
    batch = shard.begin(requests, Millis(now))
    first = shard.last_seq + 1
    JOURNAL.extend(
        Record(seq, 1, event) for seq, event in enumerate(batch.events, first)
    )
    return shard.commit(batch, shard.last_seq + len(batch.events))


def test_deadlines_by_a_clock_set_back_are_honoured() -> None:
    """An hour back, a request that came in time is booked, not called too late."""
    shard = opened()
    now = p.NOW - HOUR
    command = p.hold("a", deadline=now + 10_000)
    (reply,) = turn(shard, now, command)
    assert not isinstance(reply, Refusal), reply
    (booked,) = turn(shard, now, p.confirm("a"))
    assert isinstance(booked, BookingView)
    assert booked.booked_at == p.NOW, "no instant in the journal goes back"


def test_deadlines_that_passed_by_a_clock_set_back_are_refused() -> None:
    """What comes after its deadline, by the clock that set it, is too late still."""
    shard = opened()
    now = p.NOW - HOUR
    (reply,) = turn(shard, now, p.hold("a", deadline=now - 1))
    assert isinstance(reply, Refusal)
    assert reply.code is RefusalCode.DEADLINE_PASSED


def test_a_refusal_under_a_clock_far_ahead_does_not_carry_time_along() -> None:
    """It is remembered; the next decision, and those after a restart, are of now."""
    shard = opened()
    (refused,) = turn(shard, p.NOW + 400 * 24 * HOUR, p.confirm("unknown"))
    assert isinstance(refused, Refusal)
    assert isinstance(JOURNAL[-1].event, RefusalRecorded)
    again = Shard(ShardId("s0000"), Policy(), ShardLimits())
    again.opened(2, len(JOURNAL), 0, JOURNAL)
    only_the_last = Shard(ShardId("s0000"), Policy(), ShardLimits())
    only_the_last.opened(2, len(JOURNAL), len(JOURNAL), JOURNAL[-1:])
    for one in (shard, again, only_the_last):
        assert one.residents.floor(p.NOW) <= p.NOW + 60_000
    (booked,) = turn(shard, p.NOW + 120_000, p.book("a"))
    assert isinstance(booked, BookingView)
    assert booked.booked_at == p.NOW + 120_000


def test_refusals_are_not_journaled_when_room_is_scarce() -> None:
    """The last room is for cancellations: 200 refusals with keys write nothing."""
    shard = opened()
    requests = [p.confirm(f"unknown{n}") for n in range(200)]
    for pressure, written in ((0.5, 200), (0.99, 0)):
        batch = shard.begin(requests, p.NOW, pressure)
        assert len(batch.events) == written
        assert batch.must_check or written, "a refusal needs to be the owner's"
        replies = shard.commit(batch, shard.last_seq + len(batch.events))
        assert all(isinstance(reply, Refusal) for reply in replies)
        requests = [p.confirm(f"other{n}") for n in range(200)]
