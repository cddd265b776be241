"""Recently changed bookings, so that patients read their own writes.

The read model is a moment behind. The calendars' latest answers are merged with its
rows, the newer version winning, so that patients see their own changes at once.
Bounded: the least recently active patients are forgotten first; by then the read model
has caught up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from actors.domain.ids import BookingId, PatientId
from actors.domain.messages.answers import BookingView

_PATIENTS_MAX: Final = 10_000
_BOOKINGS_MAX: Final = 64
"""Bookings remembered per patient."""


class RecentBookings:
    """The newest view of each recently changed booking, by patient."""

    def __init__(self) -> None:
        self._patients: OrderedDict[PatientId, OrderedDict[BookingId, BookingView]] = (
            OrderedDict()
        )

    def note(self, view: BookingView) -> None:
        """Note a calendar's answer; it replaces older views of the same booking."""
        mine = self._patients.setdefault(view.patient_id, OrderedDict())
        self._patients.move_to_end(view.patient_id)
        known = mine.get(view.booking_id)
        if known is not None and known.version > view.version:
            return
        mine[view.booking_id] = view
        mine.move_to_end(view.booking_id)
        if len(mine) > _BOOKINGS_MAX:
            mine.popitem(last=False)
        if len(self._patients) > _PATIENTS_MAX:
            self._patients.popitem(last=False)

    def of(self, patient_id: PatientId) -> Mapping[BookingId, BookingView]:
        """The patient's recent bookings, by id."""
        return self._patients.get(patient_id, {})

    def forget(self, view: BookingView) -> None:
        """Forget a view that the read model has reached."""
        mine = self._patients.get(view.patient_id)
        if mine is not None and mine.get(view.booking_id) is view:
            del mine[view.booking_id]
            if not mine:
                del self._patients[view.patient_id]
