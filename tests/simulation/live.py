"""The live side: the real hub, fed by long polls, watched by clients of WIRE.md.

A watcher's connection may stall, or break and come back to another gateway with the
positions it has. ``SimWatcher`` knows the wire and its one rule, and nothing else.
"""

from __future__ import annotations

import json
from typing import Any

from actors.domain.ids import Millis, ShardId
from actors.domain.messages.answers import PositionsView, SlotsView
from actors.domain.messages.reads import ReadPositions, ReadWeek
from actors.domain.messages.refusals import Refusal
from gateway.live.core.frames import Frame, FrameEncoder, Position
from gateway.live.core.topic_names import parse_topic
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board
from gateway.live.topics.watcher import Watcher
from gateway.wire.problems import problem
from tests.simulation.kernel import Kernel, Violation

POLL_MS = 9_000
VERIFY_MS = 10_000
TICK_MS = 3_000


class Busy:
    """Writing costs something now and then, so that topics have windows."""

    backlog_s = 0.0

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def write_s(self) -> float:
        """Seconds."""
        return self._kernel.rng.choice((0.0, 0.0, 0.01, 0.1))


class SimLive:
    """The live half of one gateway process."""

    def __init__(self, name: str, kernel: Kernel, world: Any, gateway: Any) -> None:
        self.name = name
        self._kernel = kernel
        self._world = world
        self._gateway = gateway
        self._birth = 0
        self.hub: Hub
        self.start()

    def start(self) -> None:
        """A new process without watchers."""
        self._birth += 1
        self.hub = Hub(
            FrameEncoder(lambda _: b"{}"),
            self._world.shard_of,
            me_epoch=1,
            wake=self._wake,
        )
        self.hub.delivery.pace.load = Busy(self._kernel)
        birth = self._birth
        self._is_releasing = False
        self.hub.delivery.pace.wake = self._hold
        for shard in self._world.folders:
            self._kernel.after(1, self._poll, birth, shard, 0)
        self._kernel.after(VERIFY_MS, self._verify, birth)
        self._kernel.after(TICK_MS, self._tick, birth)

    def now(self) -> Millis:
        """What the process's clock says."""
        return Millis(self._world.now())

    def _poll(self, birth: int, shard: ShardId, failures: int) -> None:
        if birth != self._birth:
            return
        asked = self.hub.cursor(shard)
        waiting = [True]

        def replied(batch: Any) -> None:
            if not waiting[0] or birth != self._birth:
                return
            waiting[0] = False
            good = batch is not None and self.hub.on_feed(
                shard, asked, batch, self.now()
            )
            pause = 1 if good else min(50 << failures, 3_000)
            self._kernel.after(
                pause, self._poll, birth, shard, 0 if good else failures + 1
            )

        self._world.carry_poll(shard, asked.epoch, asked.version, replied)
        self._kernel.after(POLL_MS, replied, None)

    def _hold(self) -> None:
        if not self._is_releasing:
            self._is_releasing = True
            self._kernel.after(1, self._release, self._birth)

    def _release(self, birth: int) -> None:
        if birth != self._birth:
            return
        due = self.hub.delivery.release(self.now())
        self._is_releasing = due is not None
        if due is not None:
            wait = max(1, due - self.now())
            self._kernel.after(min(wait, TICK_MS), self._release, birth)

    def _wake(self) -> None:
        self._kernel.after(1, self._read_wanted, self._birth)

    def _read_wanted(self, birth: int) -> None:
        if birth == self._birth:
            for board in self.hub.take_wanted():
                self._read(birth, board)

    def _read(self, birth: int, board: Board) -> None:
        if birth != self._birth or not self.hub.begin_read(board):
            return
        name = board.name

        def answered(view: Any) -> None:
            if birth != self._birth:
                return
            if isinstance(view, Refusal):
                self.hub.refused(board, problem("not_found"))
            elif not isinstance(view, SlotsView) or not self.hub.loaded(
                board, view, self.now()
            ):
                self._kernel.after(60, self._read, birth, board)

        self._gateway.ask(
            ReadWeek(name.provider_id, name.visit_type, name.week), answered
        )

    def _verify(self, birth: int) -> None:
        if birth != self._birth:
            return

        def answered(view: Any) -> None:
            if birth == self._birth and isinstance(view, PositionsView):
                self.hub.verified(view, self.now())

        for providers in self.hub.watched_providers().values():
            if providers:
                self._gateway.ask_shared(ReadPositions(providers), answered)
        self._kernel.after(VERIFY_MS, self._verify, birth)

    def _tick(self, birth: int) -> None:
        if birth == self._birth:
            self.hub.tick(self.now())
            self._kernel.after(TICK_MS, self._tick, birth)


class SimWatcher:
    """A browser: what it shows, where it stands, and the rule of WIRE.md."""

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        lives: list[SimLive],
        topics: list[str],
        pages: dict[tuple[str, int, int], str],
    ) -> None:
        self.name = name
        self._kernel = kernel
        self._lives = lives
        self.topics = topics
        self.shown: dict[str, dict[str, str]] = {}
        self.stands: dict[str, tuple[int, int]] = {}
        self.pages = pages
        self.writable = True
        self._link: Watcher | None = None
        self._live = lives[0]

    def connect(self) -> None:
        """Open a connection to some gateway, and ask for everything since."""
        self._live = self._kernel.rng.choice(self._lives)
        self.writable = True
        self._link = Watcher(_Socket(self))
        self._live.hub.joined(self._link)
        for topic in self.topics:
            self._subscribe(topic)

    def disconnect(self) -> None:
        """The connection breaks: frames on their way are lost."""
        if self._link is not None:
            self._live.hub.dropped(self._link, self._live.now())
            self._link = None

    def lost(self, live: SimLive) -> None:
        """A gateway is gone; come back to some other one."""
        if self._live is live:
            self._link = None
            self._kernel.after(self._kernel.rng.randrange(50, 500), self.back)

    def back(self) -> None:
        """Come back, unless it did already."""
        if self._link is None:
            self.connect()

    def stall(self) -> None:
        """Take no bytes for a while."""
        if self._link is not None and self.writable:
            self.writable = False
            self._kernel.after(
                self._kernel.rng.randrange(100, 6_000), self._relieved, self._link
            )

    def _relieved(self, link: Watcher) -> None:
        if link is self._link:
            self.writable = True
            self._live.hub.writable(link, self._live.now())

    def _subscribe(self, topic: str) -> None:
        stands = self.stands.get(topic)
        since = Position(*stands) if stands else None
        assert self._link is not None
        self._live.hub.subscribe(
            self._link, parse_topic(topic, ""), since, self._live.now()
        )

    def receive(self, link: Watcher, frame: Frame) -> None:
        """A frame arrives: apply it, skip it, or ask again."""
        if link is not self._link:
            return
        told = json.loads(frame.payload)
        if told["t"] == "error":
            raise Violation(f"{self.name} was refused: {told}")
        topic, epoch, version = told["topic"], told["epoch"], told["version"]
        if told["t"] == "snapshot":
            self.shown[topic] = dict(_with_seats(told))
        else:
            mine = self.stands.get(topic)
            if mine is not None and mine[0] == epoch and version <= mine[1]:
                return
            if mine is None or mine[0] != epoch or not told["from"] <= mine[1]:
                self._kernel.after(1, self._again, link, topic)
                return
            self._apply(topic, _with_seats(told))
        self.stands[topic] = (epoch, version)
        self._remember(topic)

    def _again(self, link: Watcher, topic: str) -> None:
        if link is self._link:
            self._subscribe(topic)

    def _apply(self, topic: str, slots: list[tuple[str, str]]) -> None:
        rows = self.shown.setdefault(topic, {})
        for start, state in slots:
            if state == "gone":
                rows.pop(start, None)
            else:
                rows[start] = state

    def _remember(self, topic: str) -> None:
        """One position, one page: all watchers at a position show the same."""
        page = repr(sorted(self.shown[topic].items()))
        name = (topic, *self.stands[topic])
        known = self.pages.setdefault(name, page)
        if known != page:
            raise Violation(f"{self.name}: two pages at {name}:\n{known}\n{page}")


def _with_seats(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Each slot and its state, with the seats that are left of a group visit."""
    left = told.get("seats_left", {})
    return [
        (start, f"{state} {left[start]}" if start in left else state)
        for start, state in told["slots"]
    ]


class _Socket:
    """The writer of a watcher's connection."""

    unsent = 0

    def __init__(self, client: SimWatcher) -> None:
        self._client = client

    @property
    def writable(self) -> bool:
        return self._client.writable

    def write(self, frame: Frame) -> None:
        link = self._client._link
        if link is not None and link.writer is self:
            self._client.receive(link, frame)

    def answer(self, frame: Frame) -> None:
        self.write(frame)

    def ping(self) -> None:
        """Always available."""

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        self._client.disconnect()
