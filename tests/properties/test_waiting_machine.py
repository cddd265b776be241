"""Random days at a practice whose patients wait, against an oracle of sets of minutes.

After every event of every command: what a cancellation, a move or a leave given back
frees, and is waited for, is never free while the list has room. A slot of the list is
booked by the patient to whom it is offered, in that time, and by no other. What readers
see equals the oracle's books, and a snapshot behaves as the calendar does.

One file because it is one state machine with one oracle.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.domain.calendar import views
from actors.domain.calendar.effects import apply
from actors.domain.calendar.snapshot import encode
from actors.domain.ids import HoldId, Millis, Minute, PatientId, VisitTypeId
from actors.domain.messages import commands as cm
from actors.domain.messages import events as ev
from actors.domain.messages.answers import SlotsView
from actors.domain.messages.refusals import Refusal
from actors.domain.rules import BookingLimits, Hours, Policy, Waiting
from tests import factories as f

MINUTE_MS = 60_000
OPENS, CLOSES, DAYS = 8 * 60, 11 * 60, 2
LENGTHS = {"consult": 30, "long": 60}
EVERY = 30
CUTOFF = 120
"""Minutes, as the site's policy has them."""
POLICY = Policy(
    holds_per_patient=9,
    hold_ms=5 * MINUTE_MS,
    booking_limits=BookingLimits(upcoming=0, renewals=0),
    key_retention_ms=90 * 24 * 3_600_000,
)
FIRST = f.MONDAY + 24 * 60
"""The Tuesday is the first of the practice's days."""
STARTS = [
    FIRST + day * 24 * 60 + minute
    for day in range(DAYS)
    for minute in range(OPENS, CLOSES, EVERY)
]
kinds = st.sampled_from(sorted(LENGTHS))
starts = st.sampled_from(STARTS)
patients = st.integers(1, 4)
picks = st.integers(0, 9)


def minutes_of(slot: tuple[str, int]) -> set[int]:
    kind, start = slot
    return set(range(start, start + LENGTHS[kind]))


class Taken:
    """A visit or a hold: whose it is, and its minutes."""

    def __init__(self, start: int, end: int, patient: str, until: int = 0) -> None:
        self.start, self.patient, self.until = start, patient, until
        self.minutes = set(range(start, end))


class Kept(Taken):
    """A slot of the list; without a patient it is offered to none."""

    offered = 0
    turn = 0


class Books:
    """The practice as its events tell, in minutes; nothing of the product is asked."""

    def __init__(self) -> None:
        self.visits: dict[str, Taken] = {}
        self.holds: dict[str, Taken] = {}
        self.kept: dict[str, Kept] = {}
        self.leaves: dict[str, set[int]] = {}
        self.waiting: Waiting | None = None

    def taken(self) -> set[int]:
        every = [*self.visits.values(), *self.holds.values(), *self.kept.values()]
        return set().union(*(one.minutes for one in every))

    def is_open(self, kind: str, start: int) -> bool:
        minutes = minutes_of((kind, start))
        of_day = (start - f.MONDAY) % (24 * 60)
        inside = of_day >= OPENS and of_day + LENGTHS[kind] <= CLOSES
        return inside and not any(minutes & one for one in self.leaves.values())

    def free(self) -> set[tuple[str, int]]:
        taken = self.taken()
        return {
            (kind, start)
            for kind in LENGTHS
            for start in STARTS
            if self.is_open(kind, start) and not taken & minutes_of((kind, start))
        }

    def wanted(self, slot: tuple[str, int], now: int) -> bool:
        """Whether the list waits for it, and it is not too near."""
        kind, start = slot
        waiting = self.waiting
        return (
            waiting is not None
            and kind in waiting.visit_types
            and waiting.first <= start < waiting.until
            and start * MINUTE_MS >= now + CUTOFF * MINUTE_MS
        )

    def has_room(self) -> bool:
        return self.waiting is not None and len(self.kept) < self.waiting.most

    def given_up_by(self, event: Any) -> set[int]:
        """The minutes that an event gives up, which the list is promised."""
        if isinstance(event, ev.BookingCancelled | ev.BookingRescheduled):
            return self.visits[event.booking_id].minutes
        if isinstance(event, ev.TimeOffRemoved):
            return self.leaves[event.time_off_id]
        return set()

    def happen(self, event: Any, now: int) -> None:  # noqa: C901, PLR0912, PLR0915
        """Take an event over, judging who takes a slot of the list."""
        match event:
            case ev.SlotBooked():
                self._take(event, event.patient_id, now)
            case ev.BookingRescheduled():
                del self.visits[event.booking_id]
                self._take(event, event.patient_id, now)
            case ev.BookingCancelled():
                del self.visits[event.booking_id]
            case ev.HoldPlaced():
                hold = Taken(event.start, event.end, event.patient_id, event.expires)
                assert not hold.minutes & self.taken()
                self.holds[event.hold_id] = hold
            case ev.SlotReserved():
                kept = Kept(event.start, event.end, "", event.expires)
                self.kept[event.hold_id] = kept
            case ev.HoldOffered():
                kept = self.kept[event.hold_id]
                assert not kept.patient
                kept.patient, kept.offered = event.patient_id, event.offered
                kept.until, kept.turn = event.expires, kept.turn + 1
                assert kept.until >= kept.offered > now
            case ev.HoldReturned():
                kept = self.kept[event.hold_id]
                assert kept.patient == event.patient_id
                assert event.declined or kept.offered <= now
                kept.patient, kept.offered = "", 0
            case ev.HoldReleased():
                if (mine := self.kept.pop(event.hold_id, None)) is not None:
                    assert not mine.patient, "an offer was taken from its patient"
                self.holds.pop(event.hold_id, None)
            case ev.HoldExpired():
                over: Taken | None = self.kept.pop(event.hold_id, None)
                over = over or self.holds.pop(event.hold_id)
                assert over.until <= now
                assert not isinstance(over, Kept) or over.offered <= now
            case ev.TimeOffAdded():
                off = set(range(event.time_off.start, event.time_off.end))
                self.leaves[event.time_off.time_off_id] = off
            case ev.TimeOffRemoved():
                del self.leaves[event.time_off_id]
            case ev.WaitingSet():
                self.waiting = event.waiting
            case _:
                pass

    def _take(self, event: Any, patient: str, now: int) -> None:
        """A visit takes a slot: its own hold or offer, or one that is free."""
        visit = Taken(event.start, event.end, patient)
        kept = self.kept.pop(event.hold_id or "", None)
        if kept is not None:
            assert (kept.patient, kept.start) == (patient, event.start)
            assert kept.offered > now, "the offer was over"
        self.holds.pop(event.hold_id or "", None)
        assert not visit.minutes & self.taken(), "booked what others have"
        self.visits[event.booking_id] = visit


class Practice(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = f.NOW
        self.numbers = 0
        self.books = Books()

    @initialize()
    def open(self) -> None:
        hours = (Hours(OPENS, CLOSES),)
        place = f.a_location(weekly=(hours,) * 7)
        types = [
            f.a_visit_type(name, minutes=minutes, alignment=EVERY, notice=0)
            for name, minutes in LENGTHS.items()
        ]
        rules = f.an_availability(*types, locations=[place])
        self.calendar = f.a_calendar(rules, policy=POLICY)
        self.wait(("consult", "long"), 0, FIRST + 9 * 24 * 60, 3)

    def do(self, command: cm.Command) -> None:
        """Decide, and judge each event of the outcome before the next."""
        outcome = self.calendar.decide(command, self.now)
        if isinstance(outcome, Refusal):
            return
        books = self.books
        before = books.free()
        for event in outcome:
            given_up = books.given_up_by(event)
            books.happen(event, self.now)
            apply(self.calendar.state, event, 1)
            news = books.free() - before
            lost = [
                slot
                for slot in news
                if books.wanted(slot, self.now) and minutes_of(slot) & given_up
            ]
            assert not lost or not books.has_room(), f"{lost} were free to all"
            if not given_up:
                before = books.free()  # the time of a hold is promised to none

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def any_of(self, things: dict[str, Any], pick: int) -> str | None:
        names = sorted(things)
        return names[pick % len(names)] if names else None

    # --- patients and staff ---

    @rule(kind=kinds, start=starts, patient=patients)
    def book(self, kind: str, start: int, patient: int) -> None:
        more = {"visit_type": VisitTypeId(kind), "patient_id": f.a_patient_id(patient)}
        self.do(f.book_slot(self.number(), start, **more))

    @rule(kind=kinds, start=starts, patient=patients)
    def hold(self, kind: str, start: int, patient: int) -> None:
        more = {"visit_type": VisitTypeId(kind), "patient_id": f.a_patient_id(patient)}
        self.do(f.place_hold(self.number(), start, **more))

    def owner_of(self, held: str, who: str) -> PatientId:
        """The patient of a hold or an offer, or another one."""
        mine = (self.books.holds | self.books.kept)[held].patient
        return PatientId(mine) if who == "patient" and mine else f.a_patient_id(8)

    @rule(pick=picks, who=st.sampled_from(["patient", "patient", "stranger"]))
    def confirm(self, pick: int, who: str) -> None:
        """A hold or an offer, by its patient or another one."""
        held = self.any_of(self.books.kept or self.books.holds, pick)
        if held is not None:
            owner = self.owner_of(held, who)
            self.do(f.confirm_hold(self.number(), hold_id=HoldId(held), owner=owner))

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if (visit := self.any_of(self.books.visits, pick)) is not None:
            self.do(f.cancel_booking(self.number(), booking_id=visit))

    @rule(kind=kinds, start=starts, asked=st.integers(0, 4))
    def give_up(self, kind: str, start: int, asked: int) -> None:
        """A visit is booked and cancelled at once, and what the list has is offered."""
        number = self.number()
        more = {"visit_type": VisitTypeId(kind), "patient_id": f.a_patient_id(9)}
        self.do(f.book_slot(number, start, **more))
        self.do(f.cancel_booking(number))
        if asked:
            self.offer(number, asked, 0)

    @rule(pick=picks, start=starts)
    def move(self, pick: int, start: int) -> None:
        if (visit := self.any_of(self.books.visits, pick)) is not None:
            number = self.number()
            self.do(f.reschedule_booking(number, booking_id=visit, start=start))

    @rule(pick=picks, held=picks)
    def move_to_offer(self, pick: int, held: int) -> None:
        visit = self.any_of(self.books.visits, pick)
        kept = self.any_of(self.books.kept, held)
        if visit is not None and kept is not None:
            if pick % 2:  # to the visit's own patient, else most are refused
                self.offer(held, int(self.books.visits[visit].patient[4:]), 0)
            number = self.number()
            self.do(f.reschedule_booking(number, booking_id=visit, hold_id=kept))

    @rule(start=starts, length=st.sampled_from([30, 60, 120]))
    def leave(self, start: int, length: int) -> None:
        if len(self.books.leaves) < 2:
            self.do(f.add_time_off(self.number(), start, start + length))

    @rule(pick=picks)
    def come_back(self, pick: int) -> None:
        if (off := self.any_of(self.books.leaves, pick)) is not None:
            self.do(f.remove_time_off(self.number(), time_off_id=off))

    # --- the list ---

    @rule(
        which=st.sampled_from([(), ("consult",), ("long",), ("consult", "long")]),
        first=st.sampled_from([0, FIRST + 9 * 60]),
        until=st.sampled_from([FIRST + 10 * 60, FIRST + 9 * 24 * 60]),
        most=st.integers(1, 3),
    )
    def wait(self, which: tuple[str, ...], first: int, until: int, most: int) -> None:
        waiting = None
        if which:
            names = tuple(map(VisitTypeId, which))
            waiting = Waiting(names, Minute(first), Minute(until), most)
        self.do(cm.SetWaiting(provider_id=f.PROVIDER, waiting=waiting))

    @rule(pick=picks, patient=patients, turn=st.sampled_from([0, 0, 0, 1]))
    def offer(self, pick: int, patient: int, turn: int) -> None:
        """In its turn; else, when it is refused, nothing must have happened."""
        kept = self.any_of(self.books.kept, pick)
        if kept is None:
            return
        known = self.books.kept[kept]
        before = known.turn
        self.do(
            cm.OfferHold(
                provider_id=f.PROVIDER,
                hold_id=HoldId(kept),
                patient_id=f.a_patient_id(patient),
                until=Millis(self.now + 20 * MINUTE_MS),
                turn=before + turn,
            )
        )
        assert turn == 0 or known.turn == before, "offered out of turn"

    @rule(pick=picks, who=st.sampled_from(["patient", "patient", "list", "stranger"]))
    def give_back(self, pick: int, who: str) -> None:
        """By the patient, who declines, or by the list."""
        held = self.any_of(self.books.kept or self.books.holds, pick)
        if held is not None:
            owner = None if who == "list" else self.owner_of(held, who)
            number = self.number()
            self.do(f.release_hold(number, hold_id=HoldId(held), owner=owner))

    # --- time ---

    @rule(minutes=st.sampled_from([1, 4, 10, 21, 35, 600]))
    def pass_time(self, minutes: int) -> None:
        self.now = Millis(self.now + minutes * MINUTE_MS)
        self.do(f.expire_holds())
        for kept in self.books.kept.values():
            assert kept.until > self.now, "the list has it beyond its deadline"

    @rule()
    def recover(self) -> None:
        """What a snapshot keeps behaves as before; nothing is lost of the list."""
        again = f.restored(self.calendar)
        assert encode(again.state) == encode(self.calendar.state)
        self.calendar = again

    @invariant()
    def readers_see_the_books(self) -> None:
        if self.numbers == 0:
            return
        self.do(f.expire_holds())
        free, seen = self.books.free(), set[tuple[str, int]]()
        booked = set().union(*(one.minutes for one in self.books.visits.values()))
        for kind in LENGTHS:
            view = views.slots(
                self.calendar.state,
                VisitTypeId(kind),
                Minute(FIRST),
                Minute(FIRST + DAYS * 24 * 60),
            )
            assert isinstance(view, SlotsView)
            for start, letter in zip(view.starts, view.states, strict=True):
                if letter == "f":
                    seen.add((kind, start))
                is_booked = bool(booked & minutes_of((kind, start)))
                assert (letter == "b") is is_booked
        ahead = {slot for slot in free if slot[1] * MINUTE_MS > self.now + 300_000}
        assert ahead <= seen <= free

    @invariant()
    def no_patient_is_named_of_what_is_not_offered(self) -> None:
        holds = self.calendar.state.occupancy.holds if self.numbers else {}
        for name, kept in self.books.kept.items():
            assert holds[HoldId(name)].patient_id == PatientId(kept.patient)


Practice.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, derandomize=True
)
test_random_days_of_a_waiting_list = Practice.TestCase
