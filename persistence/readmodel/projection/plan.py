"""A batch of operations, merged into few statements with the same effect. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from persistence.readmodel.projection.operations import (
    AddClaims,
    AddHistory,
    AddOutbox,
    ChangeAppointment,
    DropClaims,
    Operation,
    Park,
    Poison,
    PutAppointment,
    PutClinic,
    PutProvider,
    PutVisitTypes,
    TakeBookings,
    changed,
    newer,
)


class ClaimPhase(Struct):
    """Releases, then claims, which may be executed as two statements."""

    drops: list[DropClaims] = []
    adds: list[AddClaims] = []


class Plan:
    """Operations of one batch, merged into few statements with the same effect.

    Rows of different tables do not touch each other, so only two orders matter.
    Changes of a booking are folded into its new row, or into one change. Claims keep
    the order within their provider: if a release and a claim of the same cell changed
    places, the detector would report a false collision or miss a real one. Claims of
    different providers share the same phases.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.clinics: dict[str, PutClinic] = {}
        self.providers: dict[str, PutProvider] = {}
        self.visit_types: dict[str, PutVisitTypes] = {}
        self.appointments: dict[str, PutAppointment] = {}
        self.changes: dict[str, ChangeAppointment] = {}
        self.claims: list[ClaimPhase] = []
        self.history: list[AddHistory] = []
        self.outbox: list[AddOutbox] = []
        self.parked: list[Park] = []
        self.taken: list[TakeBookings] = []
        self._phase_of: dict[str, int] = {}
        self._adding: set[str] = set()
        for operation in operations:
            _PLANNERS[type(operation)](self, operation)

    def _clinic(self, operation: PutClinic) -> None:
        known = self.clinics.get(operation.clinic.clinic_id)
        if known is None or newer(operation, known.at, known.provider_id):
            self.clinics[operation.clinic.clinic_id] = operation

    def _provider(self, operation: PutProvider) -> None:
        self.providers[operation.provider_id] = operation

    def _visit_types(self, operation: PutVisitTypes) -> None:
        self.visit_types[operation.provider_id] = operation

    def _appointment(self, operation: PutAppointment) -> None:
        if operation.booking_id in self.appointments:
            raise Poison(f"{operation.booking_id} is booked twice in one batch")
        self.appointments[operation.booking_id] = operation

    def _change(self, operation: ChangeAppointment) -> None:
        new = self.appointments.get(operation.booking_id)
        if new is not None:
            self.appointments[operation.booking_id] = changed(new, operation)
            return
        known = self.changes.get(operation.booking_id)
        if known is not None:
            merged = {**known.changes, **operation.changes}
            operation = msgspec.structs.replace(operation, changes=merged)
        self.changes[operation.booking_id] = operation

    def _add_claims(self, operation: AddClaims) -> None:
        provider = operation.provider_id
        self._adding.add(provider)
        self._phase(self._phase_of.get(provider, 0)).adds.append(operation)

    def _drop_claims(self, operation: DropClaims) -> None:
        provider = operation.provider_id
        if provider in self._adding:
            self._adding.discard(provider)
            self._phase_of[provider] = self._phase_of.get(provider, 0) + 1
        self._phase(self._phase_of.get(provider, 0)).drops.append(operation)

    def _phase(self, number: int) -> ClaimPhase:
        while len(self.claims) <= number:
            self.claims.append(ClaimPhase())
        return self.claims[number]

    def _history(self, operation: AddHistory) -> None:
        self.history.append(operation)

    def _outbox(self, operation: AddOutbox) -> None:
        self.outbox.append(operation)

    def _take(self, operation: TakeBookings) -> None:
        self.taken.append(operation)

    def _park(self, operation: Park) -> None:
        self.parked.append(operation)


_PLANNERS: dict[type, Callable[[Plan, Any], None]] = {
    PutClinic: Plan._clinic,
    PutProvider: Plan._provider,
    PutVisitTypes: Plan._visit_types,
    PutAppointment: Plan._appointment,
    ChangeAppointment: Plan._change,
    AddClaims: Plan._add_claims,
    DropClaims: Plan._drop_claims,
    AddHistory: Plan._history,
    AddOutbox: Plan._outbox,
    Park: Plan._park,
    TakeBookings: Plan._take,
}
