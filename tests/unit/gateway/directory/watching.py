"""A gateway whose lists are watched, and a client that reads the frames."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from actors.domain.ids import Minute, ProviderId
from actors.domain.messages.answers import NextFreeView
from actors.domain.messages.reads import ReadNextFree
from gateway.live.core.topic_names import parse_topic
from gateway.live.topics.coalescing import LIST_WINDOW_MS
from gateway.live.topics.watcher import Watcher
from gateway.wire.formats import minute_text
from tests import factories as make
from tests.fakes.api import open_api
from tests.fakes.roster import MemoryRoster
from tests.unit.gateway.directory.test_search import Searched
from tests.unit.gateway.live.stage import PageWriter

SOONEST = {"sort": "soonest", "limit": 3}
WINDOW_S = LIST_WINDOW_MS / 1000


class Shown:
    """A client: what it makes of the frames, by the rules of docs/live.md alone."""

    def __init__(self, writer: PageWriter, watcher: Watcher, topic: str) -> None:
        self.writer, self.watcher, self.topic = writer, watcher, topic
        self.members: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = {}
        self._read = 0

    @property
    def frames(self) -> list[dict[str, Any]]:
        return self.writer.page

    def ids(self) -> list[str]:
        """The members in order."""
        for frame in self.frames[self._read :]:
            self._take(frame)
        self._read = len(self.frames)
        assert set(self.state["order"]) == self.members.keys()
        return list(self.state["order"])

    def free(self) -> list[str | None]:
        """The members' next starts, in order."""
        return [self.members[one]["next_free"] for one in self.ids()]

    def _take(self, frame: dict[str, Any]) -> None:
        assert frame["t"] in ("snapshot", "delta"), frame
        assert frame["topic"] == self.topic
        if frame["t"] == "snapshot":
            self.members, self.state = {}, {"epoch": frame["epoch"]}
        else:
            assert frame["epoch"] == self.state["epoch"]
            assert frame["from"] == self.state["version"] < frame["version"]
        for gone in frame.get("gone", ()):
            del self.members[gone]
        self.members |= {one["provider_id"]: one for one in frame["members"]}
        fields = ("version", "order", "total", "live", "next_cursor")
        self.state |= {name: frame[name] for name in fields if name in frame}


class Watched(Searched):
    """A gateway with a roster and watchers; the test moves time and feeds."""

    async def topic(self, **asked: Any) -> str:
        answer = await self.api.client.post("/v1/searches", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == {"topic"}
        return str(answer.json()["topic"])

    async def watch(self, **asked: Any) -> Shown:
        return await self.join(await self.topic(**asked))

    async def join(self, topic: str, address: str = "10.0.0.1") -> Shown:
        """Subscribe, as a connection from an address does."""
        live, name = self.api.app.state.live, parse_topic(topic, "")
        live.context.room.take(name, None, address)
        writer = PageWriter()
        watcher = Watcher(writer)
        live.hub.joined(watcher)
        live.hub.subscribe(watcher, name, None, self.api.clock.now())
        for board in live.hub.take_wanted():
            await live._reader._read(board)
        return Shown(writer, watcher, topic)

    def leave(self, shown: Shown) -> None:
        self.api.app.state.live.hub.dropped(shown.watcher, self.api.clock.now())

    async def step(self) -> None:
        """Feeds are read and a window passes."""
        await self.poll()
        await self.draw()

    async def draw(self) -> None:
        """A window passes, and no feed is read."""
        live = self.api.app.state.live
        await live._lists.step()
        self.api.clock.step(WINDOW_S)
        live.hub.delivery.release(self.api.clock.now())

    async def quiet(self) -> None:
        """Until nothing is left to be said."""
        for _ in range(50):
            await self.step()
            await self.settle()
            if not self.lists.watched.news.is_set():
                return
        raise AssertionError("lists do not become quiet")

    @property
    def lists(self) -> Any:
        return self.api.app.state.services.lists

    async def elsewhere(self, command: Any) -> Any:
        """A command that no part of this gateway sees; its answer."""
        return await self.api.ports.calendars.ask(command)

    async def book(self, provider: str, number: int = 1, start: int = 0) -> None:
        command = make.book_slot(
            number,
            start=Minute(start or make.at(9)),
            provider_id=ProviderId(provider),
            booking_id=make.a_booking_id(number, ProviderId(provider)),
        )
        answer = await self.elsewhere(command)
        assert type(answer).__name__ == "BookingView", answer

    async def cancel(self, provider: str, number: int = 1) -> None:
        booking = make.a_booking_id(number, ProviderId(provider))
        command = make.cancel_booking(
            number, provider_id=ProviderId(provider), booking_id=booking
        )
        answer = await self.elsewhere(command)
        assert type(answer).__name__ != "Refusal", answer

    async def truth(self, ids: Iterable[str], count: int) -> list[tuple[Any, str]]:
        """The first of these by start and id, when all calendars are asked."""
        ask = self.api.ports.calendars.ask
        found = []
        for one in ids:
            view = await ask(ReadNextFree((ProviderId(one),)))
            assert isinstance(view, NextFreeView)
            start = view.starts.get(ProviderId(one))
            found.append((None if start is None else minute_text(start), one))
        return sorted(found, key=lambda pair: (pair[0] is None, pair))[:count]


@asynccontextmanager
async def a_watched_site() -> AsyncIterator[Watched]:
    """Seven doctors, all free at nine."""
    source = MemoryRoster()
    async with open_api(shared={"roster": source}, lists_believed_s=0.0) as api:
        watched = Watched(api, source)
        for number in range(1, 8):
            place = make.a_clinic(number, latitude=50.0 + number, longitude=8.0)
            kind = "Cardiology" if number % 2 else "Dermatology"
            await watched.add(number, specialty=kind, clinic=place)
        await watched.follow()
        await watched.poll()
        await watched.settle()
        yield watched


class Chance:
    """What may happen to calendars and to who there is, at random."""

    def __init__(self, site: Watched, seed: int) -> None:
        self.site, self.draw = site, random.Random(seed)
        self.everyone = [f"prv_{one}" for one in range(1, 8)]
        self._number = 100
        self._booked: list[tuple[str, int]] = []
        often = [self.book] * 3
        self._steps = [*often, self.cancel, self.hold, self.pass_time, self.retire]

    async def step(self) -> None:
        await self.draw.choice(self._steps)()

    async def _someone(self) -> tuple[str, int]:
        """A doctor and their next start."""
        self._number += 1
        provider = self.draw.choice(self.everyone)
        start, _ = (await self.site.truth([provider], 1))[0]
        return provider, int(datetime.fromisoformat(start).timestamp()) // 60

    async def book(self) -> None:
        provider, start = await self._someone()
        await self.site.book(provider, self._number, start)
        self._booked.append((provider, self._number))

    async def cancel(self) -> None:
        if self._booked:
            at = self.draw.randrange(len(self._booked))
            await self.site.cancel(*self._booked.pop(at))

    async def hold(self) -> None:
        provider, start = await self._someone()
        its = ProviderId(provider)
        held = make.a_hold_id(self._number, its)
        command = make.place_hold(
            self._number, start=start, provider_id=its, hold_id=held
        )
        await self.site.elsewhere(command)

    async def pass_time(self) -> None:
        self.site.api.clock.step(self.draw.choice((60, 600, 3600)))

    async def retire(self) -> None:
        if len(self.everyone) > 4:
            gone = self.everyone.pop(self.draw.randrange(len(self.everyone)))
            api = self.site.api
            path = f"/v1/providers/{gone}/retire"
            answer = await api.client.post(path, headers=api.admin())
            assert answer.status_code == 200, answer.text
            await self.site.follow()
