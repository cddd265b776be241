"""Browsers that show notices: whose they are, how they end, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, update

from care.accounts.ids import AccountId, SessionId
from care.jobs.jobs import JobError
from care.notices.kinds import NoticeKind, Preferences
from care.notices.messages import Channel, DeliveryStatus, OutgoingMessage
from care.notices.push import SUBSCRIPTIONS_MAX, PushSubscription, RecipientGone
from persistence.accounts.models import SessionRecord
from persistence.accounts.store import account_stores
from persistence.notices.choices import SqlChoices
from persistence.notices.models import PushSubscriptionRecord
from persistence.notices.push.subscriptions import SqlPushSubscriptions
from persistence.patients.recipients import is_signed_in, was_erased
from persistence.privacy.erasing import erase_account
from tests import factories as make
from tests.contracts.test_accounts_contract import KNOWN, WELCOME, _new, _session
from tests.fixtures.told import ToldSite, told_site

NEXT = make.at(9, day=2)
LATER = make.at(14, day=2)
MINE = AccountId("acc_1")
"""The account of patient 1."""


class Pushed:
    """A site whose patient 1 is signed in on two devices."""

    def __init__(self, site: ToldSite) -> None:
        self.site = site
        self.store = SqlPushSubscriptions(site.records, site.ring, is_signed_in)

    async def sign_out(self, number: int) -> None:
        row = SessionRecord
        query = update(row).where(row.session_id == f"ses_{number}")
        async with self.site.records.writing() as database:
            await database.execute(query.values(ended_at=self.site.clock.now()))

    async def add(self, name: str, device: int = 1, account: str = MINE) -> None:
        self.site.clock.step(1)
        await self.store.add(
            *(account, f"ses_{device}", subscription(name)),
            now=self.site.clock.now(),
        )

    async def count(self) -> int:
        query = select(func.count()).select_from(PushSubscriptionRecord)
        async with self.site.records.reading() as database:
            return int(await database.scalar(query) or 0)

    async def told(self) -> list[tuple[str, str]]:
        """Which browser was sent which kind."""
        found = []
        for one in self.site.push.got:
            known = await self.store.find(one.message.recipient)
            assert known is not None
            name = known.endpoint.rpartition("/")[2]
            found.append((name, one.message.kind))
        return sorted(found)


def subscription(name: str) -> PushSubscription:
    return PushSubscription(f"https://push.example/{name}", "key", "secret")


@pytest.fixture(params=("sqlite", "asyncmy"))
async def pushed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Pushed]:
    async with told_site(request.param, request, tmp_path) as site:
        site.clock.step(10 * 3_600)  # phones are silent at midnight
        stores, now = account_stores(site.records, site.ring), site.clock.now()
        await stores.accounts.register(_new(), welcome=WELCOME, known=KNOWN, now=now)
        assert await stores.accounts.verify_email("secret 1", now=now)
        for number in (1, 2):
            one = replace(_session(number, MINE), session_id=SessionId(f"ses_{number}"))
            assert await stores.sessions.open_session(one) == []
        yield Pushed(site)


async def test_each_browser_is_told_each_thing_once(pushed: Pushed) -> None:
    """Without names, times or anything medical, whatever workers die meanwhile; of a
    visit that was cancelled before it went out none is told."""
    site, chance = pushed.site, Random(7)
    await pushed.add("phone", 1)
    await pushed.add("desk", 2)
    await site.ask(make.book_slot(1, NEXT, reason="a private reason"))
    site.push.lose = lambda: chance.random() < 0.3
    await site.work(chance, lost=0.3)
    shown = {(one.message.recipient, one.about) for one in site.push.got}
    assert len(shown) == 2
    assert {one.message.text for one in site.push.got} == {"Ein Termin wurde gebucht."}
    assert {one.message.subject for one in site.push.got} == {"Slotcast"}
    assert set(await pushed.told()) == {("phone", "booked"), ("desk", "booked")}
    site.push.got.clear()
    site.push.lose = lambda: False
    site.push.is_down = True
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    await site.ask(make.cancel_booking(1))
    await site.work()
    site.push.is_down = False
    site.clock.step(3_600)
    await site.work()
    assert await pushed.told() == [("desk", "cancelled"), ("phone", "cancelled")]


async def test_what_waits_for_one_person_is_not_shown_to_the_next(
    pushed: Pushed,
) -> None:
    """Another account takes over a browser that both use: what was composed for the
    first one before has a recipient that is gone."""
    site = pushed.site
    await pushed.add("shared", 1)
    site.push.is_down = True
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    await pushed.add("shared", 2, "acc_2")
    assert await pushed.count() == 1
    site.push.is_down = False
    site.clock.step(3_600)
    await site.work()
    (old,) = site.push.got
    assert await pushed.store.find(old.message.recipient) is None


async def test_a_subscription_ends_with_its_session(pushed: Pushed) -> None:
    """Of a device that was signed out nothing is composed, and nothing that was
    composed before is sent; there is no alarm."""
    site = pushed.site
    await pushed.add("phone", 1)
    await pushed.add("desk", 2)
    await pushed.sign_out(1)
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    assert await pushed.told() == [("desk", "booked")]
    (sent,) = site.push.got
    await pushed.sign_out(2)
    assert await pushed.store.find(sent.message.recipient) is None


async def test_a_browser_that_is_gone_is_no_dead_letter(pushed: Pushed) -> None:
    """Its message has failed, and the job is done; one that cannot be sent for other
    reasons is one."""
    site = pushed.site
    await pushed.add("phone")

    async def gone(_: OutgoingMessage) -> str:
        raise RecipientGone("410")

    site.push.deliver = gone  # type: ignore[method-assign,assignment]
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    assert await site.jobs.dead(after=0, limit=9) == []
    sent = [one for one in await site.messages.latest(9) if one.about is not None]
    statuses = {one.message.channel: one.status for one in sent}
    assert statuses[Channel.PUSH] is DeliveryStatus.FAILED

    async def refused(_: OutgoingMessage) -> str:
        raise JobError("403", final=True)

    site.push.deliver = refused  # type: ignore[method-assign,assignment]
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    (dead,) = await site.jobs.dead(after=0, limit=9, kind="notices")
    assert dead.kind == "notices.deliver.push"


async def test_a_browser_is_the_last_account_s(pushed: Pushed) -> None:
    """Who signs in there after another is told, and the other is not any more; only
    the owner can take it away."""
    await pushed.add("phone", 1)
    await pushed.add("phone", 2, "acc_2")
    assert await pushed.count() == 1
    await pushed.store.remove(MINE, subscription("phone").endpoint)
    assert await pushed.count() == 1
    await pushed.store.remove("acc_2", subscription("phone").endpoint)
    assert await pushed.count() == 0


async def test_subscriptions_are_bounded(pushed: Pushed) -> None:
    """Another one replaces the account's oldest; renewing one replaces itself."""
    for number in range(SUBSCRIPTIONS_MAX + 2):
        await pushed.add(f"b{number}")
    await pushed.add(f"b{SUBSCRIPTIONS_MAX}")
    assert await pushed.count() == SUBSCRIPTIONS_MAX
    site = pushed.site
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    names = {name for name, _ in await pushed.told()}
    assert names == {f"b{number}" for number in range(2, SUBSCRIPTIONS_MAX + 2)}


async def test_a_kind_that_was_switched_off_is_not_shown(pushed: Pushed) -> None:
    """On every browser of the person."""
    site = pushed.site
    await pushed.add("phone")
    off = Preferences().with_choice(NoticeKind.BOOKED, Channel.PUSH, wanted=False)
    choices = SqlChoices(site.records, was_erased)
    patient = make.a_patient_id(1)
    await choices.save(patient, off, version=None, now=site.clock.now())
    await site.ask(make.book_slot(1, NEXT))
    await site.work()
    await site.ask(make.reschedule_booking(1, start=LATER))
    await site.work()
    assert [kind for _, kind in await pushed.told()] == ["rescheduled"]


async def test_browsers_go_with_the_account(pushed: Pushed) -> None:
    """Erased whole."""
    await pushed.add("phone")
    keys, now = await pushed.site.ring.of(), pushed.site.clock.now()
    async with pushed.site.records.writing() as database:
        report = await erase_account(database, keys, MINE, "acc_9", {}, now)
    assert report.rows["push_subscription"] == 1
    assert await pushed.count() == 0
