"""Controls of notices: with its guard removed, each promise is broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from care.notices import kinds, visits
from cluster.work import delivering, telling
from persistence.notices import composing
from persistence.notices import telling as sql_telling
from tests import factories as make
from tests.contracts import test_notices_contract as contract
from tests.fixtures.told import ToldSite, told_site


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site("sqlite", request, tmp_path) as made:
        await made.add_patient()
        yield made


def _always(*_given: Any) -> bool:
    return True


async def test_without_asking_the_calendar_old_news_goes_out(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirmation that waited is sent although the visit was cancelled."""
    monkeypatch.setattr(delivering, "still_holds", _always)
    with pytest.raises(AssertionError):
        await contract.test_what_does_not_hold_any_more_is_not_sent(site)


async def test_without_asking_the_calendar_a_cancelled_visit_is_reminded(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read model has not heard of the cancellation."""
    monkeypatch.setattr(telling, "still_holds", _always)
    monkeypatch.setattr(delivering, "still_holds", _always)
    with pytest.raises(AssertionError):
        await contract.test_a_cancelled_visit_is_never_reminded(site)


async def test_without_what_was_told_each_event_is_told(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visit that was booked and moved before a worker came is told of twice."""

    def forgets(event: Any, view: Any, _told: Any, *more: Any) -> Any:
        return visits.decide(event, view, None, *more)

    monkeypatch.setattr(sql_telling, "decide", forgets)
    await site.ask(make.book_slot(1, contract.NEXT))
    await site.ask(make.reschedule_booking(1, start=contract.LATER))
    await site.work()
    assert len(site.mail.got) == 2


async def test_without_ids_of_what_is_told_a_dead_worker_tells_twice(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reminders planned by two versions of one start arrive both."""
    made = kinds.notice_id

    def numbered(*parts: Any) -> str:
        numbers.append(len(numbers))
        return made(*parts, len(numbers))

    numbers: list[int] = []
    monkeypatch.setattr(sql_telling, "notice_id", numbered)
    with pytest.raises(AssertionError):
        await contract.test_a_visit_moved_there_and_back_is_reminded_once(site)


async def test_with_one_kind_for_all_channels_one_holds_up_another(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message to a phone has the kind of mails, and would fill their bound."""
    monkeypatch.setattr(composing, "deliver_kind", lambda _channel: "notices.deliver")
    with pytest.raises(AssertionError):
        await contract.test_a_channel_that_is_down_holds_up_no_other(site)
