"""Leave ends with every patient resolved, over REST: staff, patients, links.

One file because each test is one way of one visit out of the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from actors.domain.ids import BookingId, Minute
from actors.domain.messages.answers import BookingView
from actors.domain.messages.commands import RescheduleBooking
from actors.domain.messages.reads import ReadBooking
from actors.errors import Unavailable
from care.leave.visits import TELLING_MS, Choice, Chooser, RowState
from care.notices.links import ChooseLink
from gateway.providers.leave.service import LeaveService
from persistence.directory.leave.store import SqlLeaveQueue
from persistence.notices.links import NoticeLinks, SealedChooseLinks
from tests import factories as make
from tests.fakes.api import slot
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed

BERLIN = {"latitude": 52.52, "longitude": 13.40}
POTSDAM = {"latitude": 52.40, "longitude": 13.06}
MUNICH = {"latitude": 48.14, "longitude": 11.58}
DAY = {"start": "2026-08-17T00:00:00Z", "end": "2026-08-18T00:00:00Z"}
MONDAY_NINE = "2026-08-17T09:00:00Z"
ONE = "/v1/providers/prv_1"


class Clinic:
    """Two doctors of a clinic, others nearby and far away, and a visit of patient 1."""

    def __init__(self, api: AccountApi, booking: str) -> None:
        self.api, self.client, self.booking = api.api, api.client, booking
        self.doctor = signed(api.api, "doctor", "prv_1")
        self.desk = signed(api.api, "staff", "cln_1", account="acc_2")
        self.patient = signed(api.api, "patient", "pat_1", account="acc_3")
        self.mine = f"/v1/bookings/{booking}/equivalents"
        self.leave = ""

    @property
    def queue(self) -> SqlLeaveQueue:
        assert self.api.ports.leave is not None
        return cast("SqlLeaveQueue", self.api.ports.leave.queue)

    @property
    def visits(self) -> str:
        return f"{ONE}/leaves/{self.leave}/visits"

    async def take_leave(self, **span: str) -> str:
        answer = await self.client.post(
            f"{ONE}/time-off", json=DAY | span, headers=self.doctor
        )
        assert answer.status_code == 201, answer.text
        self.leave = answer.json()["time_off_id"]
        return self.leave

    async def shown(self) -> dict[str, Any]:
        answer = await self.client.get(self.visits, headers=self.desk)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def proposed(self) -> list[dict[str, Any]]:
        answer = await self.client.get(self.mine, headers=self.patient)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["equivalents"])

    async def secret(self, booking: str = "", start: int = 0, **more: Any) -> str:
        """That of the link in a message."""
        assert self.api.ports.leave is not None
        links = cast("SealedChooseLinks", self.api.ports.leave.links)
        link = ChooseLink(
            BookingId(booking or self.booking),
            Minute(start or make.at(9, day=7)),
            is_proxy=bool(more.get("proxy")),
        )
        keys = await links._ring.of()
        page = NoticeLinks("https://clinic.test").choose_page(keys, link)
        return page.partition("token=")[2]

    async def visit(self, booking: str = "") -> BookingView:
        wanted = BookingId(booking or self.booking)
        provider = make.a_provider_id(int(wanted[4]))
        view = await self.api.ports.calendars.ask(ReadBooking(provider, wanted))
        assert isinstance(view, BookingView)
        return view


def choice_of(time: dict[str, Any]) -> dict[str, str]:
    return {"provider_id": time["provider_id"], "start": time["start"]}


@pytest.fixture
async def clinic(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Clinic]:
    async with account_api(request, tmp_path) as api:
        here = make.a_clinic(1, **BERLIN)
        for number, place, specialty in (
            (1, here, "general practice"),
            (2, here, "general practice"),
            (3, make.a_clinic(3, **POTSDAM), "general practice"),
            (4, make.a_clinic(4, **MUNICH), "general practice"),
            (5, here, "dermatology"),
        ):
            await api.api.add_provider(number, clinic=place, specialty=specialty)
        booked = await api.client.post(
            "/v1/bookings",
            json=slot(start=MONDAY_NINE) | {"reason": "a private reason"},
            headers=signed(api.api, "patient", "pat_1", account="acc_3"),
        )
        assert booked.status_code == 201, booked.text
        await api.api.project()
        await api.api.app.state.services.hearing.live.step()
        yield Clinic(api, booked.json()["booking_id"])


async def test_the_queue_is_whole_as_soon_as_the_leave_is_taken(clinic: Clinic) -> None:
    """Before any worker has read of it: each affected visit with three times, the
    clinic's first, and nothing of another specialty."""
    await clinic.take_leave()
    found = await clinic.shown()
    assert (found["total"], found["resolved"], found["closed"]) == (1, 0, False)
    (visit,) = found["visits"]
    assert visit["booking_id"] == clinic.booking
    assert (visit["state"], visit["told"]) == ("proposed", "pending")
    times = visit["equivalents"]
    assert len(times) == 3
    assert {one["provider_id"] for one in times[:2]} == {"prv_1", "prv_2"}
    assert {one["provider_id"] for one in times} <= {"prv_1", "prv_2", "prv_3"}
    own = next(one for one in times if one["same_provider"])
    assert own["start"][:10] != "2026-08-17"
    colleague = next(one for one in times if one["provider_id"] == "prv_2")
    assert (colleague["start"], colleague["same_clinic"]) == (MONDAY_NINE, True)
    again = (await clinic.shown())["visits"][0]["equivalents"]
    assert again == times


async def test_staff_are_asked_to_call_where_no_message_is_written(
    clinic: Clinic,
) -> None:
    """A worker may be away: the patient is not left to it for longer than this."""
    await clinic.take_leave()
    assert (await clinic.shown())["visits"][0]["told"] == "pending"
    clinic.api.clock.step(TELLING_MS / 1000)
    (visit,) = (await clinic.shown())["visits"]
    assert (visit["state"], visit["told"]) == ("proposed", "none")


async def test_the_nearest_of_the_specialty_stand_in_where_the_clinic_has_none(
    clinic: Clinic,
) -> None:
    """Within reach: not those of another part of the country."""
    for number in (1, 2):
        provider = make.a_provider_id(number)
        away = make.add_time_off(
            50 + number,
            provider_id=provider,
            time_off_id=f"off_{number}.long",
            start=make.at(0, day=0),
            end=make.at(0, day=90),
        )
        await clinic.api.ports.calendars.ask(away)
    clinic.leave = "off_1.long"
    (visit,) = (await clinic.shown())["visits"]
    assert {one["provider_id"] for one in visit["equivalents"]} == {"prv_3"}
    days = [one["start"][:10] for one in visit["equivalents"]]
    assert len(set(days)) == 3
    refused = await clinic.client.post(
        f"{clinic.visits}/{clinic.booking}/choose",
        json=choice_of(visit["equivalents"][0]),
        headers=clinic.desk,
    )
    assert code_of(refused) == (409, "slot_not_offered")
    mine = await clinic.client.post(
        clinic.mine, json=choice_of(visit["equivalents"][0]), headers=clinic.patient
    )
    assert mine.status_code == 200
    assert mine.json()["moved_to"]["provider_id"] == "prv_3"


async def test_two_visits_are_not_proposed_the_same_time(clinic: Clinic) -> None:
    """The first to choose would disappoint the other."""
    for number in (5, 6):
        booked = await clinic.client.post(
            "/v1/bookings",
            json=slot(start=f"2026-08-17T1{number}:00:00Z"),
            headers=clinic.api.patient(number),
        )
        assert booked.status_code == 201
    await clinic.take_leave()
    times = [
        (one["provider_id"], one["start"])
        for visit in (await clinic.shown())["visits"]
        for one in visit["equivalents"]
    ]
    assert len(times) == 9
    assert len(set(times)) == 9


async def test_the_patient_chooses_another_day_of_the_doctor(clinic: Clinic) -> None:
    """The visit keeps its id; the queue is closed with its last patient."""
    await clinic.take_leave()
    own = next(one for one in await clinic.proposed() if one["same_provider"])
    done = await clinic.client.post(
        clinic.mine, json=choice_of(own), headers=clinic.patient
    )
    assert done.status_code == 200, done.text
    body = done.json()
    assert (body["state"], body["outcome"]) == ("resolved", "moved")
    assert body["moved_to"]["start"] == own["start"]
    assert (await clinic.visit()).stranded == ""
    found = await clinic.shown()
    assert found["closed"]
    assert found["visits"][0]["resolved_by"] == "patient"
    again = await clinic.client.post(
        clinic.mine, json=choice_of(own), headers=clinic.patient
    )
    assert again.status_code == 200
    other = await clinic.client.post(
        clinic.mine,
        json={"provider_id": "prv_2", "start": MONDAY_NINE},
        headers=clinic.patient,
    )
    assert code_of(other) == (409, "already_settled")


async def test_the_patient_chooses_a_colleague(clinic: Clinic) -> None:
    """Booked there with the reason, and the old visit is cancelled."""
    await clinic.take_leave()
    other = next(
        one for one in await clinic.proposed() if one["provider_id"] == "prv_2"
    )
    done = await clinic.client.post(
        clinic.mine, json=choice_of(other), headers=clinic.patient
    )
    assert done.status_code == 200, done.text
    assert (await clinic.visit()).status == "cancelled"
    row = await clinic.queue.of_booking(BookingId(clinic.booking))
    assert row is not None
    assert row.choice is None
    found = await clinic.client.get(
        "/v1/providers/prv_2/schedule?from=2026-08-17&to=2026-08-17",
        headers=signed(clinic.api, "staff", "cln_1", account="acc_2"),
    )
    (made,) = found.json()["bookings"]
    assert (made["patient_id"], made["start"]) == ("pat_1", MONDAY_NINE)
    assert made["reason"] == "a private reason"


async def test_a_link_shows_nothing_medical_and_acts_once(clinic: Clinic) -> None:
    """Without a sign-in; a GET moves nothing, and what was moved stays where it is."""
    await clinic.take_leave()
    path = f"/v1/equivalents/{await clinic.secret()}"
    first, shown = await clinic.client.get(path), await clinic.client.get(path)
    assert first.status_code == shown.status_code == 200, shown.text
    assert first.content == shown.content
    for word in ("consult", "general practice", "private", "pat_1", clinic.booking):
        assert word not in shown.text.casefold()
    times = shown.json()["equivalents"]
    assert len(times) == 3
    assert (await clinic.visit()).start == make.at(9, day=7)
    done = await clinic.client.post(path, json=choice_of(times[0]))
    assert done.status_code == 200, done.text
    assert done.json()["moved_to"] == times[0]
    assert code_of(await clinic.client.post(path, json=choice_of(times[1]))) == (
        409,
        "already_settled",
    )
    assert (await clinic.shown())["visits"][0]["resolved_by"] == "link"
    not_proposed = {"provider_id": "prv_5", "start": MONDAY_NINE}
    assert (await clinic.client.post(path, json=not_proposed)).status_code == 409


async def test_a_link_of_nothing_is_dead(clinic: Clinic) -> None:
    """Invented, of a visit that no leave affects, of an earlier time, after the visit's
    time, and of a guardian for a visit that became confidential: alike to the byte."""
    dead = [await clinic.client.get("/v1/equivalents/invented")]
    path = f"/v1/equivalents/{await clinic.secret()}"
    dead.append(await clinic.client.get(path))
    await clinic.take_leave()
    assert (await clinic.client.get(path)).status_code == 200
    earlier = await clinic.secret(start=make.at(8, day=7))
    dead.append(await clinic.client.get(f"/v1/equivalents/{earlier}"))
    proxy = f"/v1/equivalents/{await clinic.secret(proxy=True)}"
    assert (await clinic.client.get(proxy)).status_code == 200
    hidden = await clinic.client.post(
        f"/v1/bookings/{clinic.booking}/confidential",
        json={"confidential": True},
        headers=clinic.patient,
    )
    assert hidden.status_code == 200
    dead.append(await clinic.client.get(proxy))
    assert (await clinic.client.get(path)).status_code == 200
    clinic.api.clock.step(8 * 24 * 3_600)
    dead.append(await clinic.client.get(path))
    assert {one.status_code for one in dead} == {410}
    assert len({one.content for one in dead}) == 1


async def test_staff_choose_cancel_and_keep_on_the_patients_behalf(
    clinic: Clinic,
) -> None:
    """The queue says through whom each was resolved, and is closed by the last."""
    bookings = [clinic.booking]
    for number in (2, 3):
        booked = await clinic.client.post(
            "/v1/bookings",
            json=slot(start=f"2026-08-17T1{number}:00:00Z"),
            headers=clinic.api.patient(number),
        )
        bookings.append(booked.json()["booking_id"])
    await clinic.take_leave()
    first = (await clinic.shown())["visits"][0]
    body = choice_of(
        next(one for one in first["equivalents"] if one["provider_id"] == "prv_2")
    )
    outcomes = []
    for booking, verb, sent in zip(
        bookings, ("choose", "cancel", "keep"), (body, None, None), strict=True
    ):
        done = await clinic.client.post(
            f"{clinic.visits}/{booking}/{verb}", json=sent, headers=clinic.desk
        )
        assert done.status_code == 200, done.text
        outcomes.append((done.json()["resolved"], done.json()["closed"]))
    assert outcomes == [(1, False), (2, False), (3, True)]
    visits = (await clinic.shown())["visits"]
    assert [one["outcome"] for one in visits] == ["moved", "cancelled", "kept"]
    assert {one["resolved_by"] for one in visits} == {"staff"}
    assert (await clinic.visit(bookings[1])).status == "cancelled"
    assert (await clinic.visit(bookings[2])).status == "booked"
    late = await clinic.client.post(
        f"{clinic.visits}/{bookings[1]}/keep", headers=clinic.desk
    )
    assert code_of(late) == (409, "already_settled")
    (progress,) = (
        await clinic.client.get(f"{ONE}/leaves", headers=clinic.doctor)
    ).json()["items"]
    assert (progress["total"], progress["resolved"]) == (3, 3)


async def test_patient_and_staff_who_choose_at_one_time_make_one_move(
    clinic: Clinic,
) -> None:
    """One is told that it is settled; there is one visit afterwards."""
    await clinic.take_leave()
    times = (await clinic.shown())["visits"][0]["equivalents"]
    here = [one for one in times if one["same_clinic"]]
    answers = await asyncio.gather(
        clinic.client.post(
            clinic.mine, json=choice_of(here[0]), headers=clinic.patient
        ),
        clinic.client.post(
            f"{clinic.visits}/{clinic.booking}/choose",
            json=choice_of(here[1]),
            headers=clinic.desk,
        ),
    )
    assert sorted(one.status_code for one in answers) == [200, 409]
    lost = next(one for one in answers if one.status_code == 409)
    assert lost.json()["code"] == "already_settled"
    mine = await clinic.client.get("/v1/bookings?status=booked", headers=clinic.patient)
    await clinic.api.project()
    mine = await clinic.client.get("/v1/bookings?status=booked", headers=clinic.patient)
    assert len(mine.json()["items"]) == 1


async def test_a_time_that_was_taken_is_said_in_words_and_others_are_there(
    clinic: Clinic,
) -> None:
    """The visit is as it was, and the next look shows times that are free."""
    await clinic.take_leave()
    before = await clinic.proposed()
    other = next(one for one in before if one["provider_id"] == "prv_2")
    taken = await clinic.client.post(
        "/v1/bookings",
        json=slot(provider="prv_2", start=other["start"]),
        headers=clinic.api.patient(8),
    )
    assert taken.status_code == 201
    lost = await clinic.client.post(
        clinic.mine, json=choice_of(other), headers=clinic.patient
    )
    assert code_of(lost) == (409, "slot_unavailable")
    assert "choose another" in lost.json()["detail"]
    after = await clinic.proposed()
    assert len(after) == 3
    assert choice_of(other) not in [choice_of(one) for one in after]
    assert (await clinic.visit()).start == make.at(9, day=7)


async def test_a_patient_has_no_part_in_the_visit_of_another(clinic: Clinic) -> None:
    """As if it were not there; a visit that no leave affects says so."""
    await clinic.take_leave()
    other = signed(clinic.api, "patient", "pat_2", account="acc_4")
    hidden = await clinic.client.get(clinic.mine, headers=other)
    missing = await clinic.client.get(
        "/v1/bookings/bkg_1.none/equivalents", headers=other
    )
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content == missing.content
    booked = await clinic.client.post(
        "/v1/bookings", json=slot(start="2026-08-18T09:00:00Z"), headers=other
    )
    free = await clinic.client.get(
        f"/v1/bookings/{booked.json()['booking_id']}/equivalents", headers=other
    )
    assert (free.json()["state"], free.json()["equivalents"]) == ("unaffected", [])


async def test_a_leave_that_is_given_back_says_so(clinic: Clinic) -> None:
    """What is open is withdrawn with it, before any worker has read of it."""
    await clinic.take_leave()
    assert (await clinic.shown())["total"] == 1
    gone = await clinic.client.delete(
        f"{ONE}/time-off/{clinic.leave}", headers=clinic.doctor
    )
    assert gone.status_code == 204
    found = await clinic.shown()
    assert found["closed"]
    assert found["visits"][0]["outcome"] == "withdrawn"
    mine = (await clinic.client.get(clinic.mine, headers=clinic.patient)).json()
    assert (mine["state"], mine["outcome"]) == ("resolved", "withdrawn")


async def test_a_choice_whose_calendar_is_away_is_gone_on_with(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer asks to send it again; sent again, the same choice is carried out."""
    await clinic.take_leave()
    own = next(one for one in await clinic.proposed() if one["same_provider"])
    service: LeaveService = clinic.api.app.state.leave
    real = service._carrier._ask

    async def away(request: Any) -> Any:
        if isinstance(request, RescheduleBooking):
            raise Unavailable("away")
        return await real(request)

    monkeypatch.setattr(service._carrier, "_ask", away)
    lost = await clinic.client.post(
        clinic.mine, json=choice_of(own), headers=clinic.patient
    )
    assert lost.status_code == 503
    row = await clinic.queue.of_booking(BookingId(clinic.booking))
    assert row is not None
    assert row.state is RowState.CHOSEN
    monkeypatch.setattr(service._carrier, "_ask", real)
    done = await clinic.client.post(
        clinic.mine, json=choice_of(own), headers=clinic.patient
    )
    assert done.status_code == 200
    assert done.json()["outcome"] == "moved"


async def test_staff_do_not_decide_while_a_choice_is_carried_out(
    clinic: Clinic,
) -> None:
    """What the patient chose may be done already."""
    await clinic.take_leave()
    await clinic.proposed()
    to = (await clinic.queue.of_booking(BookingId(clinic.booking))).proposed[0]  # type: ignore[union-attr]
    choice = Choice("chosen-before", to, Chooser.PATIENT, "pat_1")
    now = clinic.api.clock.now()
    await clinic.queue.choose(BookingId(clinic.booking), choice, now=now)
    for verb in ("cancel", "keep"):
        refused = await clinic.client.post(
            f"{clinic.visits}/{clinic.booking}/{verb}", headers=clinic.desk
        )
        assert code_of(refused) == (409, "already_settled"), verb
    assert (await clinic.visit()).status == "booked"
    assert (await clinic.shown())["visits"][0]["state"] == "chosen"


async def test_a_leave_of_another_provider_is_not_found(clinic: Clinic) -> None:
    """Also with an id that is there, and the same as one that is not."""
    await clinic.take_leave()
    path = f"/v1/providers/prv_2/leaves/{clinic.leave}/visits"
    other = await clinic.client.get(path, headers=clinic.desk)
    missing = await clinic.client.get(
        "/v1/providers/prv_2/leaves/off_2.none/visits", headers=clinic.desk
    )
    assert code_of(other) == code_of(missing) == (404, "time_off_not_found")
    booking = f"{clinic.visits}/bkg_1.none/keep"
    assert code_of(await clinic.client.post(booking, headers=clinic.desk)) == (
        404,
        "booking_not_found",
    )


async def test_seats_of_other_sessions_stand_in_for_a_group_visit(
    clinic: Clinic,
) -> None:
    """A session stands in for as many as it has seats; the patient moves there."""
    kind = make.a_visit_type("class", capacity=2)
    rules = make.an_availability(make.a_visit_type(), kind)
    await clinic.api.ports.calendars.ask(make.set_availability(rules, 7))
    for number in (1, 2):
        who = signed(clinic.api, "patient", f"pat_{number}", account=f"acc_{number}3")
        body = slot(start="2026-08-17T11:00:00Z") | {"visit_type": "class"}
        made = await clinic.client.post("/v1/bookings", json=body, headers=who)
        assert made.status_code == 201, made.text
    for number in (2, 3, 4):
        await clinic.api.ports.calendars.ask(
            make.add_time_off(
                50 + number,
                provider_id=make.a_provider_id(number),
                time_off_id=f"off_{number}.long",
                start=make.at(0, day=0),
                end=make.at(0, day=90),
            )
        )
    await clinic.take_leave()
    visits = (await clinic.shown())["visits"]
    seats = [one for one in visits if one["visit_type"] == "class"]
    first, second = ([choice_of(t) for t in one["equivalents"]] for one in seats)
    assert len(first) == 3
    assert first == second, "each session has two seats"
    done = await clinic.client.post(
        f"{clinic.visits}/{seats[0]['booking_id']}/choose",
        json=first[0],
        headers=clinic.desk,
    )
    assert done.status_code == 200, done.text
    assert (await clinic.visit(seats[0]["booking_id"])).lane == -1
