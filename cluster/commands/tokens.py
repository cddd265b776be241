"""``slotcast token``: tokens for trying things out, and ``token revoke``."""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from actors.domain.ids import Millis
from actors.errors import Unavailable
from care.sharing import Revocation, RevocationKind
from cluster.clock import SystemClock
from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal
from cluster.wiring.shared import revocations_of
from gateway.access.tokens import LIFE_MAX_S, Authenticator, Role, issue_token
from gateway.config import GatewayConfig
from gateway.wire.errors import Unauthenticated

SLACK_MS = 60_000
"""A revocation outlives its token by more than the allowed clock difference."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_TTL = re.compile(r"(\d{1,7})([smh]?)")


token = typer.Typer(
    help="Print a signed token for trying things out, or revoke one.",
    invoke_without_command=True,
)


@token.callback()
def print_tokens(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    role: Annotated[Role | None, typer.Option(help="The caller's role.")] = None,
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
    """Print a signed token for trying things out, or revoke one: token revoke."""
    if context.invoked_subcommand is not None:
        return
    if role is None:
        raise Obstacle("Give --role, and --subject or --subjects-from.")
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


@token.command()
def revoke(
    *,
    signed: Annotated[
        str,
        typer.Argument(
            metavar="[TOKEN]", help="The token; - reads it from standard input."
        ),
    ] = "",
    token_id: Annotated[str, typer.Option("--id", help="The token's jti.")] = "",
    subject: Annotated[
        str, typer.Option(help="Subject: revokes all of its tokens issued until now.")
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a token, or all tokens of a subject; their sockets are closed at once."""
    if sum(map(bool, (signed, token_id, subject))) != 1:
        raise Obstacle("Give exactly one of: a token, --id, --subject.")
    site = existing_site(data)
    clock = SystemClock()
    now = clock.now()
    until = Millis(now + LIFE_MAX_S * 1000 + SLACK_MS)
    if subject:
        revoked = Revocation(RevocationKind.SUBJECT, subject, now, until)
    elif token_id:
        revoked = Revocation(RevocationKind.TOKEN, token_id, now, until)
    else:
        text = sys.stdin.read() if signed == "-" else signed
        revoked = _revocation_of(text.strip(), site, clock)
    try:
        asyncio.run(_revoke(site, revoked))
    except Unavailable as error:
        raise Obstacle(
            f"The revocation may not have been stored: {error}",
            "Try again when Redis answers; until then "
            "gateways keep the revocations they have.",
            code=FOUND_A_PROBLEM,
        ) from error
    _say_revoked(revoked, as_json=as_json)


def _revocation_of(text: str, site: Site, clock: SystemClock) -> Revocation:
    config = GatewayConfig(token_keys=(site.token_key(),))
    try:
        caller = Authenticator(config, clock).verify(text)
    except Unauthenticated as error:
        raise Obstacle(
            f"This token cannot be revoked: {error.detail}",
            "A token that is invalid here or has expired is refused anyway.",
            code=FOUND_A_PROBLEM,
        ) from error
    until = Millis(caller.expires + SLACK_MS)
    return Revocation(RevocationKind.TOKEN, caller.token_id, clock.now(), until)


async def _revoke(site: Site, revocation: Revocation) -> None:
    async with revocations_of(site, SystemClock()) as revocations:
        await revocations.add(revocation)


def _say_revoked(revoked: Revocation, *, as_json: bool) -> None:
    if as_json:
        Terminal().json(
            {
                "kind": str(revoked.kind),
                "value": revoked.value,
                "until_ms": revoked.until,
            }
        )
    elif revoked.kind == RevocationKind.SUBJECT:
        Terminal().say(f"All tokens of {revoked.value} issued until now are revoked.")
    else:
        Terminal().say(f"The token {revoked.value} is revoked.")


def seconds(text: str) -> int:
    """A span of time: ``900``, ``15m``, ``12h``. Raises Obstacle."""
    match = _TTL.fullmatch(text.strip())
    if match is None:
        raise Obstacle(f"{text!r} is not a duration: use 900, 15m or 12h.")
    return int(match[1]) * _UNITS[match[2]]


def _subjects(source: str) -> Iterator[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Obstacle(f"The subjects in {source} cannot be read: {error}.") from error
    return (line.strip() for line in text.splitlines() if line.strip())
