"""The waiting list over REST: joining, offers, and the list as staff order it.

One file because every test drives the same worker by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.ids import BookingId, Millis, PatientId
from actors.domain.messages.answers import HoldView
from actors.errors import Unavailable
from care.jobs.jobs import Job, JobError
from care.waiting.entries import ENTRIES_MAX, OpenSlot
from care.waiting.ports import VACATE
from cluster.work.waiting.offering import Offering
from cluster.work.waiting.reserving import Reserving
from cluster.work.waiting.vacating import Vacating
from cluster.work.whole import WorkerVisits
from gateway.access.restricted_patients import RestrictedPatients
from persistence.jobs.queue import SqlJobQueue
from persistence.patients.waiting import SqlWaitingList
from persistence.patients.waiting_calendars import SqlWaitedCalendars
from persistence.sql.records import Records
from tests import factories as make
from tests.fakes.api import Api, slot
from tests.fixtures.accounts import AccountApi, account_api, code_of, signed
from tests.fixtures.resources import add_resource

LATE = "2026-08-12T14:00:00Z"
EARLY = "2026-08-12T09:00:00Z"
WANTED = {"scope": "provider", "subject": "prv_1"}


class Told:
    """Tells nothing, and at once."""

    def __init__(self) -> None:
        self.offers: list[HoldView] = []

    async def reached_at(
        self, patient_id: PatientId, time_zone: str, *, now: Millis, start: Millis
    ) -> Millis:
        return now

    async def offer(self, hold: HoldView, turn: int, *, now: Millis) -> None:
        self.offers.append(hold)

    async def first_come(
        self, slot: OpenSlot, patient_id: PatientId, *, now: Millis
    ) -> None:
        raise AssertionError("no slot is near")


class Known(SqlWaitedCalendars):
    """With the read model of these tests, which is in memory."""

    def __init__(self, api: Api, records: Records) -> None:
        super().__init__(records, records.engine)
        self._api = api

    async def patient_of(self, booking_id: BookingId) -> PatientId | None:
        found = self._api.read_model.appointments.get(booking_id)
        return None if found is None else found.patient_id


class Desk:
    """A site whose worker is driven by hand."""

    def __init__(self, site: AccountApi) -> None:
        self.site, self.api, self.client = site, site.api, site.client
        ports = self.api.ports
        waiting = ports.waiting
        assert isinstance(waiting, SqlWaitingList)
        records = waiting._records
        known, clock = Known(self.api, records), ports.clock
        self.told = Told()
        visits = WorkerVisits(ports.calendars, ports.directory, clock)
        self.worker = Offering(
            waiting, known, ports.calendars, visits, self.told, clock
        )
        self.queue = SqlJobQueue(records.engine)
        self.reserving = Reserving(waiting, known, ports.calendars, self.queue, clock)
        self.vacating = Vacating(waiting, ports.calendars, clock)
        self.done: set[str] = set()

    def patient(self, number: int) -> dict[str, str]:
        return signed(self.api, "patient", f"pat_{number}", f"acc_{number}")

    async def join(self, number: int, **more: Any) -> dict[str, Any]:
        self.api.clock.step(1)
        body = WANTED | more
        who = self.patient(number)
        made = await self.client.post("/v1/waiting", json=body, headers=who)
        assert made.status_code == 201, made.text
        await self.reserving.refresh(self._job("waiting.refresh", "r", WANTED))
        found: dict[str, Any] = made.json()
        return found

    async def book(self, number: int, start: str = EARLY, doctor: str = "prv_1") -> str:
        body, who = slot(doctor, start), self.patient(number)
        made = await self.client.post("/v1/bookings", json=body, headers=who)
        assert made.status_code == 201, made.text
        return str(made.json()["booking_id"])

    async def give_up(self, number: int = 4, start: str = EARLY) -> None:
        booked = await self.book(number, start)
        path, who = f"/v1/bookings/{booked}/cancel", self.patient(number)
        assert (await self.client.post(path, headers=who)).status_code == 200
        await self.work()

    async def work(self) -> None:
        """Project, then do what the outbox has for the waiting list."""
        await self.api.project()
        for (event_id, kind), row in list(self.api.read_model.outbox.items()):
            handler = {"slot.freed": self.worker.freed, "offer.over": self.worker.over}
            if kind in handler and event_id not in self.done:
                self.done.add(event_id)
                await handler[kind](self._job(kind, event_id, row.payload))

    async def vacate(self) -> int:
        """Run the jobs of visits that give way; how many had nothing to do yet."""
        now, early = Millis(self.api.clock.now() + 60_000), 0
        for job in await self.queue.claim(
            "w", kinds={VACATE}, now=now, lease_ms=1_000, limit=9
        ):
            try:
                await self.vacating.vacate(job)
            except JobError:
                early += 1
        return early

    async def status(self, number: int, booking_id: str) -> str:
        path, who = f"/v1/bookings/{booking_id}", self.patient(number)
        shown = await self.client.get(path, headers=who)
        return str(shown.json()["status"])

    def _job(self, kind: str, key: str, payload: Any) -> Job:
        now = self.api.clock.now()
        return Job(1, kind, key, payload, now, 1, Millis(now + 60_000))

    async def offers(self, number: int) -> list[dict[str, Any]]:
        who = self.patient(number)
        found = await self.client.get("/v1/waiting/offers", headers=who)
        assert found.status_code == 200, found.text
        items: list[dict[str, Any]] = found.json()["items"]
        return items

    async def answer(self, number: int, hold: str, how: str) -> Any:
        path = f"/v1/waiting/offers/{hold}/{how}"
        return await self.client.post(path, headers=self.patient(number))


@pytest.fixture
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async with account_api(request, tmp_path) as site:
        await site.api.add_provider()
        yield Desk(site)


async def test_a_freed_slot_is_kept_for_the_patient_who_waits(desk: Desk) -> None:
    """With its deadline in both lists; a third who clicks it is refused; accepted it is
    a booking."""
    await desk.join(1)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    assert (offer["start"], offer["booking_id"]) == (EARLY, None)
    assert offer["expires_in_ms"] == 30 * 60_000
    mine = await desk.client.get("/v1/holds", headers=desk.patient(1))
    (held,) = mine.json()["items"]
    assert (held["offer"], held["expires_at"]) == (True, offer["expires_at"])
    third = await desk.client.post(
        "/v1/bookings", json=slot(start=EARLY), headers=desk.patient(3)
    )
    assert code_of(third) == (409, "slot_unavailable")
    assert await desk.offers(3) == []
    stolen = await desk.answer(3, offer["hold_id"], "accept")
    assert code_of(stolen) == (404, "hold_not_found")
    booked = await desk.answer(1, offer["hold_id"], "accept")
    assert booked.status_code == 200, booked.text
    assert (booked.json()["start"], booked.json()["status"]) == (EARLY, "booked")
    assert await desk.offers(1) == []


async def test_an_accepted_earlier_slot_moves_the_visit(desk: Desk) -> None:
    """The booking keeps its id; the slot that it leaves goes to the next."""
    visit = await desk.book(1, LATE)
    entry = await desk.join(1, booking_id=visit)
    assert entry["booking_id"] == visit
    await desk.join(2)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    assert offer["booking_id"] == visit
    moved = await desk.answer(1, offer["hold_id"], "accept")
    assert (moved.json()["booking_id"], moved.json()["start"]) == (visit, EARLY)
    await desk.work()
    assert [one["start"] for one in await desk.offers(2)] == [LATE]


@pytest.mark.parametrize("doctor", ["prv_1", "prv_2"])
async def test_an_offer_is_accepted_although_its_visit_was_given_up(
    desk: Desk, doctor: str
) -> None:
    """Meanwhile, while the dialog was open: the slot is booked, with whatever doctor
    that visit was; repeated, the answer is the same."""
    await desk.api.add_provider(2)
    visit = await desk.book(1, LATE, doctor)
    await desk.join(1, booking_id=visit)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    path = f"/v1/bookings/{visit}/cancel"
    assert (await desk.client.post(path, headers=desk.patient(1))).status_code == 200
    answers = [await desk.answer(1, offer["hold_id"], "accept") for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200], answers[0].text
    booked = answers[0].json()
    assert (booked["start"], booked["status"]) == (EARLY, "booked")
    assert answers[1].json()["booking_id"] == booked["booking_id"] != visit


async def test_an_accepted_offer_cancels_the_visit_elsewhere(desk: Desk) -> None:
    """Once the earlier slot is booked, and not before; the limits count only one."""
    await desk.api.add_provider(2)
    visit = await desk.book(1, LATE, "prv_2")
    await desk.join(1, booking_id=visit)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    assert offer["booking_id"] == visit
    accepted = await desk.answer(1, offer["hold_id"], "accept")
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["provider_id"], accepted.json()["start"]) == (
        "prv_1",
        EARLY,
    )
    assert await desk.status(1, visit) == "booked"
    assert await desk.vacate() == 0
    assert await desk.status(1, visit) == "cancelled"
    mine = await desk.client.get("/v1/waiting", headers=desk.patient(1))
    assert mine.json() == {"items": []}


async def test_a_refused_acceptance_keeps_the_visit_elsewhere(desk: Desk) -> None:
    """What the worker looks at says that nothing was booked. Too late to cancel there
    is too late to accept here."""
    await desk.api.add_provider(2)
    visit = await desk.book(1, LATE, "prv_2")
    await desk.join(1, booking_id=visit)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    rules = replace(make.an_availability(), change_notice=10 * 24 * 60)
    late = make.set_availability(rules, 7, provider_id=make.a_provider_id(2))
    await desk.api.ports.calendars.ask(late)
    refused = await desk.answer(1, offer["hold_id"], "accept")
    assert code_of(refused) == (409, "too_late")
    assert await desk.vacate() == 0
    assert await desk.status(1, visit) == "booked"
    assert [one["hold_id"] for one in await desk.offers(1)] == [offer["hold_id"]]


async def test_an_acceptance_is_repeated_with_the_same_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost, and the store was away: the booking is the answer."""
    await desk.join(1)
    await desk.give_up()
    (offer,) = await desk.offers(1)

    async def away(*_: object, **__: object) -> bool:
        raise Unavailable("away")

    waiting = desk.api.ports.waiting
    assert waiting is not None
    with monkeypatch.context() as patched:
        patched.setattr(waiting, "settle", away)
        first = await desk.answer(1, offer["hold_id"], "accept")
        again = await desk.answer(1, offer["hold_id"], "accept")
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert again.json()["booking_id"] == first.json()["booking_id"]
    stolen = await desk.answer(3, offer["hold_id"], "accept")
    assert code_of(stolen) == (404, "hold_not_found")
    await desk.answer(1, offer["hold_id"], "accept")
    assert await desk.offers(1) == []
    last = await desk.answer(1, offer["hold_id"], "accept")
    assert last.json()["booking_id"] == first.json()["booking_id"]
    late = await desk.answer(1, offer["hold_id"], "decline")
    assert code_of(late) == (404, "hold_not_found")
    mine = await desk.client.get("/v1/waiting", headers=desk.patient(1))
    assert mine.json() == {"items": []}, "an accepted entry is over at once"


async def test_a_declined_offer_goes_to_the_next(desk: Desk) -> None:
    """And is not offered again to whom it was."""
    await desk.join(1)
    await desk.join(2)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    declined = await desk.answer(1, offer["hold_id"], "decline")
    assert declined.status_code == 204, declined.text
    await desk.work()
    assert await desk.offers(1) == []
    assert [one["hold_id"] for one in await desk.offers(2)] == [offer["hold_id"]]
    listed = await desk.client.get("/v1/waiting", headers=desk.patient(1))
    assert listed.json()["items"][0]["declines"] == 1


async def test_an_entry_is_paused_and_left_by_its_patient(desk: Desk) -> None:
    """Paused it gets no offers; another patient's is as one that never was."""
    entry = await desk.join(1)
    path = f"/v1/waiting/{entry['entry_id']}"
    others = [
        await desk.client.patch(path, json={"paused": True}, headers=desk.patient(2)),
        await desk.client.delete(path, headers=desk.patient(2)),
    ]
    for answer in others:
        assert code_of(answer) == (404, "waiting_not_found")
    mine = desk.patient(1)
    done = await desk.client.patch(path, json={"paused": True}, headers=mine)
    assert done.status_code == 204
    await desk.give_up()
    assert await desk.offers(1) == []
    assert (await desk.client.delete(path, headers=mine)).status_code == 204
    assert (await desk.client.get("/v1/waiting", headers=mine)).json() == {"items": []}


async def test_staff_see_the_list_and_order_it_with_a_reason(desk: Desk) -> None:
    """Those who wait for the provider or the clinic, with rank; who wait for the
    specialty are a number. The reason stays with the entry."""
    await desk.join(1)
    second = await desk.join(2, scope="clinic", subject="cln_1")
    await desk.join(3, scope="specialty", subject="general practice")
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    path = "/v1/providers/prv_1/waiting"
    listed = (await desk.client.get(path, headers=admin)).json()
    shown = [(one["rank"], one["patient_id"]) for one in listed["items"]]
    assert (shown, listed["others"]) == ([(1, "pat_1"), (2, "pat_2")], 1)
    change = {"priority": 1, "reason": "in pain since Friday"}
    order = f"{path}/{second['entry_id']}/priority"
    assert (await desk.client.put(order, json=change, headers=admin)).status_code == 204
    first = (await desk.client.get(path, headers=admin)).json()["items"][0]
    assert (first["patient_id"], first["priority"]) == ("pat_2", 1)
    (move,) = first["moves"]
    assert (move["by"], move["reason"]) == ("acc_9", change["reason"])
    without = await desk.client.put(order, json={"priority": 1}, headers=admin)
    assert without.status_code == 422
    other = signed(desk.api, "clinic_admin", "cln_2", "acc_8")
    assert (await desk.client.get(path, headers=other)).status_code == 403
    await desk.give_up()
    assert len(await desk.offers(2)) == 1
    (made,) = (await desk.client.get(path, headers=admin)).json()["items"][0]["offers"]
    told = (made["start"], made["rank"], made["ahead"], made["status"])
    assert told == (EARLY, 1, {}, "offered")


async def test_staff_see_what_is_offered_and_take_a_patient_off(desk: Desk) -> None:
    """The offer with its end; a removal needs a reason, and leaves the offer."""
    entry = await desk.join(1)
    await desk.give_up()
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    path = "/v1/providers/prv_1/waiting"
    (row,) = (await desk.client.get(path, headers=admin)).json()["items"]
    (offer,) = await desk.offers(1)
    (made,) = row["offers"]
    assert (made["start"], made["until"]) == (EARLY, offer["expires_at"])
    gone = f"{path}/{entry['entry_id']}/remove"
    assert (await desk.client.post(gone, json={}, headers=admin)).status_code == 422
    why = {"reason": "booked by telephone"}
    done = await desk.client.post(gone, json=why, headers=admin)
    assert done.status_code == 204, done.text
    assert (await desk.client.get(path, headers=admin)).json()["items"] == []
    again = await desk.client.post(gone, json=why, headers=admin)
    assert code_of(again) == (404, "waiting_not_found")
    assert len(await desk.offers(1)) == 1


async def test_a_patient_is_told_how_many_come_before(desk: Desk) -> None:
    """For a provider; one's own entries and paused ones do not count. A clinic's
    providers have a list each: there no number is true."""
    first = await desk.join(1)
    await desk.join(1, days=[3])
    second = await desk.join(2)
    wide = await desk.join(2, scope="clinic", subject="cln_1")
    shown = (first["ahead"], second["ahead"], wide["ahead"])
    assert shown == (0, 1, None)
    path, mine = f"/v1/waiting/{first['entry_id']}", desk.patient(1)
    await desk.client.patch(path, json={"paused": True}, headers=mine)
    await desk.join(3, days=[1])
    items = (await desk.client.get("/v1/waiting", headers=desk.patient(3))).json()
    assert [one["ahead"] for one in items["items"]] == [2]


async def test_an_entry_is_changed_and_keeps_its_place(desk: Desk) -> None:
    """Other days and times; it is refused to others, and where it makes no sense."""
    first = await desk.join(1, days=[1])
    await desk.join(2)
    path, mine = f"/v1/waiting/{first['entry_id']}", desk.patient(1)
    wishes = {"days": [3], "opens": 480, "closes": 720, "notice": 120}
    foreign = await desk.client.put(path, json=wishes, headers=desk.patient(2))
    assert code_of(foreign) == (404, "waiting_not_found")
    wrong = await desk.client.put(path, json={"opens": 600, "closes": 1}, headers=mine)
    assert wrong.status_code == 422
    assert (await desk.client.put(path, json=wishes, headers=mine)).status_code == 204
    (entry,) = (await desk.client.get("/v1/waiting", headers=mine)).json()["items"]
    assert entry | wishes == entry
    assert (entry["since"], entry["ahead"]) == (first["since"], 0)
    await desk.give_up()  # on a Wednesday
    assert len(await desk.offers(1)) == 1


async def test_an_answered_entry_is_known_at_once(desk: Desk) -> None:
    """Accepted it waits no more, declined it counts, before any job ran."""
    await desk.join(1)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    await desk.answer(1, offer["hold_id"], "accept")
    mine = await desk.client.get("/v1/waiting", headers=desk.patient(1))
    assert mine.json() == {"items": []}
    await desk.join(2)
    await desk.give_up(5, LATE)
    (offer,) = await desk.offers(2)
    await desk.answer(2, offer["hold_id"], "decline")
    mine = await desk.client.get("/v1/waiting", headers=desk.patient(2))
    assert mine.json()["items"][0]["declines"] == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"days": [8]}, "days"),
        ({"opens": 600, "closes": 540}, "closes"),
        ({"last_day": "2026-02-30"}, "last_day"),
        ({"scope": "clinic", "subject": "prv_1"}, "subject"),
        ({"last_day": "2026-W33-1"}, "last_day"),
        ({"last_day": "20260812"}, "last_day"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_refused(
    desk: Desk, body: dict[str, Any], wrong: str
) -> None:
    """With the field that is wrong."""
    who = desk.patient(1)
    answer = await desk.client.post("/v1/waiting", json=WANTED | body, headers=who)
    assert answer.status_code == 422, answer.text
    assert wrong in answer.text


async def test_only_what_is_there_is_waited_for(desk: Desk) -> None:
    """A provider, and a visit of one's own; and ten things at a time."""
    who = desk.patient(1)
    nowhere = WANTED | {"subject": "prv_none"}
    answer = await desk.client.post("/v1/waiting", json=nowhere, headers=who)
    assert code_of(answer) == (404, "provider_not_found")
    foreign = WANTED | {"booking_id": await desk.book(2, LATE)}
    answer = await desk.client.post("/v1/waiting", json=foreign, headers=who)
    assert code_of(answer) == (404, "booking_not_found")
    for _ in range(ENTRIES_MAX):
        await desk.join(1)
    full = await desk.client.post("/v1/waiting", json=WANTED, headers=who)
    assert code_of(full) == (409, "waiting_limit")


async def test_a_guardian_waits_for_a_dependant(desk: Desk) -> None:
    """But does not see which visit an entry is about: it may be confidential."""
    visit = await desk.book(1, LATE)
    await desk.join(1, booking_id=visit)
    guard = signed(
        desk.api, "guardian", "pat_1", "acc_7", grant="grd_1", scopes=("book",)
    )
    listed = await desk.client.get("/v1/waiting", headers=guard)
    (entry,) = listed.json()["items"]
    assert entry["booking_id"] is None
    await desk.give_up()
    shown = await desk.client.get("/v1/waiting/offers", headers=guard)
    (offer,) = shown.json()["items"]
    assert offer["booking_id"] is None


async def test_a_reserved_slot_is_no_hold_that_staff_can_read(desk: Desk) -> None:
    """Until it is offered no patient has it: it is as a hold that is not there."""
    await desk.join(1)
    booked = await desk.book(4)
    path = f"/v1/bookings/{booked}/cancel"
    assert (await desk.client.post(path, headers=desk.patient(4))).status_code == 200
    await desk.api.project()
    (row,) = [
        row
        for (_, kind), row in desk.api.read_model.outbox.items()
        if kind == "slot.freed"
    ]
    doctor = signed(desk.api, "doctor", make.PROVIDER, "acc_5")
    answer = await desk.client.get(
        f"/v1/holds/{row.payload['hold_id']}", headers=doctor
    )
    assert code_of(answer) == (404, "hold_not_found")


async def test_staff_do_not_release_what_the_list_has(desk: Desk) -> None:
    """Its ids can be guessed: released, the slot would be the fastest one's. Offered,
    it is the patient's to decline."""
    await desk.join(1)
    booked = await desk.book(4)
    path = f"/v1/bookings/{booked}/cancel"
    assert (await desk.client.post(path, headers=desk.patient(4))).status_code == 200
    await desk.api.project()
    (row,) = [
        row
        for (_, kind), row in desk.api.read_model.outbox.items()
        if kind == "slot.freed"
    ]
    doctor = signed(desk.api, "doctor", make.PROVIDER, "acc_5")
    held = f"/v1/holds/{row.payload['hold_id']}"
    refused = await desk.client.delete(held, headers=doctor)
    missing = await desk.client.delete("/v1/holds/hld_1.w999", headers=doctor)
    assert code_of(refused) == (404, "hold_not_found")
    assert refused.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    await desk.work()
    (offer,) = await desk.offers(1)
    waits = await desk.client.delete(held, headers=doctor)
    assert code_of(waits) == (409, "wrong_status")
    assert await desk.offers(1) == [offer]


async def test_a_room_is_not_waited_for(desk: Desk) -> None:
    """It is answered as a provider that is not there, and has no list."""
    room = await add_resource(desk.api, "Room 1")
    who = desk.patient(1)
    answers = [
        await desk.client.post("/v1/waiting", json=WANTED | subject, headers=who)
        for subject in ({"subject": room}, {"subject": "prv_none"})
    ]
    assert [code_of(one) for one in answers] == [(404, "provider_not_found")] * 2
    first, second = (one.json() | {"request_id": ""} for one in answers)
    assert first == second
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    listed = await desk.client.get(f"/v1/providers/{room}/waiting", headers=admin)
    assert code_of(listed) == (404, "provider_not_found")


async def test_staff_are_not_told_of_a_visit_elsewhere(desk: Desk) -> None:
    """With whom a patient has another visit is in its id."""
    await desk.api.add_provider(2)
    here, elsewhere = await desk.book(1, LATE), await desk.book(2, LATE, "prv_2")
    await desk.join(1, booking_id=here)
    await desk.join(2, booking_id=elsewhere)
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    listed = await desk.client.get("/v1/providers/prv_1/waiting", headers=admin)
    shown = [one["booking_id"] for one in listed.json()["items"]]
    assert shown == [here, None]
    assert "bkg_2" not in listed.text


async def test_the_old_visit_goes_although_the_new_one_was_moved_since(
    desk: Desk,
) -> None:
    """The patient moves it to another held time before the worker has looked."""
    await desk.api.add_provider(2)
    visit = await desk.book(1, LATE, "prv_2")
    await desk.join(1, booking_id=visit)
    await desk.give_up()
    (offer,) = await desk.offers(1)
    who = desk.patient(1)
    new = (await desk.answer(1, offer["hold_id"], "accept")).json()["booking_id"]
    wanted = slot(start="2026-08-12T11:00:00Z") | {"moving": new}
    held = await desk.client.post("/v1/holds", json=wanted, headers=who)
    body = {"hold_id": held.json()["hold_id"]}
    path = f"/v1/bookings/{new}/reschedule"
    moved = await desk.client.post(path, json=body, headers=who)
    assert moved.status_code == 200, moved.text
    assert await desk.vacate() == 0
    assert await desk.status(1, visit) == "cancelled"
    assert await desk.status(1, new) == "booked"


async def test_staff_do_not_order_whose_data_is_restricted(desk: Desk) -> None:
    """Neither place nor removal; the patient's own entry stays as it is."""
    entry = await desk.join(1)
    desk.api.app.state.services.access.restricted = RestrictedPatients(All())
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    path = f"/v1/providers/prv_1/waiting/{entry['entry_id']}"
    why = {"reason": "in pain"}
    answers = [
        await desk.client.put(
            f"{path}/priority", json=why | {"priority": 1}, headers=admin
        ),
        await desk.client.post(f"{path}/remove", json=why, headers=admin),
    ]
    assert [code_of(one) for one in answers] == [(403, "data_restricted")] * 2
    mine = await desk.client.get("/v1/waiting", headers=desk.patient(1))
    assert [one["entry_id"] for one in mine.json()["items"]] == [entry["entry_id"]]


class All:
    """Restrictions of all patients."""

    async def is_restricted(self, patient_id: PatientId) -> bool:
        return True


async def test_text_that_breaks_lists_is_refused(desk: Desk) -> None:
    """Where it is shown to others: control characters, and ids that are none."""
    entry = await desk.join(1)
    who = desk.patient(1)
    for kind in ("con\x00sult", "\u202ekind", "x" * 65):
        wrong = WANTED | {"visit_type": kind}
        answer = await desk.client.post("/v1/waiting", json=wrong, headers=who)
        assert answer.status_code == 422, answer.text
    admin = signed(desk.api, "clinic_admin", "cln_1", "acc_9")
    path = f"/v1/providers/prv_1/waiting/{entry['entry_id']}/priority"
    body = {"priority": 1, "reason": "in\x1b[2J pain"}
    answer = await desk.client.put(path, json=body, headers=admin)
    assert answer.status_code == 422, answer.text
