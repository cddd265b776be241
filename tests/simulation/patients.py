"""Patients: they hold, book, move and cancel, sometimes at cross purposes."""

from __future__ import annotations

from typing import Any

from actors.domain.ids import (
    BookingId,
    HoldId,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    hold_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import BookingStatus, BookingView, HoldView
from actors.domain.messages.reads import ReadBooking
from actors.domain.messages.refusals import Refusal
from tests.simulation.history import BookingRead, Operation
from tests.simulation.people import Person
from tests.simulation.region import GROUP, LONG, PAIR, SHORT

REUSED_MS = 10_000
"""Keys are reused while they are remembered for certain: see world.FORWARD_MS."""


class Patient(Person):
    """A patient who books and then changes their mind."""

    def __init__(
        self, *args: Any, providers: list[ProviderId], starts: list[int]
    ) -> None:
        super().__init__(*args)
        self.patient = PatientId(f"pat_{self.name}")
        self.providers = providers
        self.starts = starts
        self.holds: dict[HoldId, HoldView] = {}
        self.bookings: dict[BookingId, BookingView] = {}
        self.answered: list[Operation] = []
        self.is_crowded = False

    def told_of(self, offer: HoldView) -> None:
        """The waiting list offers a slot."""
        self.holds[offer.hold_id] = offer

    def wish(self) -> bool:
        rng = self.kernel.rng
        offers = [hold for hold in self.holds.values() if hold.offer]
        if offers and rng.random() < 0.8:
            return self._with_hold(rng.choice(offers))
        if self.holds and rng.random() < 0.6:
            return self._with_hold(rng.choice(list(self.holds.values())))
        if self.bookings and rng.random() < 0.5:
            return self._with_booking(rng.choice(list(self.bookings.values())))
        return self._take(rng.choice(self.providers))

    # --- what they want ------------------------------------------------------------

    def _take(self, provider: ProviderId) -> bool:
        rng = self.kernel.rng
        start = Minute(rng.choice(self.starts))
        visit_type = LONG if rng.random() < 0.25 else SHORT
        if self.is_crowded and rng.random() < 0.6:
            visit_type = rng.choice((GROUP, GROUP, PAIR))
        key = ""
        lately = self.kernel.now - REUSED_MS
        recent = [one for one in self.answered if one.invoked > lately]
        if recent and rng.random() < 0.08:
            # A key used for something else: refused, and the first answer stands.
            old = rng.choice(recent)
            provider, key = ProviderId(old.provider), old.key
        choice = rng.random()
        if choice < 0.45:
            return self._hold(provider, visit_type, start, key)
        if choice < 0.6:
            return self._book_many(provider, visit_type, key)
        return self._book(provider, visit_type, start, key)

    def _hold(
        self,
        provider: ProviderId,
        visit_type: VisitTypeId,
        start: Minute,
        key: str,
        moving: BookingId | None = None,
    ) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.PlaceHold(
                hold_id=hold_id(provider, token),
                patient_id=self.patient,
                visit_type=visit_type,
                start=start,
                moving=moving,
                **common,
            )

        content = (start, visit_type) if moving is None else (start, visit_type, moving)
        return self.want("hold", provider, content, build, key=key)

    def _book(
        self, provider: ProviderId, visit_type: VisitTypeId, start: Minute, key: str
    ) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.BookSlot(
                booking_id=booking_id(provider, token),
                patient_id=self.patient,
                visit_type=visit_type,
                start=start,
                **common,
            )

        return self.want("book", provider, (start, visit_type), build, key=key)

    def _book_many(
        self, provider: ProviderId, visit_type: VisitTypeId, key: str
    ) -> bool:
        rng = self.kernel.rng
        known = sorted(set(self.starts))
        wanted = sorted(rng.sample(known, min(len(known), rng.choice((1, 2, 2, 3)))))
        starts = tuple(Minute(start) for start in wanted)

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.BookMany(
                booking_ids=tuple(
                    booking_id(provider, f"{token}-{number}")
                    for number in range(len(starts))
                ),
                patient_id=self.patient,
                visit_type=visit_type,
                starts=starts,
                **common,
            )

        return self.want("book_many", provider, (starts, visit_type), build, key=key)

    def _with_hold(self, hold: HoldView) -> bool:
        choice = self.kernel.rng.random()
        if hold.moving in self.bookings and choice < 0.5:
            return self._move(self._to_move(hold), None, hold.hold_id)
        if choice < 0.5:
            return self._confirm(hold)
        if choice < 0.6:
            # Another visit type at the same time: it takes the place of the hold.
            other = LONG if hold.visit_type == SHORT else SHORT
            return self._book(hold.provider_id, other, hold.start, "")
        if choice < 0.75:
            return self._on_hold("extend", cm.ExtendHold, hold)
        if choice < 0.9 or not self.bookings:
            kind = "decline" if hold.offer else "release"
            return self._on_hold(kind, cm.ReleaseHold, hold)
        return self._move(self._to_move(hold), None, hold.hold_id)

    def _to_move(self, hold: HoldView) -> BookingView:
        """The visit that a hold was placed to move, or any other."""
        known = self.bookings.get(hold.moving) if hold.moving is not None else None
        return known or self._some_booking()

    def _confirm(self, hold: HoldView) -> bool:
        provider = hold.provider_id

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.ConfirmHold(
                hold_id=hold.hold_id,
                booking_id=booking_id(provider, token),
                owner=self.patient,
                **common,
            )

        return self.want("confirm", provider, (hold.hold_id,), build)

    def _on_hold(self, kind: str, command: Any, hold: HoldView) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            made: cm.Command = command(
                hold_id=hold.hold_id, owner=self.patient, **common
            )
            return made

        return self.want(kind, hold.provider_id, (hold.hold_id,), build)

    def _some_booking(self) -> BookingView:
        return self.kernel.rng.choice(list(self.bookings.values()))

    def _with_booking(self, booking: BookingView) -> bool:
        choice = self.kernel.rng.random()
        if choice < 0.4:
            return self._cancel(booking)
        if choice < 0.65:
            start = Minute(self.kernel.rng.choice(self.starts))
            return self._move(booking, start, None)
        if choice < 0.75:
            near = Minute(booking.start + self.kernel.rng.choice((-30, 0, 30)))
            kind, name = booking.visit_type, booking.booking_id
            return self._hold(booking.provider_id, kind, near, "", name)
        return self._look(booking.provider_id, booking.booking_id)

    def _cancel(self, booking: BookingView) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.CancelBooking(
                booking_id=booking.booking_id,
                owner=self.patient,
                reason="better",
                **common,
            )

        return self.want("cancel", booking.provider_id, (booking.booking_id,), build)

    def _move(
        self, booking: BookingView, start: Minute | None, hold: HoldId | None
    ) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.RescheduleBooking(
                booking_id=booking.booking_id,
                owner=self.patient,
                start=start,
                hold_id=hold,
                **common,
            )

        content = (booking.booking_id, start, hold)
        return self.want("move", booking.provider_id, content, build)

    def _look(self, provider: ProviderId, booking: BookingId) -> bool:
        invoked = self.kernel.now

        def answered(reply: Any) -> None:
            if reply is not None:
                self.history.reads.append(
                    BookingRead(provider, booking, invoked, self.kernel.now, reply)
                )
                self.kernel.note(self.name, "reads", booking, reply)

        self.desk.ask(ReadBooking(provider, booking), answered)
        self._soon()
        return True

    def has(self, booking: BookingView) -> None:
        """Staff booked a visit for the patient."""
        self.bookings[booking.booking_id] = booking

    # --- what they learn -----------------------------------------------------------

    def heard(self, operation: Operation) -> None:
        answer = operation.answer
        self.answered.append(operation)
        if operation.kind in ("confirm", "release", "decline"):
            self.holds.pop(HoldId(operation.subject), None)
        if isinstance(answer, Refusal):
            return
        if isinstance(answer, HoldView):
            self.holds[answer.hold_id] = answer
        elif isinstance(answer, BookingView):
            if answer.status is BookingStatus.BOOKED:
                self.bookings[answer.booking_id] = answer
            else:
                self.bookings.pop(answer.booking_id, None)
            if operation.kind in ("confirm", "book", "book_many", "cancel"):
                self._look(answer.provider_id, answer.booking_id)
