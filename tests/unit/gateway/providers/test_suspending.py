"""Suspended providers: nothing is booked, by whatever way; bookings stay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.domain.ids import ProviderId
from actors.domain.rules import Profile
from actors.errors import Unavailable
from persistence.grants.suspensions import SqlSuspensions
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import AccountApi, account_api

PATH = "/v1/providers/prv_1"


@pytest.fixture
async def people(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AccountApi]:
    """A gateway with records."""
    async with account_api(request, tmp_path) as opened:
        yield opened


async def _post(api: Api, path: str, body: Any = None, **auth: str) -> Any:
    return await api.client.post(path, json=body, headers=auth or api.admin())


async def test_a_suspended_provider_is_not_booked_in_any_way(api: Api) -> None:
    """Not by search, id, an old hold, moving, or staff; a booking stays as it is."""
    await api.add_provider(1)
    mine, ten = api.patient(1), slot(start="2026-08-10T10:00:00Z")
    held = (await _post(api, "/v1/holds", slot(), **mine)).json()
    booked = (await _post(api, "/v1/bookings", ten, **mine)).json()
    done = await _post(api, f"{PATH}/suspend")
    assert done.json()["suspended"] is True
    affected = [one["booking_id"] for one in done.json()["affected"]]
    assert affected == [booked["booking_id"]]
    await api.project()
    eleven = slot(start="2026-08-10T11:00:00Z")
    for path, body, auth in (
        ("/v1/bookings", {"hold_id": held["hold_id"]}, mine),
        ("/v1/bookings", slot(), mine),
        ("/v1/bookings", eleven, mine),
        ("/v1/bookings", eleven | {"patient_id": "pat_2"}, api.clinic_admin()),
        ("/v1/holds", eleven, mine),
        (
            f"/v1/bookings/{booked['booking_id']}/reschedule",
            {"start": eleven["start"]},
            mine,
        ),
    ):
        answer = await _post(api, path, body, **auth)
        assert answer.json()["code"] == "slot_not_offered", (path, body)
    slots = await api.client.get(f"{PATH}/slots?from=2026-08-10")
    assert slots.json()["slots"] == []
    assert (await api.client.get("/v1/providers")).json()["items"] == []
    assert (await api.client.get(PATH)).json()["suspended"] is True
    where = f"/v1/bookings/{booked['booking_id']}"
    assert (await api.client.get(where, headers=mine)).json()["status"] == "booked"


async def test_a_suspension_ends_by_its_end_alone(api: Api) -> None:
    """A new profile does not end it; afterwards holds serve again."""
    await api.add_provider(1)
    mine = api.patient(1)
    held = (await _post(api, "/v1/holds", slot(), **mine)).json()
    await _post(api, f"{PATH}/suspend")
    await api.ports.calendars.ask(make.register(profile=make.a_profile(1)))
    await api.ports.calendars.ask(make.set_retired(retired=False))
    assert (await api.client.get(PATH)).json()["suspended"] is True
    await _post(api, f"{PATH}/unsuspend")
    confirmed = await _post(api, "/v1/bookings", {"hold_id": held["hold_id"]}, **mine)
    assert confirmed.status_code == 201, confirmed.text


async def test_a_repeated_suspension_is_since_its_beginning(
    people: AccountApi,
) -> None:
    """With the reason of the last request; after its end another one begins."""
    api = people.api
    await api.add_provider(1)
    first = (await _post(api, f"{PATH}/suspend", {"reason": "One"})).json()
    api.clock.step(60)
    again = (await _post(api, f"{PATH}/suspend", {"reason": "Two"})).json()
    assert (again["since"], again["reason"]) == (first["since"], "Two")
    shown = await api.client.get(f"{PATH}/suspension", headers=api.admin())
    assert shown.json()["since"] == first["since"]
    await _post(api, f"{PATH}/unsuspend")
    later = (await _post(api, f"{PATH}/suspend", {"reason": "Three"})).json()
    assert later["since"] > first["since"]


async def test_reinstating_ends_retirement_and_suspension(api: Api) -> None:
    """Whichever it was, or both, the provider works again."""
    await api.add_provider(1)
    for before in (["suspend"], ["retire"], ["retire", "suspend"]):
        for verb in before:
            await _post(api, f"{PATH}/{verb}")
        done = (await _post(api, f"{PATH}/reinstate")).json()
        assert (done["retired"], done["suspended"]) == (False, False), before
        shown = (await api.client.get(PATH)).json()
        assert (shown["retired"], shown["suspended"]) == (False, False), before


async def test_a_late_repetition_ends_no_later_suspension(api: Api) -> None:
    """Reinstating with a key that was used before changes nothing any more."""
    await api.add_provider(1)
    await _post(api, f"{PATH}/suspend")
    key = {**api.admin(), "Idempotency-Key": "k1"}
    await _post(api, f"{PATH}/reinstate", **key)
    await _post(api, f"{PATH}/suspend")
    late = (await _post(api, f"{PATH}/reinstate", **key)).json()
    assert late["suspended"] is True
    assert (await api.client.get(PATH)).json()["suspended"] is True


async def test_an_administrator_with_one_factor_ends_no_suspension(api: Api) -> None:
    """They reinstate who is retired; who is suspended needs a second factor."""
    await api.add_provider(1)
    weak = api.receptionist("acc_1")
    await _post(api, f"{PATH}/retire")
    assert (await _post(api, f"{PATH}/reinstate", **weak)).status_code == 200
    await _post(api, f"{PATH}/suspend")
    refused = await _post(api, f"{PATH}/reinstate", **weak)
    assert refused.status_code == 403
    assert refused.json()["code"] == "second_factor_required"
    assert (await api.client.get(PATH)).json()["suspended"] is True


async def test_a_reason_is_read_by_those_concerned(people: AccountApi) -> None:
    """The doctor and the administrators read it while it lasts; the public never."""
    api = people.api
    await api.add_provider(1)
    reason = "The licence is being examined."
    made = await _post(api, f"{PATH}/suspend", {"reason": reason})
    assert made.json()["reason"] == reason
    for auth in (api.doctor(), api.clinic_admin(), api.admin()):
        told = await api.client.get(f"{PATH}/suspension", headers=auth)
        assert told.json() == {
            "provider_id": "prv_1",
            "suspended": True,
            "reason": reason,
            "since": made.json()["since"],
        }
    for auth in (api.patient(1), api.doctor("prv_2"), api.clinic_admin("cln_2")):
        refused = await api.client.get(f"{PATH}/suspension", headers=auth)
        assert refused.status_code == 403, auth
    assert reason not in (await api.client.get(PATH)).text
    await _post(api, f"{PATH}/reinstate")
    told = await api.client.get(f"{PATH}/suspension", headers=api.doctor())
    assert (told.json()["suspended"], told.json()["reason"]) == (False, "")
    await _post(api, f"{PATH}/suspend")  # without a reason: the old one is gone
    told = await api.client.get(f"{PATH}/suspension", headers=api.doctor())
    assert (told.json()["suspended"], told.json()["reason"]) == (True, "")


async def test_a_repeated_suspension_leaves_no_reason_behind(
    people: AccountApi,
) -> None:
    """Repeated after the suspension has ended it stores nothing."""
    api = people.api
    await api.add_provider(1)
    key, body = {**api.admin(), "Idempotency-Key": "k1"}, {"reason": "A first reason"}
    await _post(api, f"{PATH}/suspend", body, **key)
    await _post(api, f"{PATH}/unsuspend")
    assert (await _post(api, f"{PATH}/suspend", body, **key)).status_code == 200
    assert api.ports.grants is not None
    assert await api.ports.grants.suspensions.find(ProviderId("prv_1")) is None
    other = await _post(api, f"{PATH}/suspend", {"reason": "Another one"}, **key)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_records_that_are_away_keep_no_doctor_bookable(
    people: AccountApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar is suspended first; the request repeated stores the reason."""
    api = people.api
    await api.add_provider(1)
    key, body = {**api.admin(), "Idempotency-Key": "k1"}, {"reason": "Misconduct"}
    with monkeypatch.context() as patch:
        patch.setattr(SqlSuspensions, "put", _away)
        answer = await _post(api, f"{PATH}/suspend", body, **key)
        assert answer.status_code == 503
    assert (await api.client.get(PATH)).json()["suspended"] is True
    assert (await _post(api, f"{PATH}/suspend", body, **key)).status_code == 200
    told = await api.client.get(f"{PATH}/suspension", headers=api.doctor())
    assert told.json()["reason"] == "Misconduct"


async def _away(*_: object, **__: object) -> None:
    raise Unavailable("The records do not answer.")


def test_profiles_of_older_journals_are_not_suspended() -> None:
    """Their events have no such field."""
    told = msgspec.to_builtins(make.a_profile(1))
    told.pop("suspended", None)
    assert not msgspec.convert(told, Profile).suspended
