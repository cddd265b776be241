"""Ids of series and of their visits.

A visit's id is made of its series' id and its place there. So it is the same however
often the visit is booked again after a crash, and it says for itself which series it
belongs to. Other ids are random and shorter.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from msgspec import Struct

from actors.domain.ids import BookingId, ProviderId, booking_id

SeriesId = NewType("SeriesId", str)

TOKEN_CHARACTERS: Final = 19
"""76 bits: with the seven of ``series-`` and the places, as long as a token may be."""
SERIES_PATTERN: Final = r"^srs_[A-Za-z0-9_\-]{1,64}\.[0-9a-f]{19}$"
_SERIES = re.compile(SERIES_PATTERN)
_MARK: Final = ".series-"
_VISIT = re.compile(
    r"bkg_([A-Za-z0-9_\-]{1,64})\.series-([0-9a-f]{19})-([0-9]{2})-([0-9]{2})"
)


class Membership(Struct, frozen=True):
    """Which series a visit belongs to: ``number`` of ``count``, from 1 on."""

    series_id: SeriesId
    number: int
    count: int


def series_id(provider_id: ProviderId, digest: str) -> SeriesId:
    """The id of a series on a calendar; ``digest``: hexadecimal, 19 or more."""
    return SeriesId(f"srs_{provider_id[4:]}.{digest[:TOKEN_CHARACTERS]}")


def is_series_id(text: str) -> bool:
    """Whether a text is a well-formed id of a series."""
    return _SERIES.fullmatch(text) is not None


def series_provider(series: SeriesId) -> ProviderId:
    """Whose calendar a series is on."""
    return ProviderId("prv_" + series[4:].rpartition(".")[0])


def visit_id(series: SeriesId, number: int, count: int) -> BookingId:
    """The id of a visit of a series."""
    token = series.rpartition(".")[2]
    name = f"series-{token}-{number:02}-{count:02}"
    return booking_id(series_provider(series), name)


def membership_of(name: str) -> Membership | None:
    """Which series a booking belongs to, if it belongs to one."""
    if _MARK not in name:  # most visits
        return None
    match = _VISIT.fullmatch(name)
    if match is None:
        return None
    provider, token, number, count = match.groups()
    return Membership(SeriesId(f"srs_{provider}.{token}"), int(number), int(count))
