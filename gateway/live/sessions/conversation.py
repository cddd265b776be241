"""The messages of one client on the live socket, and their answers.

Every message has one answer, ``result`` or ``error`` (``pong`` for a ping), with the
client's ``id``. For ``subscribe`` the order is: one ``error`` per refused topic, then
the ``result`` that lists the accepted ones, then the missing deltas or the snapshot of
each.

One file because a message's rights depend on the signed-in person, which other messages
can change while it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

import structlog
from msgspec import MsgspecError, json

from actors.errors import Overloaded, Unavailable
from gateway.access.tokens import Caller
from gateway.calendars.continuations import Continuation
from gateway.live.core.frames import (
    Identifier,
    bye_frame,
    error_frame,
    pong_frame,
    result_frame,
)
from gateway.live.core.messages import (
    TEXT_BYTES_MAX,
    Auth,
    ClientMessage,
    Envelope,
    Identified,
    Logout,
    Ping,
    Subscribe,
    Unsubscribe,
)
from gateway.live.core.topic_names import BadTopic, Kind, TopicName
from gateway.live.sessions.commands import CommandMessage
from gateway.live.sessions.context import LiveContext, is_too_long
from gateway.live.sessions.identity import Owner
from gateway.live.sessions.permits import (
    TopicCheck,
    allow_topic,
    begin_topic,
    topic_for,
)
from gateway.live.sessions.topic_limits import check_week
from gateway.live.topics.topic import Board
from gateway.live.topics.watcher import Watcher
from gateway.wire.bodies import decode
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    TooManyRequests,
    Unauthenticated,
)
from gateway.wire.formats import millis_text
from gateway.wire.problems import CloseCode, Problem, of_error
from gateway.wire.replies import Reply

_ENVELOPE: Final = json.Decoder(Envelope)
_IDENTIFIED: Final = json.Decoder(Identified)
_DECODERS: Final[Mapping[str, json.Decoder[Any]]] = MappingProxyType(
    {
        "auth": json.Decoder(Auth),
        "logout": json.Decoder(Logout),
        "subscribe": json.Decoder(Subscribe),
        "unsubscribe": json.Decoder(Unsubscribe),
        "ping": json.Decoder(Ping),
    }
)
"""Of the messages that are no commands, by ``op``."""

TAKEN_AT_ONCE: Final = 16
"""Topics of one message whose reads start in one iteration of the event loop."""

Later = Coroutine[None, None, None]
"""The rest of an answer that must wait; the caller runs it."""


log = structlog.get_logger("slotcast.live")


class Conversation:
    """One client's messages and their answers.

    The right to a new private topic is checked before and after its first read: it may
    end in between.
    """

    __slots__ = ("_address", "_asking", "_context", "_owner", "_running", "_watcher")

    def __init__(self, context: LiveContext, watcher: Watcher, address: str) -> None:
        self._context = context
        self._watcher = watcher
        self._address = address
        self._owner = Owner(context.hub, context.persons, watcher)
        self._running: set[Continuation[Reply]] | None = None
        """The commands in flight; None before the first."""
        self._asking: dict[str, int] | None = None
        """Topics whose first read is waited for, and by how many messages."""

    def hear(self, text: str | None) -> Later | None:
        """Handle a message; ``None`` stands for one that is not text.

        Answers at once if possible, and starts commands; otherwise returns the rest, to
        be run concurrently.
        """
        message = self._context.read(text)
        if message is None:
            return self._hear_wrong(text)
        try:
            return self._dispatch(message)
        except Exception as error:  # noqa: BLE001 - the client always gets an answer
            self._refuse(message.id, error)
            return None

    def _hear_wrong(self, text: str | None) -> Later | None:
        """Answer an invalid message with what is wrong."""
        try:
            envelope = self._envelope(text)
        except InvalidRequest as error:
            self._strike(error, text)
            return None
        assert text is not None
        try:
            return self._explain(envelope, text)
        except Exception as error:  # noqa: BLE001 - the client always gets an answer
            self._refuse(envelope.id, error)
            return None

    def _envelope(self, text: str | None) -> Envelope:
        if text is None:
            raise InvalidRequest("Frames are JSON in text, not bytes.")
        if is_too_long(text):
            raise InvalidRequest(f"A frame is at most {TEXT_BYTES_MAX} bytes.")
        try:
            return _ENVELOPE.decode(text)
        except (MsgspecError, UnicodeError, RecursionError):
            raise InvalidRequest(
                'A frame is a JSON object with "op" (and "id"), both short.'
            ) from None

    def _explain(self, envelope: Envelope, text: str) -> Later | None:
        commands, op = self._context.commands, envelope.op
        if commands.knows(op):
            self._check_holds()
            self._command(op, envelope.id, text)
            return None
        decoder = _DECODERS.get(op)
        if decoder is not None:
            if op != "auth":
                self._check_holds()
            return self._dispatch(decode(decoder, text.encode()))
        self._check_holds()
        known = ", ".join([*_DECODERS, *commands.operations])
        raise InvalidRequest("", FieldError("op", f"must be one of {known}"))

    def _check_holds(self) -> None:
        """Raises Unauthenticated: the token of this session has ended."""
        if self._watcher.caller is not None:
            self._context.authenticator.check_holds(self._watcher.caller)

    def _dispatch(self, message: ClientMessage | CommandMessage) -> Later | None:
        if not isinstance(message, Auth):
            self._check_holds()
        op = self._context.commands.messages.get(type(message))
        if op is None:
            return self._answer(cast("ClientMessage", message))
        self._command(op, message.id, cast("CommandMessage", message))
        return None

    def _answer(self, message: ClientMessage) -> Later | None:
        match message:
            case Ping():
                self._watcher.writer.answer(pong_frame(message.id))
            case Auth():
                self._authenticate(message)
            case Logout():
                return self._log_out(message)
            case Subscribe():
                self._context.commands.admit_topics(
                    self._watcher.caller, self._address, len(message.topics)
                )
                return self._subscribe(message)
            case Unsubscribe():
                self._unsubscribe(message)
        return None

    # --- session ---------------------------------------------------------------

    def _authenticate(self, message: Auth) -> None:
        watcher, context = self._watcher, self._context
        if watcher.caller is not None:
            context.commands.admit(watcher.caller, self._address)
        try:
            caller = context.authenticator.verify(message.token)
        except Unauthenticated as error:
            self._refuse(message.id, error)
            # A signed-in session goes on; its own token ends by itself.
            if watcher.caller is None and watcher.strike():
                self._end(CloseCode.UNAUTHENTICATED, "Three tokens were not valid.")
            return
        if not self._owner.sign_in(caller, context.clock.now()):
            reason = "This person has too many connections; close some first."
            self._end(CloseCode.TOO_MANY_CONNECTIONS, reason)
            return
        body = {
            "role": caller.role,
            "subject": caller.subject,
            "expires_at": millis_text(caller.expires),
        }
        self._result(message.id, 200, json.encode(body))

    def _log_out(self, message: Logout) -> Later | None:
        context, caller = self._context, self._watcher.caller
        if caller is None:
            raise Unauthenticated("No one is signed in on this connection.")
        context.commands.admit(caller, self._address)
        if message.revoke and context.revocations is None:
            raise InvalidRequest(
                "", FieldError("revoke", "is not possible on this server")
            )
        self._owner.sign_out(context.clock.now())
        if message.revoke:
            return self._revoked(message, context.revoke(caller))
        self._result(message.id, 200, b"{}")
        return None

    async def _revoked(self, message: Logout, revoking: asyncio.Future[None]) -> None:
        try:
            # Clients often disconnect right after signing out; finish it anyway.
            await asyncio.shield(revoking)
        except Unavailable as error:
            self._refuse(message.id, error)
        else:
            self._result(message.id, 200, b"{}")

    def ended(self) -> None:
        """The connection ended: stop counting it, and close its commands."""
        for command in tuple(self._running or ()):
            command.close()
        self._owner.ended()

    # --- topics ----------------------------------------------------------------

    def _subscribe(self, message: Subscribe) -> Later | None:
        names: list[TopicName] = []
        now = self._context.clock.now()
        for text in dict.fromkeys(message.topics):
            try:
                name = topic_for(self._watcher.caller, text)
                check_week(name, now)
            except BadTopic as error:
                self._refuse(message.id, InvalidRequest(str(error)), text)
            else:
                names.append(name)
        if not all(name.kind.is_public for name in names):
            session = self._owner.number
            return self._subscribe_allowed(
                message, names, self._watcher.caller, session
            )
        return self._keep(message, names, self._owner.number)

    async def _subscribe_allowed(
        self,
        message: Subscribe,
        names: list[TopicName],
        caller: Caller | None,
        session: int,
    ) -> None:
        allowed = await self._allowed(message, names, caller, session)
        later = self._keep(message, allowed, session)
        if later is not None:
            await later

    async def _allowed(
        self,
        message: Subscribe,
        names: Iterable[TopicName],
        caller: Caller | None,
        session: int,
        check: TopicCheck = begin_topic,
    ) -> list[TopicName]:
        """The topics this session may watch; the rest are refused."""
        refused: dict[TopicName, Exception] = {}
        for name in names:
            try:
                await check(self._context.access, caller, name)
            except Exception as error:  # noqa: BLE001 - one topic's, not the others'
                refused[name] = error
        if self._owner.number != session:
            # The session has ended: its topics must not be shown to the next one.
            over = Unauthenticated("You signed out before this was answered.")
            refused |= {name: over for name in names if not name.kind.is_public}
        for name, reason in refused.items():
            self._refuse(message.id, reason, name.wire)
        return [name for name in names if name not in refused]

    def _keep(
        self, message: Subscribe, names: list[TopicName], session: int
    ) -> Later | None:
        """Admit the topics; new ones are waited for."""
        asking = {} if self._asking is None else self._asking
        limit = self._context.settings.subscriptions_max
        wires = self._watcher.boards.keys() | asking.keys()
        if 0 < limit < len(wires.union(name.wire for name in names)):
            self._refuse(
                message.id, InvalidRequest(f"At most {limit} topics per connection.")
            )
            self._end(CloseCode.TOO_MANY_TOPICS)
            return None
        caller = self._watcher.caller
        if all(map(self._context.room.is_known, names)):
            self._watch(message, list(self._taken(message, names, caller)))
            return None
        for name in names:
            asking[name.wire] = asking.get(name.wire, 0) + 1
        self._asking = asking
        return self._watch_known(message, names, caller, session)

    def _taken(
        self, message: Subscribe, names: Iterable[TopicName], caller: Caller | None
    ) -> dict[TopicName, Board]:
        boards: dict[TopicName, Board] = {}
        for name in names:
            try:
                boards[name] = self._context.room.take(name, caller, self._address)
            except (Overloaded, TooManyRequests) as error:
                self._refuse(message.id, error, name.wire)
        return boards

    async def _watch_known(
        self,
        message: Subscribe,
        wanted: Sequence[TopicName],
        caller: Caller | None,
        session: int,
    ) -> None:
        boards: dict[TopicName, Board] = {}
        for first in range(0, len(wanted), TAKEN_AT_ONCE):
            if first:
                await asyncio.sleep(0)  # lets other connections run
            some = wanted[first : first + TAKEN_AT_ONCE]
            boards |= self._taken(message, some, caller)
        for name in wanted:
            if name not in boards:
                self._is_still_asked(name.wire)
        waited = [board for board in boards.values() if board.name.kind is not Kind.ME]
        unknown = await self._context.room.unknown(waited)
        names: list[TopicName] = []
        for name, board in boards.items():
            if not self._is_still_asked(name.wire):
                continue  # unsubscribed while it was read
            problem = unknown.get(board)
            if problem is None:
                names.append(name)
            else:
                self._refuse_as(message.id, problem, name.wire)
        allowed = await self._allowed(message, names, caller, session, allow_topic)
        self._watch(message, allowed)

    def _is_still_asked(self, wire: str) -> bool:
        asking = self._asking
        if asking is None or wire not in asking:
            return False
        asking[wire] -= 1
        if not asking[wire]:
            del asking[wire]
            self._asking = asking or None
        return True

    def _watch(self, message: Subscribe, names: list[TopicName]) -> None:
        watcher, context = self._watcher, self._context
        wires = [name.wire for name in names]
        self._result(message.id, 200, json.encode({"topics": wires}))
        now = context.clock.now()
        for name in names:
            context.hub.subscribe(watcher, name, message.since.get(name.wire), now)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        now = self._context.clock.now()
        hub, watcher = self._context.hub, self._watcher
        asking = {} if self._asking is None else self._asking
        left = [
            wire
            for wire in message.topics
            if hub.unsubscribe(watcher, wire, now) | (asking.pop(wire, 0) > 0)
        ]
        self._result(message.id, 200, json.encode({"topics": left}))

    # --- commands --------------------------------------------------------------

    def _command(
        self, op: str, identifier: Identifier, message: CommandMessage | str
    ) -> None:
        """Start a command; it is answered on its calendar's reply."""
        context = self._context
        running = self._running
        if running is None:
            running = self._running = set()
        if len(running) >= context.settings.commands_in_flight_max:
            raise TooManyRequests(1.0)
        asked = context.commands.begin(op, self._watcher.caller, self._address, message)
        ended = partial(self._command_ended, identifier, self._owner.number)
        command = Continuation(asked, ended)
        running.add(command)
        command.start()

    def _command_ended(
        self,
        identifier: Identifier,
        session: int,
        command: Continuation[Reply],
        reply: Reply | Exception,
    ) -> None:
        assert self._running is not None
        self._running.discard(command)
        if self._owner.number != session:
            reply = Unauthenticated(
                "You signed out before the answer; the command may have succeeded: "
                "sign in and send it again with the same key."
            )
        if isinstance(reply, Exception):
            self._refuse(identifier, reply)
        else:
            self._result(identifier, reply.status, reply.body)

    # --- answers ---------------------------------------------------------------

    def _result(self, identifier: Identifier, status: int, body: bytes) -> None:
        self._watcher.writer.answer(result_frame(identifier, status, body))

    def _refuse(
        self, identifier: Identifier, error: Exception, topic: str = ""
    ) -> None:
        found = of_error(error)
        if found.code == "internal":
            log.error("message failed", exc_info=error)
        self._refuse_as(identifier, found, topic)

    def _refuse_as(
        self, identifier: Identifier, found: Problem, topic: str = ""
    ) -> None:
        self._context.hub.tally.refusals[found.code] += 1
        self._watcher.writer.answer(error_frame(identifier, found, topic))

    def _strike(self, error: InvalidRequest, text: str | None) -> None:
        """Refuse a frame; the third one without a readable id closes the connection."""
        identifier = _id_of(text)
        self._refuse(identifier, error)
        if identifier is None and self._watcher.strike():
            self._end(CloseCode.BAD_FRAME, "Three frames could not be read.")

    def _end(self, code: CloseCode, reason: str = "") -> None:
        retry_ms = self._context.settings.retry_ms
        self._watcher.writer.close(code, bye_frame(code, retry_ms), reason)


def _id_of(text: str | None) -> Identifier:
    """The id of an otherwise invalid message; None if it has none."""
    try:
        return _IDENTIFIED.decode(text or "").id
    except (MsgspecError, UnicodeError, RecursionError):
        return None
