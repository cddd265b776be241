"""Attacks with plain HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import Final

from tests.attacks.hostile import Hostile
from tests.attacks.registry import Aim, Attacking, Outcome, attack

PIECE: Final = 64 * 1024
CROWD: Final = 120
"""Connections of the attacks that need many."""
DRIP_S: Final = 0.05

_HEAD: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
_GET: Final = _HEAD + b"\r\n"
_CHUNKED: Final = (
    b"POST /v1/holds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_DECLARED: Final = (
    b"POST /v1/holds HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
)
_SLOTS: Final = b"GET /v1/providers/prv_1/slots HTTP/1.1\r\nHost: x\r\n\r\n"


def _endless(
    name: str, summary: str, start: bytes, piece: bytes, *, reads: bool = True
) -> Attacking:
    """An attack that begins and then repeats itself for as long as it is let."""
    repeated = piece * (PIECE // len(piece))

    async def run(aim: Aim) -> Outcome:
        outcome = Outcome()
        one = await Hostile(aim, outcome).open(reads=reads)
        await one.send(start)
        while one.goes_on:
            await one.send(repeated)
        await one.wait()
        await one.leave()
        return outcome

    run.__doc__ = summary
    return attack(name)(run)


def _crowd(name: str, summary: str, start: bytes, drop: bytes) -> Attacking:
    """Many connections that say little: a start, and then a drop now and then."""

    async def run(aim: Aim) -> Outcome:
        outcome = Outcome()
        crowd = [await Hostile(aim, outcome).open() for _ in range(CROWD)]
        if start:
            await asyncio.gather(*(one.send(start) for one in crowd))
        while drop and any(one.goes_on for one in crowd):
            await asyncio.gather(*(one.send(drop) for one in crowd if one.goes_on))
            await asyncio.sleep(DRIP_S)
        await asyncio.gather(*(one.wait() for one in crowd))
        await asyncio.gather(*(one.leave() for one in crowd))
        return outcome

    run.__doc__ = summary
    return attack(name)(run)


_endless("endless head", "header lines without end", _HEAD, b"x-a: b\r\n")
_endless("endless value", "one header value without end", _HEAD + b"x-a: ", b"v")
_endless("endless url", "an address without end", b"GET /", b"u")
_endless("endless blank lines", "nothing but ends of lines", b"", b"\r\n")
_endless("endless trailers", "trailers without end", _CHUNKED + b"0\r\n", b"x-a: b\r\n")
_endless("endless trailer", "one trailer without end", _CHUNKED + b"0\r\nx: ", b"t")
_endless("endless chunk head", "a chunk extension without end", _CHUNKED + b"5;", b"e")
_endless("endless chunks", "a body in chunks of one byte", _CHUNKED, b"1\r\nb\r\n")
_endless("endless body", "a body without end", _DECLARED, b"b")
_endless("endless pipeline", "small requests without end", b"", _GET)
_endless(
    *("deaf pipeline", "requests without end, no answer taken", b"", _SLOTS),
    reads=False,
)
_crowd("silent crowd", "connections that say nothing", b"", b"")
_crowd("slow heads", "a byte of a head now and then", _HEAD + b"x-a: ", b"v")
_crowd("slow bodies", "a byte of a body now and then", _CHUNKED, b"1\r\nb\r\n")
