"""Attacks with plain HTTP/1.1."""

from __future__ import annotations

from collections.abc import Callable

from tests.attacks.hostile import Hostile
from tests.attacks.registry import Aim, Attacking, Outcome, attack

PIECE = 64 * 1024
_GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


def _endless(start: bytes, piece: bytes) -> Attacking:
    """An attack that begins and then repeats itself for as long as it is let."""

    async def run(aim: Aim) -> Outcome:
        outcome = Outcome()
        one = await Hostile(aim, outcome).open()
        await one.send(start)
        while one.goes_on:
            await one.send(piece)
        await one.wait()
        await one.leave()
        return outcome

    return run


def _repeated(line: bytes) -> bytes:
    return line * (PIECE // len(line))


def _register(name: str, summary: str, run: Callable[..., object]) -> None:
    run.__doc__ = summary
    attack(name)(run)  # type: ignore[arg-type]


_register(
    "endless head",
    "header lines without end",
    _endless(_GET, _repeated(b"x-a: b\r\n")),
)
_register(
    "endless value",
    "one header value without end",
    _endless(_GET + b"x-a: ", b"v" * PIECE),
)
_register("endless url", "a URL without end", _endless(b"GET /", b"u" * PIECE))
_register(
    "endless pipeline",
    "small requests without end, answers taken",
    _endless(b"", _repeated(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")),
)
