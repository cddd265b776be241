"""``Idempotency-Key`` for ordinary features: a repeated write gets its first answer.

``claim_key`` is a dependency of every POST, PUT and PATCH route: it runs after the
caller's right was checked, and claims the key or ends the request with what was stored
under it. ``settle`` stores the answer, or frees the key if the answer is no outcome of
the operation (care/idempotency). Keys belong to signed-in callers: without a token the
header has no effect, since a guessed key would reveal another caller's answer.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import Header, Request
from starlette.responses import Response

from actors.errors import Unavailable
from care.idempotency.answers import (
    BODY_BYTES_MAX,
    Claim,
    InProgress,
    OtherRequest,
    Stored,
    StoredAnswer,
    is_kept,
)
from gateway.access.tokens import Caller
from gateway.config import GatewayPorts
from gateway.wire.errors import KeyReused
from gateway.wire.replies import Reply

_CLAIM: Final = "idempotency_claim"
_NOT_KEPT: Final = frozenset({"content-length", "set-cookie"})
"""Headers that belong to one transmission, or must not be stored."""

log = structlog.get_logger("slotcast.gateway")


class Replayed(Exception):
    """Ends a request whose answer is stored; becomes that answer."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__("the answer is stored")
        self.answer = answer


KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes a repeated request have one effect.",
        min_length=1,
        max_length=128,
        pattern=r"^[!-~]+$",
    ),
]


async def claim_key(request: Request, caller: Caller | None, key: str | None) -> None:
    """Claim the key of a request, if it has one.

    Raises:
        Replayed: the same request has an answer.
        KeyReused: the caller used the key for another request.
        Unavailable: the same request is running, or the store does not answer.
    """
    if key is None or caller is None:
        return
    ports: GatewayPorts = request.app.state.ports
    assert ports.answers is not None, "features that write need a store of answers"
    now = ports.clock.now()
    owner = _digest(*caller.key_owner, key)
    found = await ports.answers.claim(owner, await _fingerprint(request), now=now)
    match found:
        case Claim():
            request.scope[_CLAIM] = found
        case Stored():
            raise Replayed(found.answer)
        case OtherRequest():
            raise KeyReused
        case InProgress():
            raise Unavailable("the first request with this key is still running")


async def settle(request: Request, answer: Response | Reply | None) -> None:
    """Store the answer under the claimed key, or free the key without one.

    A store that does not answer is only logged: the operation has had its effect, and
    the claim prevents a repetition until it expires.
    """
    claim: Claim | None = request.scope.pop(_CLAIM, None)
    if claim is None:
        return
    ports: GatewayPorts = request.app.state.ports
    assert ports.answers is not None
    kept = None if answer is None else _kept(answer)
    try:
        if kept is None:
            await ports.answers.release(claim)
        else:
            await ports.answers.keep(claim, kept, now=ports.clock.now())
    except Unavailable as error:
        log.warning("an answer could not be stored under its key", reason=str(error))


def response_of(answer: StoredAnswer) -> Response:
    """A stored answer as the answer to this request."""
    return Response(answer.body, answer.status, dict(answer.headers))


def _kept(answer: Response | Reply) -> StoredAnswer | None:
    if isinstance(answer, Reply):
        status, raw = answer.status, answer.headers
    else:
        status, raw = answer.status_code, tuple(answer.raw_headers)
    if not is_kept(status):
        return None
    body = bytes(answer.body) if hasattr(answer, "body") else None
    if body is None or len(body) > BODY_BYTES_MAX:
        log.error("an answer cannot be stored: it is streamed or too long")
        return None
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    return StoredAnswer(
        status, tuple(one for one in pairs if one[0] not in _NOT_KEPT), body
    )


async def _fingerprint(request: Request) -> str:
    """What makes two requests the same: method, path, query and content."""
    body = await request.body()
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        # Spaces and the order of fields do not matter.
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    return _digest(request.method, request.url.path, request.url.query, body)


def _digest(*parts: str | bytes) -> str:
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16).hexdigest()
