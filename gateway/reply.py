"""Answers: a status, headers, and bytes that are ready to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope, Send

from gateway.problems import Headers, Problem

JSON: Final = (b"content-type", b"application/json")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
NO_STORE: Final = (b"cache-control", b"private, no-store")
REVALIDATE: Final = (b"cache-control", b"no-cache")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_BODILESS: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers: a status, and bytes that are already JSON."""

    status: int
    body: bytes = b""
    headers: Headers = (JSON, NO_STORE)


NO_CONTENT: Final = Reply(204, headers=(NO_STORE,))


def problem_reply(problem: Problem) -> Reply:
    """A no, as an answer."""
    headers = (_PROBLEM, NO_STORE, *problem.headers)
    return Reply(problem.status, problem.body(), headers)


async def send_reply(scope: Scope, send: Send, reply: Reply) -> None:
    """Write an answer; HEAD gets the headers alone."""
    length = (b"content-length", str(len(reply.body)).encode())
    headers = reply.headers if reply.status in _BODILESS else (*reply.headers, length)
    await send(
        {"type": "http.response.start", "status": reply.status, "headers": headers}
    )
    body = b"" if scope["method"] == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body})
