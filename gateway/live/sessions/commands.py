"""Commands over the live socket: the operations of REST, asked on another road.

A command is handed to the very operation that REST runs, with its fields as the body
and its ``key`` as the Idempotency-Key, so statuses, bodies and refusals are the same
by construction.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from msgspec import Raw, Struct, json

from gateway.access.tokens import Caller
from gateway.http.endpoint import Call, Operation
from gateway.http.limits import RateLimits
from gateway.wire.bodies import unknown
from gateway.wire.errors import FieldError, InvalidRequest, Unauthenticated
from gateway.wire.replies import Reply


class Spelling(Struct, frozen=True):
    """Which REST operation an ``op`` is, and which field is in its path there."""

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


class SocketCommands:
    """Runs commands through the operations of REST."""

    def __init__(self, operations: Iterable[Operation], limits: RateLimits) -> None:
        by_name = {operation.name: operation for operation in operations}
        self.operations = {
            op: by_name[spelling.operation]
            for op, spelling in COMMANDS.items()
            if spelling.operation in by_name
        }
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

    async def perform(
        self, op: str, caller: Caller | None, address: str, key: str | None, text: str
    ) -> Reply:
        """What REST would answer.

        Raises:
            RequestError, Unavailable: as the operation does.
        """
        self.admit(caller, address)
        if caller is None:
            raise Unauthenticated("Sign in first: send an auth message.")
        fields = _FIELDS.decode(text)
        for name in _NOT_CONTENT:
            fields.pop(name, None)
        path: dict[str, str] = {}
        name = COMMANDS[op].path_field
        if name:
            path[name] = _path_field(fields.pop(name, None), name)
        headers = {} if key is None else {b"idempotency-key": _latin(key)}
        call = Call({"path_params": path, "query_string": b""}, headers)
        call.caller = caller
        operation = self.operations[op]
        if operation.body is not None:
            call.body = json.encode(fields)
        elif fields:
            known = ("op", "id", "key", name)
            raise InvalidRequest("", *(unknown(one, known, "field") for one in fields))
        return await operation.handler(call)


def _path_field(raw: Raw | None, name: str) -> str:
    try:
        return _TEXT.decode(raw or b"")
    except ValueError:
        message = "is missing" if raw is None else "must be a string"
        raise InvalidRequest("", FieldError(name, message)) from None


def _latin(key: str) -> bytes:
    # Characters that no header could carry become one that is refused as REST does.
    return key.encode("latin-1", "replace") if key.isascii() else b" "
