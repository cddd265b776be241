"""``slotcast watch``: live topics in the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from cluster.commands.options import DataOption
from cluster.site.run_file import read_record
from cluster.terminal.addresses import local_url
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal

TOKEN: Final = "SLOTCAST_TOKEN"  # noqa: S105 - a variable's name
"""Host to connect to for a server that listens on all addresses."""
PARTS_WITHOUT_WEEK: Final = 3


def watch(
    topics: Annotated[
        list[str],
        typer.Argument(
            metavar="TOPIC",
            help="slots/PROVIDER/VISIT_TYPE/2026-W49 (without the week: this one), "
            "schedule/PROVIDER, or me.",
            show_default=False,
        ),
    ],
    *,
    url: Annotated[
        str, typer.Option(help="The server; else the one of the data folder.")
    ] = "",
    token: Annotated[
        str,
        typer.Option(
            help="Token, for schedule/… and me. Prefer --token-file or "
            f"{TOKEN}: process lists show this option.",
            show_default=False,
        ),
    ] = "",
    token_file: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="A file with the token; - is standard input."
        ),
    ] = "",
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for programs.")
    ] = False,
) -> None:
    """Print live topics: what they show, then each change as it happens."""
    from cluster.clock import SystemClock
    from cluster.terminal.watch_lines import JsonLines, PlainLines, Writing
    from cluster.terminal.watching import watch_topics
    from slotcast.client import LiveClient, NotServed

    clock = SystemClock()
    named = [_whole(topic, clock.today()) for topic in dict.fromkeys(topics)]
    signed = _token(token, token_file)
    try:
        client = LiveClient(url or _address(data), named, token=signed)
    except NotServed as error:
        raise Obstacle(error.wrong, error.advice) from error
    writing: Writing = JsonLines()
    if not as_json:
        writing = PlainLines(None, names_topics=len(named) > 1)
    out = Terminal().out

    def show(line: Text) -> None:
        if as_json:
            sys.stdout.write(line.plain + "\n")
            sys.stdout.flush()
        else:
            out.print(line)

    try:
        asyncio.run(watch_topics(client, named, writing, clock, show))
    except KeyboardInterrupt:
        return  # stopped before the watch began
    except (BrokenPipeError, SystemExit):
        # The reader closed the pipe (rich turns that into exit code 1). Buffered output
        # would cause an error when Python flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _whole(topic: str, today: date) -> str:
    """The topic's full name: slots without a week are those of this one."""
    parts = topic.strip("/").split("/")
    if parts[0] == "slots" and len(parts) == PARTS_WITHOUT_WEEK:
        year, week, _ = today.isocalendar()
        return "/".join([*parts, f"{year}-W{week:02}"])
    return topic


def _token(token: str, token_file: str) -> str:
    """The token from option, file or environment; empty if none is given.

    Raises Obstacle.
    """
    if token and token_file:
        raise Obstacle("Give either --token or --token-file.")
    if not token_file:
        return (token or os.environ.get(TOKEN, "")).strip()
    try:
        if token_file == "-":  # noqa: S105 - standard input
            return sys.stdin.read().strip()
        return Path(token_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Obstacle(f"The token in {token_file} cannot be read: {error}.") from error


def _address(data: Path | None) -> str:
    """URL of the server running on this data folder; else the configured one."""
    from cluster.site.data_folder import DataFolder
    from cluster.site.settings import read_settings

    settings = read_settings(data=data)
    folder = DataFolder(settings.data)
    host, port = settings.host, settings.port
    record = read_record(folder.run_file) if folder.is_locked() else None
    if record is not None and record.port:
        host, port = record.host, record.port
    return local_url(host, port)
