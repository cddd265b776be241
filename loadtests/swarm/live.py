"""One user's live socket: the client's session over a socket, timed and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import AsyncResult
from locust.exception import LocustError

from loadtests.swarm.shift import SHIFT
from loadtests.swarm.socket import LiveSocket, NotLetIn
from loadtests.wire.websocket import source_of
from slotcast.client.events import (
    Answered,
    DeltaSeen,
    Event,
    GapSeen,
    MessageUnreadable,
    SignInRefused,
    SnapshotSeen,
    Subscribed,
    TopicRefused,
)
from slotcast.client.session import SUBPROTOCOL, LiveSession

Seen = TypeVar("Seen")
OPEN_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 15.0
NOT_HERE = float("inf")
"""``since`` of a user who does not watch."""


class LiveFault(LocustError):
    """A fault of the live socket, as Locust counts it."""


class Answer:
    """The outcome of a command; ``at`` is when the answer was read."""

    __slots__ = ("at", "body", "code", "status")

    def __init__(self, status: int, body: Any, code: str, at: float = 0.0) -> None:
        self.status = status
        self.body = body
        self.code = code
        self.at = at

    @property
    def is_done(self) -> bool:
        """Whether the command succeeded."""
        return 200 <= self.status < 300


class Live:
    """A live connection that reconnects by itself until it is closed."""

    def __init__(self, number: int, topics: list[str], token: str = "") -> None:
        self.session = LiveSession(topics, token=token, random=SHIFT.dice(number))
        url = SHIFT.plan.url
        self._url = url.replace("http", "ws", 1).rstrip("/") + "/v1/live"
        self._source = source_of(self._url, SHIFT.index, number)
        self._socket: LiveSocket | None = None
        self._lacks = set(topics)
        self._painted = False
        self._began = 0.0
        self._here_since = NOT_HERE
        self._resuming: set[str] = set()
        self._answers: dict[int, AsyncResult[Answer]] = {}
        self._wanted: list[tuple[Callable[[], Any], AsyncResult[Any]]] = []
        self._is_left = self._is_connecting = False
        SHIFT.lives.add(self)

    # --- connecting and closing --------------------------------------------------

    def connect(self) -> None:
        """Connect; retry until it works."""
        if self._socket is not None or self._is_connecting:
            return
        self._is_connecting = True
        try:
            while not self._is_left:
                wait = self._try()
                if wait is None:
                    return
                gevent.sleep(wait)
        finally:
            self._is_connecting = False

    def _try(self) -> float | None:
        """One attempt; None if it worked, else seconds until the next."""
        self._began = time.monotonic()
        sock = LiveSocket(self._heard, self._ended)
        try:
            sock.open(self._url, SUBPROTOCOL, self._source, OPEN_TIMEOUT_S)
        except NotLetIn as refused:
            return self._not_connected(refused, refused.retry_s)
        except OSError as error:
            return self._not_connected(error, 0.0)
        now = time.monotonic()
        SHIFT.report("live: connect", 1000 * (now - self._began))
        self._socket = sock
        self._here_since = NOT_HERE
        self._lacks = {t for t, v in self.session.views.items() if v.position is None}
        self._resuming = set() if self._lacks else set(self.session.views)
        for text in self.session.connected(now):
            sock.send(text)
        return None

    def _not_connected(self, error: Exception, retry_s: float) -> float | None:
        ms = 1000 * (time.monotonic() - self._began)
        # 503 with Retry-After is how the server spreads a reconnect storm.
        told_to_wait = isinstance(error, NotLetIn) and error.status == 503
        name = "live: asked to wait" if told_to_wait else "live: connect"
        SHIFT.report(name, ms, error=None if told_to_wait else error)
        wait = self.session.lost(None, time.monotonic(), at_least_s=retry_s)
        return 1.0 if wait is None else wait

    def _ended(self, code: int | None) -> None:
        self._socket = None
        wait = self.session.lost(code, time.monotonic())
        if self._is_left:
            return
        if wait is None:
            SHIFT.report(
                "live: sent away", None, error=LiveFault(f"closed with {code}")
            )
            return
        gevent.spawn_later(wait, self.connect)

    def vanish(self) -> None:
        """Abort the connection without a close frame; views are kept for resuming."""
        if self._socket is not None:
            self._socket.vanish()
            self._socket = None
            self.session.lost(None, time.monotonic())

    def lose(self) -> None:
        """Abort the connection without a close frame, then reconnect like a client."""
        if self._socket is not None:
            self._socket.vanish()
            self._ended(None)

    def come_back(self) -> None:
        """Connect and resume, some time after ``vanish``."""
        self.connect()

    def check_hearing(self, now: float) -> None:
        """Reconnect if the connection has been silent for too long."""
        if self.session.deaf_at(now):
            SHIFT.report("live: deaf", None, error=LiveFault("45 s of silence"))
            self.vanish()
            gevent.spawn(self.connect)

    def leave(self) -> None:
        """Close the connection for good."""
        self._is_left = True
        SHIFT.lives.discard(self)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # --- commands and waits ------------------------------------------------------

    def subscribe(self, topics: list[str]) -> None:
        """Watch these topics, too."""
        self._lacks |= set(topics) - set(self.session.views)
        for text in self.session.subscribe(topics):
            self._send(text)

    def unsubscribe(self, topics: list[str]) -> None:
        """Stop watching these topics."""
        for text in self.session.unsubscribe(topics):
            self._send(text)

    def command(self, op: str, key: str, **fields: Any) -> Answer:
        """Send a command and wait for the answer; status 0 if none comes."""
        identifier, text = self.session.command(op, key=key, **fields)
        waiter = self._answers[identifier] = AsyncResult()
        if self.session.is_connected:
            self._send(text)
        try:
            answer: Answer = waiter.get(timeout=ANSWER_TIMEOUT_S)
        except gevent.Timeout:
            self.session.forget(identifier)
            return Answer(0, None, "no_answer", time.monotonic())
        finally:
            self._answers.pop(identifier, None)
        return answer

    def wait(self, look: Callable[[], Seen], timeout_s: float) -> Seen | None:
        """Wait until ``look`` returns a result, and return it.

        ``look`` runs when a frame arrives, not when this greenlet is next scheduled:
        thousands of others may run first, and the state may have changed by then.
        """
        found = look()
        if found:
            return found
        waiter: AsyncResult[Seen] = AsyncResult()
        self._wanted.append((look, waiter))
        try:
            found = waiter.get(timeout=timeout_s)
        except gevent.Timeout:
            return None
        finally:
            self._wanted = [one for one in self._wanted if one[1] is not waiter]
        return found

    def free(self, topic: str) -> list[str]:
        """Starts that this user sees as free."""
        slots = self.session.views[topic].slots
        return [start for start, state in slots.items() if state == "free"]

    def paint(self, timeout_s: float = 30.0) -> bool:
        """Wait until every topic has content."""
        return bool(self.wait(lambda: not self._lacks, timeout_s))

    # --- frames: called by the event loop, so nothing here may block ---------------

    def _send(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _heard(self, payload: bytes) -> None:
        now = time.monotonic()
        heard = self.session.heard(payload, now)
        for text in heard.send:
            self._send(text)
        for event in heard.events:
            self._noted(event, now)
        if self._wanted:
            for look, waiter in self._wanted:
                if not waiter.ready() and (found := look()):
                    waiter.set(found)

    def _noted(self, event: Event, now: float) -> None:
        match event:
            case DeltaSeen():
                self._saw(event, now)
            case SnapshotSeen():
                self._snapshot(event.topic, now, again=event.before is not None)
            case Answered():
                self._answered(event, now)
            case Subscribed():
                self._resumed(event.topics, now)
            case GapSeen():
                SHIFT.report("live: gap", None)
            case MessageUnreadable() | SignInRefused():
                SHIFT.report("live: fault", None, error=LiveFault(repr(event)))
            case TopicRefused() if not event.comes_again:
                SHIFT.report("live: fault", None, error=LiveFault(event.code))
            case _:
                pass

    def _answered(self, event: Answered, now: float) -> None:
        waiter = self._answers.get(event.id)
        if waiter is not None:
            problem = event.problem
            code = str(event.status) if problem is None else problem.code
            waiter.set(Answer(event.status, event.body, code, now))

    def _saw(self, event: DeltaSeen, now: float) -> None:
        changes = event.changes
        sights, topic = SHIFT.sights, event.topic
        for change in changes:
            booking = change.booking
            start = change.key if booking is None else booking["start"]
            sights.seen((topic, start, change.new), now, self._here_since)
        before = event.before
        if (
            len(changes) > 1
            and before is not None
            and event.position[1] > before[1] + 1
        ):
            SHIFT.conflated.add(None)

    def _snapshot(self, topic: str, now: float, *, again: bool) -> None:
        if again:
            SHIFT.report("live: snapshot again", None)
        if topic in self._lacks:
            self._lacks.discard(topic)
            if not self._lacks and not self._painted:
                self._painted = True
                SHIFT.report("live: first paint", 1000 * (now - self._began))

    def _resumed(self, topics: tuple[str, ...], now: float) -> None:
        if self._here_since == NOT_HERE:
            self._here_since = now
        if self._resuming:
            self._resuming.difference_update(topics)
            if not self._resuming:
                SHIFT.report("live: resume", 1000 * (now - self._began))
