"""A patient's own bookings: pages of the read model under the latest answers.

A page covers a stretch of the order (start, then id). Recent bookings are laid over
the stretch where they belong now, and the read model's older rows of the same bookings
are left out wherever they are: each booking is shown once, at its newest.

A cursor is ``[start, id, inner]``: what was shown last, and the read model's own cursor
of the page that is being shown.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from actors.domain.answers import BookingStatus, BookingView
from actors.domain.ids import Minute, PatientId
from actors.readmodel import BookingHistory
from gateway.bookings.recent import RecentBookings
from gateway.bookings.schemas import BookingList, booking_body
from gateway.errors import FieldError, InvalidRequest

Place = tuple[int, str]
_BEFORE_ALL: Final[Place] = (-1, "")
_AFTER_ALL: Final[Place] = (1 << 62, "")
_CURSOR: Final = msgspec.json.Decoder(tuple[int, str, str])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the patient's bookings; bounds are half-open."""

    first: Minute | None = None
    last: Minute | None = None
    status: BookingStatus | None = None

    def includes(self, view: BookingView) -> bool:
        """Whether this booking is one of them."""
        return (
            (self.first is None or view.start >= self.first)
            and (self.last is None or view.start < self.last)
            and (self.status is None or view.status is self.status)
        )


class Bookings:
    """Lists bookings of one patient at a time."""

    def __init__(self, history: BookingHistory, recent: RecentBookings) -> None:
        self._history = history
        self._recent = recent

    async def page(
        self, patient_id: PatientId, wanted: Wanted, cursor: str, limit: int
    ) -> BookingList:
        """A page of at most ``limit``.

        Raises:
            InvalidRequest: the cursor is not ours.
        """
        lower, inner = _read_cursor(cursor)
        newer = await self._ahead_of_rows(patient_id)
        while True:
            rows, after = await self._rows(patient_id, wanted, inner, limit)
            upper = _place(rows[-1]) if after is not None and rows else _AFTER_ALL
            views = {row.booking_id: row for row in rows}
            for view in newer:
                row = views.get(view.booking_id)
                if row is None or row.version < view.version:
                    views[view.booking_id] = view
            shown = sorted(
                (
                    view
                    for view in views.values()
                    if lower < _place(view) <= upper and wanted.includes(view)
                ),
                key=_place,
            )
            if len(shown) > limit:
                del shown[limit:]
                return _list(shown, _cursor(_place(shown[-1]), inner))
            if after is None:
                return _list(shown, None)
            if shown:
                return _list(shown, _cursor(upper, after))
            lower, inner = upper, after

    async def _rows(
        self, patient_id: PatientId, wanted: Wanted, inner: str, limit: int
    ) -> tuple[Sequence[BookingView], str | None]:
        try:
            return await self._history.of_patient(
                patient_id,
                first=wanted.first,
                last=wanted.last,
                status=wanted.status,
                after=inner,
                limit=limit,
            )
        except ValueError:
            raise _bad_cursor() from None

    async def _ahead_of_rows(self, patient_id: PatientId) -> list[BookingView]:
        """Recent views that the read model has not reached; the others are let go."""
        ahead = []
        for view in list(self._recent.of(patient_id).values()):
            row = await self._history.booking(view.booking_id)
            if row is not None and row.version >= view.version:
                self._recent.forget(view)
            else:
                ahead.append(view)
        return ahead


def _place(view: BookingView) -> Place:
    return view.start, view.booking_id


def _list(views: Sequence[BookingView], cursor: str | None) -> BookingList:
    return BookingList([booking_body(view) for view in views], cursor)


def _cursor(lower: Place, inner: str) -> str:
    written = msgspec.json.encode((*lower, inner))
    return urlsafe_b64encode(written).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[Place, str]:
    if not cursor:
        return _BEFORE_ALL, ""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        start, booking_id, inner = _CURSOR.decode(raw)
    except (ValueError, msgspec.MsgspecError):
        raise _bad_cursor() from None
    return (start, booking_id), inner


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest("", FieldError("cursor", "is not one that we gave"))
