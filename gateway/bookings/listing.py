"""A patient's own bookings: pages of the read model under the latest answers.

A page covers a stretch of the order (start, then id). Recent bookings are laid over
the stretch where they belong now, and the read model's older rows of the same bookings
are left out wherever they are: each booking is shown once, at its newest.

A cursor is ``[start, id, inner]``: what was shown last, and the read model's own cursor
of the page that is being shown.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from actors.domain.ids import Millis, Minute, PatientId, ProviderId
from actors.domain.messages.answers import BookingStatus, BookingView
from care.readmodel import BookingHistory
from gateway.access.tokens import Caller
from gateway.bookings.names import PatientNames
from gateway.bookings.schemas import BookingList, named_booking_body
from gateway.calendars.recent import RecentBookings
from gateway.wire.errors import FieldError, InvalidRequest
from gateway.wire.formats import bound_minute, today

Place = tuple[int, str]
_BEFORE_ALL: Final[Place] = (-1, "")
_AFTER_ALL: Final[Place] = (1 << 62, "")
_CURSOR: Final = msgspec.json.Decoder(tuple[int, str, str])


_AHEAD: Final = 14 * 60
"""The largest offset ahead of UTC, in minutes (Kiritimati)."""
_BEHIND: Final = 12 * 60
"""The largest offset behind UTC, in minutes."""

ZoneOf = Callable[[ProviderId], Awaitable[str]]
"""The time zone of a provider's clinic."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filter of the patient's bookings.

    Bounds are half-open: instants, or dates on the calendar of each booking's clinic.
    """

    first: str | Minute | None = None
    last: str | Minute | None = None
    status: BookingStatus | None = None

    @property
    def earliest(self) -> Minute | None:
        """No wanted booking starts before this."""
        if isinstance(self.first, str):
            return Minute(bound_minute(self.first) - _AHEAD)
        return self.first

    @property
    def latest(self) -> Minute | None:
        """Every wanted booking starts before this."""
        if isinstance(self.last, str):
            return Minute(bound_minute(self.last) + _BEHIND)
        return self.last


class Bookings:
    """Lists bookings of one patient at a time."""

    def __init__(
        self,
        history: BookingHistory,
        recent: RecentBookings,
        zone_of: ZoneOf,
        names: PatientNames | None = None,
    ) -> None:
        self._names = names or PatientNames(None)
        self._history = history
        self._recent = recent
        self._zone_of = zone_of

    async def page(
        self, caller: Caller, wanted: Wanted, cursor: str, limit: int
    ) -> BookingList:
        """A page of at most ``limit`` bookings of the patient whom the caller is.

        Raises:
            InvalidRequest: the cursor is not ours.
            Unavailable: a clinic's zone decides, and its calendar does not answer.
        """
        assert caller.patient_id is not None, "only patients have bookings of their own"
        views, following = await self._page(caller, wanted, cursor, limit)
        names = await self._names.of(caller, (view.patient_id for view in views))
        items = [
            named_booking_body(view, names.get(view.patient_id, "")) for view in views
        ]
        return BookingList(items, following)

    async def _page(
        self, caller: Caller, wanted: Wanted, cursor: str, limit: int
    ) -> tuple[Sequence[BookingView], str | None]:
        """A page of at most ``limit``, and the cursor of the next.

        Raises:
            InvalidRequest: the cursor is not valid.
            Unavailable: a clinic's zone is needed, and its calendar does not answer.
        """
        patient_id = caller.patient_id
        assert patient_id is not None
        proxy = caller.is_proxy
        lower, inner = _read_cursor(cursor)
        newer = await self._ahead_of_rows(patient_id)
        while True:
            rows, after = await self._rows(
                patient_id, wanted, inner, limit, proxy=proxy
            )
            upper = _place(rows[-1]) if after is not None and rows else _AFTER_ALL
            views = {row.booking_id: row for row in rows}
            for view in newer:
                row = views.get(view.booking_id)
                if row is None or row.version < view.version:
                    views[view.booking_id] = view
            kept = [
                view
                for view in views.values()
                if lower < _place(view) <= upper
                and not (proxy and view.confidential)
                and await self._is_wanted(view, wanted)
            ]
            shown = sorted(kept, key=_place)
            if len(shown) > limit:
                del shown[limit:]
                return shown, _cursor(_place(shown[-1]), inner)
            if after is None:
                return shown, None
            if shown:
                return shown, _cursor(upper, after)
            lower, inner = upper, after

    async def _rows(
        self,
        patient_id: PatientId,
        wanted: Wanted,
        inner: str,
        limit: int,
        *,
        proxy: bool,
    ) -> tuple[Sequence[BookingView], str | None]:
        try:
            return await self._history.of_patient(
                patient_id,
                first=wanted.earliest,
                last=wanted.latest,
                status=wanted.status,
                after=inner,
                limit=limit,
                proxy=proxy,
            )
        except ValueError:
            raise _bad_cursor() from None

    async def _is_wanted(self, view: BookingView, wanted: Wanted) -> bool:
        if wanted.status not in (None, view.status):
            return False
        if wanted.first is not None and not await self._reaches(view, wanted.first):
            return False
        return wanted.last is None or not await self._reaches(view, wanted.last)

    async def _reaches(self, view: BookingView, bound: str | Minute) -> bool:
        """Whether a booking starts at a bound or later, on its clinic's calendar."""
        if not isinstance(bound, str):
            return view.start >= bound
        midnight = bound_minute(bound)
        if not midnight - _AHEAD <= view.start < midnight + _BEHIND:
            return view.start >= midnight  # on every calendar
        zone = await self._zone_of(view.provider_id)
        return today(Millis(view.start * 60_000), zone) >= bound

    async def _ahead_of_rows(self, patient_id: PatientId) -> list[BookingView]:
        """Recent views that are newer than the read model; the rest are dropped."""
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
    return InvalidRequest(
        "", FieldError("cursor", "is not valid; start again without one")
    )
