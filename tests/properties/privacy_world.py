"""People who come and go on a few sockets while calendars and clinics change.

One seed decides everything: who signs in where and when, how long a right takes to be
looked up and a command to be answered, who stalls, which clinic a provider goes to. The
oracle knows nothing of sessions: whenever a frame is written it looks who the token in
use names just then, and whether the world lets that person see each booking in it.
"""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any, ClassVar, cast

from actors.domain.ids import (
    BookingId,
    LocationId,
    Millis,
    Minute,
    PatientId,
)
from actors.domain.messages.answers import (
    BookingStatus,
    BookingView,
    ScheduleView,
    SlotsView,
)
from actors.domain.messages.changes import CalendarChange, FeedBatch, SlotsChange
from gateway.access.rights import Access
from gateway.access.tokens import Authenticator, Caller, Role
from gateway.config import LiveSettings
from gateway.live.core.frames import Frame, FrameEncoder
from gateway.live.core.topic_names import Kind
from gateway.live.sessions.commands import SocketCommands
from gateway.live.sessions.context import LiveContext
from gateway.live.sessions.conversation import Conversation
from gateway.live.sessions.identity import PersonCounts
from gateway.live.sessions.permits import Permits
from gateway.live.sessions.topic_limits import TopicRoom
from gateway.live.topics.hub import Hub
from gateway.live.topics.topic import Board, MeView, TopicView
from gateway.live.topics.watcher import Watcher
from gateway.wire.errors import Forbidden, Unauthenticated
from gateway.wire.problems import CloseCode
from gateway.wire.replies import Reply
from tests.fakes.clocks import SteppedClock
from tests.unit.gateway.live.stage import CONSULT, NINE, PROVIDER, SHARD, TODAY, WEEK

SCHEDULE = f"schedule/{PROVIDER}"
PEOPLE = (
    *("patient:pat_1", "patient:pat_2", "doctor:prv_1", "doctor:prv_2"),
    *("clinic_admin:cln_1", "clinic_admin:cln_2"),
)


class World:
    """What is true: bookings, and whose the provider is."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.clinic = "cln_1"
        self.version = 1
        self.bookings: dict[str, BookingView] = {}
        self.leaks: list[tuple[Caller | None, dict[str, Any]]] = []

    def may_read_schedule(self, caller: Caller | None) -> bool:
        if caller is None or caller.role is Role.PATIENT:
            return False
        return caller.subject in (PROVIDER, self.clinic)

    def may_see(self, caller: Caller | None, booking: dict[str, Any]) -> bool:
        if caller is not None and caller.subject == booking["patient_id"]:
            return True
        return self.may_read_schedule(caller)

    def books(self) -> CalendarChange:
        self.version += 1
        number, patient = self.version, self.random.choice(("pat_1", "pat_2"))
        view = BookingView(
            provider_id=PROVIDER,
            epoch=1,
            version=number,
            booking_id=BookingId(f"bkg_{number}"),
            status=BookingStatus.BOOKED,
            patient_id=PatientId(patient),
            visit_type=CONSULT,
            start=Minute(NINE),
            end=Minute(NINE + 30),
            location_id=LocationId("loc_1"),
            booked_at=TODAY,
        )
        self.bookings[view.booking_id] = view
        state = "b" if number % 2 else "f"
        part = SlotsChange(CONSULT, WEEK.week, [NINE], state)
        return CalendarChange(PROVIDER, number, number, [part], [view])

    def moves(self) -> CalendarChange:
        self.version += 1
        self.clinic = self.random.choice(("cln_1", "cln_2", "cln_3"))
        return CalendarChange(PROVIDER, self.version, self.version, reread=True)

    def view(self, board: Board) -> TopicView:
        shown = list(self.bookings.values())
        if board.name.kind is Kind.ME:
            return MeView([b for b in shown if b.patient_id == board.name.patient_id])
        if board.name.kind is Kind.SCHEDULE:
            return ScheduleView(PROVIDER, 1, self.version, "UTC", shown, [])
        state = "b" if self.version % 2 else "f"
        return SlotsView(PROVIDER, 1, self.version, CONSULT, "UTC", 30, [NINE], state)


class Gates:
    """Waits that end when the world pleases."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._shut: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._shut.append(gate)
        await gate

    def open_one(self) -> None:
        if self._shut:
            at = self._random.randrange(len(self._shut))
            gate = self._shut.pop(at)
            if not gate.done():
                gate.set_result(None)


class SlowAccess:
    """The table's verdict on the schedule, some time after it was asked."""

    def __init__(self, world: World, gates: Gates) -> None:
        self._world = world
        self._gates = gates

    async def to_provider(self, caller: Caller | None, *_what: object) -> Caller:
        may = self._world.may_read_schedule(caller)
        await self._gates.wait()
        if caller is None:
            raise Unauthenticated
        # Old news is no news: a calendar asked after a change knows of it.
        if not (may and self._world.may_read_schedule(caller)):
            raise Forbidden
        return caller

    def decide(self, *_what: object) -> None:
        """Any signed-in person watches their own."""

    async def audit_read(self, *_what: object, **_ids: str) -> None:
        """The trail of reads is tested elsewhere."""

    def forget(self, _provider: object) -> None:
        return


class SlowCommands:
    """Whatever is asked, the answer is the caller's own booking."""

    operations = ("book",)
    messages: ClassVar[dict[type, str]] = {}

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    def knows(self, op: str) -> bool:
        return op in self.operations

    def admit_topics(self, *_who: object) -> None:
        return

    def admit(self, *_who: object) -> None:
        return

    async def begin(self, _op: str, caller: Caller | None, *_args: object) -> Reply:
        await self._gates.wait()
        if caller is None:
            raise Unauthenticated
        return Reply(201, json.dumps({"patient_id": caller.subject}).encode())


class Tokens:
    """A token is its person's name."""

    def verify(self, token: str) -> Caller:
        if token not in PEOPLE:
            raise Unauthenticated
        role, _, subject = token.partition(":")
        return Caller(Role(role), subject, Millis(TODAY + 10**9))

    def check_holds(self, _caller: Caller) -> None:
        return


class JudgingWriter:
    """Looks at every frame when it is written."""

    unsent = 0

    def __init__(self, world: World) -> None:
        self.watcher: Watcher | None = None
        self.writable = True
        self.private = 0
        self._world = world

    def write(self, frame: Frame) -> None:
        said = json.loads(frame.payload)
        assert self.watcher is not None
        caller = self.watcher.caller
        # What is raised here would be answered, not heard of: so it is noted.
        if said.get("code") == "internal" or not self._is_fit(caller, said):
            self._world.leaks.append((caller, said))

    def _is_fit(self, caller: Caller | None, said: dict[str, Any]) -> bool:
        seen = [*said.get("bookings", ())]
        if said["t"] == "result" and said["body"] and "patient_id" in said["body"]:
            seen.append(said["body"])
        self.private += bool(seen)
        is_schedule = said["t"] in ("snapshot", "delta") and said["topic"] == SCHEDULE
        return all(self._world.may_see(caller, booking) for booking in seen) and (
            not is_schedule or self._world.may_read_schedule(caller)
        )

    answer = write

    def ping(self) -> None:
        return

    def close(self, code: int, last: Frame | None = None, reason: str = "") -> None:
        assert code == CloseCode.UNAUTHENTICATED
        assert self.watcher is not None
        self.watcher.strikes = 0  # as if it were another connection


def body_of(view: BookingView) -> bytes:
    return json.dumps(
        {"booking_id": view.booking_id, "patient_id": view.patient_id}
    ).encode()


class Play:
    """One world, a few clients in it, and what happens step by step."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.world, self.gates = World(random), Gates(random)
        self.hub = Hub(FrameEncoder(body_of), lambda _provider: SHARD, me_epoch=7)
        clock = SteppedClock(TODAY)
        access = cast("Access", SlowAccess(self.world, self.gates))
        self.permits = Permits(self.hub, access, clock, random)
        self.hub.doubt = self.permits.doubt
        api = LiveContext(
            hub=self.hub,
            authenticator=cast("Authenticator", Tokens()),
            access=access,
            commands=cast("SocketCommands", SlowCommands(self.gates)),
            clock=clock,
            settings=LiveSettings(),
            persons=PersonCounts(0),
            room=TopicRoom(self.hub, LiveSettings(), clock),
        )
        self.clients = [_client(api, self.world) for _ in range(3)]
        self.tasks: set[asyncio.Future[None]] = set()
        self._number = 0

    async def run(self, steps: int) -> int:
        """The number of private frames that were seen, rightly."""
        self.tasks.add(asyncio.ensure_future(self.permits.run()))
        for _ in range(steps):
            self._step(*self.random.choice(self.clients))
            if self.random.random() < 0.6:
                self._read()
            for _ in range(self.random.randrange(4)):
                await asyncio.sleep(0)
        for conversation, _ in self.clients:
            conversation.ended()
        for task in self.tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self.tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        assert not self.world.leaks, self.world.leaks[0]
        return sum(writer.private for _, writer in self.clients)

    def _step(self, conversation: Conversation, writer: JudgingWriter) -> None:
        chance = self.random.random()
        if chance < 0.5:
            later = conversation.hear(json.dumps(_message(self.random)))
            if later is not None:
                self.tasks.add(asyncio.ensure_future(later))
        elif chance < 0.75:
            self._change()
        elif chance < 0.85:
            writer.writable = not writer.writable
            if writer.writable and writer.watcher is not None:
                self.hub.writable(writer.watcher, TODAY)
        else:
            for _ in range(2):  # a topic that is new is asked about twice
                self.gates.open_one()

    def _change(self) -> None:
        self._number = number = self._number + 1
        is_move = self.random.random() < 0.2
        change = self.world.moves() if is_move else self.world.books()
        batch = FeedBatch(1, number, number, [change], reset=number == 1)
        assert self.hub.on_feed(SHARD, self.hub.cursor(SHARD), batch, TODAY)

    def _read(self) -> None:
        for board in self.hub.take_wanted():
            if self.hub.begin_read(board):
                self.hub.loaded(board, self.world.view(board), TODAY)


async def run_world(seed: int, steps: int = 200) -> int:
    """One world; the number of private frames that were seen, rightly."""
    return await Play(seed).run(steps)


def _client(api: LiveContext, world: World) -> tuple[Conversation, JudgingWriter]:
    writer = JudgingWriter(world)
    writer.watcher = Watcher(writer)
    api.hub.joined(writer.watcher)
    return Conversation(api, writer.watcher, "10.0.0.1"), writer


def _message(dice: Random) -> dict[str, Any]:
    topics = dice.sample(["me", SCHEDULE, WEEK.wire], dice.randint(1, 3))
    op = dice.choice(
        ("auth", "auth", "logout", "subscribe", "subscribe", "unsubscribe", "book")
    )
    message: dict[str, Any] = {"op": op, "id": 1}
    if op == "auth":
        message["token"] = dice.choice((*PEOPLE, "unknown"))
    elif op.endswith("subscribe"):
        message["topics"] = topics
    return message
