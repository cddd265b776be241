"""Sending commands to calendars: keys, fingerprints, deadlines, timing.

A command's key is made of the caller and the client's ``Idempotency-Key``, its
fingerprint of the content. The calendar remembers both durably; ``Commands`` remembers
fingerprints for a while too, so that a key reused on another calendar, which has never
seen it, is refused as well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from time import perf_counter
from typing import Final, TypedDict

import msgspec

from actors.domain.ids import Millis
from actors.domain.messages.answers import BookingView, HoldView, Reply
from actors.domain.messages.commands import Command
from actors.ports import Calendars, Clock, Request
from gateway.access.tokens import Caller
from gateway.calendars.recent import RecentBookings
from gateway.wire.errors import KeyReused

_FINGERPRINT_BITS: Final = (1 << 63) - 1
_KEYS_MAX: Final = 50_000
_KEY_BYTES: Final = 64
"""What blake2b takes of a key."""


class Stamp(TypedDict):
    """Fields of every command beside its content, passed as ``**stamp``."""

    key: str
    fingerprint: int
    deadline: Millis
    by: str
    proxy: bool


class Commands:
    """Stamps commands, sends them to calendars, times them, and notes their answers.

    ``on_visit`` and ``on_hold`` are called with every booking and hold in an answer,
    ``on_command`` with every command that was answered, or may have been done.
    """

    def __init__(
        self,
        calendars: Calendars,
        clock: Clock,
        tokens: Callable[[], str],
        *,
        timeout_s: float,
        key: bytes = b"",
        observe: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self.tokens = tokens
        self.recent = RecentBookings()
        self.on_visit: Callable[[BookingView], None] = lambda _view: None
        self.on_hold: Callable[[HoldView], None] = lambda _view: None
        self.on_command: Callable[[Command], None] = lambda _command: None
        self._calendars = calendars
        self._clock = clock
        self._key = key[:_KEY_BYTES]
        self._timeout_ms = int(timeout_s * 1000)
        self._observe = observe
        self._fingerprints: OrderedDict[str, int] = OrderedDict()

    def stamp(
        self, caller: Caller, client_key: str | None, operation: str, *content: object
    ) -> Stamp:
        """Key, fingerprint and deadline of a command.

        Two requests are the same if their ``content``, in canonical form, is. Without a
        client key the key is random, and only this gateway's own retries repeat it.

        Raises:
            KeyReused: the same person used the same key for something else.
        """
        written = msgspec.msgpack.encode((operation, content))
        digest = blake2b(written, digest_size=8).digest()
        fingerprint = int.from_bytes(digest, "big") & _FINGERPRINT_BITS
        deadline = Millis(self._clock.now() + self._timeout_ms)
        by = caller.acting_as
        if client_key is None:
            return Stamp(
                key=self.tokens(),
                fingerprint=fingerprint,
                deadline=deadline,
                by=by,
                proxy=caller.is_proxy,
            )
        owned = "\0".join((*caller.key_owner, client_key)).encode()
        key = blake2b(owned, digest_size=16).hexdigest()
        known = self._fingerprints.setdefault(key, fingerprint)
        if known != fingerprint:
            raise KeyReused
        self._fingerprints.move_to_end(key)
        if len(self._fingerprints) > _KEYS_MAX:
            self._fingerprints.popitem(last=False)
        return Stamp(
            key=key,
            fingerprint=fingerprint,
            deadline=deadline,
            by=by,
            proxy=caller.is_proxy,
        )

    def private(self, text: str) -> str:
        """What stands for a person's words in ``content``.

        Fingerprints are in the journal: an unkeyed hash of a short text could be
        guessed. It does not depend on how the text is sealed, which differs each time.
        """
        if not text:
            return ""
        return blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()

    def now(self) -> Millis:
        """The present instant, for stamping commands."""
        return self._clock.now()

    async def ask(self, request: Request) -> Reply:
        """A calendar's answer, of which nothing is noted. Raises Unavailable."""
        return await self._calendars.ask(request)

    async def send(self, command: Command) -> Reply:
        """The calendar's answer to a command. Raises Unavailable."""
        began = perf_counter()
        try:
            answer = await self._calendars.ask(command)
        finally:
            self._observe(type(command).__name__, perf_counter() - began)
            self.on_command(command)
        if isinstance(answer, BookingView):
            self.recent.note(answer)
            self.on_visit(answer)
        elif isinstance(answer, HoldView):
            self.on_hold(answer)
        return answer
