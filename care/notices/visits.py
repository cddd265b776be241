"""What a person is told of a visit, decided from its events; pure.

Rule 1: an event is told at most once, however often it is handled: what was told
        last of a visit is kept with its version, in the transaction that tells.
Rule 2: events of a visit may arrive in any order and late. What is told is how the
        visit is by now; an older event than the one told last says nothing.
Rule 3: only future visits are told of.
Rule 4: ``sequence`` (RFC 5546) counts the times that calendars must change the visit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import BookingId, LocationId, Millis, Minute, PatientId
from actors.domain.messages.answers import BookingStatus, BookingView
from care.notices.kinds import NoticeKind

STALE_MS: Final = 3 * 24 * 3_600_000
"""Older events are not told any more: workers were away for days, or the site has
only now begun to send notices."""
MINUTE_MS: Final = 60_000
OUTBOX_KINDS: Final[Mapping[str, NoticeKind]] = {
    "booking.booked": NoticeKind.BOOKED,
    "booking.rescheduled": NoticeKind.RESCHEDULED,
    "booking.cancelled": NoticeKind.CANCELLED,
    "booking.stranded": NoticeKind.STRANDED,
    "booking.covered": NoticeKind.COVERED,
}
"""Events of the projection that people are told of."""
_OF_DOUBT: Final = frozenset({NoticeKind.STRANDED, NoticeKind.COVERED})
"""What is told of a visit without saying where it is."""
SILENT_KINDS: Final = tuple(
    f"booking.{name}" for name in ("arrived", "fulfilled", "noshow", "undone")
)
"""Events of which no person is told."""
SETTLING_KINDS: Final = frozenset(
    {
        "booking.rescheduled",
        "booking.cancelled",
        "booking.covered",
        *SILENT_KINDS,
    }
)
"""Events after which a visit that a leave affects may be resolved (care/leave)."""
VEILING_KINDS: Final = ("booking.confidential", "booking.shown")
"""Events of which no person is told either, but that hide or show notices."""


class VisitEvent(Struct, frozen=True):
    """An event of a visit, from the outbox."""

    kind: NoticeKind
    booking_id: BookingId
    version: int
    at: Millis


class Told(Struct, frozen=True):
    """What a patient was told of a visit last."""

    booking_id: BookingId
    patient_id: PatientId
    version: int
    sequence: int = 0
    start: Minute = Minute(0)
    end: Minute = Minute(0)
    location_id: LocationId = LocationId("")
    is_told: bool = False
    """Whether anything was told yet; else times and place are those of a row."""
    is_over: bool = False
    """Whether the last that was told is that it was cancelled."""
    is_stranded: bool = False


class Telling(Struct, frozen=True):
    """What is to be told now; ``was_start``: where the visit was when it moved."""

    kind: NoticeKind
    view: BookingView
    version: int
    sequence: int
    was_start: Minute | None = None


def decide(
    event: VisitEvent,
    view: BookingView,
    told: Told | None,
    prior_start: Minute | None,
    now: Millis,
) -> tuple[Told, Telling | None]:
    """What is to be told because of an event, and what will have been told then.

    ``view`` is the visit as it is projected by now; ``prior_start`` where it was before
    the event, for visits of which nothing was told yet.
    """
    # A row has times from the first: it is kept until so long after them.
    known = told or _as_it_is(Told(view.booking_id, view.patient_id, 0), view)
    if event.version <= known.version:
        return known, None
    newer = replace(known, version=event.version)
    if view.start * MINUTE_MS <= now or event.at < now - STALE_MS:
        return _as_it_is(newer, view), None
    if event.kind in _OF_DOUBT and known.is_told and not _is_there(known, view):
        newer = known  # the move is still to be told, by an event that may be older
    return _DECIDE[event.kind](newer, event, view, prior_start)


def reminders(
    telling: Telling, steps: Sequence[int], now: Millis
) -> list[tuple[int, Millis]]:
    """Which reminders to plan when this is told: minutes before the start, and when."""
    if telling.kind not in (NoticeKind.BOOKED, NoticeKind.RESCHEDULED):
        return []
    due = ((step, Millis((telling.view.start - step) * MINUTE_MS)) for step in steps)
    return [(step, at) for step, at in due if at > now]


def still_holds(kind: NoticeKind, start: Minute, view: BookingView | None) -> bool:
    """Whether what a message says is true of the visit as its calendar has it."""
    if kind is NoticeKind.CANCELLED:
        return True
    if kind is NoticeKind.UNPLACED:
        return view is None  # else it was booked since
    if view is None or view.status is not BookingStatus.BOOKED or view.start != start:
        return False
    is_in_doubt = bool(view.stranded)
    wanted = {
        NoticeKind.STRANDED: True,
        NoticeKind.UNRESOLVED: True,
        NoticeKind.COVERED: False,
    }
    return wanted.get(kind, is_in_doubt) is is_in_doubt


def may_hold_again(
    about_start: Minute, told_start: Minute | None, view: BookingView | None
) -> bool:
    """Whether what does not hold may do so again, with nothing else told of it.

    The calendar has moved the visit, and people were not told yet: if it is moved back
    before they are, there is nothing to tell, and the message is the right one.
    """
    if view is None or view.status is not BookingStatus.BOOKED:
        return False
    return view.start != about_start and told_start == about_start


def _booked(
    known: Told, event: VisitEvent, view: BookingView, _prior: Minute | None
) -> tuple[Told, Telling | None]:
    if view.status is not BookingStatus.BOOKED or known.is_told:
        return known, None
    told = replace(_as_it_is(known, view), is_told=True)
    return told, Telling(event.kind, view, event.version, told.sequence)


def _rescheduled(
    known: Told, event: VisitEvent, view: BookingView, prior: Minute | None
) -> tuple[Told, Telling | None]:
    if view.status is not BookingStatus.BOOKED:
        return known, None
    was = known.start if known.is_told else prior
    if known.is_told and _is_there(known, view):
        return known, None  # told already, by an event that came later
    told = replace(_as_it_is(known, view), is_told=True, sequence=known.sequence + 1)
    told = replace(told, is_stranded=known.is_stranded and bool(view.stranded))
    return told, Telling(event.kind, view, event.version, told.sequence, was)


def _cancelled(
    known: Told, event: VisitEvent, view: BookingView, _prior: Minute | None
) -> tuple[Told, Telling | None]:
    if view.status is not BookingStatus.CANCELLED or known.is_over:
        return known, None
    told = replace(_as_it_is(known, view), is_told=True, is_over=True)
    told = replace(told, sequence=known.sequence + 1, is_stranded=False)
    return told, Telling(event.kind, view, event.version, told.sequence)


def _stranded(
    known: Told, event: VisitEvent, view: BookingView, _prior: Minute | None
) -> tuple[Told, Telling | None]:
    if view.status is not BookingStatus.BOOKED or not view.stranded:
        return known, None
    told = replace(known, is_stranded=True)
    return told, Telling(event.kind, view, event.version, told.sequence)


def _covered(
    known: Told, event: VisitEvent, view: BookingView, _prior: Minute | None
) -> tuple[Told, Telling | None]:
    if view.stranded or not known.is_stranded:
        return known, None  # they never heard that it was in doubt, or it still is
    told = replace(known, is_stranded=False)
    if view.status is not BookingStatus.BOOKED:
        return told, None
    return told, Telling(event.kind, view, event.version, told.sequence)


def _is_there(known: Told, view: BookingView) -> bool:
    """Whether the visit is where people were told."""
    return (known.start, known.location_id) == (view.start, view.location_id)


def _as_it_is(known: Told, view: BookingView) -> Told:
    return replace(known, start=view.start, end=view.end, location_id=view.location_id)


_Decide = Callable[
    [Told, VisitEvent, BookingView, Minute | None], tuple[Told, Telling | None]
]
_DECIDE: Final[Mapping[NoticeKind, _Decide]] = {
    NoticeKind.BOOKED: _booked,
    NoticeKind.RESCHEDULED: _rescheduled,
    NoticeKind.CANCELLED: _cancelled,
    NoticeKind.STRANDED: _stranded,
    NoticeKind.COVERED: _covered,
}
