"""The state of one provider's calendar, and how events change it.

Rule 1: ``apply`` never refuses, and reads neither clock nor rules nor tzdata.
Rule 2: two holds never share a cell, nor do two blocking bookings, buffers included;
        ``apply`` relies on it when it gives cells back.
Rule 3: everything here is in the snapshot or follows from what is; memos aside.

One file because every event's effect must be read beside the state it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from actors.domain.calendar.at_rest import FORMAT, FORMAT_LEFT, Departure, Kept, unpack
from actors.domain.calendar.lifecycle import LIVE
from actors.domain.calendar.occupancy import Booking, Hold, Occupancy
from actors.domain.calendar.remembered import Remembered
from actors.domain.calendar.renewals import LatelyHeld
from actors.domain.ids import (
    BookingId,
    HoldId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    TimeOffId,
    VisitTypeId,
)
from actors.domain.messages import events as ev
from actors.domain.messages.answers import (
    Affected,
    Answer,
    BookingStatus,
    BookingView,
    Done,
    HoldView,
    TimeOffView,
)
from actors.domain.messages.refusals import Refusal, RefusalCode
from actors.domain.rules import Availability, Policy, Profile, TimeOff
from actors.domain.time.grid import CELL_MINUTES, PAGE_MINUTES
from actors.domain.time.openings import Openings

EXPIRED_MAX = 512
"""How many expired holds are remembered, so that their owners are answered
``hold_expired`` and not ``hold_not_found``: the last quarter of an hour of a busy
calendar."""

LEAVE_MARK = "leave"
"""The mark of what a leave hits (stranding.py); the others are of the rules."""

KEPT_DAYS = 400
"""Bookings that ended longer ago are forgotten (the read model keeps them)."""

USUAL_PAUSE_DAYS = 35
"""A window that advances by more in one go may follow a wrong clock."""

ADVANCES_MAX = 8
"""Bound on remembered advances of the window: a batch has one."""


class CalendarState:
    """One provider's profile, rules, holds and bookings, at a version."""

    __slots__ = (
        "_openings",
        "advances",
        "answers",
        "availability",
        "cell",
        "clinic_moved",
        "epoch",
        "expired",
        "free_memo",
        "fresh",
        "left",
        "occupancy",
        "passed",
        "policy",
        "profile",
        "provider_id",
        "quiet_until",
        "registered",
        "rules_version",
        "time_off",
        "version",
        "window",
    )

    def __init__(self, provider_id: ProviderId, policy: Policy) -> None:
        """An empty calendar at version 0, of a provider not yet registered."""
        assert policy.cell_minutes in CELL_MINUTES, f"cells of {CELL_MINUTES} minutes"
        self.provider_id, self.policy = provider_id, policy
        self.cell = policy.cell_minutes
        self.occupancy = Occupancy(policy.cell_minutes)
        self.version = self.rules_version = (
            0  # the second: the version at which the rules were set
        )
        self.epoch = 0  # the last that ``apply`` saw
        self.registered = False
        self.profile: Profile | None = None
        self.availability: Availability | None = None
        self.time_off: dict[TimeOffId, TimeOff] = {}
        self.window = Minute(0)
        """``until`` of the last WindowAdvanced."""
        self.passed = Minute(0)
        """A lower bound of the present: the window, or less after a jump, then a day
        more with each advance. Old visits are dropped by it."""
        self.fresh = False
        """Rules were set after the window's last advance."""
        self.left: Departure | None = None
        """The shard the calendar moved to; its state stays, so that a move can be
        repeated."""
        self.answers = Remembered(policy)
        self.expired: dict[HoldId, PatientId] = {}
        # What the last batch changed, for delta.py:
        self.advances: dict[int, Minute] = {}
        """Version of an advance, window before it."""
        self.clinic_moved = 0
        """The version at which clinic, zone or retirement last changed."""
        # Caches, which change no answer:
        self._openings: Openings | None = None
        self.quiet_until = Minute(0)
        """Advancing the window as far as this would show nothing new."""
        self.free_memo: tuple[int, dict[VisitTypeId, Minute]] | None = None

    # --- at rest ---------------------------------------------------------------

    @classmethod
    def restored_from(cls, kept: Kept, policy: Policy) -> CalendarState:
        """The state that a snapshot holds; ``policy`` as when it was taken."""
        state = cls(kept.provider_id, policy)
        state._take_over(kept)
        return state

    def kept(self) -> Kept:
        """What a snapshot holds of this state, where the calendar went included.

        Must be encoded at once: it shares its dicts with the state.
        """
        return Kept(
            FORMAT if self.left is None else FORMAT_LEFT,
            self.provider_id,
            self.version,
            self.epoch,
            self.profile,
            self.availability,
            list(self.time_off.values()),
            list(self.occupancy.holds.values()),
            list(self.occupancy.bookings.values()),
            self.window,
            self.fresh,
            self.expired,
            self.answers.entries,
            left=self.left,
            passed=Minute(0) if self.passed == self.window else self.passed,
            lately_held=self.occupancy.renewals.entries,
            rules_version=self.rules_version,
        )

    def _take_over(self, kept: Kept) -> None:
        """Fill an empty state. What was before a snapshot cannot be traced."""
        self.version = kept.version
        self.epoch = kept.epoch
        self.profile = kept.profile
        self.registered = kept.profile is not None
        self.availability = kept.availability
        self.rules_version = kept.rules_version
        self.time_off = {off.time_off_id: off for off in kept.time_off}
        self.window = self.quiet_until = kept.window
        self.passed = kept.passed or kept.window
        self.fresh = kept.fresh
        self.left = kept.left
        self.expired = kept.expired
        self.answers.restore(kept.answers)
        occupancy = self.occupancy
        occupancy.renewals.entries = kept.lately_held
        for hold in kept.holds:
            if not hold.placed:  # stored by a version that did not count extensions
                hold.extensions = int(hold.extended)
                lasts = self.policy.hold_ms * (1 + hold.extensions)
                hold.placed = Millis(hold.expires - lasts)
            occupancy.add_hold(hold)
        for booking in kept.bookings:
            occupancy.add_booking(booking)
        occupancy.trail_from = kept.version + 1

    # --- views of one object ---------------------------------------------------

    @property
    def retired(self) -> bool:
        """Whether the provider is retired."""
        return self.profile is not None and self.profile.retired

    @property
    def suspended(self) -> bool:
        """Whether the provider is suspended; then holds cannot be booked either."""
        return self.profile is not None and self.profile.suspended

    @property
    def openings(self) -> Openings:
        """The rules and leaves, ready to expand."""
        if self._openings is None:
            rules = self.availability or Availability()
            if self.retired or self.suspended:  # nothing is offered
                rules = replace(rules, locations=())
            self._openings = Openings(rules, self.time_off.values(), self.cell)
        return self._openings

    def answer(self, key: str) -> Answer | None:
        """The remembered answer of a key, or None."""
        known = self.answers.entries.get(key)
        return known[2] if known is not None else None

    def hold_view(self, hold: Hold) -> HoldView:
        """A hold as its owner sees it now."""
        return HoldView(
            self.provider_id,
            self.epoch,
            self.version,
            hold.hold_id,
            hold.patient_id,
            hold.visit_type,
            hold.start,
            hold.end,
            hold.expires,
            hold.extended,
            hold.location_id,
            self.extensions_left(hold),
            hold.moving,
            hold.stranded,
        )

    def extensions_left(self, hold: Hold) -> int:
        """How often a hold may still be extended; 0 once its whole time is used."""
        if hold.expires >= hold.placed + self.policy.hold_total_ms:
            return 0
        return max(0, self.policy.hold_extensions - hold.extensions)

    def booking_view(self, booking: Booking) -> BookingView:
        """A booking as its patient sees it now."""
        return BookingView(
            self.provider_id,
            self.epoch,
            self.version,
            booking.booking_id,
            booking.status,
            booking.patient_id,
            booking.visit_type,
            booking.start,
            booking.end,
            booking.location_id,
            booking.booked_at,
            booking.reason,
            booking.cancel_reason,
            booking.stranded,
        )

    # --- apply -----------------------------------------------------------------

    def apply(self, event: ev.Event, epoch: int) -> None:
        """Apply an event. Cannot fail.

        ``epoch`` is the ownership under which it was journaled; answers repeat it.
        """
        self.epoch = epoch
        applier = _APPLIERS.get(type(event))
        if applier is None:
            _UNCOUNTED[type(event)](self, event)
            return
        assert event.version == self.version + 1, "an event is missing"
        self.version = event.version
        outcome = applier(self, event)
        if event.key:
            answer = self._answer_of(outcome, event.at)
            self.answers.put(event.key, (event.fingerprint, event.at, answer))

    def _answer_of(
        self, outcome: Hold | Booking | TimeOff | Availability | None, at: Millis
    ) -> Answer:
        if outcome is None:
            return Done(self.provider_id, self.epoch, self.version)
        if type(outcome) is Booking:
            return self.booking_view(outcome)
        if type(outcome) is Hold:
            return self.hold_view(outcome)
        if type(outcome) is TimeOff:
            return self.time_off_view(outcome)
        return self.rules_view(at)

    def time_off_view(self, off: TimeOff) -> TimeOffView:
        """A leave, and the live bookings it hits, as they are now."""
        hit = [
            self.booking_view(booking)
            for booking in self.occupancy.bookings_over(off.start, off.end)
            if booking.status in LIVE
        ]
        holds = self.occupancy.holds.values()
        return TimeOffView(
            self.provider_id,
            self.epoch,
            self.version,
            off,
            tuple(view.booking_id for view in hit),
            tuple(hit),
            tuple(
                self.hold_view(hold)
                for hold in sorted(holds, key=lambda hold: hold.start)
                if hold.start < off.end and off.start < hold.end
            ),
        )

    def rules_view(self, at: Millis) -> Affected:
        """The upcoming visits and the holds that the rules do not cover."""
        bookings = [
            booking
            for booking in self.occupancy.bookings.values()
            if booking.stranded not in ("", LEAVE_MARK) and booking.end * 60_000 > at
        ]
        holds = [
            hold
            for hold in self.occupancy.holds.values()
            if hold.stranded not in ("", LEAVE_MARK)
        ]
        bookings.sort(key=lambda booking: (booking.start, booking.booking_id))
        holds.sort(key=lambda hold: (hold.start, hold.hold_id))
        return Affected(
            self.provider_id,
            self.epoch,
            self.version,
            tuple(self.booking_view(booking) for booking in bookings),
            tuple(self.hold_view(hold) for hold in holds),
        )

    def _on_refused(self, event: ev.RefusalRecorded) -> None:
        refusal = Refusal(RefusalCode(event.code), event.detail, event.about)
        self.answers.put(event.key, (event.fingerprint, event.at, refusal))

    def _on_clock(self, _event: ev.ClockTrusted) -> None:
        self.quiet_until = self.window

    def _on_moved_out(self, event: ev.CalendarMovedOut) -> None:
        assert event.version == self.version, "an event is missing"
        self.left = Departure(event.to_shard, event.seq, self.epoch)

    def _on_moved_in(self, event: ev.CalendarMovedIn) -> None:
        """Replace the whole state: after a return the state kept here is older."""
        assert event.version >= self.version, "a calendar never goes back"
        epoch = self.epoch
        CalendarState.__init__(self, self.provider_id, self.policy)
        self._take_over(unpack(event.state)[0])
        self.left = None
        self.epoch = epoch

    def _rules_changed(self) -> None:
        self._openings = None
        self.quiet_until = self.window

    def _on_registered(self, event: ev.ProviderRegistered) -> None:
        clinic = event.profile.clinic
        if self.profile is not None:
            was = self.profile.clinic
            # Another zone shows other days; another clinic has other readers.
            if (was.time_zone, was.clinic_id) != (clinic.time_zone, clinic.clinic_id):
                self.clinic_moved = event.version
            if self._closing(self.profile) != self._closing(event.profile):
                self.clinic_moved = event.version
                self._rules_changed()
        self.profile = event.profile
        self.registered = True

    @staticmethod
    def _closing(profile: Profile) -> tuple[bool, bool]:
        return profile.retired, profile.suspended

    def _on_availability(self, event: ev.AvailabilitySet) -> Availability:
        self.availability = event.availability
        self.rules_version = event.version
        self.fresh = True
        self._rules_changed()
        self._mark(event.stranded)
        return event.availability

    def _mark(self, stranded: dict[str, str]) -> None:
        for name, reason in stranded.items():
            visit = self.occupancy.bookings.get(
                BookingId(name)
            ) or self.occupancy.holds.get(HoldId(name))
            if visit is not None:  # a hold may have expired in the same batch
                visit.stranded = reason

    def _on_time_off(self, event: ev.TimeOffAdded) -> TimeOff:
        self.time_off[event.time_off.time_off_id] = event.time_off
        self._rules_changed()
        self._mark(event.stranded)
        return event.time_off

    def _on_time_on(self, event: ev.TimeOffRemoved) -> None:
        self.time_off.pop(event.time_off_id, None)
        self._rules_changed()
        self._mark(event.stranded)

    def _on_held(self, event: ev.HoldPlaced) -> Hold:
        occupancy = self.occupancy
        hold = Hold(
            event.hold_id,
            event.patient_id,
            event.visit_type,
            event.start,
            event.end,
            event.busy_start,
            event.busy_end,
            event.expires,
            event.location_id,
            placed=event.at,
            moving=event.moving,
        )
        occupancy.add_hold(hold)
        held = LatelyHeld(event.at, hold.busy_start, hold.busy_end)
        occupancy.renewals.note(hold.patient_id, held)
        occupancy.mark(event.version, hold.busy_start, hold.busy_end)
        return hold

    def _on_extended(self, event: ev.HoldExtended) -> Hold:
        hold = self.occupancy.holds[event.hold_id]
        hold.expires = event.expires
        hold.extended = True
        hold.extensions += 1
        self.occupancy.wait_for(hold)
        self.occupancy.wait()
        return hold

    def _on_released(self, event: ev.HoldReleased) -> None:
        self.occupancy.end_hold(event.hold_id, event.version)

    def _on_expired(self, event: ev.HoldExpired) -> None:
        hold = self.occupancy.end_hold(event.hold_id, event.version)
        expired = self.expired
        expired[hold.hold_id] = hold.patient_id
        if len(expired) > EXPIRED_MAX:
            for hold_id in list(expired)[: EXPIRED_MAX // 4]:
                del expired[hold_id]

    def _on_booked(self, event: ev.SlotBooked) -> Booking:
        occupancy = self.occupancy
        if event.hold_id is not None:
            occupancy.end_hold(event.hold_id, event.version)
        booking = Booking(
            event.booking_id,
            event.patient_id,
            event.visit_type,
            event.start,
            event.end,
            event.busy_start,
            event.busy_end,
            event.location_id,
            event.at,
            event.reason,
            hold_id=event.hold_id,
        )
        occupancy.add_booking(booking)
        occupancy.renewals.booked(
            booking.patient_id, booking.busy_start, booking.busy_end
        )
        occupancy.mark(event.version, booking.busy_start, booking.busy_end)
        return booking

    def _on_cancelled(self, event: ev.BookingCancelled) -> Booking:
        occupancy = self.occupancy
        booking = occupancy.bookings[event.booking_id]
        occupancy.free(booking)
        booking.status = BookingStatus.CANCELLED
        booking.cancel_reason = event.reason
        booking.past = ()
        booking.stranded = ""
        occupancy.mark(event.version, booking.busy_start, booking.busy_end)
        return booking

    def _on_moved(self, event: ev.BookingRescheduled) -> Booking:
        occupancy = self.occupancy
        booking = occupancy.bookings[event.booking_id]
        if event.hold_id is not None:
            occupancy.end_hold(event.hold_id, event.version)
            booking.hold_id = event.hold_id
        occupancy.remove_booking(booking)
        occupancy.mark(event.version, booking.busy_start, booking.busy_end)
        booking.stranded = ""
        booking.visit_type = event.visit_type
        booking.start = event.start
        booking.end = event.end
        booking.busy_start = event.busy_start
        booking.busy_end = event.busy_end
        booking.location_id = event.location_id
        occupancy.add_booking(booking)
        occupancy.mark(event.version, booking.busy_start, booking.busy_end)
        occupancy.renewals.booked(
            booking.patient_id, booking.busy_start, booking.busy_end
        )
        return booking

    def _on_arrived(self, event: ev.PatientArrived) -> Booking:
        return self._set_status(event, BookingStatus.ARRIVED)

    def _on_fulfilled(self, event: ev.VisitCompleted) -> Booking:
        return self._set_status(event, BookingStatus.FULFILLED)

    def _on_noshow(self, event: ev.NoShowMarked) -> Booking:
        return self._set_status(event, BookingStatus.NOSHOW)

    def _set_status(self, event: ev.Outcome, status: BookingStatus) -> Booking:
        booking = self.occupancy.bookings[event.booking_id]
        booking.past = (*booking.past, (booking.status, event.at))
        booking.status = status
        if status not in LIVE:
            booking.stranded = ""
        return booking

    def _on_undone(self, event: ev.OutcomeUndone) -> Booking:
        booking = self.occupancy.bookings[event.booking_id]
        booking.past = booking.past[:-1]
        booking.status = event.status
        return booking

    def _on_window(self, event: ev.WindowAdvanced) -> None:
        self.advances[event.version] = self.window
        if len(self.advances) > ADVANCES_MAX:
            del self.advances[next(iter(self.advances))]
        self.window = self.quiet_until = event.until
        self.fresh = False
        # A window that was advanced by a wrong clock must not cause bookings to be
        # dropped.
        ahead = event.until - self.passed
        if self.passed and ahead > USUAL_PAUSE_DAYS * 24 * 60:
            self.passed = Minute(self.passed + 24 * 60)
        else:
            self.passed = event.until
        self._forget(Minute(self.passed - KEPT_DAYS * 24 * 60))

    def _forget(self, before: Minute) -> None:
        """Drop whole weeks of bookings, and leaves, that ended before."""
        old = [
            page
            for page in self.occupancy.starting
            if (page + 1) * PAGE_MINUTES + 24 * 60 <= before
        ]
        for page in old:
            for booking_id in list(self.occupancy.starting[page]):
                self.occupancy.remove_booking(self.occupancy.bookings[booking_id])
        ended = [off.time_off_id for off in self.time_off.values() if off.end <= before]
        for time_off_id in ended:
            del self.time_off[time_off_id]


_APPLIERS: dict[type, Callable[[CalendarState, Any], Any]] = {
    ev.ProviderRegistered: CalendarState._on_registered,
    ev.AvailabilitySet: CalendarState._on_availability,
    ev.TimeOffAdded: CalendarState._on_time_off,
    ev.TimeOffRemoved: CalendarState._on_time_on,
    ev.HoldPlaced: CalendarState._on_held,
    ev.HoldExtended: CalendarState._on_extended,
    ev.HoldReleased: CalendarState._on_released,
    ev.HoldExpired: CalendarState._on_expired,
    ev.SlotBooked: CalendarState._on_booked,
    ev.BookingCancelled: CalendarState._on_cancelled,
    ev.BookingRescheduled: CalendarState._on_moved,
    ev.PatientArrived: CalendarState._on_arrived,
    ev.VisitCompleted: CalendarState._on_fulfilled,
    ev.NoShowMarked: CalendarState._on_noshow,
    ev.OutcomeUndone: CalendarState._on_undone,
    ev.WindowAdvanced: CalendarState._on_window,
}

_UNCOUNTED: dict[type, Callable[[CalendarState, Any], None]] = {
    ev.RefusalRecorded: CalendarState._on_refused,
    ev.ClockTrusted: CalendarState._on_clock,
    ev.CalendarMovedOut: CalendarState._on_moved_out,
    ev.CalendarMovedIn: CalendarState._on_moved_in,
}
"""Events that change nothing visible and do not raise the version."""
