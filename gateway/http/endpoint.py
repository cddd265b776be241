"""Thin routes: one ASGI endpoint per path, made from declared operations.

FastAPI's dependency machinery and per-request models cost more than a booking itself,
so an operation is a plain coroutine ``(Call) -> Reply``: the body is decoded by a
prepared msgspec decoder, the answer is bytes. The same declarations make the OpenAPI
document (openapi.py), so that there is one source of truth.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from gateway.access.rights import PUBLIC, Action
from gateway.access.tokens import Authenticator, Caller
from gateway.http.limits import RateLimits
from gateway.wire.bodies import decode, unknown
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    MethodNotAllowed,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
)
from gateway.wire.problems import of_error
from gateway.wire.replies import Reply, problem_reply, send_reply, squeezed

T = TypeVar("T")

_KEY_CHARACTERS_MAX: Final = 128
_QUERY_FIELDS_MAX: Final = 32
_EMPTY_BODIES: Final = (b"", b"{}", b"null")

log = structlog.get_logger("slotcast.gateway")


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter, for parsing and for the OpenAPI document."""

    name: str
    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


CURSOR_QUERY: Final = Query(
    "cursor", "Where to continue: next_cursor of the previous page."
)


def limit_query(default: int, highest: int) -> Query:
    """The parameter for the length of a page."""
    schema = {"type": "integer", "minimum": 1, "maximum": highest, "default": default}
    return Query("limit", "Maximum number of items.", schema)


class HttpHead(NamedTuple):
    """Attributes of requests over HTTP.

    ``address``: the client's, behind trusted proxies.
    """

    address: str
    headers: Mapping[bytes, bytes]
    query: bytes


_NO_HEAD: Final = HttpHead("", MappingProxyType({}), b"")


class Call:
    """One request to an operation, whether it came over HTTP or over the socket.

    ``fields`` are the parameters of its path, ``key`` is the client's idempotency key
    as sent. ``content`` is an already decoded body; otherwise ``body`` is its JSON.
    """

    __slots__ = (
        "_fields",
        "_head",
        "_query",
        "body",
        "caller",
        "content",
        "key",
    )

    def __init__(
        self,
        caller: Caller | None,
        fields: Mapping[str, str],
        *,
        key: str | None = None,
        body: bytes = b"",
        content: object = None,
        head: HttpHead = _NO_HEAD,
    ) -> None:
        self.caller = caller
        self.key = key
        self.body = body
        self.content = content
        self._fields = fields
        self._head = head
        self._query: dict[str, str] | None = None

    @property
    def address(self) -> str:
        """The client's address; the server resolves trusted proxies."""
        return self._head.address

    def path(self, name: str) -> str:
        """A parameter of the path."""
        return self._fields[name]

    def header(self, name: bytes) -> str | None:
        """A header, by its name in lower case."""
        value = self._head.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self, name: str) -> str | None:
        """A query parameter; empty ones count as absent.

        Raises:
            InvalidRequest: the query cannot be read, or the name occurs twice.
        """
        if self._query is None:
            self._query = _parse_query(self._head.query)
        return self._query.get(name) or None

    def check_query(self, known: frozenset[str]) -> None:
        """Refuse unknown parameters: a typo must not widen an answer.

        Raises:
            InvalidRequest: some are not in ``known``; the error names the nearest ones.
        """
        if self._query is None:
            self._query = _parse_query(self._head.query)
        if self._query.keys() <= known:
            return
        strange = [name for name in self._query if name not in known]
        raise InvalidRequest(
            "", *(unknown(name, known, "query parameter") for name in strange)
        )

    def query_int(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number within bounds. Raises InvalidRequest."""
        text = self.query(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and len(text) <= len(str(highest)):
            number = int(text)
            if lowest <= number <= highest:
                return number
        message = f"must be a whole number from {lowest} to {highest}"
        raise InvalidRequest("", FieldError(name, message))

    def idempotency_key(self) -> str | None:
        """The client's key for this write, if it sent one. Raises InvalidRequest."""
        key = self.key
        if key is None:
            return None
        visible = key.isascii() and key.isprintable() and " " not in key
        if not key or not visible or len(key) > _KEY_CHARACTERS_MAX:
            message = f"must be 1 to {_KEY_CHARACTERS_MAX} visible ASCII characters"
            raise InvalidRequest("", FieldError("Idempotency-Key", message))
        return key

    def decode(self, decoder: msgspec.json.Decoder[T], *, optional: bool = False) -> T:
        """The body; an ``optional`` one may be missing. Raises InvalidRequest."""
        if self.content is not None:
            return cast("T", self.content)
        return decode(decoder, self.body if self.body or not optional else b"{}")


@lru_cache(maxsize=1024)
def _parse_pairs(raw: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(
        parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_QUERY_FIELDS_MAX,
        )
    )


def _parse_query(raw: bytes) -> dict[str, str]:
    try:
        pairs = _parse_pairs(raw)
    except ValueError:
        raise InvalidRequest("The query string cannot be read.") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise InvalidRequest("A query parameter is given twice.")
    return query


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One REST operation: its request, its answers, its errors, and its right."""

    method: str
    path: str
    action: Action | None
    name: str
    summary: str
    handler: Callable[[Call], Coroutine[Any, Any, Reply]]
    tag: str
    answers: dict[int, Any]
    """Status -> type of the body, or None."""
    body: Any = None
    body_required: bool = True
    query: Sequence[Query] = ()
    example: Any = None
    """An example body for the document, where the schema alone gives no useful one."""
    refusals: Sequence[str] = ()
    """Error codes beyond those common to all operations of its kind."""

    @property
    def public(self) -> bool:
        """Whether the operation needs no token."""
        return self.action is None or self.action in PUBLIC

    @cached_property
    def query_names(self) -> frozenset[str]:
        """The query parameters that the operation accepts."""
        return frozenset(query.name for query in self.query)

    @cached_property
    def squeezes(self) -> bool:
        """Whether long answers are compressed: only public ones; see replies.py."""
        return self.method == "GET" and self.action in PUBLIC

    @property
    def writes(self) -> bool:
        """Whether the operation is a command, with an idempotency key."""
        return self.method != "GET"


def check_media(call: Call) -> None:
    """Raises UnsupportedMedia: the declared type of the body is not JSON in UTF-8."""
    kind = call.header(b"content-type")
    if not call.body or kind is None or kind == "application/json":
        return
    media, _, parameters = kind.lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if media.strip() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMedia


def check_taken(operation: Operation, call: Call) -> None:
    """Raises InvalidRequest: there is a body, and the operation takes none."""
    if operation.body is None and call.body.strip() not in _EMPTY_BODIES:
        raise InvalidRequest("This operation takes no body.")


def _call_of(scope: Scope) -> Call:
    client = scope.get("client")
    address = client[0] if client else ""
    head = HttpHead(address, dict(scope["headers"]), scope["query_string"])
    return Call(None, scope["path_params"], head=head)


@dataclass(frozen=True)
class RequestGate:
    """Authentication and limits of every request, and the count of refusals."""

    authenticator: Authenticator
    limits: RateLimits
    body_bytes_max: int
    refused: Callable[[str], None]
    """Called with the code of every error answer."""

    def admit(self, authorization: str | None, address: str) -> Caller | None:
        """The caller, counted against their rate limit; None without a token.

        Raises:
            Unauthenticated: there is a token, and it is not valid.
            TooManyRequests: too many requests of this caller or address.
        """
        try:
            caller = self.authenticator.caller(authorization)
        except Unauthenticated:
            self.limits.admit(None, address)
            raise
        self.limits.admit(caller, address)
        return caller


class Endpoint:
    """The ASGI application of one path; ``path`` is its template, for the logs."""

    def __init__(self, gate: RequestGate, operations: Sequence[Operation]) -> None:
        self.path = operations[0].path
        self._gate = gate
        self._operations = {op.method: op for op in operations}
        methods = set(self._operations) | {"OPTIONS"}
        if "GET" in methods:
            self._operations["HEAD"] = self._operations["GET"]
            methods.add("HEAD")
        self._allow = ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every failure becomes a well-formed answer."""
        try:
            operation = self._operations.get(scope["method"])
            reply = await self._answer(operation, scope, receive)
            if operation is not None and operation.squeezes:
                reply = squeezed(scope, reply)
        except Exception as error:
            found = of_error(error)
            if found.code == "internal":
                log.exception("request failed")
            reply = problem_reply(found)
            self._gate.refused(found.code)
        await send_reply(scope, send, reply)

    async def _answer(
        self, operation: Operation | None, scope: Scope, receive: Receive
    ) -> Reply:
        if operation is None:
            if scope["method"] == "OPTIONS":
                return Reply(204, headers=((b"allow", self._allow.encode()),))
            raise MethodNotAllowed(self._allow)
        call = _call_of(scope)
        call.caller = self._admit(call, operation)
        if scope["query_string"]:
            call.check_query(operation.query_names)
        if operation.writes:
            call.key = call.header(b"idempotency-key")
            call.body = await self._read(call, receive)
            check_media(call)
            check_taken(operation, call)
        return await operation.handler(call)

    def _admit(self, call: Call, operation: Operation) -> Caller | None:
        caller = self._gate.admit(call.header(b"authorization"), call.address)
        if caller is None and not operation.public:
            raise Unauthenticated
        return caller

    async def _read(self, call: Call, receive: Receive) -> bytes:
        declared = call.header(b"content-length")
        return await bounded_body(declared, receive, self._gate.body_bytes_max)


async def bounded_body(declared: str | None, receive: Receive, limit: int) -> bytes:
    """A request's whole body; ``declared`` is its Content-Length.

    Raises:
        TooLarge: it is longer than ``limit`` bytes; the rest was not read.
        InvalidRequest: the caller left before its end.
    """
    length = declared or "0"
    if not length.isdigit() or int(length[:12]) > limit:
        raise TooLarge(f"The body must be at most {limit} bytes.")
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The body is incomplete.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise TooLarge(f"The body must be at most {limit} bytes.")
    return bytes(body)
