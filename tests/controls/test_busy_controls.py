"""Controls of busy times: with its guard removed, each promise is broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from care.busy import reading, spans
from care.busy.ports import BusyFailure
from cluster.work import busy as work
from persistence.directory.busy import store
from tests.contracts import test_busy_contract as contract
from tests.fixtures.busy_site import Busy, busy_site


@pytest.fixture
async def busy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Busy]:
    async with busy_site("sqlite", request, tmp_path) as made:
        yield made


def _always(*_given: Any) -> bool:
    return True


async def test_without_the_mark_of_its_id_leave_taken_by_hand_is_removed(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "is_imported", _always)
    with pytest.raises(AssertionError):
        await contract.test_busy_times_become_time_off_and_are_given_back(busy)


async def test_without_knowing_its_own_visits_a_site_strands_them(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading._Reader, "_is_own", lambda *_: False)
    with pytest.raises(AssertionError):
        await contract.test_visits_of_this_site_in_the_doctors_calendar_take_no_time(
            busy
        )


async def test_without_asking_who_gave_it_an_address_is_read_for_ever(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_force(*_given: Any) -> bool:
        return True

    monkeypatch.setattr(store, "_is_in_force", in_force)
    with pytest.raises(AssertionError):
        await contract.test_an_import_ends_with_what_it_stands_on(busy, "role")


async def test_with_an_empty_text_for_a_page_all_time_is_given_back(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    monkeypatch.setattr(work, "slimmed", lambda text: text if b":" in text else empty)
    with pytest.raises(AssertionError):
        await contract.test_a_calendar_that_cannot_be_read_changes_nothing(
            busy, {"text": "<html>log in</html>"}, BusyFailure.NOT_A_CALENDAR
        )


async def test_without_joining_what_meets_is_taken_several_times(
    busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "joined", lambda found, _horizon: sorted(found))
    with pytest.raises(AssertionError):
        await contract.test_what_meets_is_one_time_off(busy)
