"""Controls of notices: with its guard removed, each promise is broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import false

from care.notices import kinds, visits
from care.notices.ports import VisitPlace
from care.notices.turns import MessageTurn
from care.notices.visits import Telling
from care.notices.wording import VisitFacts
from cluster.work import delivering, telling
from persistence.notices import composing
from persistence.notices import telling as sql_telling
from persistence.privacy import retaining as sql_retaining
from tests import factories as make
from tests.contracts import test_notices_contract as contract
from tests.contracts import test_notices_order_contract as order
from tests.contracts import test_notices_retention_contract as retention
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


def _at_once(*_given: Any) -> MessageTurn:
    return MessageTurn.GO


async def test_without_asking_the_calendar_old_news_goes_out(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirmation that waited is sent although the visit was cancelled. That what
    is newer overtakes it is another guard, which knows what was told alone."""
    monkeypatch.setattr(delivering, "still_holds", _always)
    monkeypatch.setattr(delivering, "turn_of", _at_once)
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
    assert len(await site.inbox()) == 2


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


async def test_without_turns_what_waited_comes_in_any_order(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer one, tried less often, is sent first."""
    monkeypatch.setattr(delivering, "turn_of", _at_once)
    with pytest.raises(AssertionError):
        await order.test_what_waited_comes_in_the_order_in_which_it_was_told(site)


async def test_without_turns_a_visit_moved_back_is_told_of_twice(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told first is right again."""
    monkeypatch.setattr(delivering, "turn_of", _at_once)
    with pytest.raises(AssertionError):
        await order.test_of_a_visit_moved_there_and_back_the_newest_comes(site)


async def test_without_waiting_a_visit_moved_back_at_once_is_never_told_of(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its confirmation is given up in the moment in which it does not hold."""
    monkeypatch.setattr(delivering, "may_hold_again", lambda *_given: False)
    with pytest.raises(AssertionError):
        await order.test_a_visit_moved_back_before_it_was_told_is_confirmed(site)


async def test_without_a_second_look_a_proxy_keeps_a_notice(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telling does not see that the visit became confidential meanwhile."""

    async def none_of(*_given: Any) -> set[str]:
        return set()

    monkeypatch.setattr(sql_telling, "confidential_among", none_of)
    with pytest.raises(AssertionError):
        await order.test_a_visit_veiled_while_it_is_told_is_hidden(site, is_first=False)


async def test_with_the_visit_type_among_the_facts_a_mail_says_it(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a letter is written from is all that it can say."""
    made = composing.facts_of

    def medical(telling: Telling, place: VisitPlace) -> VisitFacts:
        return replace(made(telling, place), clinic=telling.view.visit_type)

    monkeypatch.setattr(composing, "facts_of", medical)
    with pytest.raises(AssertionError):
        await contract.test_a_booking_is_confirmed_in_the_language_of_the_patient(site)


async def test_without_a_look_at_who_was_erased_their_visits_are_told(
    site: ToldSite,
) -> None:
    """Their address was read before they were erased."""

    async def none_of(*_given: Any) -> frozenset[str]:
        return frozenset()

    site.telling._erased_of = none_of
    with pytest.raises(AssertionError):
        await order.test_of_an_erased_patient_nothing_is_written(site, is_between=True)


async def test_without_a_look_at_its_job_a_dead_letter_goes_by_its_age(
    site: ToldSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could be resent any more."""
    monkeypatch.setattr(sql_retaining, "_is_open", false)
    with pytest.raises(AssertionError):
        await retention.test_dead_letters_are_kept_until_they_are_resolved(site)
