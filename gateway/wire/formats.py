"""The JSON form of instants, dates, ids, and lists of slots.

Internally an instant is an int (``Minute`` or ``Millis``); RFC 3339 is used only here.
Slots are formatted without ``datetime``: a day's date is formatted once, and the 1,440
minutes of a day are a table.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta, json

from actors.domain.ids import Millis, Minute
from actors.domain.messages.answers import SlotsView, seats_of
from actors.domain.zones import date_text, zone_or_utc
from gateway.wire.errors import FieldError

DAY: Final = 24 * 60
_EPOCH: Final = date(1970, 1, 1)
MINUTE_MAX: Final = (date(2200, 1, 1) - _EPOCH).days * DAY
"""The first minute that is no instant on the wire any more."""

_CLOCK: Final = tuple(f"{m // 60:02}:{m % 60:02}:00Z" for m in range(DAY))
_CLOCK_HM: Final = tuple(c[:6] for c in _CLOCK)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(?:[Zz]|([+\- ])(\d\d):(\d\d))",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT_HINT = "must be an RFC 3339 instant with an offset, as 2026-12-01T09:00:00Z"
_STATES: Final = {"f": "free", "h": "held", "b": "booked"}

Instant = Annotated[
    str,
    Meta(
        description="An RFC 3339 instant; any offset is accepted, UTC is answered.",
        examples=["2026-12-01T09:00:00Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
"""An instant in a schema."""

DateOrInstant = Annotated[
    str,
    Meta(
        max_length=64,
        description="A date (a whole day on the clinic's calendar), or an RFC 3339 "
        "instant with an offset.",
        examples=["2026-12-25", "2026-12-25T12:00:00Z"],
    ),
]
"""A bound of a span in a schema."""


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat() + "T"


def minute_text(minute: int) -> str:
    """``2026-12-01T09:00:00Z``."""
    days, rest = divmod(minute, DAY)
    return _day(days) + _CLOCK[rest]


def millis_text(millis: int) -> str:
    """``2026-12-01T09:00:12Z``, with milliseconds only when there are any."""
    minutes, rest = divmod(millis, 60_000)
    days, of_day = divmod(minutes, DAY)
    seconds, fraction = divmod(rest, 1000)
    dot = f".{fraction:03}" if fraction else ""
    return f"{_day(days)}{_CLOCK_HM[of_day]}{seconds:02}{dot}Z"


def _days_of(text: str) -> int:
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise ValueError("is not a date of the calendar") from None


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> int:
    if hours is None or minutes is None:
        return 0
    ahead = int(hours) * 60 + int(minutes)
    if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - a clock's limits
        raise ValueError("has an offset beyond 23:59")
    # An unescaped "+" in a query string arrives as a space.
    return -ahead if sign == "-" else ahead


@lru_cache(maxsize=8192)
def _instant(text: str) -> int:
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(_INSTANT_HINT)
    day, hour, minute, second, fraction, sign, off_h, off_m = match.groups()
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 59:  # noqa: PLR2004 - a clock's limits
        raise ValueError("has a time of day beyond 23:59:59")
    total = _days_of(day) * DAY + hours * 60 + minutes - _offset(sign, off_h, off_m)
    if not 0 <= total < MINUTE_MAX:
        raise ValueError("must lie between the years 1970 and 2200")
    return total * 60_000 + seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3])


def parse_millis(text: str, field: str) -> Millis:
    """The instant that ``text`` writes. Raises FieldError."""
    try:
        return Millis(_instant(text))
    except ValueError as error:
        raise FieldError(field, str(error)) from None


def parse_minute(text: str, field: str) -> Minute:
    """The instant that ``text`` writes, which must be a whole minute.

    Raises:
        FieldError: it is no instant, or has seconds.
    """
    minute, rest = divmod(parse_millis(text, field), 60_000)
    if rest:
        raise FieldError(field, "must be a whole minute")
    return Minute(minute)


def parse_bound(text: str, field: str) -> str | Minute:
    """A date stays text; an instant becomes a Minute, its seconds dropped."""
    if _DATE.fullmatch(text):
        try:
            if not 0 <= _days_of(text) * DAY < MINUTE_MAX:
                raise FieldError(field, "must lie between the years 1970 and 2200")
        except ValueError as error:
            raise FieldError(field, str(error)) from None
        return text
    try:
        return Minute(_instant(text) // 60_000)
    except ValueError:
        hint = f"must be a date, as 2026-12-01, or {_INSTANT_HINT[8:]}"
        raise FieldError(field, hint) from None


def parse_exact_bound(text: str, field: str) -> str | Minute:
    """As ``parse_bound``, but an instant must be a whole minute. Raises FieldError."""
    bound = parse_bound(text, field)
    return bound if isinstance(bound, str) else parse_minute(text, field)


def begin_of_bound(bound: str | Minute, time_zone: str) -> Minute:
    """An instant itself; for a date the start of that local day."""
    if isinstance(bound, str):
        return zone_or_utc(time_zone).midnight(_days_of(bound))
    return bound


def end_of_bound(bound: str | Minute, time_zone: str) -> Minute:
    """An instant itself; for a date the end of that local day."""
    if isinstance(bound, str):
        return zone_or_utc(time_zone).midnight(_days_of(bound) + 1)
    return bound


def bound_minute(bound: str | Minute) -> int:
    """A bound as a minute; a date as its midnight in UTC, so up to a day off."""
    return _days_of(bound) * DAY if isinstance(bound, str) else bound


def is_backwards(first: str | Minute, last: str | Minute) -> bool:
    """Whether a span ends before it begins, dates being whole days.

    A date beside an instant is compared with a tolerance of a day and a half, by which
    a local day may differ from UTC's.
    """
    slack = 36 * 60 if isinstance(first, str) != isinstance(last, str) else 0
    return bound_minute(last) < bound_minute(first) - slack


def later(bound: str | Minute, days: int) -> str | Minute:
    """The same bound some days later."""
    if isinstance(bound, str):
        return (date.fromisoformat(bound) + timedelta(days=days)).isoformat()
    return Minute(bound + days * DAY)


def today(now: Millis, time_zone: str) -> str:
    """The local date in this zone."""
    return date_text(zone_or_utc(time_zone).day_of(now // 60_000))


@lru_cache(maxsize=65_536)
def _slot(start: int, minutes: int) -> str:
    return (
        f'{{"start":"{minute_text(start)}","end":"{minute_text(start + minutes)}",'
        '"state":"'
    )


def slots_json(view: SlotsView) -> bytes:
    """The answer of GET slots."""
    minutes = view.minutes
    ends = [_ends(place.location_id) for place in view.places] or [_ends("")]
    if view.where:
        rows = [
            _slot(start, minutes) + ends[place][state]
            for start, state, place in zip(
                view.starts, view.states, view.where, strict=True
            )
        ]
    else:
        words = ends[0]
        rows = [
            _slot(start, minutes) + words[state]
            for start, state in zip(view.starts, view.states, strict=True)
        ]
    head = json.encode(
        {
            "provider_id": view.provider_id,
            "visit_type": view.visit_type,
            "time_zone": view.time_zone,
            "locations": [
                {
                    "location_id": place.location_id,
                    "name": place.name,
                    "time_zone": place.time_zone,
                }
                for place in view.places
            ],
            "epoch": view.epoch,
            "version": view.version,
        }
    )
    return b'%b,"slots":[%b]}' % (head[:-1], ",".join(rows).encode())


class _Ends(dict[str, str]):
    """State -> the end of a slot's row; group visits say how many seats are left."""

    def __init__(self, location_id: str) -> None:
        self._where = f'","location_id":{json.encode(location_id).decode()}'
        super().__init__((s, f"{word}{self._where}}}") for s, word in _STATES.items())

    def __missing__(self, letter: str) -> str:
        left = seats_of(letter)
        return self.setdefault(letter, f'free{self._where},"seats_left":{left}}}')


@lru_cache(maxsize=4096)
def _ends(location_id: str) -> _Ends:
    return _Ends(location_id)
