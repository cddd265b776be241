"""Answers: a status, headers, and bytes that are ready to go."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from starlette.types import Scope, Send

from gateway.wire.problems import Headers, Problem

JSON: Final = (b"content-type", b"application/json")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
NO_STORE: Final = (b"cache-control", b"private, no-store")
REVALIDATE: Final = (b"cache-control", b"no-cache")
VARY: Final = (b"vary", b"accept-encoding")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_SQUEEZED_FROM: Final = 1024
"""Minimum size for compression: smaller answers fit into one packet anyway."""
_REMEMBERED_TO: Final = 64 * 1024
_REMEMBERED: Final = 128
"""Cached compressed pages of a gateway and their maximum size: 8 MiB plus the
compressed bytes."""
_BODILESS: Final = frozenset({204, 304})


class KeptBody:
    """A body that is answered many times; its gzip is made once, and kept with it."""

    __slots__ = ("_packed", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._packed = b""

    def packed(self) -> bytes:
        """The body as gzip."""
        if not self._packed:
            self._packed = _packed(self.body)
        return self._packed


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers: a status, and bytes that are already JSON.

    ``kept`` is where ``body`` comes from, if it is kept for others.
    """

    status: int
    body: bytes = b""
    headers: Headers = (JSON, NO_STORE)
    kept: KeptBody | None = None


NO_CONTENT: Final = Reply(204, headers=(NO_STORE,))


def problem_reply(problem: Problem) -> Reply:
    """A problem as an answer."""
    headers = (_PROBLEM, NO_STORE, *problem.headers)
    return Reply(problem.status, problem.body(), headers)


def squeezed(scope: Scope, reply: Reply) -> Reply:
    """The answer as gzip, if it is long and the client accepts it.

    Only for public answers: where an answer mixes a secret with text of another
    party, its compressed length reveals the secret (BREACH).
    """
    if len(reply.body) < _SQUEEZED_FROM:
        return reply
    headers = reply.headers
    if VARY not in headers:
        headers = (*headers, VARY)
    accepted = [v for name, v in scope["headers"] if name == b"accept-encoding"]
    if not any(map(_takes_gzip, accepted)):
        return Reply(reply.status, reply.body, headers)
    if reply.kept is not None:
        packed = reply.kept.packed()
    else:
        pack = _packed_again if len(reply.body) <= _REMEMBERED_TO else _packed
        packed = pack(reply.body)
    return Reply(reply.status, packed, (*headers, (b"content-encoding", b"gzip")))


@lru_cache(maxsize=64)
def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.lower().split(b","):
        coding, _, quality = part.replace(b" ", b"").partition(b";")
        if coding in (b"gzip", b"*"):
            return not re.fullmatch(rb"q=0(\.0*)?", quality)
    return False


def _packed(body: bytes) -> bytes:
    # The quickest level: lists of slots repeat themselves and shrink to a tenth.
    return gzip.compress(body, compresslevel=1, mtime=0)


_packed_again = lru_cache(maxsize=_REMEMBERED)(_packed)
"""Frequently requested pages are compressed once, until they change."""


async def send_reply(scope: Scope, send: Send, reply: Reply) -> None:
    """Write an answer; HEAD gets the headers alone."""
    length = (b"content-length", str(len(reply.body)).encode())
    headers = reply.headers if reply.status in _BODILESS else (*reply.headers, length)
    await send(
        {"type": "http.response.start", "status": reply.status, "headers": headers}
    )
    body = b"" if scope["method"] == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})
