"""The loop of ``slotcast watch``: prints events as lines, until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text

from actors.ports import Clock
from cluster.terminal.obstacle import CANNOT_WORK, FOUND_A_PROBLEM, Obstacle
from cluster.terminal.watch_lines import Writing
from slotcast.client import LiveClient, LiveError, NotServed
from slotcast.client.events import Event, Lost, SignInRefused, TopicRefused

REMEDY_SIGN_IN: Final = (
    "Give one with --token-file or SLOTCAST_TOKEN; slotcast token makes them."
)
USAGE: Final = frozenset({401, 422})
"""Error codes of a refused topic that the caller can correct."""


async def watch_topics(
    client: LiveClient,
    topics: Sequence[str],
    writing: Writing,
    clock: Clock,
    show: Callable[[Text], None],
) -> None:
    """Print events until SIGINT or SIGTERM.

    Raises:
        Obstacle: no server answers, or no topic is left to watch.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, client.stop)
    left = set(topics)
    try:
        async with client:
            async for event in client:
                _check(event, client, left)
                for line in writing.lines(event, client.views, clock.now()):
                    show(line)
    except LiveError as error:
        code = CANNOT_WORK if isinstance(error, NotServed) else FOUND_A_PROBLEM
        raise Obstacle(error.wrong, error.advice, code=code) from error
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _check(event: Event, client: LiveClient, left: set[str]) -> None:
    """Raise Obstacle if retrying cannot help."""
    match event:
        case Lost() if not client.connections:
            raise Obstacle(
                f"No server answers at {client.url}: {event.reason}",
                "Start one (slotcast serve, or make run), or name it with --url.",
            )
        case SignInRefused():
            raise Obstacle(f"The token is not accepted: {event.detail}", REMEDY_SIGN_IN)
        case TopicRefused() if not event.comes_again or event.status in USAGE:
            left.discard(event.topic)
            if not left:
                raise _nothing_left(event)
        case _:
            return


def _nothing_left(event: TopicRefused) -> Obstacle:
    remedy = (
        REMEDY_SIGN_IN if event.code == "unauthenticated" else "slotcast watch --help"
    )
    code = CANNOT_WORK if event.status in USAGE else FOUND_A_PROBLEM
    wrong = f"{event.topic} cannot be watched: {event.detail}"
    return Obstacle(wrong, remedy, code=code)
