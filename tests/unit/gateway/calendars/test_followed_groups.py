"""Gateways settle what feeds tell them, when the gateway that decided it does not."""

from __future__ import annotations

from random import Random

import pytest

from actors.domain.ids import BookingId, ShardId
from actors.domain.messages.answers import Owed
from actors.domain.messages.changes import CalendarChange, FeedBatch
from actors.domain.messages.commands import ConfirmHold, PlaceHold
from actors.errors import Unavailable
from actors.ports import Request
from care.resources.settling import Settling
from gateway.calendars.members import following
from gateway.calendars.members.following import FollowedGroups, Followers
from tests import factories as make
from tests.fakes.api import Api
from tests.fixtures.resources import before, is_settled, taken
from tests.unit.gateway.calendars.test_group_bookings import SLOT, api, post
from tests.unit.gateway.calendars.test_settling_jobs import dying_at

__all__ = ["api"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for: the test is the only gateway."""
    monkeypatch.setattr(following, "LEAST_S", 0.0)
    monkeypatch.setattr(following, "MOST_S", 0.0)


def another(api: Api) -> FollowedGroups:
    """A gateway that has decided nothing."""
    settling = Settling(api.ports.calendars, api.clock.now)
    return FollowedGroups(settling, api.clock.now, Random(1))


async def told(api: Api, gateway: FollowedGroups) -> None:
    """All that the feeds of all shards have, as a gateway that starts hears it."""
    for shard in api.links.shards():
        begin = await api.links.poll(shard, 0, 0, 0)
        batch = await api.links.poll(shard, begin.epoch, 0, 0)
        gateway.on_feed(shard, batch)
        gateway.on_feed(shard, batch)  # heard twice, it is done once
    await gateway.settled()


async def test_debts_are_paid_by_another_gateway(api: Api) -> None:
    """The one that booked ended before it told the room."""
    async with before(api, dying_at(ConfirmHold, visit=True)):
        booked = await post(api, "bookings", SLOT)
    assert booked.status_code == 201
    assert await taken(api) == set()
    await told(api, another(api))
    assert len(await taken(api)) == 2
    assert await is_settled(api)


async def test_doubts_are_resolved_by_another_gateway(api: Api) -> None:
    """The one that held the rooms ended before it asked the provider."""
    async with before(api, dying_at(PlaceHold, group=True, patient_id=True)):
        await post(api, "bookings", SLOT)
    api.clock.step(600)
    await is_settled(api)  # due holds are noticed by the next question
    await told(api, another(api))
    assert await is_settled(api)
    assert (await post(api, "holds", SLOT, patient=2)).status_code == 201


async def test_a_calendar_that_does_not_answer_is_asked_again(api: Api) -> None:
    """A bounded number of times; the worker goes on."""
    async with before(api, dying_at(ConfirmHold, visit=True)):
        await post(api, "bookings", SLOT)
    asked: list[Request] = []
    failing = [True]

    async def away(request: Request) -> None:
        if isinstance(request, ConfirmHold) and failing[0]:
            asked.append(request)
            failing[0] = len(asked) < 5
            raise Unavailable("away")

    async with before(api, away):
        await told(api, another(api))
    assert len(asked) == 5
    assert len(await taken(api)) == 2


async def test_a_calendar_that_never_answers_is_left_to_the_worker(api: Api) -> None:
    """No gateway asks for ever."""
    asked: list[Request] = []

    async def always(request: Request) -> None:
        asked.append(request)
        raise Unavailable("away")

    silent = another(api)
    owed = Owed(BookingId("bkg_1.a"), ())
    change = CalendarChange(make.PROVIDER, 1, 1, owed=[owed])
    async with before(api, always):
        silent.on_feed(ShardId("s0000"), FeedBatch(1, 1, 1, [change]))
        await silent.settled()
    assert len(asked) == following.TRIES_MAX


class Heard:
    """A follower that counts."""

    def __init__(self, *, is_wanted: bool) -> None:
        self.is_wanted = is_wanted
        self.batches: list[FeedBatch] = []

    def on_feed(self, _shard: ShardId, batch: FeedBatch) -> None:
        self.batches.append(batch)


def test_several_follow_one_feed() -> None:
    """Each is told; one that wants changes at once is enough."""
    calm, eager = Heard(is_wanted=False), Heard(is_wanted=True)
    batch = FeedBatch(1, 1, 1)
    both = Followers(calm, None, eager)
    both.on_feed(ShardId("s0000"), batch)
    assert calm.batches == eager.batches == [batch]
    assert both.is_wanted
    assert not Followers(calm, None).is_wanted
