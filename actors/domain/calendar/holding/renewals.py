"""Times that a patient has held recently without booking them.

Holding the same time again and again keeps it from others as a booking would. The
record is derived from events alone, so a replay yields the same.
"""

from __future__ import annotations

from msgspec import Struct

from actors.domain.ids import Millis, Minute, PatientId

HOUR_MS = 3_600_000
HELD_PER_PATIENT_MAX = 16
PATIENTS_MAX = 4_096
"""Patients whose last hold is the oldest are forgotten first."""


class LatelyHeld(Struct, frozen=True, array_like=True, gc=False):
    """A hold was placed at ``at`` on the time from ``first`` to ``last``."""

    at: Millis
    first: Minute
    last: Minute


Entries = dict[PatientId, tuple[LatelyHeld, ...]]


class Renewals:
    """The holds of the last hour, by patient; the latest to hold are at the end."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: Entries = {}

    def count(
        self, patient_id: PatientId, now: Millis, first: Minute, last: Minute
    ) -> int:
        """How often the patient has held a time that meets this one."""
        return sum(
            held.at > now - HOUR_MS and held.first < last and first < held.last
            for held in self.entries.get(patient_id, ())
        )

    def note(self, patient_id: PatientId, held: LatelyHeld) -> None:
        """A hold was placed."""
        since = held.at - HOUR_MS
        entries = self.entries
        before = entries.pop(patient_id, None)  # and in again, at the end
        if before is None:
            entries[patient_id] = (held,)
        else:
            lately = [one for one in before if one.at > since]
            entries[patient_id] = (*lately[-HELD_PER_PATIENT_MAX + 1 :], held)
        while entries:
            oldest = next(iter(entries))
            if entries[oldest][-1].at > since and len(entries) <= PATIENTS_MAX:
                return
            del entries[oldest]

    def booked(self, patient_id: PatientId, first: Minute, last: Minute) -> None:
        """The patient has booked this time: its holds no longer count."""
        mine = self.entries.get(patient_id)
        if mine is None:
            return
        left = tuple(held for held in mine if held.last <= first or last <= held.first)
        if left:
            self.entries[patient_id] = left
        else:
            del self.entries[patient_id]
