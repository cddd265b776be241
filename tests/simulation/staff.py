"""Staff: opening rules, leave, the front desk; and the site's first registration."""

from __future__ import annotations

from typing import Any

from actors.domain.ids import (
    BookingId,
    Minute,
    ProviderId,
    TimeOffId,
    booking_id,
    time_off_id,
)
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import BookingView, TimeOffView
from tests.simulation.history import OK, Operation
from tests.simulation.patients import Patient
from tests.simulation.people import Person
from tests.simulation.region import CROWDED, GROUP, LONG, SHORT, profile, rules


class Registrar(Person):
    """Registers a provider with rules, then opens the doors to patients."""

    provider: ProviderId
    zone: str
    variant = 0

    def wish(self) -> bool:
        if self.made == 0:

            def register(token: str, common: dict[str, Any]) -> cm.Command:
                return cm.RegisterProvider(
                    profile=profile(self.provider, self.zone), **common
                )

            return self.want("register", self.provider, ("profile",), register)
        return _set_rules(self, self.provider, self.zone, self.variant)


class Staff(Person):
    """Works at the front desk of some providers."""

    def __init__(
        self, *args: Any, providers: list[ProviderId], starts: list[int], zone: str
    ) -> None:
        super().__init__(*args)
        self.providers = providers
        self.starts = starts
        self.zone = zone
        self.leaves: dict[TimeOffId, ProviderId] = {}
        self.crowd: list[Patient] = []
        """Whose visits are booked at times that are taken; none in most worlds."""

    def wish(self) -> bool:
        rng = self.kernel.rng
        choice = rng.random()
        provider = rng.choice(self.providers)
        if self.crowd and rng.random() < 0.5:
            return self._overbook(provider)
        if choice < 0.2:
            variant = rng.randrange(8) + (CROWDED if self.crowd else 0)
            return _set_rules(self, provider, self.zone, variant)
        if choice < 0.4:
            return self._leave(provider)
        if choice < 0.55 and self.leaves:
            return self._back(rng.choice(list(self.leaves)))
        return self._with_visit()

    def _leave(self, provider: ProviderId) -> bool:
        rng = self.kernel.rng
        start = Minute(rng.choice(self.starts))
        end = Minute(start + rng.choice((30, 60, 120)))

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.AddTimeOff(
                time_off_id=time_off_id(provider, token),
                start=start,
                end=end,
                **common,
            )

        return self.want("leave", provider, (start, end), build)

    def _back(self, leave: TimeOffId) -> bool:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.RemoveTimeOff(time_off_id=leave, **common)

        return self.want("back", self.leaves.pop(leave), (leave,), build)

    def _overbook(self, provider: ProviderId) -> bool:
        rng = self.kernel.rng
        patient = rng.choice(self.crowd).patient
        start = Minute(rng.choice(self.starts))
        kind = rng.choice((SHORT, SHORT, LONG, GROUP))

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.BookSlot(
                booking_id=booking_id(provider, token),
                patient_id=patient,
                visit_type=kind,
                start=start,
                reason="acute",
                by_staff=True,
                overbook=True,
                **common,
            )

        return self.want("overbook", provider, (start, kind, patient), build)

    def _with_visit(self) -> bool:
        booked = [
            operation
            for operation in self.history.operations
            if operation.kind in ("book", "confirm", "overbook")
            and operation.outcome == OK
        ]
        if not booked:
            return False
        chosen = self.kernel.rng.choice(booked)
        booking: BookingId = chosen.answer.booking_id
        kind, make = self.kernel.rng.choice(_OUTCOMES)

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            made: cm.Command = make(booking, common)
            return made

        return self.want(kind, chosen.provider, (booking,), build)

    def heard(self, operation: Operation) -> None:
        if isinstance(operation.answer, TimeOffView):
            leave = operation.answer.time_off.time_off_id
            self.leaves[leave] = ProviderId(operation.provider)
        if operation.kind == "overbook" and isinstance(operation.answer, BookingView):
            for patient in self.crowd:
                if patient.patient == operation.answer.patient_id:
                    patient.has(operation.answer)


_OUTCOMES: tuple[tuple[str, Any], ...] = (
    ("check_in", lambda booking, common: cm.CheckIn(booking_id=booking, **common)),
    (
        "complete",
        lambda booking, common: cm.CompleteVisit(booking_id=booking, **common),
    ),
    (
        "complete",
        lambda booking, common: cm.CompleteVisit(
            booking_id=booking, without_check_in=True, **common
        ),
    ),
    ("no_show", lambda booking, common: cm.MarkNoShow(booking_id=booking, **common)),
    ("undo", lambda booking, common: cm.UndoOutcome(booking_id=booking, **common)),
    (
        "confidential",
        lambda booking, common: cm.SetConfidential(
            booking_id=booking, owner=None, confidential=True, **common
        ),
    ),
    (
        "call_off",
        lambda booking, common: cm.CancelBooking(
            booking_id=booking, owner=None, reason="ill", **common
        ),
    ),
)


def _set_rules(person: Person, provider: ProviderId, zone: str, variant: int) -> bool:
    def build(token: str, common: dict[str, Any]) -> cm.Command:
        return cm.SetAvailability(availability=rules(zone, variant), **common)

    return person.want("rules", provider, (variant,), build)
