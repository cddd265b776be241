"""``slotcast token``: signed tokens for trying things out and for load tests."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.obstacle import Obstacle
from cluster.site import existing_site
from cluster.terminal import Terminal
from gateway.auth import Role, issue_token

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_TTL = re.compile(r"(\d{1,7})([smh]?)")


def token(
    *,
    role: Annotated[Role, typer.Option(help="What the caller is.")],
    subject: Annotated[
        str,
        typer.Option(
            help="Who: pat_… for a patient, prv_… for a doctor, cln_… for a "
            "clinic_admin, any name for an admin."
        ),
    ] = "",
    ttl: Annotated[
        str, typer.Option(help="Life of the token: 900, 15m or 12h; at most 24h.")
    ] = "",
    subjects_from: Annotated[
        str,
        typer.Option(
            "--subjects-from",
            metavar="FILE",
            help="One subject per line (- is standard input); prints one token per "
            "line in the same order.",
        ),
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a signed token for trying things out."""
    if bool(subject) == bool(subjects_from):
        raise Obstacle("Give either --subject or --subjects-from.")
    site = existing_site(data)
    key = site.token_key()
    life_s = seconds(ttl) if ttl else int(site.settings.token_hours * 3600)
    terminal, clock = Terminal(), SystemClock()
    for who in _subjects(subjects_from) if subjects_from else [subject]:
        try:
            signed = issue_token(
                key, role, who, life_s, clock.now(), secrets.token_urlsafe(12)
            )
        except ValueError as error:
            raise Obstacle(f"No token: {error}.") from error
        if as_json:
            terminal.json(
                {"token": signed, "role": role.value, "subject": who, "ttl_s": life_s}
            )
        else:
            sys.stdout.write(signed + "\n")


def seconds(text: str) -> int:
    """A span of time: ``900``, ``15m``, ``12h``. Raises Obstacle."""
    match = _TTL.fullmatch(text.strip())
    if match is None:
        raise Obstacle(f"{text!r} is not a life: use 900, 15m or 12h.")
    return int(match[1]) * _UNITS[match[2]]


def _subjects(source: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Obstacle(f"The subjects in {source} cannot be read: {error}.") from error
    return (line.strip() for line in text.splitlines() if line.strip())
