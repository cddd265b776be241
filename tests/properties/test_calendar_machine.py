"""Random days at a practice, against an oracle that counts minutes in sets.

After every step: what watchers see equals the oracle's books; an old view with the
published change equals the fresh view; replay of the events and a snapshot behave as
the calendar does; no two visits share a minute, buffers included.

One file because it is one state machine with one oracle.
"""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.domain.calendar import views, window
from actors.domain.calendar.calendar import Calendar
from actors.domain.calendar.delta import change_of
from actors.domain.calendar.effects import apply
from actors.domain.calendar.holding import holds
from actors.domain.calendar.snapshot import encode
from actors.domain.calendar.state import CalendarState
from actors.domain.ids import (
    BookingId,
    HoldId,
    LocationId,
    Millis,
    Minute,
    PatientId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import (
    Affected,
    Answer,
    BookingView,
    HoldView,
    TimeOffView,
)
from actors.domain.messages.events import Event, HoldExpired
from actors.domain.messages.reads import ReadEffect
from actors.domain.messages.refusals import NOT_REMEMBERED, Refusal, RefusalCode
from actors.domain.rules import (
    Availability,
    BookingLimits,
    Hours,
    Location,
    Policy,
    VisitType,
)
from tests import factories as f
from tests.properties.oracle import Kind, Limits, Oracle, Rules

FRIDAY = 29_878_560
"""2026-10-23T00:00Z; the clocks of Berlin go back on the Sunday after."""
DAY = 24 * 60
BERLIN = "Europe/Berlin"
POLICY = Policy(
    holds_per_patient=2,
    hold_ms=120_000,
    hold_extensions=2,
    hold_total_ms=300_000,
    booking_limits=BookingLimits(upcoming=3, renewals=2),
    key_retention_ms=90 * 24 * 3_600_000,
)
LIMITS = Limits(
    hold_ms=120_000, extensions=2, total_ms=300_000, holds=2, upcoming=3, renewals=2
)
"""Keys outlive the random days; forgetting is in tests/unit/actors/domain."""
MORNING, NOON, LATE = [(480, 600)], [(720, 790)], [(1380, 1440)]

RULES = [
    Rules(
        BERLIN,
        {"loc_1": [MORNING] * 7, "loc_2": [NOON] * 7},
        {"loc_1": {"2026-10-24": []}},
        {
            "consult": Kind(30, 0, 0, 30, 30, 3 * DAY, ("loc_1", "loc_2")),
            "long": Kind(45, 15, 10, 15, 0, 2 * DAY, ("loc_1",)),
        },
    ),
    Rules(
        BERLIN,
        {"loc_1": [MORNING + LATE] * 6 + [[(0, 60), (180, 240)]]},
        {"loc_1": {"2026-10-26": [(600, 660)]}},
        {
            "consult": Kind(20, 5, 0, 10, 0, 4 * DAY, ("loc_1",)),
            "long": Kind(60, 0, 20, 20, 120, 3 * DAY, ("loc_1",)),
        },
        change_notice=90,
    ),
]


def the_availability(rules: Rules) -> Availability:
    """The same rules in the domain's words."""
    locations = tuple(
        Location(
            LocationId(place),
            rules.zone,
            tuple(tuple(Hours(*span) for span in day) for day in week),
            {
                date: tuple(Hours(*span) for span in day)
                for date, day in rules.special.get(place, {}).items()
            },
        )
        for place, week in rules.hours.items()
    )
    kinds = tuple(
        VisitType(
            VisitTypeId(name),
            name,
            kind.minutes,
            kind.before,
            kind.after,
            kind.alignment,
            kind.notice,
            kind.horizon,
            locations=tuple(LocationId(place) for place in kind.places),
        )
        for name, kind in rules.kinds.items()
    )
    return Availability(locations, kinds, rules.change_notice)


STARTS = [
    start
    for day in range(5)
    for hours in ((6, 8), (10, 12), (21, 24))
    for start in range(
        FRIDAY + day * DAY + hours[0] * 60, FRIDAY + day * DAY + hours[1] * 60, 5
    )
]
"""Starts that some rules might offer, in UTC, and many that none does."""

STARTS_SET = frozenset(STARTS)

numbers = st.integers(1, 6)
patients = st.integers(1, 3)
starts = st.integers(0, 10_000)
"""Which start: see ``some_start``."""
owners = st.sampled_from([None, None, 1, 2])
staff = st.sampled_from([False, False, True])
kinds = st.sampled_from(["consult", "consult", "long", "none"])


def _owner(number: int | None) -> PatientId | None:
    return None if number is None else f.a_patient_id(number)


class CalendarMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = Millis(FRIDAY * 60_000 + 1)
        self.calendar = Calendar(CalendarState(f.PROVIDER, POLICY))
        self.journal: list[tuple[Event, int]] = []
        self.asked: dict[str, tuple[cm.Command, Answer | None]] = {}
        self.count = 0
        self.epoch = 1
        self.shown: dict[str, dict[int, str]] = {}
        self.oracle = Oracle(RULES[0], LIMITS)
        self.ask(f.register(), "")
        self.rules_change(0)
        self.oracle.window = self.now

    @initialize(choice=st.integers(0, 1))
    def begin(self, choice: int) -> None:
        self.rules_change(choice)

    # --- the shard's part ---

    def ask(self, command: cm.Command, expected: str) -> None:
        """Decide, journal, apply, publish; compare with the oracle's verdict."""
        self.count += 1
        if command.key:
            command = msgspec.structs.replace(command, key=f"k{self.count}")
        before = encode(self.calendar.state)
        outcome = self.calendar.decide(command, self.now)
        assert encode(self.calendar.state) == before, "decide changed the calendar"
        if isinstance(outcome, Refusal):
            assert outcome.code.value == expected
            assert outcome.code not in NOT_REMEMBERED
            outcome = (self.calendar.refused(command, outcome, self.now),)
        else:
            assert expected == ""
        for event in outcome:
            apply(self.calendar.state, event, self.epoch)
            self.journal.append((event, self.epoch))
        self.publish(outcome)
        if command.key:
            answer = self.calendar.state.answer(command.key)
            assert answer is not None
            self.asked[command.key] = (command, answer)

    def publish(self, events: tuple[Event, ...]) -> None:
        """Apply what is published to the watchers' old views."""
        slots, _, reread = change_of(self.calendar.state, events)
        if reread:
            self.shown = self.fresh()
            return
        for change in slots:
            view = self.shown[change.visit_type]
            for start, state in zip(change.starts, change.states, strict=True):
                assert self.oracle.rules.week(start) == change.week
                if state == "g":
                    view.pop(start, None)
                else:
                    view[start] = state

    def fresh(self) -> dict[str, dict[int, str]]:
        found = {}
        for kind in self.oracle.rules.kinds:
            view = views.slots(
                self.calendar.state,
                VisitTypeId(kind),
                Minute(FRIDAY),
                Minute(FRIDAY + 9 * DAY),
            )
            assert not isinstance(view, Refusal)
            found[kind] = dict(zip(view.starts, view.states, strict=True))
        return found

    # --- what people do ---

    @rule(number=numbers, kind=kinds, start=starts, patient=patients, by_staff=staff)
    def hold(
        self, number: int, kind: str, start: int, patient: int, by_staff: bool
    ) -> None:
        start = self.some_start(kind, start)
        name = f.a_hold_id(self.count * 10 + number)
        self.hold_at(name, kind, start, f.a_patient_id(patient), None, by_staff)

    def hold_at(
        self,
        name: HoldId,
        kind: str,
        start: int,
        who: PatientId,
        moving: BookingId | None,
        by_staff: bool = False,
    ) -> None:
        command = f.place_hold(
            1,
            start,
            hold_id=name,
            visit_type=VisitTypeId(kind),
            patient_id=who,
            moving=moving,
            by_staff=by_staff,
        )
        expected = self.oracle.hold(
            name, kind, start, who, self.now, moving=moving, staff=by_staff
        )
        self.ask(command, expected)

    @rule(pick=st.integers(0, 9), near=st.sampled_from([-20, 0, 10, 15, 20, 30]))
    def hold_to_move(self, pick: int, near: int) -> None:
        name = self.some_booking(pick)
        visit = self.oracle.bookings.get(name)
        if visit is not None and visit.kind in self.oracle.rules.kinds:
            held = f.a_hold_id(self.count * 10)
            who = PatientId(visit.patient)
            self.hold_at(held, visit.kind, visit.start + near, who, name)

    @rule(pick=st.integers(0, 9))
    def hold_again(self, pick: int) -> None:
        """Another time a hold was given back: the same slot, the same patient."""
        name = self.some_hold(pick)
        held = self.oracle.holds.get(name)
        if held is not None and held.kind in self.oracle.rules.kinds:
            self.release(pick, None)
            again = f.a_hold_id(self.count * 10)
            self.hold_at(again, held.kind, held.start, PatientId(held.patient), None)

    @rule(pick=st.integers(0, 9), number=owners)
    def extend(self, pick: int, number: int | None) -> None:
        name, owner = self.some_hold(pick), _owner(number)
        expected = self.oracle.extend(name, owner, self.now)
        self.ask(f.extend_hold(hold_id=name, owner=owner), expected)

    @rule(pick=st.integers(0, 9), number=owners)
    def release(self, pick: int, number: int | None) -> None:
        name, owner = self.some_hold(pick), _owner(number)
        expected = self.oracle.release(name, owner, self.now)
        self.ask(f.release_hold(hold_id=name, owner=owner), expected)

    @rule(pick=st.integers(0, 9), number=owners, by_staff=staff)
    def confirm(self, pick: int, number: int | None, by_staff: bool) -> None:
        name, owner = self.some_hold(pick), _owner(number)
        booking = f.a_booking_id(self.count)
        expected = self.oracle.confirm(name, booking, owner, self.now, staff=by_staff)
        command = f.confirm_hold(
            hold_id=name, owner=owner, booking_id=booking, by_staff=by_staff
        )
        self.ask(command, expected)

    @rule(late=st.sampled_from([0, 1]), patient=patients)
    def hold_until_the_start(self, late: int, patient: int) -> None:
        """A slot is held in the last minute, and taken up as it begins."""
        free = [start for start, state in self.shown["long"].items() if state == "f"]
        start = min(free, default=0)
        if start * 60_000 < self.now:
            return
        self.now = Millis(max(self.now, start * 60_000 - 60_000))
        name, who = f.a_hold_id(self.count * 10), f.a_patient_id(patient)
        command = f.place_hold(
            1, start, hold_id=name, visit_type=VisitTypeId("long"), patient_id=who
        )
        self.ask(command, self.oracle.hold(name, "long", start, who, self.now))
        self.now = Millis(start * 60_000 + late)
        booking = f.a_booking_id(self.count)
        expected = self.oracle.confirm(name, booking, None, self.now)
        self.ask(f.confirm_hold(hold_id=name, booking_id=booking), expected)

    @rule(kind=kinds, start=starts, patient=patients, by_staff=staff)
    def book(self, kind: str, start: int, patient: int, by_staff: bool) -> None:
        self.book_at(kind, self.some_start(kind, start), patient, by_staff)

    def book_at(
        self, kind: str, start: int, patient: int, by_staff: bool = False
    ) -> None:
        name, who = f.a_booking_id(self.count), f.a_patient_id(patient)
        command = f.book_slot(
            1,
            start,
            booking_id=name,
            visit_type=VisitTypeId(kind),
            patient_id=who,
            by_staff=by_staff,
        )
        expected = self.oracle.book(name, kind, start, who, self.now, staff=by_staff)
        self.ask(command, expected)

    @rule(pick=st.integers(0, 9))
    def book_own_hold(self, pick: int) -> None:
        held = self.oracle.holds.get(self.some_hold(pick))
        if held is not None:
            self.book_at(held.kind, held.start, int(held.patient[4:]))

    @rule(pick=st.integers(0, 9), near=st.sampled_from([-15, 0, 0, 10]))
    def book_another_type_over_own_hold(self, pick: int, near: int) -> None:
        held = self.oracle.holds.get(self.some_hold(pick))
        if held is not None:
            kind = "long" if held.kind == "consult" else "consult"
            self.book_at(kind, held.start + near, int(held.patient[4:]))

    @rule(pick=st.integers(0, 9), number=owners)
    def cancel(self, pick: int, number: int | None) -> None:
        name, owner = self.some_booking(pick), _owner(number)
        expected = self.oracle.mark(
            name, owner, "booked arrived", "cancelled", self.now
        )
        self.ask(f.cancel_booking(booking_id=name, owner=owner), expected)

    @rule(pick=st.integers(0, 9), number=owners, start=starts)
    def move(self, pick: int, number: int | None, start: int) -> None:
        visit = self.oracle.bookings.get(self.some_booking(pick))
        start = self.some_start(visit.kind if visit else "none", start)
        self.move_at(pick, number, start)

    def move_at(self, pick: int, number: int | None, start: int) -> None:
        name, owner = self.some_booking(pick), _owner(number)
        visit = self.oracle.bookings.get(name)
        kind = visit.kind if visit else ""
        if kind and kind not in self.oracle.rules.kinds:
            return
        expected = self.oracle.move(name, owner, start, self.now)
        command = f.reschedule_booking(
            booking_id=name, owner=owner, start=Minute(start)
        )
        self.ask(command, expected)

    @rule(pick=st.integers(0, 9), near=st.sampled_from([-20, -10, 0, 10, 15, 20, 30]))
    def move_a_little(self, pick: int, near: int) -> None:
        visit = self.oracle.bookings.get(self.some_booking(pick))
        if visit is not None:
            self.move_at(pick, None, visit.start + near)

    @rule(pick=st.integers(0, 9), held=st.integers(0, 9), number=owners)
    def move_to_hold(self, pick: int, held: int, number: int | None) -> None:
        name, hold = self.some_booking(pick), self.some_hold(held)
        owner = _owner(number)
        expected = self.oracle.move_to_hold(name, owner, hold, self.now)
        command = f.reschedule_booking(booking_id=name, owner=owner, hold_id=hold)
        self.ask(command, expected)

    @rule(pick=st.integers(0, 9))
    def check_in(self, pick: int) -> None:
        name = self.some_booking(pick)
        expected = self.oracle.outcome(name, "booked noshow", "arrived", self.now)
        self.ask(f.check_in(booking_id=name), expected)

    @rule(pick=st.integers(0, 9), unseen=st.booleans())
    def complete(self, pick: int, unseen: bool) -> None:
        name = self.some_booking(pick)
        allowed = "booked arrived" if unseen else "arrived"
        expected = self.oracle.outcome(name, allowed, "fulfilled", self.now)
        command = f.complete_visit(booking_id=name, without_check_in=unseen)
        self.ask(command, expected)

    @rule(pick=st.integers(0, 9))
    def no_show(self, pick: int) -> None:
        name = self.some_booking(pick)
        expected = self.oracle.outcome(name, "booked", "noshow", self.now)
        self.ask(f.mark_no_show(booking_id=name), expected)

    @rule(pick=st.integers(0, 9))
    def undo(self, pick: int) -> None:
        name = self.some_booking(pick)
        expected = self.oracle.undo(name, self.now)
        self.ask(f.undo_outcome(booking_id=name), expected)

    @rule(pick=st.integers(0, 9), ms=st.sampled_from([-30_000, 0, 1]))
    def to_the_visit(self, pick: int, ms: int) -> None:
        """Time passes until a visit is about to begin, begins, or has begun."""
        visit = self.oracle.bookings.get(self.some_booking(pick))
        if visit is not None:
            self.now = Millis(max(self.now, visit.start * 60_000 + ms))

    @rule(
        start=starts,
        minutes=st.sampled_from([1, 30, 300]),
        aside=st.sampled_from([0, 3]),
    )
    def leave(self, start: int, minutes: int, aside: int) -> None:
        name = f.a_time_off_id(self.count)
        start = self.some_start("consult", start)
        start, end = start + aside, start + aside + minutes
        self.oracle.expire(self.now)
        self.oracle.away[name] = (start, end)
        affected = [
            (visit.start, booking)
            for booking, visit in self.oracle.bookings.items()
            if visit.status in ("booked", "arrived")
            and set(range(start, end))
            & set(range(visit.start, visit.start + self.length(booking)))
        ]
        command = f.add_time_off(1, start, end, time_off_id=name)
        self.ask(command, "")
        answer = self.calendar.state.answer(f"k{self.count}")
        assert isinstance(answer, TimeOffView)
        assert list(answer.affected) == [booking for _, booking in sorted(affected)]
        assert {view.hold_id for view in answer.holds} == {
            name
            for name, hold in self.oracle.holds.items()
            if hold.start < end and start < hold.start + hold.minutes
        }

    def length(self, booking: str) -> int:
        """The minutes of a booked visit; rules may have changed since."""
        view = views.booking(self.calendar.state, BookingId(booking))
        assert isinstance(view, BookingView)
        return view.end - view.start

    @rule(pick=st.integers(0, 3))
    def back_from_leave(self, pick: int) -> None:
        names = list(self.oracle.away)
        if names:
            name = names[pick % len(names)]
            self.oracle.expire(self.now)
            del self.oracle.away[name]
            command = f.remove_time_off(time_off_id=TimeOffId(name))
            self.ask(command, "")
            self.advance()  # as another read does

    @rule(choice=st.integers(0, 1))
    def rules_change(self, choice: int) -> None:
        self.oracle.expire(self.now)
        self.oracle.set_rules(RULES[choice])
        oracle = self.oracle
        visits = [name for _, name in oracle.upcoming(self.now)]
        bare = [n for n in visits if not oracle.is_covered(oracle.bookings[n])]
        held = {n for n, hold in oracle.holds.items() if not oracle.is_covered(hold)}
        effect = ReadEffect(f.PROVIDER, self.now, the_availability(RULES[choice]))
        tried = views.effect(self.calendar.state, effect)
        self.ask(f.set_availability(the_availability(RULES[choice])), "")
        answer = self.calendar.state.answer(f"k{self.count}")
        for said in (answer, tried if self.calendar.state.version > 2 else answer):
            assert isinstance(said, Affected)
            assert [view.booking_id for view in said.bookings] == bare
            assert {view.hold_id for view in said.holds} == held
        self.advance()

    # --- time, retries, crashes ---

    @rule(
        ms=st.sampled_from([1, 59_999, 60_000, 119_999, 120_000, 300_000, 1_800_000])
        | st.sampled_from([7_200_000, 6 * 3_600_000])
    )
    def tick(self, ms: int) -> None:
        self.now = Millis(self.now + ms)

    @rule()
    def expire(self) -> None:
        assert holds.are_due(self.calendar.state, self.now) == any(
            hold.expires <= self.now for hold in self.oracle.holds.values()
        )
        ended = self.oracle.expire(self.now)
        outcome = self.calendar.decide(f.expire_holds(), self.now)
        assert isinstance(outcome, tuple)
        assert len(outcome) == ended
        assert all(isinstance(event, HoldExpired) for event in outcome)
        self.ask(f.expire_holds(), "")

    @rule()
    def advance(self) -> None:
        self.oracle.expire(self.now)
        due = window.is_due(self.calendar.state, self.now)
        version = self.calendar.state.version
        self.ask(f.advance_window(), "")
        if due:
            assert self.calendar.state.version > version
            assert 0 <= self.calendar.state.window * 60_000 - self.now < 300_000
        # Whether or not an event was worth while, the view is that of now.
        self.oracle.window = self.now

    @rule()
    def to_the_first_slot(self) -> None:
        """Time passes until the soonest slots are about to go."""
        soonest = min((min(v) for v in self.shown.values() if v), default=0)
        self.now = Millis(max(self.now, soonest * 60_000 - 60_000))
        self.advance()

    @rule(pick=st.integers(0, 200))
    def retry(self, pick: int) -> None:
        keys = list(self.asked)
        command, answer = self.asked[keys[pick % len(keys)]]
        assert self.calendar.decide(command, self.now) == ()
        assert self.calendar.state.answer(command.key) == answer

    @rule(pick=st.integers(0, 200))
    def reuse_key(self, pick: int) -> None:
        keys = list(self.asked)
        command = f.book_slot(key=keys[pick % len(keys)], fingerprint=99)
        outcome = self.calendar.decide(command, self.now)
        assert isinstance(outcome, Refusal)
        assert outcome.code is RefusalCode.IDEMPOTENCY_KEY_REUSED

    @rule()
    def restart_from_snapshot(self) -> None:
        self.calendar = f.restored(self.calendar)
        self.epoch += 1

    @rule()
    def restart_from_journal(self) -> None:
        again = Calendar(CalendarState(f.PROVIDER, POLICY))
        for event, epoch in self.journal:
            apply(again.state, event, epoch)
        assert encode(again.state) == encode(self.calendar.state)
        assert (
            again.state.occupancy.next_expiry()
            == self.calendar.state.occupancy.next_expiry()
        )
        self.calendar = again
        self.epoch += 1

    def some_start(self, kind: str, pick: int) -> int:
        """Mostly one that is shown or that meets a visit, now and then any other."""
        visits = [*self.oracle.bookings.values(), *self.oracle.holds.values()]
        shown = [*self.shown.get(kind, {})][:6]
        choices: list[list[int]] = [
            shown,
            shown,
            [
                visit.start + near
                for visit in visits[-4:]
                for near in (-30, -20, 0, 20, 30)
            ],
            [*self.shown.get(kind, {})][-3:],
            [visit.start + near for visit in visits for near in (-45, -20, -10, 5, 15)],
            [*STARTS, FRIDAY + 481],
        ]
        among = choices[pick % len(choices)] or STARTS
        return among[pick // len(choices) % len(among)]

    def some_hold(self, pick: int) -> HoldId:
        names = [*self.oracle.holds, *self.oracle.holds, *self.oracle.expired]
        booked = [visit.hold for visit in self.oracle.bookings.values() if visit.hold]
        names += booked[-2:]
        names.append(f.a_hold_id(10**6))
        return HoldId(names[pick % len(names)])

    def some_booking(self, pick: int) -> BookingId:
        names = [*self.oracle.bookings, f.a_booking_id(10**6)]
        return BookingId(names[-1 - pick % len(names)])

    # --- what always holds ---

    @invariant()
    def watchers_see_the_truth(self) -> None:
        fresh = self.fresh()
        assert self.shown == fresh
        for kind in self.oracle.rules.kinds:
            expected = {
                start: state
                for start in STARTS
                if (state := self.oracle.state(kind, start))
            }
            seen = {s: x for s, x in fresh[kind].items() if s in STARTS_SET}
            assert seen == expected

    @invariant()
    def books_agree(self) -> None:
        for name, visit in self.oracle.bookings.items():
            view = views.booking(self.calendar.state, BookingId(name))
            assert isinstance(view, BookingView)
            found = (view.start, view.status.value, view.patient_id, view.visit_type)
            assert found == (visit.start, visit.status, visit.patient, visit.kind)
        for _, name in self.oracle.upcoming(self.now):
            view = views.booking(self.calendar.state, BookingId(name))
            assert isinstance(view, BookingView)
            ground = self.oracle.has_ground(self.oracle.bookings[name])
            assert (view.stranded == "") == ground
        for name, hold in self.oracle.holds.items():
            held = views.hold(self.calendar.state, HoldId(name))
            assert isinstance(held, HoldView)
            assert (held.stranded == "") == self.oracle.has_ground(hold)
            assert (held.expires, held.extended) == (
                hold.expires,
                hold.extensions > 0,
            )
        assert len(self.calendar.state.occupancy.holds) == len(self.oracle.holds)

    @invariant()
    def nobody_shares_time(self) -> None:
        seen: set[int] = set()
        blocking = self.oracle.blocking()
        for visit in (*blocking, *self.oracle.holds.values()):
            own = self.oracle.bookings.get(visit.moving or "")
            shared = own.busy if own in blocking else set()
            assert not seen & (visit.busy - shared)
            seen |= visit.busy

    @invariant()
    def next_free_is_the_first_free(self) -> None:
        found = f.next_start(self.calendar)
        states = [
            (start, state)
            for view in self.fresh().values()
            for start, state in view.items()
            if state == "f"
        ]
        assert found == min((start for start, _ in states), default=None)


CalendarMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, derandomize=True
)
test_random_days_at_a_practice = CalendarMachine.TestCase
