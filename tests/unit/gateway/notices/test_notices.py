"""Inbox, choices, links that stop messages, and calls of the service for phones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from actors.domain.ids import PatientId
from actors.domain.messages.answers import BookingStatus, BookingView
from care.notices.kinds import NoticeKind
from care.notices.messages import Channel, Message
from care.notices.people import Recipient
from care.notices.ports import VisitPlace
from care.notices.visits import Telling
from care.patients.ports import NewPatient
from care.patients.profiles import PatientProfile
from gateway.access.table import GuardianScope
from gateway.patients.notices.callback_routes import signature
from persistence.keys.ring import KeyRing
from persistence.notices.composing import Composer, SiteVoice
from persistence.notices.inbox import SqlInbox
from persistence.notices.links import NoticeLinks
from persistence.notices.models import NoticePreferenceRecord
from persistence.notices.outbox import SqlOutgoingMessages, queue_message
from persistence.notices.telling import _insert
from persistence.notices.writing import NoticeWriter
from persistence.patients.store import SqlPatients
from persistence.privacy.erasing import erase
from persistence.sql.records import Records
from tests import factories as make
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed

PLACE = VisitPlace("Dr. Ada", "Praxis am Zoo", "Hauptstr. 1", "+49 30", "Europe/Berlin")
LINKS = NoticeLinks("https://clinic.test")
PUBLIC, TOKEN = "https://clinic.test", "a token of the service"


class Told:
    """A gateway with accounts, and what people were told there."""

    def __init__(self, api: AccountApi) -> None:
        self.api = api
        inbox = api.api.ports.notices
        assert inbox is not None
        assert isinstance(inbox.inbox, SqlInbox)
        self.records: Records = inbox.inbox._records
        self.ring: KeyRing = inbox.inbox._ring

    async def tell(
        self, number: int, patient: str = "pat_1", *, confidential: bool = False
    ) -> None:
        """Tell of a booking, a second later than of the last."""
        self.api.clock.step(1)
        view = BookingView(
            provider_id=make.PROVIDER,
            epoch=1,
            version=number,
            booking_id=make.a_booking_id(number),
            status=BookingStatus.BOOKED,
            patient_id=PatientId(patient),
            visit_type=make.CONSULT,
            start=make.at(9, day=number),
            end=make.at(10, day=number),
            location_id=make.a_location().location_id,
            booked_at=make.NOW,
            confidential=confidential,
        )
        keys = await self.ring.of()
        now = self.api.clock.now()
        voice = SiteVoice(LINKS, "visits@clinic.test")
        composer = Composer(voice, NoticeWriter(), keys, now)
        person = Recipient(patient, PatientId(patient), email="mira@example.org")
        composer.add(Telling(NoticeKind.BOOKED, view, number, 0), PLACE, [person])
        async with self.records.writing() as session:
            await _insert(session, composer.rows)

    async def newest(self) -> str:
        """The secret of the newest mail's link that stops such mails."""
        outgoing = self.api.outgoing
        assert isinstance(outgoing, SqlOutgoingMessages)
        (one, *_) = await outgoing.latest(1)
        return one.message.unsubscribe.rpartition("/")[2]


@pytest.fixture
async def told(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Told]:
    async with account_api(request, tmp_path, public_url="", sms_token=TOKEN) as api:
        yield Told(api)


async def test_an_inbox_is_read_page_by_page(told: Told) -> None:
    """The newest first, with what is unread of all; marking one twice changes it once.
    Of another patient there is nothing to see."""
    for number in (1, 2, 3):
        await told.tell(number)
    await told.tell(4, "pat_2")
    mine = signed(told.api.api, "patient", "pat_1")
    client = told.api.client
    page = (await client.get("/v1/notices?limit=2", headers=mine)).json()
    assert [one["booking_id"] for one in page["items"]] == [
        make.a_booking_id(3),
        make.a_booking_id(2),
    ]
    assert page["unread"] == 3
    assert page["items"][0]["start"] == "2026-08-13T09:00:00Z"
    rest = await client.get(
        "/v1/notices", params={"cursor": page["next_cursor"]}, headers=mine
    )
    assert [one["booking_id"] for one in rest.json()["items"]] == [make.a_booking_id(1)]
    path = f"/v1/notices/{page['items'][0]['notice_id']}/read"
    first = await client.post(path, headers=mine)
    told.api.clock.step(60)
    assert (await client.post(path, headers=mine)).json() == first.json()
    assert (await client.get("/v1/notices", headers=mine)).json()["unread"] == 2
    other = signed(told.api.api, "patient", "pat_2", "acc_2")
    missing = await client.post("/v1/notices/ntc_none/read", headers=other)
    hidden = await client.post(path, headers=other)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content == missing.content
    wrong = await client.get("/v1/notices?cursor=x", headers=mine)
    assert code_of(wrong) == (422, "invalid_request")


async def test_a_guardian_reads_no_confidential_notice(told: Told) -> None:
    """Nor is it counted, nor can it be marked."""
    await told.tell(1)
    await told.tell(2, confidential=True)
    scopes = (GuardianScope.VIEW.value,)
    guard = signed(
        told.api.api, "guardian", "pat_1", "acc_9", grant="grd_1", scopes=scopes
    )
    client = told.api.client
    page = (await client.get("/v1/notices", headers=guard)).json()
    assert [one["booking_id"] for one in page["items"]] == [make.a_booking_id(1)]
    assert page["unread"] == 1
    mine = signed(told.api.api, "patient", "pat_1")
    whole = (await client.get("/v1/notices", headers=mine)).json()
    hidden = whole["items"][0]["notice_id"]
    refused = await client.post(f"/v1/notices/{hidden}/read", headers=guard)
    assert code_of(refused) == (404, "notice_not_found")


async def test_choices_are_kept_whole_and_by_version(told: Told) -> None:
    """What is not chosen is filled in; a stale version is refused, as are zones and
    languages that are none. A guardian's choices are their own."""
    client = told.api.client
    mine = signed(told.api.api, "patient", "pat_1")
    found = (await client.get("/v1/preferences", headers=mine)).json()
    assert found["version"] == 0
    assert found["channels"]["reminder"] == {"mail": True, "sms": True, "push": True}
    assert found["channels"]["booked"]["sms"] is False
    body = {
        "channels": {"reminder": {"sms": False}},
        "quiet": {"begins": "22:00", "ends": "07:30"},
        "time_zone": "Asia/Tokyo",
        "language": "ar",
        "version": 0,
    }
    saved = await client.put("/v1/preferences", json=body, headers=mine)
    assert saved.status_code == 200, saved.text
    assert saved.json()["channels"]["reminder"]["sms"] is False
    assert (await client.get("/v1/preferences", headers=mine)).json() == saved.json()
    stale = await client.put("/v1/preferences", json=body, headers=mine)
    assert code_of(stale) == (412, "version_behind")
    refused_bodies: tuple[dict[str, Any], ...] = (
        {"time_zone": "No/Where"},
        {"language": "tlh"},
        {"quiet": {"begins": "25:00"}},
        {"channels": {"no_kind": {}}},
    )
    for wrong in refused_bodies:
        refused = await client.put("/v1/preferences", json=wrong, headers=mine)
        assert code_of(refused) == (422, "invalid_request"), wrong
    guard = signed(
        told.api.api, "guardian", "pat_1", "acc_9", grant="grd_1", scopes=("view",)
    )
    assert (await client.get("/v1/preferences", headers=guard)).json()["version"] == 0


async def test_a_link_stops_what_it_names_when_it_is_told_to(told: Told) -> None:
    """A GET shows and changes nothing, however often; a POST acts, without a token and
    with the form that mail programs send. Other kinds go on."""
    await told.tell(1)
    client, path = told.api.client, f"/v1/unsubscribe/{await told.newest()}"
    wanted = {"kind": "booked", "channel": "mail", "wanted": True}
    for _ in range(2):
        assert (await client.get(path)).json() == wanted
    for _ in range(2):
        form = {"List-Unsubscribe": "One-Click"}
        assert (await client.post(path, data=form)).json() == wanted | {"wanted": False}
    mine = signed(told.api.api, "patient", "pat_1")
    chosen = (await client.get("/v1/preferences", headers=mine)).json()["channels"]
    assert chosen["booked"]["mail"] is False
    assert chosen["cancelled"]["mail"] is True
    assert "pat_1" not in path
    for bad in ("x", "A" * 120, path.rpartition("/")[2][:-2] + "AA"):
        assert code_of(await client.get(f"/v1/unsubscribe/{bad}")) == (
            410,
            "link_expired",
        )
        assert (await client.post(f"/v1/unsubscribe/{bad}")).status_code == 410


async def test_a_link_of_an_erased_person_writes_nothing(told: Told) -> None:
    """Nor do their own choices. It answers, to the byte, as the link of a person who
    has stopped these mails: whether a person was erased cannot be asked with it."""
    patients = SqlPatients(told.records, told.ring)
    for number in (1, 2):
        new = NewPatient(make.a_patient_id(number), PatientProfile(), "acc_staff")
        await patients.add(new, now=make.NOW)
    keys = await told.ring.of()
    async with told.records.writing() as session:
        await erase(session, keys, make.a_patient_id(1), "acc_staff", {}, make.NOW)
    client, answers = told.api.client, list[list[bytes]]()
    for person in ("pat_2", "pat_1"):
        secret = LINKS.stop(keys, person, NoticeKind.BOOKED, Channel.MAIL)
        path = f"/v1/unsubscribe/{secret}"
        if person == "pat_2":
            assert (await client.get(path)).json()["wanted"] is True
            assert (await client.post(path)).status_code == 200
        asked = [await client.get(path), await client.post(path)]
        assert {one.status_code for one in asked} == {200}
        answers.append([one.content for one in asked])
    assert answers[0] == answers[1]
    mine = signed(told.api.api, "patient", "pat_1")
    refused = await client.put("/v1/preferences", json={}, headers=mine)
    assert code_of(refused) == (404, "patient_not_found")
    async with told.records.reading() as session:
        people = await session.scalars(select(NoticePreferenceRecord.person))
        assert people.all() == ["pat_2"]


async def test_only_the_service_says_what_became_of_a_message(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its signature is over address and form; a lesser state never replaces a later
    one, and a site without such a service believes none."""
    async with account_api(
        request, tmp_path, public_url=PUBLIC, sms_token=TOKEN
    ) as api:
        told = Told(api)
        keys = await told.ring.of()
        sms = Message("reminder", "+4915112345678", "", "text", Channel.SMS)
        async with told.records.writing() as session:
            await queue_message(session, keys, "msg_1", sms, make.NOW)

        async def call(status: str, *, token: str = TOKEN, to: str = "msg_1") -> int:
            form = {"MessageStatus": status, "MessageSid": "SM1", "ErrorCode": ""}
            path = f"/v1/webhooks/sms/{to}"
            made = signature(token, f"{PUBLIC}/v1/webhooks/sms/msg_1", form.items())
            headers = {"X-Twilio-Signature": made, "host": "clinic.test"}
            answer = await api.client.post(path, data=form, headers=headers)
            return answer.status_code

        async def status() -> str:
            return (await api.outgoing.find(["msg_1"]))["msg_1"].status.value

        assert await call("delivered", token="another") == 403
        assert await call("delivered", to="msg_2") == 403
        assert await status() == ""
        assert await call("sent") == 204
        assert await call("delivered") == 204
        assert await call("sent") == 204
        assert await call("a word of next year") == 204
        assert await status() == "delivered"


def test_the_signature_is_the_services_own() -> None:
    """The example of the service's documentation."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    address = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", address, form.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
