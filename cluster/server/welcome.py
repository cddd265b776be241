"""The last lines of a start: address, tokens, and a command to try."""

from __future__ import annotations

import secrets

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.domain.zones import date_text, zone_or_utc
from actors.errors import Unavailable
from actors.ports import Calendars
from care.readmodel import Directory, ProviderQuery
from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.addresses import page_url
from cluster.terminal.terminal import Terminal
from gateway.access.tokens import Role, issue_token

FAILURES_MAX = 3
LOOKED_AT_MAX = 20
"""Providers searched for a free slot to show."""


async def welcome(
    terminal: Terminal, site: Site, calendars: Calendars, directory: Directory
) -> None:
    """Print the address, three tokens, a line to try, and where the data is."""
    base = page_url(site.settings.host, site.settings.port)
    example = await _example(calendars, directory)
    provider = example[0] if example else ProviderId("prv_1")
    key, clock = site.token_key(), SystemClock()
    life_s = int(site.settings.token_hours * 3600)
    people = (
        (Role.PATIENT, "pat_1"),
        (Role.DOCTOR, str(provider)),
        (Role.ADMIN, "admin"),
    )
    terminal.say()
    terminal.say(f"Slotcast serves at  {base}   (docs: {base}/docs)")
    terminal.say(f"Data is in          {site.folder.path}")
    terminal.say()
    terminal.say(f"Tokens for trying things out, good for {life_s / 3600:g} hours:")
    for role, subject in people:
        signed = issue_token(
            key, role, subject, life_s, clock.now(), secrets.token_urlsafe(12)
        )
        terminal.say(f"  {role.value} {subject}:")
        terminal.say(f"  {signed}")
    terminal.say()
    terminal.say("Try:")
    terminal.say(f"  {_line_to_try(base, example)}")
    terminal.say()
    terminal.say("Ctrl-C stops it.")


def _line_to_try(base: str, example: tuple[ProviderId, str, str] | None) -> str:
    if example is None:
        return f"curl -s '{base}/readyz'"
    provider, visit_type, day = example
    query = f"visit_type={visit_type}&from={day}&to={day}"
    return f"curl -s '{base}/v1/providers/{provider}/slots?{query}'"


async def _example(
    calendars: Calendars, directory: Directory
) -> tuple[ProviderId, str, str] | None:
    """A provider, a visit type and a local day with a free slot; None if none."""
    try:
        known = await directory.ids(ProviderQuery(), limit=LOOKED_AT_MAX)
    except Unavailable:  # the read model: bookings go on without it
        return None
    failures = 0
    for provider in known:
        if failures == FAILURES_MAX:
            break
        try:
            view = await calendars.ask(ReadProvider(provider))
        except Unavailable:  # maybe only its shard
            failures += 1
            continue
        if isinstance(view, ProviderView) and view.next_free:
            visit_type, start = next(iter(view.next_free.items()))
            zone = zone_or_utc(view.availability.locations[0].time_zone)
            return provider, visit_type, date_text(zone.day_of(start))
    return None
