"""The directory in SQL: its search words, boxes and cursors. Pure.

Shared by the SQL and the in-memory directory, so that both answer alike.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence

import msgspec
from msgspec import structs

from actors.domain.rules import Clinic, Profile
from care.directory.words import EARTH_KM, Point, distance_km, words_of
from care.readmodel import ProviderListing

UNKNOWN_KM = 1e9
"""Distance of a clinic of unknown location: beyond all others."""
_WHOLE_MAX = 1 << 53
"""Larger whole numbers cannot be a cursor's key: they do not fit into a column."""
RINGS_KM = (2.0, 10.0, 50.0, 250.0)
"""Radii in km of successive searches for the nearest."""

_POLE = 90.0
_DATE_LINE = 180.0


def provider_words(profile: Profile) -> frozenset[str]:
    """The words of a provider, without those of the clinic."""
    return words_of(profile.name, profile.specialty)


def clinic_words(clinic: Clinic) -> frozenset[str]:
    """The words of a clinic: its name and city."""
    return words_of(clinic.name, clinic.city)


def placed(listing: ProviderListing, near: Point | None) -> ProviderListing:
    """The listing with its distance from ``near``, if both places are known."""
    clinic = listing.profile.clinic
    if near is None or clinic.latitude is None or clinic.longitude is None:
        return listing
    away = distance_km(near, (clinic.latitude, clinic.longitude))
    return structs.replace(listing, distance_km=away)


def box(here: Point, within_km: float) -> tuple[float, float, float, float]:
    """Least and greatest latitude and longitude of all points within a distance.

    Near a pole or the date line the longitudes are not bounded.
    """
    angle = within_km / EARTH_KM
    high, low = here[0] + math.degrees(angle), here[0] - math.degrees(angle)
    everywhere = (low, high, -_DATE_LINE, _DATE_LINE)
    if high >= _POLE or low <= -_POLE:
        return everywhere
    reach = math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(here[0]))))
    west, east = here[1] - math.degrees(reach), here[1] + math.degrees(reach)
    if west < -_DATE_LINE or east > _DATE_LINE:
        return everywhere
    # Slightly larger: the box must not exclude a point within the exact distance.
    return (low - 1e-9, high + 1e-9, west - 1e-9, east + 1e-9)


def write_cursor(kind: str, *key: str | float) -> str:
    """An opaque cursor that continues after ``key`` in a list of this kind."""
    raw = msgspec.json.encode([kind, *key])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(kind: str, text: str, types: Sequence[type]) -> tuple[str | float, ...]:
    """The key in a cursor.

    Raises:
        ValueError: not a valid cursor of this kind of list.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, UnicodeError, binascii.Error, msgspec.DecodeError):
        raise ValueError("not a cursor of this list") from None
    if not isinstance(values, list) or len(values) != len(types) + 1:
        raise ValueError("not a cursor of this list")
    if values[0] != kind or not all(map(_fits, values[1:], types)):
        raise ValueError("not a cursor of this list")
    return tuple(values[1:])


def _fits(value: object, wanted: type) -> bool:
    if wanted is float and isinstance(value, int):
        return not isinstance(value, bool)  # JSON may write 3.0 as 3
    if isinstance(value, int) and abs(value) > _WHOLE_MAX:
        return False  # JSON numbers are unbounded, the database's are not
    return isinstance(value, wanted) and not isinstance(value, bool)
