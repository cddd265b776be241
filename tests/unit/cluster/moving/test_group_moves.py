"""A calendar of a group moves to another shard, and shards are lost at every step.

Ana's calendar is the primary of groups in every state, Ben's their member. Either
moves; then all is settled, whatever was lost: visits have their parts, and nothing else
is held.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from actors.audit.groups import SETTLED_MS, AuditedGroups
from actors.domain.calendar.effects import apply
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    GroupId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
    booking_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import (
    BookingView,
    GroupsView,
    HoldView,
    ScheduleView,
)
from actors.domain.messages.reads import ReadGroups, ReadHold, ReadSchedule
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Policy, Waiting
from actors.hosting.local import LocalLinks
from actors.placement import isolated_shard
from actors.ports import Request
from care.resources.settling import Settling
from cluster.moving.calendar_moves import CalendarMover
from gateway.calendars.courier import Courier
from gateway.calendars.request_queue import BatchingLimits
from tests.unit.actors import practice as p
from tests.unit.actors.test_shard_groups import at_ana, at_ben, pay
from tests.unit.cluster.moving.test_calendar_moves import PLACE, Api, told

PAID, OWED, OVER, HELD, LOST = (
    GroupId(name) for name in ("paid", "owed", "over", "held", "lost")
)
"""A visit and its part; a visit that owes its part; a group given up whose member still
holds; one that its patient has not decided; a visit cancelled whose part is owed so."""
LATER_MS = 2 * SETTLED_MS
DAY = 24 * 60


def settled(group: GroupId) -> cm.SettleGroup:
    visit = booking_id(p.ANA, group)
    return cm.SettleGroup(provider_id=p.ANA, booking_id=visit, settled=1 << 30)


def in_every_state() -> list[Request]:
    whole = [
        step
        for place, group in enumerate((PAID, LOST))
        for step in (
            at_ben(group, place),
            at_ana(group, place),
            p.confirm(group),
            pay(booking_id(p.ANA, group), group),
            settled(group),
        )
    ]
    return [
        *whole,
        p.cancel(LOST),
        at_ben(OWED, 2),
        at_ana(OWED, 2),
        p.confirm(OWED),
        at_ben(OVER, 3),
        cm.AbortGroup(provider_id=p.ANA, group_id=OVER),
        at_ben(HELD, 4),
        at_ana(HELD, 4),
    ]


class Lost(Api):
    """Stores and shards, of which one is killed while a calendar moves."""

    def __init__(self) -> None:
        super().__init__()
        self._dead: list[Any] = []

    def kill(self, shard: ShardId) -> None:
        """As by kill -9: it says nothing more, and another begins in its place."""
        mailbox = self.mailboxes.pop(shard, None)
        if mailbox is not None:
            self._dead.append(mailbox)

    async def close(self) -> None:
        for mailbox in (*self._dead, *self.mailboxes.values()):
            await mailbox.close()

    async def move(self, who: ProviderId, step: int, victim: str) -> None:
        """Move a calendar; a shard is killed after so many steps."""
        own, home = isolated_shard(who), PLACE(who)
        links = self.road()
        links.moved(who, own)
        victims = {"source": [home], "target": [own], "both": [home, own]}[victim]

        def stepped(made: int) -> None:
            for shard in victims if made == step else ():
                self.kill(shard)

        stepped(0)
        mover = CalendarMover(links, self.clock, patience_s=5, stepped=stepped)
        await mover.move(who, home, own)

    async def states(self) -> dict[ProviderId, CalendarState]:
        """What all journals say: the calendars that are in their shards now."""
        found: dict[ProviderId, CalendarState] = {}
        groups = self.groups = AuditedGroups()
        for shard in sorted(await self.journal.shards()):
            here: dict[ProviderId, CalendarState] = {}
            for record in await self.journal.read(shard, 0, 10_000):
                provider = record.event.provider_id
                state = here.setdefault(provider, CalendarState(provider, Policy()))
                apply(state, record.event, record.epoch)
                groups.follow(record.event, state)
            found |= {who: one for who, one in here.items() if one.left is None}
        return found

    async def disagreements(self) -> list[str]:
        """What does not agree between calendars, long after."""
        for state in (await self.states()).values():
            self.groups.add(state, Millis(0))
        return list(self.groups.problems(Millis(self.clock.now() + LATER_MS)))


async def begun(api: Api) -> LocalLinks:
    """A gateway's road, and groups in every state."""
    links = api.road()
    asked = [*p.opened(), *p.opened(p.BEN), *in_every_state()]
    for reply in await told(links, api.clock, *asked):
        assert not isinstance(reply, Refusal), reply
    return links


async def settle_all(api: Api, links: LocalLinks) -> None:
    """What a gateway or a worker does, once holds are past their deadlines."""
    courier = Courier(links, api.clock, BatchingLimits(command_ms=5_000))
    settling = Settling(courier, api.clock.now)
    try:
        found = await courier.ask(ReadGroups(p.ANA))
        assert isinstance(found, GroupsView)
        for owed in found.owed:
            await settling.pay(p.ANA, owed.booking_id)
        api.clock.step(Policy().hold_ms / 1000 + 1)
        for who in (p.ANA, p.BEN):
            await courier.ask(p.slots(who))  # deadlines are noticed
        assert not await settling.resolve_all(p.BEN)
        for who in (p.ANA, p.BEN):
            view = await courier.ask(ReadGroups(who))
            assert isinstance(view, GroupsView)
            assert (view.owed, view.doubts) == ((), ())
    finally:
        await courier.close()


async def visits(api: Api, links: LocalLinks, who: ProviderId) -> set[str]:
    """The groups of a calendar's visits that stand."""
    (view,) = await told(
        links, api.clock, ReadSchedule(who, p.NINE, Minute(p.NINE + 600))
    )
    assert isinstance(view, ScheduleView)
    standing = [one for one in view.bookings if one.status != "cancelled"]
    return {one.group.group_id for one in standing if one.group is not None}


@pytest.mark.parametrize("victim", ["source", "target", "both"])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
@pytest.mark.parametrize("who", [p.ANA, p.BEN])
async def test_groups_end_as_decided_though_a_calendar_of_them_moves(
    who: ProviderId, step: int, victim: str
) -> None:
    """The shard that it leaves, the one that it comes to, or both are killed before the
    move, between any two steps, or after it."""
    api = Lost()
    links = await begun(api)
    await api.move(who, step, victim)
    late, again, confirmed = await told(
        links, api.clock, at_ana(OVER, 3), p.confirm(OWED), p.confirm(HELD)
    )
    assert isinstance(late, Refusal), "its tombstone came along"
    assert late.code is RefusalCode.HOLD_EXPIRED
    assert isinstance(again, BookingView), "the key came along"
    assert isinstance(confirmed, BookingView)
    await settle_all(api, links)
    assert await visits(api, links, p.ANA) == {PAID, OWED, HELD}
    assert await visits(api, links, p.BEN) == {PAID, OWED, HELD}
    assert await api.disagreements() == []
    assert await api.problems() == []
    await api.close()


async def test_both_move_at_once_and_all_shards_are_lost() -> None:
    """Broken off in the middle, with every process gone: moved again, all is there."""
    api = Lost()
    links = await begun(api)

    class Broken(Exception):
        pass

    def stepped(made: int) -> None:
        if made == 2:
            raise Broken

    for who in (p.ANA, p.BEN):
        own = isolated_shard(who)
        road = api.road()
        road.moved(who, own)
        mover = CalendarMover(road, api.clock, patience_s=5, stepped=stepped)
        with pytest.raises(Broken):
            await mover.move(who, PLACE(who), own)
    await api.restart()
    await asyncio.gather(*(api.move(who, 9, "both") for who in (p.ANA, p.BEN)))
    await settle_all(api, links)
    assert await visits(api, links, p.ANA) == {PAID, OWED}
    assert await visits(api, links, p.BEN) == {PAID, OWED}
    assert await api.disagreements() == []
    assert await api.problems() == []
    await api.close()


CLASS = replace(
    p.opened()[1].availability.visit_types[0],  # type: ignore[union-attr]
    visit_type="class",
    capacity=3,
)


def a_crowd() -> list[Request]:
    """Seats, an overbooked visit, a series, and a list with a reserve."""
    rules = p.opened()[1].availability  # type: ignore[union-attr]
    rules = replace(rules, visit_types=(*rules.visit_types, CLASS), lanes=2)
    series = cm.BookMany(
        provider_id=p.ANA,
        key="series",
        booking_ids=(booking_id(p.ANA, "s1"), booking_id(p.ANA, "s2")),
        patient_id=PatientId("pat_5"),
        visit_type=p.CONSULT,
        starts=(Minute(p.NINE + DAY), Minute(p.NINE + 2 * DAY)),
    )
    seat: dict[str, Any] = {"visit_type": CLASS.visit_type}
    more: dict[str, Any] = {"overbook": True, "by_staff": True}
    waiting = Waiting((p.CONSULT,), p.NINE, Minute(p.NINE + 30 * DAY), 8)
    return [
        cm.SetAvailability(provider_id=p.ANA, key="crowd", availability=rules),
        replace(p.book("c1", 6, patient="pat_4"), **seat),
        replace(p.book("c2", 6, patient="pat_2"), **seat),
        replace(p.hold("c3", 6, patient="pat_3"), **seat),
        p.book("o1", 8, patient="pat_4"),
        replace(p.book("o2", 8, patient="pat_8"), reason="acute", **more),
        series,
        p.book("w1", 10, patient="pat_6"),
        p.book("w2", 11, patient="pat_6"),
        cm.SetWaiting(provider_id=p.ANA, waiting=waiting),
        p.cancel("w1"),
        p.cancel("w2"),
    ]


async def test_lanes_seats_offers_and_series_come_along() -> None:
    """The calendar is what it was, field by field; and the patient takes the offer."""
    api = Lost()
    links = await begun(api)
    for reply in await told(links, api.clock, *a_crowd()):
        assert not isinstance(reply, Refusal), reply
    holds = (await api.states())[p.ANA].occupancy.holds.values()
    offered, listed = sorted(one.hold_id for one in holds if one.reserved)
    offer = cm.OfferHold(
        provider_id=p.ANA,
        key="offer",
        hold_id=offered,
        patient_id=PatientId("pat_9"),
        until=Millis(p.NOW + 600_000),
    )
    (made,) = await told(links, api.clock, offer)
    assert isinstance(made, HoldView)
    before = (await api.states())[p.ANA].kept()
    await api.move(p.ANA, 9, "both")
    after = (await api.states())[p.ANA].kept()
    after.epoch, after.version = before.epoch, before.version
    assert after == before
    await takes_the_offer(api, links, offered, listed)
    await api.close()


async def takes_the_offer(
    api: Lost, links: LocalLinks, offered: HoldId, listed: HoldId
) -> None:
    """One patient books what they were offered; the rest stays with the list."""
    name = booking_id(p.ANA, "taken")
    take = cm.ConfirmHold(
        provider_id=p.ANA, key="take", hold_id=offered, booking_id=name, owner=None
    )
    taken, still, refused = await told(
        links,
        api.clock,
        take,
        ReadHold(p.ANA, listed),
        p.book("public", 11, patient="pat_7"),
    )
    assert isinstance(taken, BookingView)
    assert taken.patient_id == "pat_9"
    assert isinstance(still, HoldView)
    assert still.offer
    assert isinstance(refused, Refusal)
    assert await api.problems() == []
