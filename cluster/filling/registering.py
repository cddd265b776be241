"""Registers providers: creates their calendars and sets their rules.

Used by the demo seed and by imports. A provider that is already as wanted is left
unchanged, so a second run changes nothing, however much later.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import ProviderId
from actors.domain.messages.answers import Affected, Done, ProviderView
from actors.domain.messages.commands import Command, RegisterProvider, SetAvailability
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import Availability, Profile
from actors.ports import Calendars
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle

AT_ONCE = 512
"""Maximum concurrent requests: enough to fill batches."""

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total)."""
T = TypeVar("T")
R = TypeVar("R")


class NewProvider(Struct, frozen=True):
    """A provider's wanted state: profile and opening rules."""

    provider_id: ProviderId
    profile: Profile
    availability: Availability


class Outcome(StrEnum):
    """The result for one provider."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


def keyed(command: Command, purpose: str) -> Command:
    """The command with a key and fingerprint that follow from content and purpose.

    The same content has the same key on every run, so an interrupted run can be
    repeated without effects happening twice.
    """
    content = msgspec.msgpack.encode(command)
    fingerprint = zlib.crc32(content)
    key = f"{purpose}:{fingerprint:08x}:{zlib.adler32(content):08x}"
    return replace(command, key=key, fingerprint=fingerprint)


async def register(calendars: Calendars, new: NewProvider) -> Outcome:
    """Bring one provider to the wanted state.

    Raises:
        Obstacle: the calendar refuses these rules; says why.
        Unavailable: no answer in time; the run may be repeated.
    """
    known = await calendars.ask(ReadProvider(new.provider_id))
    there = known if isinstance(known, ProviderView) else None
    # The key includes the version: setting rules again after they were replaced by
    # others is a new command.
    version = there.version if there is not None else 0
    written = False
    wishes: list[Command] = []
    # A retired provider stays so: that is no difference.
    retired = there is not None and there.profile.retired
    profile = replace(new.profile, retired=retired)
    if there is None or there.profile != profile:
        wishes.append(
            RegisterProvider(provider_id=new.provider_id, profile=new.profile)
        )
    if there is None or there.availability != new.availability:
        wishes.append(
            SetAvailability(provider_id=new.provider_id, availability=new.availability)
        )
    for wish in wishes:
        answer = await calendars.ask(keyed(wish, f"register@{version}"))
        if isinstance(answer, Refusal):
            raise Obstacle(
                f"The calendar of {new.provider_id} refuses its rules: "
                f"{answer.code.value} {answer.detail}",
                code=FOUND_A_PROBLEM,
            )
        written = written or (
            isinstance(answer, Done | Affected) and answer.version > version
        )
    if not written:
        return Outcome.SAME
    return Outcome.NEW if there is None else Outcome.CHANGED


async def several(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], at_once: int = AT_ONCE
) -> AsyncIterator[R]:
    """Run ``work`` on every item, a bounded number at a time.

    Results in the items' order.
    """
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == at_once:
            for result in await asyncio.gather(*map(work, batch)):
                yield result
            batch.clear()
    for result in await asyncio.gather(*map(work, batch)):
        yield result
