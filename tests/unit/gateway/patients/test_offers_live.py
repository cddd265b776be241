"""Offers of the waiting list on the live topic ``me``."""

from __future__ import annotations

from typing import Any

from actors.domain.ids import HoldId, Millis, Minute, hold_id
from actors.domain.messages.answers import HoldView
from actors.domain.messages.commands import OfferHold, SetWaiting
from actors.domain.rules import Waiting
from tests import factories as make
from tests.fakes.live_api import LiveApi, open_live_api

SLOT = make.at(14, day=2)
WAITING = Waiting((make.CONSULT,), Minute(0), make.at(0, day=9))
HALF_HOUR_MS = 30 * 60_000


async def done(live: LiveApi, command: Any) -> Any:
    """What a calendar answers, which must agree."""
    reply = await live.api.ports.calendars.ask(command)
    assert type(reply).__name__ != "Refusal", reply
    return reply


async def reserve(live: LiveApi) -> HoldId:
    """A slot that was given up, and is the list's."""
    await done(live, SetWaiting(provider_id=make.PROVIDER, waiting=WAITING))
    await done(live, make.book_slot(4, SLOT))
    cancelled = await done(live, make.cancel_booking(4))
    return hold_id(make.PROVIDER, f"w{cancelled.version - 1}")


async def offer(live: LiveApi, held: HoldId, patient: int, turn: int) -> None:
    """Offer it."""
    command = OfferHold(
        provider_id=make.PROVIDER,
        key=f"offer-{turn}",
        hold_id=held,
        patient_id=make.a_patient_id(patient),
        until=Millis(live.api.clock.now() + HALF_HOUR_MS),
        turn=turn,
    )
    assert isinstance(await done(live, command), HoldView)


async def test_an_offer_comes_on_me_and_goes() -> None:
    """With its end for a countdown, to its patient alone. Declined it ends there, and a
    patient who comes later finds theirs in the snapshot."""
    async with (
        open_live_api() as live,
        live.client("patient", "pat_1") as first,
        live.client("patient", "pat_2") as other,
    ):
        for client in (first, other):
            await client.send("subscribe", topics=["me"])
            await client.until("snapshot")
        held = await reserve(live)
        await offer(live, held, 1, 0)
        (shown,) = (await first.until("delta"))["holds"]
        assert (shown["hold_id"], shown["offer"]) == (held, True)
        assert shown["start"] == "2026-08-12T14:00:00Z"
        owner = make.a_patient_id(1)
        await done(live, make.release_hold(9, hold_id=held, owner=owner))
        assert held in str(await first.until("delta"))
        await offer(live, held, 2, 1)
        theirs = await other.until("delta")
        assert [one["hold_id"] for one in theirs["holds"]] == [held]
        async with live.client("patient", "pat_2") as later:
            await later.send("subscribe", topics=["me"])
            snapshot = await later.until("snapshot")
            assert [one["offer"] for one in snapshot["holds"]] == [True]
