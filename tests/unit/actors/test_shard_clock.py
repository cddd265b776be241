"""A clock that is set back stops time for a while, and stops nobody from booking."""

from actors.domain.answers import BookingView
from actors.domain.errors import Refusal, RefusalCode
from actors.domain.ids import Millis, ShardId
from actors.domain.rules import Policy
from actors.limits import Limits
from actors.ports import Request, ShardReply
from actors.shard import Shard
from tests.unit.actors import practice as p

HOUR = 3_600_000


def opened() -> Shard:
    """A shard whose journal's newest instant is ``p.NOW``."""
    shard = Shard(ShardId("s0000"), Policy(), Limits())
    shard.opened(1, 0, 0, ())
    turn(shard, p.NOW, *p.opened())
    return shard


def turn(shard: Shard, now: int, *requests: Request) -> list[ShardReply]:
    for provider in shard.missing(requests):
        shard.adopt(provider, None)
    batch = shard.begin(requests, Millis(now))
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
