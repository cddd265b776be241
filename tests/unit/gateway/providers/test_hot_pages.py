"""Hot pages: exact or not at all on the live socket, marked as old over REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from actors.domain.messages.reads import ReadPositions, ReadSlots, ReadWeek
from actors.errors import Unavailable
from care.sharing import Standing
from gateway.calendars.hot_pages import AT_ONCE_MAX, PageShelf
from gateway.live.core.frames import Frame
from gateway.live.core.topic_names import slots_topic
from gateway.live.feeds.warm_start import WORTH, WarmStart
from gateway.live.topics.watcher import Watcher
from persistence.shared.memory import MemoryPages
from tests import factories as make
from tests.fakes.api import Api, open_api, slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import LiveApi, open_live_api

SPAN = "from=2026-08-10&to=2026-08-11"
PATH = f"/v1/providers/prv_1/slots?visit_type=consult&{SPAN}"
WEEKS = range(33, 33 + WORTH + 4)


class Silence:
    """Calendars that can fall silent, and count what they are asked."""

    def __init__(self, api: Api) -> None:
        self.asked: list[object] = []
        self.silent = False
        self._ask = api.ports.calendars.ask

    async def ask(self, request: Any) -> Any:
        self.asked.append(request)
        if self.silent:
            raise Unavailable
        return await self._ask(request)


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are written when a test says so."""
    monkeypatch.setattr("gateway.calendars.hot_pages.FLUSH_S", 3600.0)
    monkeypatch.setattr("gateway.live.feeds.warm_start.FLUSH_S", 3600.0)


@asynccontextmanager
async def an_api(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Api, Silence]]:
    async with open_api(shared={"pages": store}, stale_after_s=0.05) as api:
        await api.add_provider()
        calendars = Silence(api)
        monkeypatch.setattr(api.ports.calendars, "ask", calendars.ask)
        yield api, calendars


async def flush(api: Api) -> None:
    shelf = api.app.state.services.shared.last_shown.shelf
    await shelf.flush()


async def test_a_silent_calendar_is_answered_for_and_it_is_told(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last page, its age, a warning, nothing to cache; 503 without a page."""
    async with an_api(MemoryPages(), monkeypatch) as (api, calendars):
        fresh = await api.client.get(PATH)
        assert "warning" not in fresh.headers
        await flush(api)
        calendars.silent = True
        api.clock.step(7)
        old = await api.client.get(PATH)
        assert (old.status_code, old.content) == (200, fresh.content)
        assert old.headers["age"] == "7"
        assert old.headers["warning"].startswith("110 ")
        assert old.headers["cache-control"] == "private, no-store"
        assert "etag" not in old.headers
        other = await api.client.get(PATH.replace("08-10", "08-09"))
        assert other.status_code == 503


async def test_an_old_page_is_never_older_than_what_the_reader_knows(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``at_least`` asks for a version: an older page is no answer."""
    async with an_api(MemoryPages(), monkeypatch) as (api, calendars):
        version = (await api.client.get(PATH)).json()["version"]
        await flush(api)
        calendars.silent = True
        seen = await api.client.get(f"{PATH}&at_least={version}")
        assert seen.status_code == 200
        later = await api.client.get(f"{PATH}&at_least={version + 1}")
        assert later.status_code == 503


async def test_a_calendar_that_is_only_slow_is_waited_for(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a page the answer comes when it comes, as it always did."""
    async with an_api(MemoryPages(), monkeypatch) as (api, calendars):
        ask, slow = calendars.ask, iter([True, False])

        async def slowly(request: Any) -> Any:
            if isinstance(request, ReadSlots) and next(slow):
                await asyncio.Event().wait()
            return await ask(request)

        monkeypatch.setattr(api.ports.calendars, "ask", slowly)
        assert (await api.client.get(PATH)).status_code == 200


class NoPages:
    """A store that is away."""

    async def find(self, names: Sequence[str]) -> Mapping[str, bytes]:
        raise Unavailable

    async def keep(self, pages: Mapping[str, bytes], ttl_s: float) -> None:
        raise Unavailable

    def standing(self) -> Standing:
        return Standing(ok=False, detail="away")


async def test_with_the_store_away_all_is_as_without_one(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages come from calendars, a silent calendar is 503, and readiness tells."""
    async with an_api(NoPages(), monkeypatch) as (api, calendars):
        assert (await api.client.get(PATH)).status_code == 200
        await flush(api)
        ready = (await api.client.get("/readyz")).json()["checks"]["hot_pages"]
        assert (ready["ok"], ready["required"]) == (False, False)
        assert "meanwhile" in ready["detail"]
        calendars.silent = True
        assert (await api.client.get(PATH)).status_code == 503


# --- first paint -------------------------------------------------------------------


class Screen:
    """A watcher's writer that keeps what it shows."""

    unsent = 0

    writable = True

    def __init__(self) -> None:
        self.shown: dict[str, bytes] = {}

    def write(self, frame: Frame) -> None:
        self.shown[frame.topic] = frame.payload

    def answer(self, frame: Frame) -> None:
        raise AssertionError(frame.text)

    def ping(self) -> None:
        """Always available."""

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        raise AssertionError(code)


async def show(live: LiveApi) -> Screen:
    """Watch some weeks; returns when all are shown."""
    screen = Screen()
    watcher, hub = Watcher(screen), live.live.hub
    hub.joined(watcher)
    for week in WEEKS:
        topic = slots_topic(
            make.a_provider_id(1), make.a_visit_type().visit_type, f"2026-W{week}"
        )
        hub.subscribe(watcher, topic, None, live.api.clock.now())
    async with asyncio.timeout(60):
        while len(screen.shown) < len(WEEKS):  # noqa: ASYNC110 - a deadline is set
            await asyncio.sleep(0.005)
    return screen


def painter_of(live: LiveApi) -> WarmStart:
    warm_start = live.live._reader.warm_start
    assert warm_start is not None
    return warm_start


async def keep_all(live: LiveApi) -> None:
    warm_start = painter_of(live)
    warm_start.offer()
    warm_start.offer()
    await warm_start.shelf.flush()


def forget(live: LiveApi) -> None:
    """As a gateway that has just started: no topic is known."""
    hub = live.live.hub
    for watcher in list(hub.watchers):
        hub.dropped(watcher, live.api.clock.now())
    for board in list(hub.index.boards.values()):
        hub._forget(board)


def reads(calendars: Silence) -> tuple[int, int]:
    """How many weeks were read, and how often positions were asked."""
    weeks = sum(isinstance(one, ReadWeek) for one in calendars.asked)
    positions = sum(isinstance(one, ReadPositions) for one in calendars.asked)
    calendars.asked.clear()
    return weeks, positions


async def test_first_paint_asks_where_calendars_stand_and_no_more(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question for all pages of a shard, and the same frames as if all were read;
    after a change none of them is believed."""
    async with open_live_api(shared={"pages": MemoryPages()}) as live:
        calendars = Silence(live.api)
        monkeypatch.setattr(live.api.ports.calendars, "ask", calendars.ask)
        read = await show(live)
        await keep_all(live)
        assert reads(calendars) == (len(WEEKS), 0)
        forget(live)
        painted = await show(live)
        assert painted.shown == read.shown
        assert reads(calendars) == (0, 1)
        forget(live)
        booked = await live.api.client.post(
            "/v1/bookings", json=slot(), headers=live.api.patient()
        )
        assert booked.status_code == 201
        calendars.asked.clear()
        again = await show(live)
        assert reads(calendars) == (len(WEEKS), 1)
        first = f"slots/prv_1/consult/2026-W{WEEKS[0]}"
        assert b'"booked"' in again.shown[first]
        assert b'"booked"' not in read.shown[first]


async def test_pages_are_kept_at_the_newest_position_their_content_is_right_at(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A booking in one week moves the calendar's version; the pages of all weeks are
    right at it once the feed has told, so a new watcher needs no read at all."""
    async with open_live_api(shared={"pages": MemoryPages()}) as live:
        calendars = Silence(live.api)
        monkeypatch.setattr(live.api.ports.calendars, "ask", calendars.ask)
        screen = await show(live)
        booked = await live.api.client.post(
            "/v1/bookings", json=slot(), headers=live.api.patient()
        )
        assert booked.status_code == 201
        topic = f"slots/prv_1/consult/2026-W{WEEKS[0]}"
        async with asyncio.timeout(60):
            while b'"delta"' not in screen.shown[topic]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await keep_all(live)
        forget(live)
        calendars.asked.clear()
        painted = await show(live)
        assert reads(calendars) == (0, 1)
        assert b'"booked"' in painted.shown[topic]


async def test_a_silent_calendar_shows_nothing_old_to_watchers(
    calm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its position no page is shown as current: the topics wait."""
    async with open_live_api(shared={"pages": MemoryPages()}) as live:
        await show(live)
        await keep_all(live)
        forget(live)
        calendars = Silence(live.api)
        calendars.silent = True
        monkeypatch.setattr(live.api.ports.calendars, "ask", calendars.ask)
        watching = asyncio.ensure_future(show(live))
        async with asyncio.timeout(60):
            while len(calendars.asked) <= len(WEEKS):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        screens = [watcher.writer for watcher in live.live.hub.watchers]
        assert [getattr(one, "shown", None) for one in screens] == [{}]
        calendars.silent = False
        await watching


async def test_what_waits_to_be_kept_is_bounded() -> None:
    """The oldest make room, and are offered again."""
    shelf = PageShelf(MemoryPages(), SteppedClock(make.NOW), "week", 60.0)
    view = await _a_view()
    for number in range(AT_ONCE_MAX + 10):
        shelf.offer(str(number), view)
    await shelf.flush()
    assert shelf.tally.kept == AT_ONCE_MAX
    assert shelf.wants("0", view.epoch, view.version)
    assert not shelf.wants("100", view.epoch, view.version)


async def _a_view() -> Any:
    async with open_api() as api:
        await api.add_provider()
        return await api.ports.calendars.ask(
            ReadSlots(
                make.a_provider_id(1),
                make.a_visit_type().visit_type,
                "2026-08-10",
                "2026-08-11",
            )
        )
