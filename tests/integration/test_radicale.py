"""What a patient's calendar program holds after each mail, and what a feed shows it:
Radicale, icalendar and recurring-ical-events are the judges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar

from actors.domain.ids import Minute
from care.accounts.accounts import SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import DemoAccount
from care.feeds.ics import CalendarEvent, calendar_text
from care.feeds.ports import EVENTS_MAX, FeedOf, NewFeed
from persistence.accounts.store import account_stores
from persistence.notices.links import NoticeLinks
from persistence.notices.smtp import mail_of
from persistence.patients.feeds import SqlFeeds
from tests import factories as make
from tests.fixtures.radicale import RadicaleServer
from tests.fixtures.told import SITE, ToldSite, told_site
from tests.wall_clock import packaged_zone

DAY = ("20260812T000000Z", "20260813T000000Z")
KOLKATA = "Asia/Kolkata"


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadicaleServer]:
    with RadicaleServer(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site("sqlite", request, tmp_path) as made:
        yield made


def invitation(site: ToldSite) -> tuple[str, str]:
    """Method and calendar of the newest mail, read from its bytes as it is sent."""
    raw = mail_of(site.mail.got[-1], "visits@clinic.test").as_bytes()
    mail = message_from_bytes(raw, policy=policy.default)
    (part,) = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    (file,) = [one for one in mail.walk() if one.get_filename() == "visit.ics"]
    text = part.get_payload(decode=True)
    assert text == file.get_payload(decode=True)
    assert isinstance(text, bytes)
    return str(part.get_param("method")), text.decode()


def events_of(text: str) -> list[Any]:
    """The events of a calendar, as another library reads them."""
    calendar: Any = Calendar.from_ical(text)
    return list(calendar.walk("VEVENT"))


async def test_one_visit_is_one_event_after_each_mail(
    site: ToldSite, radicale: RadicaleServer
) -> None:
    """Booked, moved twice, cancelled: each mail is a later version of one event, whose
    time is then the visit's; when it is cancelled, the patient is not busy."""
    await site.add_patient(1)
    seen = []
    for command, busy in (
        (make.book_slot(1, make.at(9, day=2)), ["20260812T090000Z/20260812T093000Z"]),
        (
            make.reschedule_booking(1, start=make.at(11, day=2)),
            ["20260812T110000Z/20260812T113000Z"],
        ),
        (
            make.reschedule_booking(1, start=make.at(14, day=2), key="move-2"),
            ["20260812T140000Z/20260812T143000Z"],
        ),
        (make.cancel_booking(1), []),
    ):
        await site.ask(command)
        await site.work()
        method, text = invitation(site)
        (event,) = events_of(text)
        radicale.put(str(event["UID"]), text)
        (stored,) = events_of(radicale.text())
        assert stored["UID"] == f"{make.a_booking_id(1)}@clinic.test"
        assert stored["SEQUENCE"] == event["SEQUENCE"]
        seen.append((method, int(stored["SEQUENCE"])))
        assert radicale.busy(*DAY) == busy
    assert seen == [("REQUEST", 0), ("REQUEST", 1), ("REQUEST", 2), ("CANCEL", 3)]
    (last,) = events_of(radicale.text())
    assert last["STATUS"] == "CANCELLED"


async def test_visits_that_follow_each_other_never_meet_in_a_feed(
    site: ToldSite, radicale: RadicaleServer
) -> None:
    """Ends are exclusive, and the hour is right in a zone whose offset is half an hour:
    what the clinic calls nine is nine in the patient's calendar there."""
    place = make.a_location(1, time_zone=KOLKATA)
    rules = make.an_availability(locations=[place])
    await site.ask(make.set_availability(rules, 2))
    await site.add_patient(1)
    zone = packaged_zone(KOLKATA)
    nine = datetime(2026, 8, 12, 9, tzinfo=zone)
    starts = [nine + timedelta(minutes=30 * n) for n in range(3)]
    for number, start in enumerate(starts, 1):
        minute = Minute(int(start.timestamp()) // 60)
        await site.ask(make.book_slot(number, minute, patient_id=make.a_patient_id(1)))
    await site.work()
    text = await _feed_of(site)
    shown = sorted(one["DTSTART"].dt for one in events_of(text))
    assert [one.astimezone(zone).strftime("%H:%M") for one in shown] == [
        "09:00",
        "09:30",
        "10:00",
    ]
    whole: Any = Calendar.from_ical(text)
    calendar = recurring_ical_events.of(whole)
    for start in starts:
        at = start.astimezone(UTC)
        during = calendar.between(at, at + timedelta(minutes=30))
        assert [one.start for one in during] == [at]
    after = starts[-1].astimezone(UTC) + timedelta(minutes=30)
    assert calendar.between(after, after + timedelta(hours=1)) == []
    radicale.put_all(text)
    busy = radicale.busy(*DAY, name="feed")
    assert busy == ["20260812T033000Z/20260812T050000Z"]  # it joins what meets


async def _feed_of(site: ToldSite) -> str:
    """The feed of patient 1."""
    stores = account_stores(site.records, site.ring)
    account = AccountId("acc_1")
    context = SignInContext("patient", "pat_1")
    made = DemoAccount(account, "mira@example.org", context)
    await stores.accounts.demo_account(made, now=make.NOW)
    feeds = SqlFeeds(site.records, site.telling._read_model, NoticeLinks(SITE))
    new = NewFeed("fed_1", account, FeedOf.PATIENT, "pat_1", "Mine", "hash 1")
    await feeds.add(new, now=site.clock.now())
    text = await feeds.text("hash 1", now=site.clock.now())
    assert text is not None
    return text


def test_a_full_feed_is_taken_whole(radicale: RadicaleServer) -> None:
    """Five hundred visits, each with the times and the words that were meant."""
    events = [
        CalendarEvent(
            uid=f"bkg_1.{number}@clinic.test",
            sequence=number % 4,
            stamp=make.NOW,
            start=Minute(make.at(9) + 60 * number),
            end=Minute(make.at(9) + 60 * number + 30),
            summary=f"Praxis am Zoo; Müller, {number}",
            location="Hauptstraße 1, 10115 Berlin " * 4,
        )
        for number in range(EVENTS_MAX)
    ]
    radicale.put_all(calendar_text(events, name="Mine"))
    stored: dict[str, Any] = {
        str(one["UID"]): one for one in events_of(radicale.text("feed"))
    }
    assert len(stored) == EVENTS_MAX
    for event in events:
        one = stored[event.uid]
        assert one["DTSTART"].dt.timestamp() == event.start * 60
        assert one["DTEND"].dt.timestamp() == event.end * 60
        assert (one["SUMMARY"], one["SEQUENCE"]) == (event.summary, event.sequence)
