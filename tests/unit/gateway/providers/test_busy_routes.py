"""A doctor's own calendar over REST: the address is taken and never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest
from sqlalchemy import func, select

from actors.domain.ids import Minute, ProviderId
from actors.domain.messages.commands import AddTimeOff
from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.busy.ports import BusyFailure, BusyOutcome, BusyTask
from care.busy.spans import BusySpan, imported_id
from gateway.metrics import busy as metrics
from persistence.directory.busy.store import SqlBusyCalendars
from persistence.jobs.models import JobRecord
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed

PROVIDER = ProviderId("prv_1")
PATH = "/v1/providers/prv_1/busy-calendar"
BODY = {"url": "webcal://calendar.example/secret-4711/basic.ics"}


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AccountApi]:
    monkeypatch.setattr(metrics, "FRESH_S", 0.0)
    async with account_api(request, tmp_path) as made:
        await made.api.add_provider(1)
        stores = made.api.ports.accounts
        assert stores is not None
        context = SignInContext("doctor", "prv_1", "mem_1", "cln_1")
        wanted = DemoAccount(AccountId("acc_1"), "1@example.org", context)
        await stores.accounts.demo_account(wanted, now=made.clock.now())
        yield made


def store_of(api: AccountApi) -> SqlBusyCalendars:
    assert api.api.ports.busy is not None
    return cast("SqlBusyCalendars", api.api.ports.busy.calendars)


def doctor_of(api: AccountApi) -> dict[str, str]:
    return signed(api.api, "doctor", "prv_1", grant="mem_1")


async def calendar_of(api: AccountApi) -> dict[str, Any]:
    answer = await api.client.get(PATH, headers=doctor_of(api))
    assert answer.status_code == 200
    return dict(answer.json()["calendar"])


async def claimed(api: AccountApi) -> BusyTask:
    task = await store_of(api).claim(PROVIDER, now=api.clock.now())
    assert task is not None
    return task


async def test_an_address_is_set_shown_without_its_secret_and_removed(
    api: AccountApi,
) -> None:
    """As the doctor and the clinic's administration see it; both may end it."""
    office = signed(api.api, "clinic_admin", "cln_1", grant="mem_2")
    none = await api.client.get(PATH, headers=office)
    assert none.json() == {"calendar": None}
    made = await api.client.put(PATH, json=BODY, headers=doctor_of(api))
    assert made.status_code == 200
    shown = await api.client.get(PATH, headers=office)
    assert shown.json() == made.json()
    calendar = shown.json()["calendar"]
    assert calendar["host"] == "calendar.example"
    assert (calendar["read_at"], calendar["failure"]) == (None, None)
    assert "4711" not in shown.text
    assert (await claimed(api)).url == BODY["url"].replace("webcal", "https")
    assert (await api.client.delete(PATH, headers=office)).status_code == 204
    again = await api.client.get(PATH, headers=doctor_of(api))
    assert again.json() == {"calendar": None}


@pytest.mark.parametrize(
    "url",
    ["http://calendar.example/a.ics", "https://127.0.0.1/a.ics", "https://intranet/a"],
)
async def test_an_address_of_no_public_server_is_refused(
    api: AccountApi, url: str
) -> None:
    """With the field, and without repeating it."""
    answer = await api.client.put(PATH, json={"url": url}, headers=doctor_of(api))
    assert code_of(answer) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["errors"]] == ["url"]
    assert url not in answer.text


async def test_what_became_of_it_is_shown(api: AccountApi) -> None:
    """A failure by its code, then a success; operators see how many fail, and how old
    the oldest is."""
    await api.client.put(PATH, json=BODY, headers=doctor_of(api))
    now = api.clock.now()
    await store_of(api).settle(
        await claimed(api), BusyOutcome(spans=2, skipped=1), now=now
    )
    api.clock.step(90)
    failed = BusyOutcome(BusyFailure.REFUSED)
    await store_of(api).settle(await claimed(api), failed, now=api.clock.now())
    found = await calendar_of(api)
    assert (found["failure"], found["failures"]) == ("refused", 1)
    assert (found["spans"], found["skipped"]) == (2, 1)
    assert found["read_at"] < found["tried_at"] < found["next_at"]
    collector = metrics.BusyCollector(store_of(api), api.clock)
    await collector.refresh()
    shown = {one.name: one.samples[0].value for one in collector.collect()}
    assert shown == {
        "slotcast_busy_calendars": 1,
        "slotcast_busy_calendars_failing": 1,
        "slotcast_busy_calendars_age_seconds": 90,
    }
    assert (
        "slotcast_busy_calendars_failing"
        in generate_latest(api.api.ports.registry).decode()
    )


async def test_it_can_be_read_at_once(api: AccountApi) -> None:
    """A job is added, but not within a minute of the last attempt, nor twice."""
    await api.client.put(PATH, json=BODY, headers=doctor_of(api))
    await store_of(api).settle(await claimed(api), BusyOutcome(), now=api.clock.now())
    for seconds, jobs in ((0, 1), (61, 2), (0, 2)):
        api.clock.step(seconds)
        answer = await api.client.post(f"{PATH}/refresh", headers=doctor_of(api))
        assert answer.status_code == 202
        query = select(func.count()).select_from(JobRecord)
        async with store_of(api)._records.reading() as session:
            assert await session.scalar(query) == jobs


async def test_imported_time_off_is_marked(api: AccountApi) -> None:
    """Beside what was taken by hand, in the list of leave and in the schedule."""
    span = BusySpan(make.at(9, day=1), Minute(make.at(10, day=1)))
    await api.api.ports.calendars.ask(
        AddTimeOff(
            provider_id=PROVIDER,
            time_off_id=imported_id(PROVIDER, span),
            start=span.start,
            end=span.end,
        )
    )
    leave = {"start": "2026-08-12", "end": "2026-08-12", "reason": "Course"}
    path = "/v1/providers/prv_1/time-off"
    taken = await api.client.post(path, json=leave, headers=doctor_of(api))
    assert taken.status_code == 201
    listed = (await api.client.get(path, headers=doctor_of(api))).json()["items"]
    assert [(one["imported"], one["reason"]) for one in listed] == [
        (True, ""),
        (False, "Course"),
    ]
    schedule = await api.client.get(
        "/v1/providers/prv_1/schedule?from=2026-08-10&to=2026-08-13",
        headers=doctor_of(api),
    )
    assert [one["imported"] for one in schedule.json()["time_off"]] == [True, False]
