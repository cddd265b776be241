"""``slotcast doctor``: is this installation safe and complete? What is to be done?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import existing_site
from cluster.terminal.obstacle import FOUND_A_PROBLEM
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from cluster.checks.doctor import Diagnosis

_MARKS = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}


def doctor(*, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check settings, secrets, TLS and proxy, clock, disk, databases and mail.

    Changes nothing. Exit code 1 if anything must be put right.
    """
    from cluster.checks.doctor import examine

    site = existing_site(data)
    found = asyncio.run(examine(site))
    terminal = Terminal()
    if as_json:
        terminal.json(msgspec.to_builtins(found))
    else:
        _tell(terminal, found)
    if any(one.level == "bad" for one in found):
        raise typer.Exit(FOUND_A_PROBLEM)


def _tell(terminal: Terminal, found: list[Diagnosis]) -> None:
    for one in found:
        terminal.say(f"{_MARKS[one.level]}  {one.name}: {one.said}")
        if one.remedy:
            terminal.say(f"      {one.remedy}")
