"""Live holds over several gateways: counted and listed, and nothing waits for it."""

from __future__ import annotations

from typing import NoReturn

import pytest

from actors.domain.ids import PatientId
from actors.domain.messages.answers import HoldView
from actors.errors import Unavailable
from gateway.calendars.commitments import Commitments, Slot
from gateway.calendars.hold_exchange import HoldExchange
from gateway.calendars.recent import RecentBookings
from gateway.wire.errors import Refused
from persistence.shared.memory import MemoryHolds
from tests import factories as make
from tests.fakes.api import CONFIG, KEY, Api, open_api, slot
from tests.fakes.clocks import SteppedClock

PATIENT = PatientId("pat_1")
NINE, HALF = "2026-08-10T09:00:00Z", "2026-08-10T09:30:00Z"


class _AwayHolds(MemoryHolds):
    """A store that does not answer."""

    async def exchange(self, notes: object) -> NoReturn:
        raise Unavailable("away")

    async def find(self, key: str) -> NoReturn:
        raise Unavailable("away")


def another_gateway(api: Api, store: MemoryHolds) -> Commitments:
    exchange = HoldExchange(store, KEY)
    return Commitments(api.ports, CONFIG, RecentBookings(), exchange)


async def test_holds_count_over_all_gateways() -> None:
    """Each further gateway lets through one too many at most, and lists all."""
    clock = SteppedClock(make.NOW)
    store = MemoryHolds(clock)
    async with open_api(shared={"holds": store}, clock=clock) as api:
        await api.add_provider()
        other = another_gateway(api, store)
        me = api.patient()
        for start in (NINE, HALF):
            body = slot(start=start)
            held = await api.client.post("/v1/holds", json=body, headers=me)
            assert held.status_code == 201
        assert await api.app.state.services.shared.hold_exchange.exchange()
        found = [view.start for view in await other.live_holds(PATIENT)]
        assert found == [make.at(9), make.at(9, 30)]
        command = make.place_hold(7, make.at(11), patient_id=PATIENT)
        await other.check_hold(PATIENT, Slot(make.PROVIDER, make.CONSULT, make.at(11)))
        view = await api.ports.calendars.ask(command)
        assert isinstance(view, HoldView)
        other.note_hold(view)
        assert other._exchange is not None
        assert await other._exchange.exchange()
        wanted = Slot(make.a_provider_id(2), make.CONSULT, make.at(12))
        with pytest.raises(Refused):
            await other.check_hold(PATIENT, wanted)
        listed = await api.client.get("/v1/holds", headers=me)
        assert len(listed.json()["items"]) == 3
        stranger = await api.client.get("/v1/holds", headers=api.patient(2))
        assert stranger.json() == {"items": []}
        notes = [note for kept in store._notes.values() for note in kept.values()]
        assert PATIENT not in str(notes)


async def test_holds_are_placed_and_listed_while_other_gateways_cannot_be_asked() -> (
    None
):
    """Own ones; nothing waits for a store that is away."""
    clock = SteppedClock(make.NOW)
    async with open_api(shared={"holds": _AwayHolds(clock)}, clock=clock) as api:
        await api.add_provider()
        me = api.patient()
        held = await api.client.post("/v1/holds", json=slot(), headers=me)
        assert held.status_code == 201
        exchange = api.app.state.services.shared.hold_exchange
        assert not await exchange.exchange()
        assert exchange.untold == 1
        listed = (await api.client.get("/v1/holds", headers=me)).json()["items"]
        assert [one["hold_id"] for one in listed] == [held.json()["hold_id"]]
