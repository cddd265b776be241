"""A calendar that moves under load, broken off at every step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from actors.audit.audit import Audit
from actors.domain.ids import Millis, ProviderId, ShardId
from actors.domain.messages.answers import (
    BookingView,
    CalendarLeft,
    PositionsView,
    Reply,
)
from actors.domain.messages.commands import AdoptCalendar, MoveCalendarOut
from actors.domain.messages.reads import ReadNextFree, ReadPositions
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy
from actors.hosting.local import LocalLinks
from actors.hosting.mailbox import Mailbox
from actors.placement import Placement, isolated_shard, placing, shard_name
from actors.ports import Request, Trouble, TroubleCode
from actors.shard.limits import ShardLimits
from cluster.moving.calendar_moves import CalendarMover, NoSuchProvider
from gateway.calendars.courier import Courier
from gateway.calendars.request_queue import BatchingLimits
from persistence.journal.memory import MemoryJournal
from persistence.readmodel.memory.readmodel import MemoryReadModel
from persistence.readmodel.projection.projector import Projector
from persistence.snapshots.memory import MemorySnapshots
from tests.fakes.clocks import SteppedClock
from tests.unit.actors import practice as p

SHARDS = [shard_name(0), shard_name(1)]
PLACE = placing(Placement.SHARD, 2)
HOME = PLACE(p.ANA)
OWN = isolated_shard(p.ANA)


class Ticking(SteppedClock):
    """A tenth of a second passes at each look: pauses end."""

    def now(self) -> Millis:
        self.step(0.1)
        return super().now()

    def steady(self) -> Millis:
        return self.now()


class Api:
    """Stores that outlive the processes, and a clock."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.snapshots = MemorySnapshots()
        self.clock = SteppedClock(p.NOW)
        self.mailboxes: dict[ShardId, Mailbox] = {}

    def road(self) -> LocalLinks:
        """A process's own road to the shards: it knows of no move yet."""
        links = LocalLinks(PLACE, SHARDS, self._mailbox)
        links._mailboxes = self.mailboxes
        return links

    def _mailbox(self, shard: ShardId) -> Mailbox:
        limits = ShardLimits(snapshot_events=4, retry_ms=1)
        policy = Policy()
        return Mailbox(shard, self.journal, self.snapshots, self.clock, policy, limits)

    def mover(self, links: LocalLinks | None = None) -> CalendarMover:
        return CalendarMover(links or self.here(), self.clock, patience_s=5)

    def here(self) -> LocalLinks:
        """The road of the tool that moves Ana's calendar."""
        links = self.road()
        links.moved(p.ANA, OWN)
        return links

    async def restart(self) -> None:
        """Every shard's process is lost; what it knew is in the stores."""
        lost = list(self.mailboxes.values())
        self.mailboxes.clear()
        for mailbox in lost:
            await mailbox.close()

    async def problems(self) -> list[str]:
        """What an audit of all journals finds, read in either order."""
        found = []
        for backwards in (False, True):
            audit = Audit()
            names = sorted(await self.journal.shards(), reverse=backwards)
            for shard in names:
                audit.new_shard(0, shard)
                for record in await self.journal.read(shard, 0, 10_000):
                    audit.feed(record)
            audit.close()
            found += audit.problems
        return found


@pytest.fixture
async def api() -> Api:
    return Api()


async def told(links: LocalLinks, clock: SteppedClock, *asked: Request) -> list[Reply]:
    """What a gateway of its own is answered."""
    courier = Courier(links, clock, BatchingLimits(command_ms=5_000))
    try:
        return [await courier.ask(one) for one in asked]
    finally:
        await courier.close()


async def begun(api: Api) -> LocalLinks:
    """A gateway's road, and Ana's calendar with a hold and a booking."""
    links = api.road()
    requests = [*p.opened(), *p.opened(p.BEN), p.book("one"), p.hold("two", 1)]
    for reply in await told(links, api.clock, *requests):
        assert not isinstance(reply, Refusal), reply
    return links


async def test_everything_comes_along(api: Api) -> None:
    """Bookings, holds, remembered answers and the version are those of before."""
    links = await begun(api)
    (before,) = await told(links, api.clock, ReadPositions((p.ANA,)))
    moved = await api.mover().move(p.ANA, HOME, OWN)
    assert (moved.from_shard, moved.to_shard) == (HOME, OWN)
    again, confirmed, taken, after = await told(
        links,
        api.clock,
        p.book("one"),
        p.confirm("two"),
        p.book("three", 1),
        ReadPositions((p.ANA,)),
    )
    assert isinstance(again, BookingView)
    assert again.booking_id == p.book("one").booking_id
    assert isinstance(confirmed, BookingView)
    assert isinstance(taken, Refusal)
    assert taken.code is RefusalCode.SLOT_UNAVAILABLE
    assert links.shard_of(p.ANA) == OWN
    assert isinstance(before, PositionsView)
    assert isinstance(after, PositionsView)
    assert after.versions[p.ANA] == before.versions[p.ANA] + 1
    assert after.epoch > before.epoch
    assert await api.problems() == []


async def test_the_old_shard_refuses_for_ever(api: Api) -> None:
    """Also after its process is lost, from its journal and from its snapshot."""
    await begun(api)
    await api.mover().move(p.ANA, HOME, OWN)
    for _ in range(2):
        await api.restart()
        requests: list[Request] = [
            p.book("late", 5),
            p.slots(),
            ReadPositions((p.ANA,)),
            ReadNextFree((p.BEN, p.ANA)),
        ]
        for reply in await api.road().execute(HOME, requests, 5):
            assert isinstance(reply, Trouble)
            assert (reply.code, reply.detail) == (TroubleCode.MOVED, OWN)
            assert reply.provider_id == p.ANA
        await api.mailboxes[HOME].close()  # stores what it knows
    assert await api.problems() == []


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("restarts", [False, True])
async def test_a_move_that_broke_off_is_finished(
    api: Api, step: int, *, restarts: bool
) -> None:
    """After any step: nothing is answered wrongly, and the same move finishes it."""
    links = await begun(api)

    class Lost(Exception):
        pass

    def stepped(made: int) -> None:
        if made == step:
            raise Lost

    broken = CalendarMover(api.here(), api.clock, patience_s=5, stepped=stepped)
    with pytest.raises(Lost):
        await broken.move(p.ANA, HOME, OWN)
    if restarts:
        await api.restart()
    (reply,) = await links.execute(HOME, [p.book("now", 3)], 5)
    if step == 1:
        assert isinstance(reply, BookingView)
    else:
        assert isinstance(reply, Trouble)
        assert reply.code is TroubleCode.MOVED
        (there,) = await api.here().execute(OWN, [p.book("now", 3)], 5)
        assert isinstance(there, Trouble if step == 2 else BookingView)
        if isinstance(there, Trouble):
            assert there.code is TroubleCode.RECOVERING
    for _ in range(2):
        await api.mover().move(p.ANA, HOME, OWN)
    now, one = await told(links, api.clock, p.book("now", 3), p.book("one"))
    assert isinstance(now, BookingView)
    assert isinstance(one, BookingView)
    assert await api.problems() == []


async def test_a_broken_move_is_noticed(api: Api) -> None:
    """A calendar that left and has not come is named by the audit."""
    await begun(api)
    await api.road().execute(
        HOME, [MoveCalendarOut(provider_id=p.ANA, to_shard=OWN)], 5
    )
    assert any("has not come" in problem for problem in await api.problems())


async def test_what_was_asked_in_between_waits(api: Api) -> None:
    """Between the two shards a command is retried with its key, and has one effect."""
    links = await begun(api)
    left = MoveCalendarOut(provider_id=p.ANA, to_shard=OWN)
    (reply,) = await links.execute(HOME, [left], 5)
    assert isinstance(reply, CalendarLeft)
    courier = Courier(links, Ticking(p.NOW), BatchingLimits(command_ms=3_600_000))
    asked = asyncio.create_task(courier.ask(p.book("meanwhile", 4)))
    async with asyncio.timeout(60):
        while courier.tally.moved == 0:  # noqa: ASYNC110 - it reports nothing
            await asyncio.sleep(0)
    await api.mover().move(p.ANA, HOME, OWN)
    assert isinstance(await asked, BookingView)
    await courier.close()
    assert await api.problems() == []


async def test_the_new_epoch_is_above_the_old_one(api: Api) -> None:
    """However often the old shard was opened: a position is never another's."""
    await begun(api)
    for _ in range(5):
        await api.restart()
        await api.road().execute(HOME, [p.slots()], 5)
    moved = await api.mover().move(p.ANA, HOME, OWN)
    old = (await api.journal.read(HOME, 0, 1000))[-1]
    (first, *_) = await api.journal.read(moved.to_shard, 0, 10)
    assert first.epoch > old.epoch


async def test_an_old_calendar_cannot_come_back(api: Api) -> None:
    """A late call with what a shard gave once revives nothing: it moved on since."""
    await begun(api)
    links = api.here()
    (left,) = await links.execute(
        HOME, [MoveCalendarOut(provider_id=p.ANA, to_shard=OWN)], 5
    )
    assert isinstance(left, CalendarLeft)
    adopt = AdoptCalendar(
        provider_id=p.ANA,
        from_shard=HOME,
        from_epoch=left.epoch,
        from_seq=left.seq,
        state=left.state,
    )
    await api.mover().move(p.ANA, HOME, OWN)
    await told(links, api.clock, p.book("there", 6))
    home_again = CalendarMover(links, api.clock, patience_s=5)
    await home_again.move(p.ANA, OWN, HOME)
    (late,) = await links.execute(OWN, [adopt], 5)
    assert isinstance(late, Trouble)
    assert (late.code, late.detail) == (TroubleCode.MOVED, HOME)
    (known,) = await links.execute(HOME, [p.book("there", 6)], 5)
    assert isinstance(known, BookingView)
    assert await api.problems() == []


async def test_a_stranger_is_not_moved(api: Api) -> None:
    """An unregistered provider is named, and leaves no trace."""
    await begun(api)
    with pytest.raises(NoSuchProvider):
        await api.mover().move(ProviderId("prv_nobody"), HOME, OWN)


async def test_an_isolated_shard_begins_no_calendar(api: Api) -> None:
    """Before its calendar has come it answers "recovering", to a registration too."""
    await begun(api)
    asked: Sequence[Request] = [*p.opened(), p.slots(), ReadPositions((p.ANA,))]
    for reply in await api.here().execute(OWN, asked, 5):
        assert isinstance(reply, Trouble)
        assert reply.code is TroubleCode.RECOVERING


async def test_questions_about_many_go_where_each_is(api: Api) -> None:
    """One question about calendars of which one has moved is divided again."""
    links = await begun(api)
    ben_home = PLACE(p.BEN)
    (before,) = await told(links, api.clock, ReadNextFree((p.ANA, p.BEN)))
    await api.mover().move(p.ANA, HOME, OWN)
    (after,) = await told(links, api.clock, ReadNextFree((p.ANA, p.BEN)))
    assert after == before
    assert links.shard_of(p.BEN) == ben_home


async def test_the_read_model_follows(api: Api) -> None:
    """Rows stay, claims stay, nothing is parked, and later events find their rows."""
    links = await begun(api)
    model = MemoryReadModel()
    projector = Projector(api.journal, model, api.clock)
    while await projector.step():
        pass
    claims = dict(model.claims)
    await told(links, api.clock, p.book("unseen", 2))
    await api.mover().move(p.ANA, HOME, OWN)
    await told(links, api.clock, p.cancel("unseen"), p.book("own", 7))
    while await projector.step():
        pass
    assert await model.parked() == {}
    assert claims.items() <= model.claims.items()
    assert {one.booking_id for one in model.appointments.values()} == {
        p.book(token).booking_id for token in ("one", "unseen", "own")
    }
