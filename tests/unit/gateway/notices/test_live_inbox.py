"""Notices on the live socket: what a patient is told appears where they watch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from actors.domain.ids import Millis, PatientId
from actors.errors import Unavailable
from care.notices.ports import Notice, NoticeStores
from gateway.access.table import GuardianScope
from gateway.live.core.frames import UNREAD
from gateway.live.core.topic_names import me_topic
from gateway.live.feeds import inboxes
from gateway.live.feeds.inboxes import NOTICES_SHOWN, InboxFeed
from gateway.live.topics.topic import MeView
from gateway.live.topics.watcher import Watcher
from persistence.keys.ring import KeyRing
from persistence.notices.changes import SqlInboxChanges, note_inboxes
from persistence.notices.inbox import notice_stores
from persistence.notices.models import NoticeRecord
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.patients.recipients import was_erased
from persistence.sql import log_reader
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, LiveClient, open_live_api
from tests.fixtures.accounts import KEKS, AccountApi, signed
from tests.fixtures.read_model import empty_records
from tests.unit.gateway.live.stage import NOW, PageWriter, a_hub
from tests.unit.gateway.notices.test_notices import Told


class LiveInboxes:
    """A gateway with a port, whose patients are told things."""

    def __init__(self, live: LiveApi, told: Told) -> None:
        self.live = live
        self.told = told

    async def mark(self, notice_id: str, header: dict[str, str]) -> None:
        """Mark as read, as another device of the person does."""
        path = f"/v1/notices/{notice_id}/read"
        answer = await self.live.api.client.post(path, headers=header)
        assert answer.status_code == 200


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LiveInboxes]:
    # How long a gateway without watchers sleeps is no part of what is proved here.
    monkeypatch.setattr(inboxes, "IDLE_S", inboxes.FOLLOWED_S)
    clock = SteppedClock(make.NOW)
    records = Records(empty_records("sqlite", request, tmp_path))
    ring = KeyRing(records, KEKS, clock)
    outgoing = SqlOutgoingMessages(records, ring)
    shared = {"notices": notice_stores(records, ring, was_erased), "outgoing": outgoing}
    try:
        async with open_live_api(clock=clock, shared=shared) as live:
            yield LiveInboxes(live, Told(AccountApi(live.api, outgoing)))
    finally:
        await records.close()


async def heard(client: LiveClient, *, kind: str = "delta") -> dict[str, Any]:
    """The next frame that speaks of the inbox."""
    while True:
        frame = await client.until(kind)
        if "unread" in frame:
            return frame


def booked(frame: dict[str, Any]) -> list[str]:
    return [one["booking_id"] for one in frame["notices"]]


async def test_what_a_patient_is_told_is_sent_at_once(site: LiveInboxes) -> None:
    """The snapshot has the inbox; a new notice comes alone, as REST shows it, with the
    number of unread ones; marking one as read is sent to the person's other devices."""
    await site.told.tell(1)
    async with site.live.client("patient", "pat_1") as client:
        await client.send("subscribe", topics=["me"])
        first = await heard(client, kind="snapshot")
        assert booked(first) == [make.a_booking_id(1)]
        assert first["unread"] == 1
        await site.told.tell(2)
        second = await heard(client)
        assert (booked(second), second["unread"]) == ([make.a_booking_id(2)], 2)
        mine = site.live.api.patient()
        page = await site.live.api.client.get("/v1/notices", headers=mine)
        assert page.json()["items"][0] == second["notices"][0]
        await site.mark(second["notices"][0]["notice_id"], mine)
        third = await heard(client)
        assert (booked(third), third["unread"]) == ([make.a_booking_id(2)], 1)
        assert third["notices"][0]["read_at"] is not None


async def test_nothing_of_another_patient_is_sent(site: LiveInboxes) -> None:
    """Nor, to people who act for a patient, anything of a confidential visit."""
    guardian = signed(
        *(site.live.api, "guardian", "pat_1", "acc_7"),
        scopes=(GuardianScope.VIEW,),
    )
    async with (
        site.live.client("patient", "pat_2") as other,
        site.live.client() as proxy,
    ):
        token = guardian["Authorization"].removeprefix("Bearer ")
        answer = await proxy.ask("auth", token=token)
        assert answer["t"] == "result", answer
        for client in (other, proxy):
            await client.send("subscribe", topics=["me"])
            assert (await heard(client, kind="snapshot"))["unread"] == 0
        await site.told.tell(1, confidential=True)
        await site.told.tell(2)
        await site.told.tell(3, "pat_2")
        frame = await heard(proxy)
        assert (booked(frame), frame["unread"]) == ([make.a_booking_id(2)], 1)
        frame = await heard(other)
        assert (booked(frame), frame["unread"]) == ([make.a_booking_id(3)], 1)
        everything = str(other.frames) + str(proxy.frames)
        assert make.a_booking_id(1) not in everything


async def test_what_becomes_confidential_is_taken_from_proxies(
    site: LiveInboxes,
) -> None:
    """A snapshot without it replaces what people who act for the patient were sent."""
    guardian = signed(
        *(site.live.api, "guardian", "pat_1", "acc_7"),
        scopes=(GuardianScope.VIEW,),
    )
    await site.told.tell(1)
    await site.told.tell(2)
    async with site.live.client() as proxy:
        token = guardian["Authorization"].removeprefix("Bearer ")
        await proxy.ask("auth", token=token)
        await proxy.send("subscribe", topics=["me"])
        first = await heard(proxy, kind="snapshot")
        assert first["unread"] == 2
        row, booking = NoticeRecord, make.a_booking_id(1)
        hiding = update(row).where(row.booking_id == booking)
        async with site.told.records.writing() as session:
            await session.execute(hiding.values(confidential=True))
            await note_inboxes(await session.connection(), ["pat_1"])
        after = await heard(proxy, kind="snapshot")
        assert (booked(after), after["unread"]) == ([make.a_booking_id(2)], 1)


async def test_the_newest_notices_are_shown(site: LiveInboxes) -> None:
    """A bounded number; those that are unread are all counted."""
    for number in range(1, NOTICES_SHOWN + 4):
        await site.told.tell(number)
    async with site.live.client("patient", "pat_1") as client:
        await client.send("subscribe", topics=["me"])
        frame = await heard(client, kind="snapshot")
        assert frame["unread"] == NOTICES_SHOWN + 3
        last = [make.a_booking_id(n) for n in range(4, NOTICES_SHOWN + 4)]
        assert booked(frame) == last


class Inboxes:
    """Stores by hand: ``changed`` is what the log says next."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.changed: list[frozenset[PatientId] | None] = []
        self.is_away = False
        self.during: Callable[[], None] = lambda: None

    async def page(self, *_: Any, **__: Any) -> list[Notice]:
        if self.is_away:
            raise Unavailable("away")
        found = list(self.notices)
        self.during()
        return found

    async def unread(self, *_: Any, **__: Any) -> int:
        return sum(one.read_at is None for one in self.notices)

    async def begin(self) -> None:
        return

    async def read(self) -> frozenset[PatientId] | None:
        return self.changed.pop(0) if self.changed else frozenset()


MINE = PatientId("pat_1")


class Stage:
    """A hub with one patient who watches, and the feed of inboxes."""

    def __init__(self, told: Notice) -> None:
        self.told = told
        self.store, self.hub, self.writer = Inboxes(), a_hub(), PageWriter()
        store: Any = self.store
        self.feed = InboxFeed(
            NoticeStores(store, store, store, store), self.hub, SteppedClock(NOW)
        )
        self.hub.subscribe(Watcher(self.writer, 0), me_topic(MINE), None, NOW)
        (self.board,) = self.hub.take_wanted()

    def load(self, at: int = NOW, **view: Any) -> None:
        """The topic's read has ended."""
        assert self.hub.loaded(self.board, MeView([], [], **view), Millis(at))

    def shown(self) -> list[str]:
        return [key for key in map(str, self.board.rows) if key != UNREAD]


@pytest.fixture
async def stage(site: LiveInboxes) -> Stage:
    await site.told.tell(1)
    inbox = site.live.api.ports.notices
    assert inbox is not None
    (one,) = await inbox.inbox.page(MINE, after=None, limit=9, proxy=False)
    return Stage(one)


async def test_an_inbox_that_cannot_be_read_is_sent_later(stage: Stage) -> None:
    """A topic's visits do not wait for it."""
    stage.store.is_away = True
    stage.load(inbox=await stage.feed.of(stage.board))
    assert stage.shown() == []
    stage.store.is_away = False
    stage.store.notices = [stage.told]
    await stage.feed.step()
    assert stage.shown() == [stage.told.notice_id]
    assert stage.writer.page[-1]["unread"] == 1


async def test_an_older_reading_does_not_undo_a_newer_one(stage: Stage) -> None:
    """A notice that another reading has seen as read stays so."""
    stage.load(inbox=await stage.feed.of(stage.board))
    await stage.feed.step()
    stage.store.notices = [stage.told]
    stage.store.changed = [frozenset({MINE})]

    def overtake() -> None:
        """While the older reading is under way, the topic is read again whole."""
        stage.store.during = lambda: None
        read = replace(stage.told, read_at=Millis(NOW + 1))
        stage.store.notices = [read]
        stage.hub.read_again(stage.board)
        stage.hub.take_wanted()
        rows = {read.notice_id: read}
        stage.load(at=NOW + 1, inbox=rows)

    stage.store.during = overtake
    await stage.feed.step()
    await stage.feed.step()
    row = stage.board.rows[stage.told.notice_id]
    assert isinstance(row, Notice)
    assert row.read_at is not None
    assert stage.writer.page[-1]["unread"] == 0


async def test_lost_lines_make_every_inbox_read_again(stage: Stage) -> None:
    """Also those that changed before the log was first followed."""
    stage.load(inbox=await stage.feed.of(stage.board))
    stage.store.notices = [stage.told]
    await stage.feed.step()
    assert stage.shown() == [stage.told.notice_id]
    stage.store.notices = [replace(stage.told, read_at=Millis(NOW + 1))]
    await stage.feed.step()
    assert stage.writer.page[-1]["unread"] == 1
    stage.store.changed = [None]
    await stage.feed.step()
    assert stage.writer.page[-1]["unread"] == 0


async def test_a_topic_that_is_not_kept_is_not_read(stage: Stage) -> None:
    """What is owed to it is forgotten with it."""
    stage.store.is_away = True
    stage.load(inbox=await stage.feed.of(stage.board))
    stage.hub.index.forget(stage.board)
    await stage.feed.step()
    stage.store.is_away = False
    stage.store.during = _fail
    await stage.feed.step()


def _fail() -> None:
    raise AssertionError("an inbox was read for no topic")


async def test_a_log_that_was_cut_is_followed_from_its_new_end(
    site: LiveInboxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader says that lines were lost, once, and goes on."""
    changes = SqlInboxChanges(site.told.records)
    await changes.begin()
    monkeypatch.setattr(log_reader, "LINES_MAX", 1)
    for number in range(1, 5):
        await site.told.tell(number)
    assert await changes.read() is None
    assert await changes.read() == frozenset()
    await site.told.tell(5)
    assert await changes.read() == frozenset({MINE})
