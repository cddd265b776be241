"""Commands over the live socket: the operations of REST, called over the socket.

A command runs the same operation as REST, with its fields as the body
and its ``key`` as the Idempotency-Key, so statuses, bodies and refusals are the same
by construction.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from types import MappingProxyType
from typing import Any, Final, Protocol

from msgspec import Raw, Struct, defstruct, json

from gateway.access.tokens import Caller
from gateway.http.endpoint import Call, Operation
from gateway.http.limits import RateLimits
from gateway.live.core.frames import Identifier
from gateway.live.core.messages import MessageId
from gateway.wire.bodies import unknown
from gateway.wire.errors import FieldError, InvalidRequest, Unauthenticated
from gateway.wire.replies import Reply


class Spelling(Struct, frozen=True):
    """The REST operation of each ``op``, and the field that is in its path there."""

    operation: str
    path_field: str = ""


COMMANDS: Final = MappingProxyType(
    {
        "hold": Spelling("place_hold"),
        "extend": Spelling("extend_hold", "hold_id"),
        "release": Spelling("release_hold", "hold_id"),
        "book": Spelling("book"),
        "cancel": Spelling("cancel_booking", "booking_id"),
        "reschedule": Spelling("reschedule_booking", "booking_id"),
    }
)
"""The ``op`` of each command on the socket."""

_NOT_CONTENT: Final = ("op", "id", "key")
_FIELDS: Final = json.Decoder(dict[str, Raw])
_TEXT: Final = json.Decoder(str)
_KEY: Final = json.Decoder(str | None)


class CommandMessage(Protocol):
    """A decoded command: the fields common to all."""

    @property
    def id(self) -> Identifier:
        """Chosen by the client; answers repeat it."""
        ...

    @property
    def key(self) -> str | None:
        """As ``Idempotency-Key`` in REST."""
        ...


class SocketCommands:
    """The operations of REST that are commands of the socket, and their messages.

    The message of a command is the body of its operation with three fields more, or
    four: ``op``, ``id``, ``key`` and what REST has in the path. So one decoding gives
    the body that the operation takes.
    """

    def __init__(self, operations: Iterable[Operation], limits: RateLimits) -> None:
        by_name = {operation.name: operation for operation in operations}
        self.operations = {
            op: by_name[spelling.operation]
            for op, spelling in COMMANDS.items()
            if spelling.operation in by_name
        }
        self.messages: dict[type, str] = {
            _message(op, operation): op for op, operation in self.operations.items()
        }
        """The class of each command's messages, and its ``op``."""
        self._limits = limits

    def knows(self, op: str) -> bool:
        """Whether this is a command."""
        return op in self.operations

    def admit(self, caller: Caller | None, address: str) -> None:
        """Count one request, as REST does. Raises TooManyRequests."""
        self._limits.admit(caller, address)

    def admit_topics(self, caller: Caller | None, address: str, count: int) -> None:
        """Count one request, and its topics. Raises TooManyRequests."""
        self._limits.admit(caller, address)
        self._limits.admit_topics(caller, address, count)

    def begin(
        self,
        op: str,
        caller: Caller | None,
        address: str,
        message: CommandMessage | str,
    ) -> Coroutine[Any, Any, Reply]:
        """The coroutine of REST's answer.

        ``message`` is of the class of this command, or the JSON of one that could not
        be decoded as a whole: then this, or the operation, says which field is wrong.

        Raises:
            TooManyRequests, Unauthenticated, InvalidRequest: it may not be asked; the
                coroutine raises what the operation does.
        """
        self.admit(caller, address)
        if caller is None:
            raise Unauthenticated("Sign in first: send an auth message.")
        operation = self.operations[op]
        name = COMMANDS[op].path_field
        if isinstance(message, str):
            call = _call_of(caller, message, operation, name)
        else:
            fields = {name: getattr(message, name)} if name else {}
            call = Call(caller, fields, key=message.key, content=message)
        return operation.handler(call)


def _message(op: str, operation: Operation) -> type[Struct]:
    """The class of a command's messages, made of the class of its REST body."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("id", MessageId, None),
        ("key", str | None, None),
    ]
    if COMMANDS[op].path_field:
        fields.append((COMMANDS[op].path_field, str))
    return defstruct(
        f"{op.capitalize()}Command",
        fields,
        bases=(Struct,) if operation.body is None else (operation.body,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        tag_field="op",
        tag=op,
    )


def _call_of(caller: Caller, text: str, operation: Operation, name: str) -> Call:
    """A request from an invalid message, with its body undecoded."""
    sent = _FIELDS.decode(text)
    key = sent.get("key")
    for other in _NOT_CONTENT:
        sent.pop(other, None)
    fields = {name: _path_field(sent.pop(name, None), name)} if name else {}
    call = Call(caller, fields, key=None if key is None else _KEY.decode(key))
    if operation.body is not None:
        call.body = json.encode(sent)
    elif sent:
        known = (*_NOT_CONTENT, name)
        raise InvalidRequest("", *(unknown(one, known, "field") for one in sent))
    return call


def _path_field(raw: Raw | None, name: str) -> str:
    try:
        return _TEXT.decode(raw or b"")
    except ValueError:
        message = "is missing" if raw is None else "must be a string"
        raise InvalidRequest("", FieldError(name, message)) from None
