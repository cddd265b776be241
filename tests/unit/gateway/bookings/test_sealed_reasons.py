"""Reasons are sealed before a calendar sees them, and every reader sees the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from actors.domain.ids import PatientId
from actors.domain.messages.reads import ReadBooking
from actors.errors import Unavailable
from actors.placement import shard_name
from care.keys.texts import BY_PERSON, BY_SITE, NOT_NOW
from persistence import codec
from persistence.accounts.models import PatientRecord
from persistence.keys.ring import KeyRing
from persistence.privacy.persons import SqlPersonKeys
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import Api, open_api, slot
from tests.fakes.clocks import SteppedClock
from tests.fakes.live_api import open_live_api
from tests.fixtures.accounts import KEKS, AccountApi, account_api, bearer
from tests.fixtures.read_model import empty_records

WHY, OFF = "a rash on the left arm", "found another doctor"


@pytest.fixture
async def persons(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SqlPersonKeys]:
    """Keys over records in which pat_1 has a row."""
    records = Records(empty_records("sqlite", request, tmp_path))
    async with records.writing() as session:
        row = {"patient_id": "pat_1", "key_salt": b"s" * 16, "created_by": "x"}
        await session.execute(insert(PatientRecord).values(**row, created_at=1))
    yield SqlPersonKeys(records, KeyRing(records, KEKS, SteppedClock(make.NOW)))
    await records.close()


@pytest.fixture
async def api(persons: SqlPersonKeys) -> AsyncIterator[Api]:
    async with open_api(shared={"persons": persons}) as opened:
        await opened.add_provider()
        yield opened


async def _book(api: Api, **more: Any) -> dict[str, Any]:
    headers = {**api.patient(), **more.pop("headers", {})}
    body = {**slot(), "reason": WHY, **more}
    answer = await api.client.post("/v1/bookings", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def _journal(api: Api) -> bytes:
    """All of the journal, as bytes."""
    journal = api.projector._journal
    found = b""
    for number in (0, 1):
        for record in await journal.read(shard_name(number), 0, 1_000):
            found += codec.encode(record.event)
    return found


async def test_the_journal_holds_no_words_of_a_person(api: Api) -> None:
    """Neither a reason nor why it was called off; the read model neither."""
    booked = (await _book(api))["booking_id"]
    path = f"/v1/bookings/{booked}/cancel"
    await api.client.post(path, json={"reason": OFF}, headers=api.patient())
    written = await _journal(api)
    for words in (WHY, OFF):
        assert words.encode() not in written
    assert BY_SITE.encode() in written  # a token of a trial
    await api.project()
    row = await api.read_model.booking(booked)
    assert row is not None
    assert WHY not in row.reason
    assert OFF not in row.cancel_reason


async def test_every_reader_sees_the_same_clear_text(api: Api) -> None:
    """The answer, one booking, the list, the schedule, staff and the patient."""
    made = await _book(api)
    booked, own = made["booking_id"], api.patient()
    assert made["reason"] == WHY
    path = f"/v1/bookings/{booked}/cancel"
    answer = await api.client.post(path, json={"reason": OFF}, headers=own)
    assert (answer.json()["reason"], answer.json()["cancel_reason"]) == (WHY, OFF)
    await api.project()
    for path, headers in (
        (f"/v1/bookings/{booked}", own),
        (f"/v1/bookings/{booked}", api.doctor()),
        ("/v1/bookings", own),
        (
            "/v1/providers/prv_1/schedule?from=2026-08-10&to=2026-08-11",
            api.clinic_admin(),
        ),
    ):
        answer = await api.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows = body.get("items") or body.get("bookings") or [body]
        assert [(one["reason"], one["cancel_reason"]) for one in rows] == [(WHY, OFF)]


async def test_staff_need_not_name_the_patient(api: Api) -> None:
    """Who calls a visit off or confirms a hold: the patient's key seals it."""
    hold = {**slot(), "patient_id": "pat_1"}
    held = await api.client.post("/v1/holds", json=hold, headers=api.doctor())
    body = {"hold_id": held.json()["hold_id"], "reason": WHY}
    answer = await api.client.post("/v1/bookings", json=body, headers=api.doctor())
    assert answer.json()["reason"] == WHY, answer.text
    booked = answer.json()["booking_id"]
    path = f"/v1/bookings/{booked}/cancel"
    answer = await api.client.post(path, json={"reason": OFF}, headers=api.doctor())
    assert answer.json()["cancel_reason"] == OFF
    assert OFF.encode() not in await _journal(api)


async def test_a_repeated_request_has_its_first_answer(api: Api) -> None:
    """The nonce differs each time, and the fingerprint does not."""
    headers = {"Idempotency-Key": "one"}
    first, second = [await _book(api, headers=headers) for _ in range(2)]
    assert first == second
    other = {**slot(), "reason": "something else"}
    answer = await api.client.post(
        "/v1/bookings", json=other, headers={**api.patient(), **headers}
    )
    assert answer.json()["code"] == "idempotency_key_reused"


async def test_a_fingerprint_is_no_hash_of_a_reason(api: Api) -> None:
    """Another site's key gives another one: a short text cannot be guessed from it."""
    made = api.app.state.services.commands
    assert made.private(WHY) != type(made)(
        api.ports.calendars, api.clock, str, timeout_s=1, key=b"another"
    ).private(WHY)
    assert made.private("") == ""


async def test_reasons_of_older_journals_stay_readable(api: Api) -> None:
    """What was journaled in the clear is shown as it is."""
    await api.ports.calendars.ask(make.book_slot(reason="an older, clear one"))
    booked = make.a_booking_id()
    answer = await api.client.get(f"/v1/bookings/{booked}", headers=api.doctor())
    assert answer.json()["reason"] == "an older, clear one"


async def test_why_a_provider_is_away_is_sealed_too(api: Api) -> None:
    """The journal holds no words of it; the answer, the list and the schedule do."""
    path, doctor = "/v1/providers/prv_1/time-off", api.doctor()
    leave = {"start": "2026-08-12", "end": "2026-08-13", "reason": WHY}
    key = {**doctor, "Idempotency-Key": "k1"}
    made = await api.client.post(path, json=leave, headers=key)
    assert (made.status_code, made.json()["reason"]) == (201, WHY), made.text
    again = await api.client.post(path, json=leave, headers=key)
    assert again.json() == made.json()
    assert WHY.encode() not in await _journal(api)
    plain = {"start": "2026-08-14", "end": "2026-08-14"}
    await api.client.post(path, json=plain, headers=doctor)
    listed = (await api.client.get(path, headers=doctor)).json()["items"]
    assert [one["reason"] for one in listed] == [WHY, ""]
    schedule = "/v1/providers/prv_1/schedule?from=2026-08-12&to=2026-08-14"
    shown = (await api.client.get(schedule, headers=doctor)).json()["time_off"]
    assert [one["reason"] for one in shown] == [WHY, ""]


async def test_why_a_provider_was_away_in_older_journals_stays_readable(
    api: Api,
) -> None:
    """Clear texts are shown as they are."""
    await api.ports.calendars.ask(make.add_time_off(reason=OFF))
    path = "/v1/providers/prv_1/time-off"
    listed = await api.client.get(path, headers=api.doctor())
    assert [one["reason"] for one in listed.json()["items"]] == [OFF]


async def test_without_records_a_reason_is_not_shown_and_the_visit_is(
    api: Api, persons: SqlPersonKeys
) -> None:
    """SQL away: "not available now", and the booking is unharmed."""
    await persons.load([PatientId("pat_1")])
    booked = (await _book(api))["booking_id"]
    view: Any = await api.ports.calendars.ask(ReadBooking(make.PROVIDER, booked))
    assert view.reason.startswith(BY_PERSON)
    persons._people.clear()

    def away() -> Any:
        raise Unavailable("the records cannot be reached")

    persons._records.reading = away  # type: ignore[method-assign]
    answer = await api.client.get(f"/v1/bookings/{booked}", headers=api.doctor())
    assert answer.status_code == 200
    assert answer.json()["reason"] == NOT_NOW
    assert answer.json()["status"] == "booked"


async def test_topics_show_it_too(persons: SqlPersonKeys) -> None:
    """A schedule and ``me``: snapshot and delta."""
    async with (
        open_live_api(shared={"persons": persons}) as live,
        live.client("doctor", "prv_1") as doctor,
        live.client("patient", "pat_1") as patient,
    ):
        await persons.load([PatientId("pat_1")])
        leave = {"start": "2026-08-12", "end": "2026-08-12", "reason": OFF}
        away = "/v1/providers/prv_1/time-off"
        api = live.api
        added = await api.client.post(away, json=leave, headers=api.doctor())
        assert added.status_code == 201, added.text
        for client, topic in ((doctor, "schedule/prv_1"), (patient, "me")):
            await client.send("subscribe", topics=[topic])
            shown = await client.until("snapshot")
            if topic != "me":
                assert [one["reason"] for one in shown["time_off"]] == [OFF]
        body = {**slot(), "reason": WHY}
        await live.api.client.post(
            "/v1/bookings", json=body, headers=live.api.patient()
        )
        for client in (doctor, patient):
            delta = await client.until("delta")
            assert [one["reason"] for one in delta["bookings"]] == [WHY]
        again = {**slot(start="2026-08-10T10:00:00Z"), "reason": OFF}
        made = await patient.ask("book", key="k", **again)
        assert made["body"]["reason"] == OFF
        async with live.client("clinic_admin", "cln_1") as admin:
            await admin.send("subscribe", topics=["schedule/prv_1"])
            found = await admin.until("snapshot")
            assert {one["reason"] for one in found["bookings"]} == {WHY, OFF}


@pytest.fixture
async def people(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[AccountApi, SqlPersonKeys]]:
    """A site with accounts, and another gateway's keys that know no patient yet."""
    records = Records(empty_records("sqlite", request, tmp_path))
    keys = SqlPersonKeys(records, KeyRing(records, KEKS, SteppedClock(make.NOW)))
    async with account_api(request, tmp_path, more_ports={"persons": keys}) as opened:
        await opened.api.add_provider()
        yield opened, keys
    await records.close()


async def test_a_signed_in_patient_books_without_a_read(
    people: tuple[AccountApi, SqlPersonKeys],
) -> None:
    """The salt is in the token, so that a gateway that never met them needs no SQL."""
    api, keys = people
    await api.register()
    signed = await api.sign_in()
    keys._people.clear()
    reads = keys.reads
    body = {**slot(), "reason": WHY}
    answer = await api.client.post("/v1/bookings", json=body, headers=bearer(signed))
    assert answer.status_code == 201, answer.text
    assert answer.json()["reason"] == WHY
    assert keys.reads == reads
    assert BY_PERSON.encode() in await _journal(api.api)
