"""What people are told of visits: each thing once, nothing of what was cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from actors.domain.ids import Millis, TimeOffId
from actors.domain.messages.commands import SetConfidential
from care.grants.values import GuardianBasis, Guardianship
from care.notices.kinds import NoticeKind, Preferences
from care.notices.messages import Channel, DeliveryStatus
from care.patients.profiles import PatientProfile
from persistence.accounts.store import account_stores
from persistence.grants.stores import grant_stores
from persistence.notices.changes import SqlInboxChanges
from persistence.notices.choices import SqlChoices
from persistence.notices.inbox import SqlInbox
from persistence.notices.models import InboxChangeRecord
from persistence.patients.recipients import was_erased
from persistence.privacy.erasing import erase
from tests import factories as make
from tests.contracts.test_accounts_contract import KNOWN, WELCOME, _new
from tests.fixtures.told import SITE, ToldSite, told_site

HOUR_S = 3_600
NEXT = make.at(9, day=2)
"""Wednesday, nine: both reminders are ahead."""
LATER = make.at(14, day=2)
BOOKING = make.a_booking_id(1)


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ToldSite]:
    async with told_site(request.param, request, tmp_path) as made:
        await made.add_patient()
        yield made


async def test_a_booking_is_confirmed_in_the_language_of_the_patient(
    site: ToldSite,
) -> None:
    """By mail, once, with names and place, a page, and a file for calendars; nothing
    says what kind of visit it is, or why."""
    await site.ask(make.book_slot(1, NEXT, reason="a private reason"))
    await site.work()
    await site.work()
    (mail,) = site.mail.got
    message = mail.message
    assert message.recipient == "mira@example.org"
    assert message.subject.startswith("Ihr Termin am Mittwoch, 12. August 2026")
    assert "Guten Tag Mira Berg," in message.text
    assert f"{SITE}/#/me/visits" in message.text
    assert '<html lang="de"' in message.html
    assert (message.calendar_method, mail.status) == ("REQUEST", DeliveryStatus.QUEUED)
    sent = (await site.messages.find([mail.message_id]))[mail.message_id]
    assert sent.status is DeliveryStatus.SENT
    everything = message.text + message.html + message.calendar + message.subject
    profile, kind = make.a_profile(), make.a_visit_type()
    for word in ("private", profile.specialty, kind.title, kind.visit_type):
        assert word.casefold() not in everything.casefold()
    assert await site.inbox() == [("booked", BOOKING)]


async def test_a_move_says_from_when_to_when(site: ToldSite) -> None:
    """Also if it comes before the confirmation was sent: then only the newest goes."""
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    first, second = site.mail.got
    assert "09:00" in first.message.text
    assert "SEQUENCE:0" in first.message.calendar
    text = second.message.text
    assert text.index("09:00") < text.index("14:00")
    assert "SEQUENCE:1" in second.message.calendar
    await site.ask(make.cancel_booking(1))
    await site.work()
    last = site.mail.got[-1].message
    assert (last.kind, last.calendar_method) == ("cancelled", "CANCEL")
    assert "SEQUENCE:2" in last.calendar


async def test_what_does_not_hold_any_more_is_not_sent(site: ToldSite) -> None:
    """A confirmation that waited for its channel is dropped when the visit was moved
    or cancelled meanwhile, and the patient hears of the end alone."""
    site.mail.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    await site.ask(
        make.book_slot(2, make.at(11, day=2), patient_id=make.a_patient_id(1))
    )
    await site.work()
    await site.ask(make.cancel_booking(1))
    await site.ask(make.reschedule_booking(2, start=LATER))
    await site.work()
    site.mail.is_down = False
    site.clock.step(HOUR_S)
    await site.work()
    assert site.mail.kinds(BOOKING) == ["cancelled"]
    assert site.mail.kinds(make.a_booking_id(2)) == ["rescheduled"]


async def test_reminders_come_at_their_times(site: ToldSite) -> None:
    """A day and two hours before, once each, of the time to which it was moved."""
    await site.ask(make.book_slot(1, NEXT))
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    told = len(site.mail.got)
    times = []
    for _ in range(24 * 3 * 4):
        site.clock.step(HOUR_S // 4)
        await site.work()
        if len(site.mail.got) > told:
            told = len(site.mail.got)
            times.append(site.clock.now())
    due = [make.millis(LATER - 24 * 60), make.millis(LATER - 2 * 60)]
    assert times == due
    assert site.mail.kinds()[-2:] == ["reminder", "reminder"]


async def test_a_cancelled_visit_is_never_reminded(site: ToldSite) -> None:
    """Even if the read model has not heard of it: the calendar is asked; while it does
    not answer nothing is sent."""
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    site.until(NEXT - 24 * 60)
    site.visits.is_away = True
    await site.work()
    assert site.mail.kinds() == ["booked"]
    site.visits.is_away = False
    await site.ask(make.cancel_booking(1))
    site.projector.step = _nothing  # type: ignore[method-assign]
    site.clock.step(HOUR_S)
    await site.work()
    assert site.mail.kinds() == ["booked"]
    assert await site.inbox() == [("booked", BOOKING)]


async def _nothing() -> bool:
    return False


async def test_a_visit_moved_there_and_back_is_reminded_once(site: ToldSite) -> None:
    """Each start has its reminders once, whatever happened in between."""
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=NEXT, key="back"))
    await site.work()
    site.until(NEXT - 24 * 60)
    await site.work()
    assert site.mail.kinds().count("reminder") == 1


async def test_leave_is_told_and_taken_back(site: ToldSite) -> None:
    """Visits that a leave no longer covers are told of, and again when it is over."""
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    off = TimeOffId("off_1.1")
    await site.ask(make.add_time_off(time_off_id=off, start=NEXT - 60, end=NEXT + 60))
    await site.work()
    await site.ask(make.remove_time_off(time_off_id=off))
    await site.work()
    assert site.mail.kinds() == ["booked", "stranded", "covered"]


async def test_children_are_told_through_their_guardians(site: ToldSite) -> None:
    """Who has an account; a confidential visit is told to none of them."""
    accounts = account_stores(site.records, site.ring)
    new, now = _new(3), site.clock.now()
    await accounts.accounts.register(new, welcome=WELCOME, known=KNOWN, now=now)
    assert await accounts.accounts.verify_email("secret 3", now=now)
    await site.work()
    site.mail.got.clear()
    child = PatientProfile(given_name="Lea")
    await site.add_patient(2, child)
    grants = grant_stores(site.records, site.ring)
    made = Guardianship(
        "grd_1",
        new.account_id,
        make.a_patient_id(2),
        "manage",
        GuardianBasis.PARENTAL,
        now,
    )
    await grants.guardianships.give(made, now=now)
    await site.ask(make.book_slot(2, NEXT))
    await site.ask(
        make.book_slot(3, LATER, patient_id=make.a_patient_id(2), confidential=True)
    )
    await site.work()
    (mail,) = site.mail.got
    assert mail.message.recipient == new.email
    assert "Lea" in mail.message.text
    assert mail.about is not None
    assert mail.about.booking_id == make.a_booking_id(2)


async def test_a_visit_that_becomes_confidential_leaves_the_inbox_of_proxies(
    site: ToldSite,
) -> None:
    """Its earlier notices too, and they come back with it; its patient has them."""
    await site.ask(make.book_slot(1, NEXT))
    await site.ask(make.book_slot(3, LATER, patient_id=make.a_patient_id(1)))
    await site.work()
    inbox, changes = SqlInbox(site.records, site.ring), SqlInboxChanges(site.records)
    patient, seen = make.a_patient_id(1), []
    await changes.begin()
    for hidden in (True, False):
        veil = SetConfidential(
            provider_id=make.PROVIDER,
            booking_id=make.a_booking_id(1),
            owner=None,
            confidential=hidden,
        )
        await site.ask(veil)
        await site.work()
        page = await inbox.page(patient, after=None, limit=9, proxy=True)
        seen.append(sorted(one.visit.booking_id for one in page))
        assert await inbox.unread(patient, proxy=True) == len(page)
        assert len(await inbox.page(patient, after=None, limit=9, proxy=False)) == 2
        assert await changes.read() == frozenset({patient})
    other = make.a_booking_id(3)
    assert seen == [[other], sorted([make.a_booking_id(1), other])]


async def test_choices_and_quiet_hours_hold(site: ToldSite) -> None:
    """A kind that was switched off does not come; phones stay silent at night, in the
    person's own zone, but for what is near."""
    await site.add_patient(
        2,
        PatientProfile(
            family_name="Holm", email="j@example.org", phone="+4915112345678"
        ),
    )
    off = Preferences(time_zone="Asia/Tokyo").with_choice(
        NoticeKind.CANCELLED, Channel.MAIL, wanted=False
    )
    choices = SqlChoices(site.records, was_erased)
    assert await choices.save("pat_2", off, version=0, now=site.clock.now()) == 1
    assert await choices.save("pat_2", off, version=0, now=site.clock.now()) is None
    assert await choices.find("pat_2") == (off, 1)
    site.clock.step(13 * HOUR_S)  # 22 o'clock in Tokyo, 13 in UTC
    await site.ask(make.book_slot(2, make.at(9, day=3)))
    await site.ask(make.cancel_booking(2))
    await site.work()
    assert site.mail.kinds() == []
    assert site.sms.kinds() == []
    site.clock.step(10 * HOUR_S - 1)
    await site.work()
    assert site.sms.kinds() == []
    site.clock.step(1)
    await site.work()
    assert site.sms.kinds() == ["cancelled"]


async def test_nothing_is_told_twice_however_workers_die(site: ToldSite) -> None:
    """Workers die before and after each step, outcomes are lost, calls are in any
    order: of each booking each thing arrives under one id, and nothing of a cancelled
    one after its end."""
    chance = Random(7)
    site.mail.lose = lambda: chance.random() < 0.2
    booked = list(range(1, 41))
    for number in booked:
        start = make.at(9 + number % 8, 30 * (number // 8 % 2), day=2 + number // 16)
        patient = make.a_patient_id(1 if number % 2 else 2)
        await site.ask(make.book_slot(number, start, patient_id=patient))
        if number % 5 == 0:
            await site.work(chance, lost=0.3)
        if number % 3 == 0:
            await site.ask(make.cancel_booking(number))
    await site.work(chance, lost=0.3)
    site.mail.lose = lambda: False
    site.clock.step(HOUR_S)
    await site.work()
    ids = Counter(
        (one.about.booking_id, one.message.kind)
        for one in {one.message_id: one for one in site.mail.got}.values()
        if one.about is not None
    )
    assert set(ids.values()) == {1}
    for number in (one for one in booked if one % 2):
        seen = list(dict.fromkeys(site.mail.kinds(make.a_booking_id(number))))
        wanted = ["cancelled"] if number % 3 == 0 else ["booked"]
        assert seen[-1:] == wanted, number
    assert Counter(await site.inbox()).most_common(1)[0][1] == 1


async def test_a_channel_that_is_down_holds_up_no_other(site: ToldSite) -> None:
    """Each channel has its own kind of job, which a worker bounds by itself."""
    phone = PatientProfile(
        family_name="Holm", email="j@example.org", phone="+491511234"
    )
    await site.add_patient(2, phone)
    site.clock.step(10 * HOUR_S)
    site.sms.is_down = True
    await site.ask(make.book_slot(2, NEXT))
    await site.ask(make.cancel_booking(2))
    await site.work()
    assert site.mail.kinds() == ["cancelled"]
    counts = await site.jobs.counts(site.clock.now())
    assert counts.dead == 0
    kinds = {"notices.deliver", "notices.deliver.sms"}
    later = Millis(site.clock.now() + HOUR_S * 1000)
    assert set(await site.jobs.due(kinds, now=later)) == {"notices.deliver.sms"}


async def test_whose_inbox_changed_is_said_once(site: ToldSite) -> None:
    """With what is told and with what is read; marking twice changes nothing. No line
    names a patient who was erased."""
    patient = make.a_patient_id(1)
    changes, inbox = SqlInboxChanges(site.records), SqlInbox(site.records, site.ring)
    await changes.begin()
    assert await changes.read() == frozenset()
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    assert await changes.read() == frozenset({patient})
    assert await changes.read() == frozenset()
    (notice,) = await inbox.page(patient, after=None, limit=9, proxy=False)
    for _ in range(2):
        marked = await inbox.mark_read(
            patient, notice.notice_id, proxy=False, now=site.clock.now()
        )
        assert marked is not None
    assert await changes.read() == frozenset({patient})
    async with site.records.reading() as session:
        lines = list(await session.scalars(select(InboxChangeRecord.subject)))
    assert lines == [patient, patient]
    async with site.records.writing() as session:
        keys = await site.ring.of()
        await erase(session, keys, patient, "acc_1", {}, site.clock.now())
    async with site.records.reading() as session:
        lines = list(await session.scalars(select(InboxChangeRecord.subject)))
    assert lines == ["", ""]
