"""The state of one provider's calendar: its fields, at rest, and as its users see it.

Rule: everything here is in the snapshot or follows from what is; memos aside. Only
effects.py changes it.
"""

from __future__ import annotations

from msgspec.structs import replace

from actors.domain.calendar.at_rest import FORMAT, FORMAT_LEFT, Departure, Kept
from actors.domain.calendar.holding.grouped import Groups, is_member
from actors.domain.calendar.lifecycle import LIVE
from actors.domain.calendar.occupancy import NEVER, Booking, Hold, Occupancy
from actors.domain.calendar.remembered import Remembered
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
from actors.domain.messages.answers import (
    Affected,
    Answer,
    BookingView,
    HoldView,
    TimeOffView,
)
from actors.domain.rules import (
    Availability,
    Group,
    Policy,
    Profile,
    TimeOff,
    Waiting,
)
from actors.domain.time.grid import CELL_MINUTES
from actors.domain.time.openings import Openings

LEAVE_MARK = "leave"
"""The mark of what a leave hits (stranding.py); the others are of the rules."""


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
        "groups",
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
        "waiting",
        "window",
    )

    def __init__(self, provider_id: ProviderId, policy: Policy) -> None:
        """An empty calendar at version 0, of a provider not yet registered."""
        assert policy.cell_minutes in CELL_MINUTES, f"cells of {CELL_MINUTES} minutes"
        self.provider_id, self.policy = provider_id, policy
        self.cell, self.epoch = policy.cell_minutes, 0  # the last that ``apply`` saw
        self.occupancy = Occupancy(policy.cell_minutes)
        self.version = self.rules_version = (
            0  # the second: the version at which the rules were set
        )
        self.registered = False
        self.profile: Profile | None = None
        self.availability: Availability | None = None
        self.time_off: dict[TimeOffId, TimeOff] = {}
        self.waiting: Waiting | None = None
        """What the waiting list waits for; None: nothing."""
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
        self.answers, self.groups = Remembered(policy), Groups(policy)
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

    def replace_with(self, kept: Kept) -> None:
        """Become the state that a snapshot holds, at the present epoch."""
        epoch = self.epoch
        CalendarState.__init__(self, self.provider_id, self.policy)
        self._take_over(kept)
        self.left = None
        self.epoch = epoch

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
            waiting=self.waiting,
            groups=self.groups.kept(),
        )

    def _take_over(self, kept: Kept) -> None:
        """Fill an empty state. What was before a snapshot cannot be traced."""
        self.version = kept.version
        self.epoch = kept.epoch
        self.profile = kept.profile
        self.registered = kept.profile is not None
        self.availability = kept.availability
        self.rules_version = kept.rules_version
        self.waiting = kept.waiting
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
            if hold.group is not None and not hold.offered:
                self._doubt(hold, hold.group)
        for booking in kept.bookings:
            occupancy.add_booking(booking)
        self.groups.restore(kept.groups)
        occupancy.trail_from = kept.version + 1

    def _doubt(self, hold: Hold, group: Group) -> None:
        """A stored hold without a deadline is a member's, and doubtful."""
        if is_member(group, self.provider_id):
            self.groups.doubtful[hold.hold_id] = group

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
    def is_resource(self) -> bool:
        """Whether the calendar is of a room or of equipment, and of no person."""
        return self.profile is not None and self.profile.resource is not None

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
        expires = hold.offered or hold.expires
        if expires == NEVER:  # a member's: doubtful since then
            expires = Millis(hold.placed + self.policy.hold_ms)
        return HoldView(
            self.provider_id,
            self.epoch,
            self.version,
            hold.hold_id,
            hold.patient_id,
            hold.visit_type,
            hold.start,
            hold.end,
            expires,
            hold.extended,
            hold.location_id,
            self.extensions_left(hold),
            hold.moving,
            hold.stranded,
            hold.reserved,
            hold.offers,
            hold.freed_by,
            hold.group,
        )

    def extensions_left(self, hold: Hold) -> int:
        """How often a hold may still be extended; 0 once its whole time is used."""
        if hold.reserved or hold.expires >= hold.placed + self.policy.hold_total_ms:
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
            booking.confidential,
            booking.group,
            booking.visit,
            booking.lane,
        )

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
                if hold.start < off.end and off.start < hold.end and hold.patient_id
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
            if hold.stranded not in ("", LEAVE_MARK) and hold.patient_id
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

    def mark_stranded(self, stranded: dict[str, str]) -> None:
        """Set or clear the marks of visits, by the id of a booking or hold."""
        for name, reason in stranded.items():
            visit = self.occupancy.bookings.get(
                BookingId(name)
            ) or self.occupancy.holds.get(HoldId(name))
            if visit is not None:  # a hold may have expired in the same batch
                visit.stranded = reason

    def rules_changed(self) -> None:
        """Drop what was derived from the rules."""
        self._openings = None
        self.quiet_until = self.window
