"""Who is signed in on a connection: sign-in, refresh, change of person, sign-out.

A connection outlives its sessions. Public topics stay at a change of person; private
ones end with their session, before anything else is answered. A request of one session
is not answered in the next: see ``number``.
"""

from __future__ import annotations

from actors.domain.ids import Millis
from gateway.access.tokens import Caller
from gateway.live.core.frames import error_frame
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

    def enter(self, person: str) -> bool:
        """Count a connection; False if the person has too many."""
        count = self.counts.get(person, 0)
        if 0 < self._most <= count:
            return False
        self.counts[person] = count + 1
        return True

    def leave(self, person: str) -> None:
        """Stop counting a connection."""
        left = self.counts.get(person, 1) - 1
        if left:
            self.counts[person] = left
        else:
            self.counts.pop(person, None)


class Owner:
    """The caller of one connection: one session after another."""

    __slots__ = ("_hub", "_persons", "_watcher", "number")

    def __init__(self, hub: Hub, persons: PersonCounts, watcher: Watcher) -> None:
        self.number = 0
        """The number of the session; a refresh does not start a new one."""
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
        is_counted = known is not None and known.person == caller.person
        if not is_counted and not self._persons.enter(caller.person):
            return False
        self._end(now)
        if known is not None and not is_counted:
            self._persons.leave(known.person)
        self._watcher.caller = caller
        return True

    def sign_out(self, now: Millis) -> None:
        """The session ends; the connection stays, without a caller."""
        caller = self._watcher.caller
        if caller is None:
            return
        self._end(now)
        self._persons.leave(caller.person)
        self._watcher.caller = None

    def ended(self) -> None:
        """The connection ended."""
        caller, self._watcher.caller = self._watcher.caller, None
        self.number += 1
        if caller is not None:
            self._persons.leave(caller.person)

    def _end(self, now: Millis) -> None:
        self.number += 1
        watcher = self._watcher
        over = problem("unauthenticated", _OVER)
        for wire, board in list(watcher.boards.items()):
            if not board.name.kind.is_public:
                self._hub.unsubscribe(watcher, wire, now)
                watcher.writer.answer(error_frame(None, over, wire))
