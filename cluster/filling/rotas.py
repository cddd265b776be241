"""Working hours and visit types of the demo region's providers."""

from __future__ import annotations

from datetime import date, timedelta

from actors.domain.ids import ClinicId, LocationId, VisitTypeId
from actors.domain.rules import Availability, Clinic, Hours, Location, VisitType
from cluster.filling.dice import chance, pick

_H = 60


def _hours(*spans: tuple[float, float]) -> tuple[Hours, ...]:
    return tuple(Hours(int(opens * _H), int(closes * _H)) for opens, closes in spans)


_OFF: tuple[Hours, ...] = ()
_DAY = _hours((9, 12.5), (13.5, 17))
_MORNING = _hours((7.5, 13))
_EVENING = _hours((12, 16), (16.5, 20))
_SPLIT = _hours((8, 12), (15, 18.5))
_SIESTA = _hours((8.5, 13.5), (17, 20.5))
_HALF = _hours((9, 13))
_NIGHT_BEGINS, _NIGHT_ENDS = _hours((20, 24)), _hours((0, 6))

ROTAS: dict[str, tuple[tuple[Hours, ...], ...]] = {
    "office": (_DAY, _DAY, _DAY, _DAY, _hours((9, 15)), _OFF, _OFF),
    "early": (_MORNING, _MORNING, _OFF, _MORNING, _MORNING, _OFF, _OFF),
    "late": (_OFF, _EVENING, _EVENING, _EVENING, _EVENING, _OFF, _OFF),
    "split": (_SPLIT, _SPLIT, _HALF, _SPLIT, _SPLIT, _OFF, _OFF),
    "siesta": (_SIESTA, _HALF, _SIESTA, _HALF, _SIESTA, _OFF, _OFF),
    "saturday": (_OFF, _DAY, _DAY, _OFF, _DAY, _HALF, _OFF),
    "weekend": (_OFF, _OFF, _OFF, _OFF, _DAY, _DAY, _DAY),
    "sunday_to_friday": (_DAY, _DAY, _DAY, _DAY, _hours((10, 15)), _OFF, _DAY),
    "night": (
        _NIGHT_BEGINS, _NIGHT_ENDS + _NIGHT_BEGINS, _NIGHT_ENDS + _NIGHT_BEGINS,
        _NIGHT_ENDS, _OFF, _OFF, _OFF,
    ),
    "two_places": (_DAY, _OFF, _DAY, _OFF, _HALF, _OFF, _OFF),
}  # fmt: skip
"""Weekly hours, Monday first."""
_SECOND_PLACE = (_OFF, _DAY, _OFF, _SPLIT, _OFF, _OFF, _OFF)

# consult, follow-up, long: title and minutes; every provider offers three or four
_LENGTHS = {
    "General practice": (15, 10, 30),
    "Practice nursing": (15, 5, 40),
    "Paediatrics": (20, 10, 40),
    "Psychotherapy": (50, 25, 90),
    "Dentistry": (30, 15, 60),
    "Physiotherapy": (30, 20, 45),
}
_LENGTHS_ELSE = (30, 15, 45)
HORIZON_DAYS = 60


def visit_types(specialty: str, provider: str) -> tuple[VisitType, ...]:
    """A provider's visit types: three lengths, and video for some."""
    consult, follow_up, long = _LENGTHS.get(specialty, _LENGTHS_ELSE)
    horizon = HORIZON_DAYS * 24 * 60
    types = [
        VisitType(
            VisitTypeId("consult"), "Consultation", consult,
            alignment=15 if consult % 15 == 0 else 10, notice=60, horizon=horizon,
        ),
        VisitType(
            VisitTypeId("follow_up"), "Follow-up", follow_up,
            alignment=follow_up, notice=30, horizon=horizon,
        ),
        VisitType(
            VisitTypeId("long"), "Long appointment", long,
            buffer_before=5, buffer_after=10, alignment=30, notice=24 * 60,
            horizon=horizon,
        ),
    ]  # fmt: skip
    if chance(3, provider, "video"):
        types.append(
            VisitType(
                VisitTypeId("video"), "Video call", 20,
                alignment=20, notice=15, horizon=14 * 24 * 60,
            )
        )  # fmt: skip
    return tuple(types)


def availability(
    provider: str, specialty: str, rota: str, clinic: Clinic, day: date
) -> Availability:
    """The opening rules of a provider, with exceptions in the weeks after ``day``."""
    locations = [
        Location(
            location_of(clinic.clinic_id),
            clinic.time_zone,
            ROTAS[rota],
            exceptions=_exceptions(provider, day, rota),
            name=clinic.name,
        )
    ]
    if rota == "two_places":
        locations.append(
            Location(
                LocationId(location_of(clinic.clinic_id) + "_annex"),
                clinic.time_zone,
                _SECOND_PLACE,
                name=f"{clinic.name}, annex",
            )
        )
    return Availability(tuple(locations), visit_types(specialty, provider))


def location_of(clinic_id: ClinicId) -> LocationId:
    """The id of a clinic's place."""
    return LocationId(clinic_id.replace("cln_", "loc_", 1))


def _exceptions(provider: str, day: date, rota: str) -> dict[str, tuple[Hours, ...]]:
    """Exceptions: a closed day, a day with other hours, and for some an open Saturday.

    Providers at two places only get closed days: they cannot be open at both at once.
    """
    closed = day + timedelta(days=pick(range(8, 22), provider, "closed"))
    found = {closed.isoformat(): _OFF}
    if rota == "two_places":
        return found
    other = day + timedelta(days=pick(range(22, 36), provider, "other"))
    found[other.isoformat()] = _hours((10, 14))
    if chance(4, provider, "saturday"):
        saturday = day + timedelta(days=(5 - day.weekday()) % 7 + 7)
        found[saturday.isoformat()] = _hours((9, 12))
    return found
