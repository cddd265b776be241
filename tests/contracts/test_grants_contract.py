"""What stores of grants promise, on every database.

One file because all of it runs on the same two databases.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from actors.domain.ids import ClinicId, Millis, PatientId, ProviderId
from care.accounts.accounts import DAY_MS, AccountStatus, SignInContext
from care.accounts.ids import AccountId
from care.accounts.ports import AccountStores, DemoAccount
from care.grants.ports import GrantStores
from care.grants.values import (
    DEPENDANTS_MAX,
    FACTOR_RESET_WAIT_MS,
    OPEN_APPLICATIONS_MAX,
    ApplicationStatus,
    DoctorApplication,
    Glass,
    GrantRefusal,
    GrantRefused,
    GuardianBasis,
    Guardianship,
    Invitation,
    Member,
    PlatformRole,
    Suspension,
)
from care.keys.sealing import KeyEncryptionKeys
from care.notices.messages import MAILS_AN_HOUR, Message
from persistence.accounts.models import (
    AccountRecord,
    MembershipRecord,
    PlatformRoleRecord,
)
from persistence.accounts.store import account_stores
from persistence.grants import applications
from persistence.grants import members as grant_members
from persistence.grants.members import SqlMemberships
from persistence.grants.models import DoctorApplicationRecord, SuspensionRecord
from persistence.grants.stores import grant_stores
from persistence.keys.ring import KeyRing
from persistence.notices.outbox import SqlOutgoingMessages
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.read_model import empty_records

NOW = make.NOW
RACES = 10
KEKS = KeyEncryptionKeys((("one", b"1" * 32),))
ONE, TWO = AccountId("acc_1"), AccountId("acc_2")
CLINIC = ClinicId("cln_1")
MAIL = Message("invitation", "1@example.org", "", "a link")


class Site:
    """Stores over the same records, with two accounts who are patients 1 and 2."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.ring = ring = KeyRing(records, KEKS, SteppedClock(NOW))
        self.grants: GrantStores = grant_stores(records, ring)
        self.accounts: AccountStores = account_stores(records, ring)
        self.outgoing = SqlOutgoingMessages(records, ring)

    async def fill(self) -> None:
        for number in (1, 2):
            wanted = DemoAccount(
                AccountId(f"acc_{number}"),
                f"{number}@example.org",
                SignInContext("patient", f"pat_{number}"),
            )
            await self.accounts.accounts.demo_account(wanted, now=NOW)

    async def invite(self, name: str, number: int = 1, role: str = "staff") -> None:
        invitation = Invitation(
            invitation_id=name,
            role=role,
            email=f"{number}@example.org",
            invited_by=TWO,
            created_at=NOW,
            expires_at=Millis(NOW + DAY_MS),
            clinic_id=CLINIC,
        )
        await self.grants.invitations.send(invitation, name, MAIL, now=NOW)

    async def member(self, number: int, role: str) -> str:
        """Make an account a member; the membership's id."""
        await self.invite(f"inv_{number}_{role}", number, role)
        account, member = AccountId(f"acc_{number}"), f"mem_{number}_{role}"
        await self.grants.invitations.accept(
            f"inv_{number}_{role}", account, member, now=NOW
        )
        return member


@pytest.fixture(params=("sqlite", "asyncmy"))
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """Two accounts."""
    records = Records(empty_records(request.param, request, tmp_path))
    opened = Site(records)
    await opened.fill()
    yield opened
    await records.close()


async def test_an_invitation_is_used_once_by_its_address(site: Site) -> None:
    """Eight acceptances at once: one; another account, a late one, a revoked: none."""
    invitations = site.grants.invitations
    await site.invite("open")
    with pytest.raises(GrantRefused, match="used"):
        await invitations.accept("open", TWO, "mem_x", now=NOW)
    with pytest.raises(GrantRefused, match="used"):
        await invitations.accept("open", ONE, "mem_x", now=Millis(NOW + DAY_MS))
    tries = await asyncio.gather(
        *(invitations.accept("open", ONE, f"mem_{n}", now=NOW) for n in range(8)),
        return_exceptions=True,
    )
    assert len([one for one in tries if isinstance(one, Invitation)]) == 1
    (member,) = await site.grants.memberships.of_clinic(CLINIC)
    assert (member.account_id, member.email) == (ONE, "1@example.org")
    await site.invite("gone")
    assert not await invitations.revoke("gone", clinic_id=ClinicId("cln_2"), now=NOW)
    assert await invitations.revoke("gone", clinic_id=CLINIC, now=NOW)
    with pytest.raises(GrantRefused, match="used"):
        await invitations.accept("gone", ONE, "mem_y", now=NOW)
    assert await invitations.find("gone", clinic_id=ClinicId("cln_2")) is None


async def test_a_resent_invitation_has_a_new_link_alone(site: Site) -> None:
    """The earlier secret does not work any more."""
    await site.invite("inv_1")
    found = await site.grants.invitations.find("inv_1", clinic_id=CLINIC)
    assert found is not None
    assert await site.grants.invitations.resend(found, "second", MAIL, now=NOW)
    with pytest.raises(GrantRefused, match="used"):
        await site.grants.invitations.accept("inv_1", ONE, "mem_1", now=NOW)
    await site.grants.invitations.accept("second", ONE, "mem_1", now=NOW)


async def test_of_eight_uses_of_an_invitation_at_once_one_counts(site: Site) -> None:
    """The others are refused, and there is one membership."""
    await site.invite("once")
    invitations = site.grants.invitations
    made = await asyncio.gather(
        *(invitations.accept("once", ONE, f"mem_{n}", now=NOW) for n in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Invitation) for one in made) == 1
    assert sum(isinstance(one, GrantRefused) for one in made) == 7
    assert len(await site.grants.memberships.of_clinic(CLINIC)) == 1


async def test_of_two_admins_who_remove_each_other_one_stays(site: Site) -> None:
    """Attack 67: of a clinic and of the platform at once; disabling counts too."""
    members = [await site.member(number, "clinic_admin") for number in (1, 2)]
    ended = await asyncio.gather(
        *(site.grants.memberships.end(CLINIC, one, now=NOW) for one in members),
        return_exceptions=True,
    )
    (refused,) = [one for one in ended if isinstance(one, GrantRefused)]
    assert refused.refusal is GrantRefusal.LAST_ADMIN
    platform, role = site.grants.platform, PlatformRole.ADMIN
    for account in (ONE, TWO):
        await platform.grant(account, role, "", f"plr_{account}", now=NOW)
    taken = await asyncio.gather(
        platform.take(ONE, role, ""),
        platform.disable(TWO, ONE, now=NOW),
        return_exceptions=True,
    )
    (refused,) = [one for one in taken if isinstance(one, GrantRefused)]
    assert refused.refusal is GrantRefusal.LAST_ADMIN


async def test_control_counted_outside_the_transaction_both_admins_go(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attack 67: each sees the other before either is removed; none stays."""
    members = [await site.member(number, "clinic_admin") for number in (1, 2)]
    lock, counted = grant_members._lock, asyncio.Barrier(2)
    real = SqlMemberships.end

    async def unlocked(
        session: AsyncSession, clinic_id: ClinicId, name: str
    ) -> MembershipRecord:
        del clinic_id
        return await session.get_one(MembershipRecord, name)

    async def counting_first(
        self: SqlMemberships, clinic_id: ClinicId, name: str, *, now: Millis
    ) -> Member:
        async with self._records.writing() as session:
            await lock(session, clinic_id, name)
        await counted.wait()
        return await real(self, clinic_id, name, now=now)

    monkeypatch.setattr(SqlMemberships, "end", counting_first)
    monkeypatch.setattr(grant_members, "_lock", unlocked)
    await asyncio.gather(
        *(site.grants.memberships.end(CLINIC, one, now=NOW) for one in members)
    )
    assert await site.grants.memberships.of_clinic(CLINIC) == []


async def test_a_membership_that_ended_gives_no_context(site: Site) -> None:
    """The role is gone at once, can be given again, and changes under a new id."""
    await site.member(2, "clinic_admin")
    member = await site.member(1, "staff")
    contexts = await site.accounts.accounts.contexts(ONE)
    assert [one.name for one in contexts] == ["patient pat_1", "staff cln_1"]
    await site.grants.memberships.end(CLINIC, member, now=NOW)
    assert [o.name for o in await site.accounts.accounts.contexts(ONE)] == [
        "patient pat_1"
    ]
    with pytest.raises(GrantRefused, match="not_found"):
        await site.grants.memberships.end(CLINIC, member, now=NOW)
    await site.invite("again")
    await site.grants.invitations.accept("again", ONE, "mem_again", now=NOW)


async def test_guardianships_end_when_their_time_is_up(site: Site) -> None:
    """They give a context with scope and end, and are ended with a mail when due."""
    until = Millis(NOW + 100)
    one = Guardianship(
        "grd_1", ONE, PatientId("pat_2"), "view", GuardianBasis.PARENTAL, NOW, until
    )
    await site.grants.guardianships.give(one, now=NOW)
    with pytest.raises(GrantRefused, match="exists"):
        await site.grants.guardianships.give(one, now=NOW)
    context = (await site.accounts.accounts.contexts(ONE))[-1]
    assert (context.name, context.scopes) == ("guardian pat_2", ("view",))
    assert (context.grant, context.until) == ("grd_1", until)
    due = site.grants.guardianships.end_due
    assert await due(MAIL, now=Millis(until - 1), limit=9) == []
    assert await due(MAIL, now=until, limit=9) == ["grd_1"]
    assert await due(MAIL, now=until, limit=9) == []
    assert len(await site.accounts.accounts.contexts(ONE)) == 1


async def test_a_glass_is_reviewed_by_another_once(site: Site) -> None:
    """It gives a context while its role lasts; its breaker cannot review it.

    A list names both by their addresses.
    """
    await site.member(2, "clinic_admin")
    member = await site.member(1, "clinic_admin")
    glass = Glass(
        "gls_1",
        ONE,
        CLINIC,
        PatientId("pat_2"),
        "clinic_admin",
        "cln_1",
        "unconscious, no papers",
        NOW,
        Millis(NOW + 1_800_000),
    )
    glasses = site.grants.glasses
    await glasses.open(glass, MAIL)
    taken = replace(glass, email="1@example.org")
    assert await glasses.of_clinic(CLINIC) == [taken]
    context = (await site.accounts.accounts.contexts(ONE))[-1]
    assert context.name == "clinic_admin cln_1 glass:pat_2"
    await site.grants.memberships.end(CLINIC, member, now=NOW)
    assert len(await site.accounts.accounts.contexts(ONE)) == 1
    for clinic, reviewer in ((CLINIC, ONE), (ClinicId("cln_2"), TWO)):
        with pytest.raises(GrantRefused):
            await glasses.review(clinic, "gls_1", reviewer, "justified", now=NOW)
    done = await glasses.review(CLINIC, "gls_1", TWO, "unjustified", now=NOW)
    assert (done.reviewed_by, done.verdict) == (TWO, "unjustified")
    assert (done.email, done.reviewer) == ("1@example.org", "2@example.org")
    assert await glasses.of_clinic(CLINIC) == [done]
    with pytest.raises(GrantRefused):
        await glasses.review(CLINIC, "gls_1", TWO, "justified", now=NOW)


async def test_options_of_a_clinic_stay_until_they_are_switched(site: Site) -> None:
    """Those that are not named stay as they are; other clinics have their own."""
    options = site.grants.options
    await options.put(CLINIC, {"a": True, "b": False})
    await options.put(CLINIC, {"b": True})
    assert await options.of(CLINIC) == {"a": True, "b": True}
    assert await options.of(ClinicId("cln_2")) == {}


async def _reset(site: Site, by: str, account: AccountId, now: int = NOW) -> bool:
    done = await site.grants.platform.reset_factors(
        account, AccountId(by), asked=MAIL, done=MAIL, now=Millis(now)
    )
    return done.done


async def _appoint(site: Site, *numbers: int) -> None:
    """Accounts that have administered the platform for a day."""
    for number in numbers:
        account, since = AccountId(f"acc_{number}"), NOW - FACTOR_RESET_WAIT_MS
        context = SignInContext("patient", f"pat_{number}")
        wanted = DemoAccount(account, f"{number}@example.org", context)
        await site.accounts.accounts.demo_account(wanted, now=NOW)
        async with site.records.writing() as session:
            role = PlatformRole.ADMIN.value
            session.add(
                PlatformRoleRecord(
                    account_id=account,
                    role=role,
                    tenant="",
                    grant_id=f"grt_{number}",
                    since=since,
                )
            )


async def test_factors_are_reset_by_two_or_after_a_day(site: Site) -> None:
    """Of several requests of one administrator at once one counts: one mail is sent."""
    await _appoint(site, 8, 9)
    asked = [_reset(site, "acc_8", ONE) for _ in range(4)]
    assert await asyncio.gather(*asked) == [False] * 4
    assert len(await site.outgoing.latest(9)) == 1
    assert await _reset(site, "acc_9", ONE)
    assert not await _reset(site, "acc_8", TWO)
    assert not await _reset(site, "acc_8", TWO, NOW + FACTOR_RESET_WAIT_MS - 1)
    assert await _reset(site, "acc_8", TWO, NOW + FACTOR_RESET_WAIT_MS)
    with pytest.raises(GrantRefused):
        await _reset(site, "acc_8", AccountId("acc_none"))


async def test_the_reason_of_a_suspension_is_sealed_and_goes_with_it(
    site: Site,
) -> None:
    """One a provider, the latest; of no other; not in the clear in the row."""
    one = Suspension(ProviderId("prv_1"), CLINIC, "Misconduct", NOW, "acc_1")
    kept = site.grants.suspensions
    await kept.put(replace(one, reason="A first reason"))
    await kept.put(one)
    assert await kept.find(ProviderId("prv_1")) == one
    assert await kept.find(ProviderId("prv_2")) is None
    async with site.records.reading() as session:
        row = await session.get_one(SuspensionRecord, "prv_1")
        assert b"Misconduct" not in row.reason
    await kept.remove(ProviderId("prv_1"))
    await kept.remove(ProviderId("prv_1"))
    assert await kept.find(ProviderId("prv_1")) is None


async def test_a_suspension_that_goes_on_is_since_its_beginning(site: Site) -> None:
    """With the new reason; one that begins after another is since then. Where none
    was kept, it is since it was first said."""
    kept, provider = site.grants.suspensions, ProviderId("prv_1")
    one = Suspension(provider, CLINIC, "First", NOW, "acc_1")
    later = replace(one, reason="Second", since=Millis(NOW + 5), suspended_by="acc_2")
    assert await kept.put(one, goes_on=True) == NOW
    assert await kept.put(later, goes_on=True) == NOW
    assert await kept.find(provider) == replace(later, since=NOW)
    assert await kept.put(later) == later.since
    assert await kept.find(provider) == later


async def test_of_suspensions_at_one_time_one_reason_stays(site: Site) -> None:
    """None fails: the calendar is suspended already, and each was answered so."""
    kept = site.grants.suspensions
    for number in range(RACES):
        provider = ProviderId(f"prv_{number}")
        some = [
            Suspension(provider, CLINIC, f"reason {one}", NOW, "acc_1")
            for one in range(4)
        ]
        await asyncio.gather(*map(kept.put, some))
        assert await kept.find(provider) in some


async def test_an_erased_account_is_not_disabled_and_so_not_enabled(
    site: Site,
) -> None:
    """It is not there: that a person was erased is not forgotten."""
    row, status = AccountRecord, AccountStatus.ERASED.value
    async with site.records.writing() as session:
        erasing = update(row).where(row.account_id == TWO)
        await session.execute(erasing.values(status=status))
    platform = site.grants.platform
    with pytest.raises(GrantRefused) as refused:
        await platform.disable(TWO, ONE, now=NOW)
    assert refused.value.refusal is GrantRefusal.NOT_FOUND
    found = await platform.enable(TWO)
    assert found.status == status


async def test_mails_that_others_cause_hold_no_alarm_back(site: Site) -> None:
    """Links may be asked for with an administrator's address; a glass is told still."""
    await site.member(2, "clinic_admin")
    for number in range(MAILS_AN_HOUR + 1):
        await site.invite(f"inv_more{number}", 2)
    glass = Glass(
        "gls_1",
        ONE,
        CLINIC,
        PatientId("pat_1"),
        "doctor",
        "prv_1",
        "no papers",
        NOW,
        Millis(NOW + 1_800_000),
    )
    alarm = Message("glass", "", "", "a glass was broken")
    await site.grants.glasses.open(glass, alarm)
    told = [
        one.message.recipient
        for one in await site.outgoing.latest(99)
        if one.message.kind == "glass"
    ]
    assert told == ["2@example.org"]


def _application(name: str) -> DoctorApplication:
    return DoctorApplication(
        application_id=name,
        account_id=ONE,
        clinic_id=CLINIC,
        provider_id=f"prv_{name}",
        name="Dr. Ada Weiß",
        specialty="Cardiology",
        country="DE",
        licence="LANR 1",
        documents=("https://papers.example.org/ada.pdf",),
        status=ApplicationStatus.SUBMITTED,
        submitted_at=NOW,
    )


async def test_an_application_is_decided_once(site: Site) -> None:
    """Of eight decisions at once one counts; an approved one gives its context."""
    store = site.grants.applications
    await store.submit(_application("a1"))
    with pytest.raises(GrantRefused, match="exists"):
        await store.submit(_application("a2"))
    assert await store.of_clinic(CLINIC) == [_application("a1")]
    await store.check("a1")
    assert await store.find("a1", clinic_id=ClinicId("cln_2")) is None
    tries = await asyncio.gather(
        *(
            store.decide(
                "a1",
                ApplicationStatus.APPROVED,
                by=TWO,
                reason="",
                membership_id=f"mem_{n}",
                now=NOW,
            )
            for n in range(8)
        ),
        return_exceptions=True,
    )
    assert len([one for one in tries if isinstance(one, DoctorApplication)]) == 1
    contexts = await site.accounts.accounts.contexts(ONE)
    assert [one.name for one in contexts] == ["patient pat_1", "doctor prv_a1"]
    await store.submit(_application("a2"))
    with pytest.raises(GrantRefused, match="exists"):
        await store.check("a2")
    rejected = await store.decide(
        "a2",
        ApplicationStatus.REJECTED,
        by=TWO,
        reason="It has expired.",
        membership_id="",
        now=NOW,
    )
    assert rejected.reason == "It has expired."
    assert len(await store.of_account(ONE)) == 2


async def test_of_a_licence_one_account_is_approved(site: Site) -> None:
    """Two apply with one licence, both are approved at once: one is the doctor.

    Once that one is no longer a member, the other can be.
    """
    store = site.grants.applications
    await store.submit(_application("a1"))
    other = replace(_application("a2"), account_id=TWO, clinic_id=ClinicId("cln_2"))
    await store.submit(other)

    async def approve(name: str) -> DoctorApplication:
        return await store.decide(
            name,
            ApplicationStatus.APPROVED,
            by=TWO,
            reason="",
            membership_id=f"mem_{name}",
            now=NOW,
        )

    tries = await asyncio.gather(approve("a1"), approve("a2"), return_exceptions=True)
    done = [one for one in tries if isinstance(one, DoctorApplication)]
    assert len(done) == 1, tries
    lost = "a2" if done[0].application_id == "a1" else "a1"
    with pytest.raises(GrantRefused, match="taken"):
        await store.check(lost)
    with pytest.raises(GrantRefused, match="taken"):
        await approve(lost)
    await site.grants.memberships.end(
        done[0].clinic_id, f"mem_{done[0].application_id}", now=NOW
    )
    assert (await approve(lost)).status is ApplicationStatus.APPROVED


async def test_the_loser_of_two_approvals_hears_that_the_licence_is_taken(
    site: Site,
) -> None:
    """However they race: never that the database is away, as the end of a deadlock
    is told."""
    store = site.grants.applications
    for number in range(RACES):
        pair = [f"a{number}", f"b{number}"]
        for name, account in zip(pair, (ONE, TWO), strict=True):
            one = replace(_application(name), licence=f"LANR {number}")
            clinic = ClinicId(f"cln_{name}")
            await store.submit(replace(one, account_id=account, clinic_id=clinic))
        tries = await asyncio.gather(
            *(_approve(site, name) for name in pair), return_exceptions=True
        )
        done = [one for one in tries if isinstance(one, DoctorApplication)]
        assert len(done) == 1, tries
        (lost,) = [one for one in tries if one not in done]
        assert isinstance(lost, GrantRefused), lost
        assert lost.refusal is GrantRefusal.TAKEN
        for name in pair:  # the loser's stays open, and an account has few
            await _decided(site, name)


async def _decided(site: Site, name: str) -> None:
    """Withdraw an application, if it is not decided."""
    try:
        await site.grants.applications.decide(
            name,
            ApplicationStatus.WITHDRAWN,
            by=TWO,
            reason="",
            membership_id="",
            now=NOW,
        )
    except GrantRefused:
        return


async def test_the_open_applications_of_an_account_are_bounded(site: Site) -> None:
    """Also when all of them come at one time; a withdrawn one makes room."""
    store = site.grants.applications
    asked = [replace(_application(f"a{n}"), licence=f"L {n}") for n in range(12)]
    tries = await asyncio.gather(
        *(store.submit(one) for one in asked), return_exceptions=True
    )
    made = [one for one, done in zip(asked, tries, strict=True) if done is None]
    assert 1 <= len(made) <= OPEN_APPLICATIONS_MAX
    for one in asked:  # what a database refused in the throng is asked for again
        if one not in made and len(made) < OPEN_APPLICATIONS_MAX:
            await store.submit(one)
            made.append(one)
    late = replace(_application("late"), licence="L late")
    with pytest.raises(GrantRefused, match="full"):
        await store.submit(late)
    await store.decide(
        made[0].application_id,
        ApplicationStatus.WITHDRAWN,
        by=ONE,
        reason="",
        membership_id="",
        now=NOW,
    )
    await store.submit(late)


async def test_the_dependants_of_an_account_are_bounded(site: Site) -> None:
    """Also when all of them are added at one time; one that ended makes room."""
    store = site.grants.guardianships
    for number in range(3, DEPENDANTS_MAX + 10):
        wanted = DemoAccount(
            AccountId(f"acc_{number}"),
            f"{number}@example.org",
            SignInContext("patient", f"pat_{number}"),
        )
        await site.accounts.accounts.demo_account(wanted, now=NOW)

    def one_of(number: int) -> Guardianship:
        return Guardianship(
            f"grd_{number}",
            ONE,
            PatientId(f"pat_{number}"),
            "manage",
            GuardianBasis.PARENTAL,
            NOW,
            None,
        )

    asked = [one_of(number) for number in range(3, DEPENDANTS_MAX + 9)]
    tries = await asyncio.gather(
        *(store.give(one, now=NOW) for one in asked), return_exceptions=True
    )
    made = [one for one, done in zip(asked, tries, strict=True) if done is None]
    assert 1 <= len(made) <= DEPENDANTS_MAX
    for one in asked:  # what a database refused in the throng is asked for again
        if one not in made and len(made) < DEPENDANTS_MAX:
            await store.give(one, now=NOW)
            made.append(one)
    assert await store.count(ONE, now=NOW) == DEPENDANTS_MAX
    late = one_of(DEPENDANTS_MAX + 9)
    with pytest.raises(GrantRefused, match="full"):
        await store.give(late, now=NOW)
    await store.end(made[0].patient_id, made[0].guardianship_id, "", now=NOW)
    await store.give(late, now=NOW)


async def _two_who_apply(site: Site, **others: str) -> None:
    """Two accounts with one licence, at two clinics; ``others`` is of the second."""
    store = site.grants.applications
    await store.submit(_application("a1"))
    other = replace(_application("a2"), account_id=TWO, clinic_id=ClinicId("cln_2"))
    await store.submit(replace(other, **others))


async def _approve(site: Site, name: str) -> DoctorApplication:
    return await site.grants.applications.decide(
        name,
        ApplicationStatus.APPROVED,
        by=TWO,
        reason="",
        membership_id=f"mem_{name}",
        now=NOW,
    )


@pytest.mark.parametrize(
    ("others", "is_same"),
    [
        ({"licence": "lanr-1"}, True),
        ({"licence": "LANR 2"}, False),
        ({"country": "AT"}, False),
        ({"registry": "KBV"}, False),
    ],
    ids=str,
)
async def test_a_licence_is_one_by_country_registry_and_number(
    site: Site, others: dict[str, str], is_same: bool
) -> None:
    """However it is written; another country or registry numbers others."""
    await _two_who_apply(site, **others)
    await _approve(site, "a1")
    if is_same:
        with pytest.raises(GrantRefused, match="taken"):
            await _approve(site, "a2")
    else:
        assert (await _approve(site, "a2")).status is ApplicationStatus.APPROVED


async def test_a_licence_that_was_compared_as_written_is_found(site: Site) -> None:
    """Rows of versions before keep their index: the same text is still taken."""
    await _two_who_apply(site)
    await _approve(site, "a1")
    keys = await site.ring.of()
    async with site.records.writing() as session:
        old = keys.index("licence", "lanr 1")
        row = DoctorApplicationRecord
        first = update(row).where(row.application_id == "a1")
        await session.execute(first.values(licence_i=old))
    with pytest.raises(GrantRefused, match="taken"):
        await _approve(site, "a2")


async def test_control_unchecked_approvals_of_one_licence_are_both_done(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the look at the licence's other rows, under a lock, that keeps one."""

    async def unchecked(*_of: Any, **_how: Any) -> None: ...

    monkeypatch.setattr(applications, "_check_approval", unchecked)
    await _two_who_apply(site)
    for name in ("a1", "a2"):
        assert (await _approve(site, name)).status is ApplicationStatus.APPROVED
