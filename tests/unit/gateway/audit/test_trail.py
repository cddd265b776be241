"""What the gateway puts into the audit trail, and what it refuses without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api, open_api, slot
from tests.fakes.audit import MemorySpool
from tests.fakes.live_api import open_live_api
from tests.fixtures.accounts import (
    MIRA,
    PASSWORD,
    AccountApi,
    account_api,
    bearer,
    signed,
)


@pytest.fixture
def spool() -> MemorySpool:
    return MemorySpool()


@pytest.fixture
async def api(spool: MemorySpool) -> AsyncIterator[Api]:
    """A gateway with one provider, whose reads are audited."""
    async with open_api(shared={"audit_spool": spool}) as opened:
        await opened.add_provider()
        yield opened


async def _booked(api: Api) -> str:
    answer = await api.client.post("/v1/bookings", json=slot(), headers=api.patient())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["booking_id"])


async def test_staff_who_read_a_booking_are_in_the_trail(
    api: Api, spool: MemorySpool
) -> None:
    """Who, which booking, about whom, in the clinic's chain; no value is in it."""
    booking = await _booked(api)
    await api.client.get(f"/v1/bookings/{booking}", headers=api.doctor())
    (draft,) = spool.drafts
    assert (draft.tenant, draft.actor, draft.action) == (
        "cln_1",
        "prv_1",
        "read_booking",
    )
    assert draft.person == "pat_1"
    assert draft.body["booking_id"] == booking
    assert draft.body["role"] == "doctor"


async def test_patients_who_read_their_own_are_not(
    api: Api, spool: MemorySpool
) -> None:
    """What patients read of themselves is no access by another."""
    booking = await _booked(api)
    await api.client.get(f"/v1/bookings/{booking}", headers=api.patient())
    assert spool.drafts == []


async def test_a_schedule_is_one_entry_about_its_provider(
    api: Api, spool: MemorySpool
) -> None:
    """All patients on it were seen; the read is found by the provider."""
    await _booked(api)
    answer = await api.client.get(
        "/v1/providers/prv_1/schedule", headers=api.clinic_admin()
    )
    assert answer.status_code == 200
    assert [(one.action, one.person) for one in spool.drafts] == [
        ("read_schedule", "prv_1")
    ]


async def test_without_a_spool_staff_are_refused_and_patients_are_not(
    api: Api, spool: MemorySpool
) -> None:
    """503 for staff's reads of people; a patient's own, and bookings, go on."""
    booking = await _booked(api)
    spool.is_broken = True
    for path in (f"/v1/bookings/{booking}", "/v1/providers/prv_1/schedule"):
        answer = await api.client.get(path, headers=api.doctor())
        assert answer.status_code == 503, path
        assert answer.json()["code"] == "unavailable"
    own = await api.client.get(f"/v1/bookings/{booking}", headers=api.patient())
    assert own.status_code == 200
    cancelled = await api.client.post(
        f"/v1/bookings/{booking}/cancel", headers=api.patient()
    )
    assert cancelled.status_code == 200


async def test_what_staff_may_not_read_is_no_read(api: Api, spool: MemorySpool) -> None:
    """A hidden booking is answered as a missing one, with and without a spool."""
    booking = await _booked(api)
    answers = []
    for broken in (False, True):
        spool.is_broken = broken
        for name in (booking, "bkg_1.nowhere"):
            answers.append(
                await api.client.get(
                    f"/v1/bookings/{name}", headers=api.clinic_admin("cln_9")
                )
            )
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert spool.drafts == []


@pytest.fixture
async def people(
    request: pytest.FixtureRequest, tmp_path: Path, spool: MemorySpool
) -> AsyncIterator[AccountApi]:
    async with account_api(
        request, tmp_path, more_ports={"audit_spool": spool}
    ) as opened:
        yield opened


async def test_acts_on_accounts_are_in_the_trail_without_values(
    people: AccountApi, spool: MemorySpool
) -> None:
    """Sign-ins, failed ones, changes: by route, with names of fields alone."""
    await people.register()
    signed = await people.sign_in()
    wrong = {"email": MIRA, "password": "not the password", "delivery": "body"}
    assert (await people.post("login", wrong)).status_code == 401
    await people.refresh(signed["refresh_token"])
    answer = await people.post("logout", {}, bearer(signed))
    assert answer.status_code == 204, answer.text
    found = [(one.action, one.body["outcome"]) for one in spool.drafts]
    assert found == [
        ("register", "done"),
        ("verify_email", "done"),
        ("login", "done"),
        ("login", "invalid_credentials"),
        ("logout", "done"),
    ]
    done, failed = (one for one in spool.drafts if one.action == "login")
    assert done.actor.startswith("acc_")
    assert failed.actor == ""
    assert done.body["tried"] == failed.body["tried"]
    assert "password" in done.body["fields"]
    _no_values(spool, MIRA, PASSWORD, "not the password", "127.0.0.1")


def _no_values(spool: MemorySpool, *values: str) -> None:
    written: Any = repr(spool.drafts)
    for value in values:
        assert value not in written


async def test_acts_go_on_without_a_spool(
    people: AccountApi, spool: MemorySpool
) -> None:
    """A full disk ends no session; what was lost is counted, with an alarm."""
    await people.register()
    spool.is_broken = True
    await people.sign_in()
    assert people.api.app.state.services.trail.lost == 1


async def test_who_watches_a_schedule_is_in_the_trail(spool: MemorySpool) -> None:
    """Over the live socket as over REST; without the spool the topic is refused."""
    async with (
        open_live_api(shared={"audit_spool": spool}) as live,
        live.client("doctor", "prv_1") as client,
    ):
        await client.send("subscribe", topics=["schedule/prv_1"])
        await client.until("snapshot")
        assert [(one.action, one.person) for one in spool.drafts] == [
            ("watch_schedule", "prv_1")
        ]
        spool.is_broken = True
        await client.send("unsubscribe", topics=["schedule/prv_1"])
        await client.send("subscribe", topics=["schedule/prv_1"])
        refused = await client.until("error")
        assert refused["code"] == "unavailable"


async def test_a_body_that_is_refused_is_no_act(
    people: AccountApi, spool: MemorySpool
) -> None:
    """Wrong fields and what is no JSON: 422 and 400 leave nothing in the trail."""
    for sent in (
        {"json": {"email": 7}},
        {"content": b"{", "headers": {"content-type": "application/json"}},
        {"content": b"\xff", "headers": {"content-type": "application/json"}},
    ):
        answer = await people.client.post("/v1/auth/login", **sent)
        assert answer.status_code in (400, 422), answer.text
    assert spool.drafts == []


async def test_an_act_whose_handler_writes_its_entry_is_one_entry(
    people: AccountApi, spool: MemorySpool
) -> None:
    """The handler's, which knows clinic and object; refused, it is its route's."""
    await people.api.add_provider()
    admin = signed(people.api, "clinic_admin", "cln_1")
    path, body = "/v1/clinics/cln_1/options", {"staff_may_set_hours": True}
    sent = await people.client.patch(path, json=body, headers=admin)
    assert sent.status_code == 200, sent.text
    other = await people.client.patch(
        path, json=body, headers=signed(people.api, "staff", "cln_1")
    )
    assert other.status_code == 403, other.text
    assert [(one.action, one.body["outcome"]) for one in spool.drafts] == [
        ("edit_clinic", "done"),
        ("set_options", "forbidden"),
    ]
