"""Who is signed in on a connection: sign-in, refresh, change of person, sign-out.

A connection outlives its sessions. Public topics stay over every change of person;
private ones end with the session that they were had in, before anything else is
answered. What was asked in one session is not answered in the next: see ``number``.
"""

from __future__ import annotations

from actors.domain.ids import Millis
from gateway.access.tokens import Caller
from gateway.live.core.frames import error_frame
from gateway.live.core.topic_names import Kind
from gateway.live.topics.hub import Hub
from gateway.live.topics.watcher import Watcher
from gateway.wire.problems import problem

_OVER = (
    "The session with the right to this topic has ended; sign in and subscribe again."
)


class PersonCounts:
    """Counts live connections of each signed-in person; ``most`` 0 lifts the cap."""

    def __init__(self, most: int) -> None:
        self.counts: dict[str, int] = {}
        self._most = most

    def enter(self, subject: str) -> bool:
        """Count a connection; False if the person has too many."""
        count = self.counts.get(subject, 0)
        if 0 < self._most <= count:
            return False
        self.counts[subject] = count + 1
        return True

    def leave(self, subject: str) -> None:
        """Stop counting a connection."""
        left = self.counts.get(subject, 1) - 1
        if left:
            self.counts[subject] = left
        else:
            self.counts.pop(subject, None)


class Owner:
    """The caller of one connection: one session after another."""

    __slots__ = ("_hub", "_persons", "_watcher", "number")

    def __init__(self, hub: Hub, persons: PersonCounts, watcher: Watcher) -> None:
        self.number = 0
        """Which session this is; a refresh does not begin another."""
        self._hub = hub
        self._persons = persons
        self._watcher = watcher

    def sign_in(self, caller: Caller, now: Millis) -> bool:
        """Sign the caller in; False if they have too many connections.

        A fresher token of the same person changes nothing else. Otherwise a session
        ends and another begins; refused, the old one goes on.
        """
        known = self._watcher.caller
        if known is not None and known.is_same_person(caller):
            self._watcher.caller = caller
            return True
        same_subject = known is not None and known.subject == caller.subject
        if not same_subject and not self._persons.enter(caller.subject):
            return False
        self._end(now)
        if known is not None and not same_subject:
            self._persons.leave(known.subject)
        self._watcher.caller = caller
        return True

    def sign_out(self, now: Millis) -> None:
        """The session ends; the connection stays, without a caller."""
        caller = self._watcher.caller
        if caller is None:
            return
        self._end(now)
        self._persons.leave(caller.subject)
        self._watcher.caller = None

    def ended(self) -> None:
        """The connection ended."""
        caller, self._watcher.caller = self._watcher.caller, None
        self.number += 1
        if caller is not None:
            self._persons.leave(caller.subject)

    def _end(self, now: Millis) -> None:
        self.number += 1
        watcher = self._watcher
        over = problem("unauthenticated", _OVER)
        for wire, board in list(watcher.boards.items()):
            if board.name.kind is not Kind.SLOTS:
                self._hub.unsubscribe(watcher, wire, now)
                watcher.writer.answer(error_frame(None, over, wire))
