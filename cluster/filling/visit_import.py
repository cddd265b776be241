"""Makes history of a table of past visits: places become clinics, rows visits.

Rule 1: ids are made of the file's own numbers, so that a second import finds the same
visits. The number of a patient is not readable from their id: it is a blind index.
Rule 2: a clinic that exists is not changed, and its own zone holds.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from actors.domain.ids import (
    ClinicId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    VisitTypeId,
    booking_id,
    is_id,
    is_provider_id,
)
from actors.domain.messages.answers import BookingStatus
from actors.domain.rules import Clinic
from actors.domain.zones import FIRST_DAY, LAST_DAY, Zone, zone_named
from care.reports.ports import ImportedVisits
from care.reports.visits import ImportedVisit
from cluster.filling.practices import BadRow
from cluster.filling.visit_rows import RowsRead, VisitRow

VISITS_AT_ONCE: Final = 500
"""Visits of one transaction: large enough to be fast, small enough not to delay the
projector."""
PLACES_MAX: Final = 20_000
"""Places of one file: each is kept in memory."""
_DAY_S: Final = 86_400


class ClinicDirectory(Protocol):
    """What an import needs of the directory."""

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """The existing ones of these clinics."""
        ...

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add clinic records."""
        ...


@dataclass(slots=True)
class VisitsMade:
    """What an import of visits did."""

    new: int = 0
    changed: int = 0
    same: int = 0
    places: int = 0
    """Clinics that were made of places."""


@dataclass(slots=True)
class VisitImport:
    """One import of a table of visits.

    ``source`` names the other system: equal numbers of two systems are two visits.
    ``zone``: where places lie that are no clinic of this site; empty: they are bad.
    ``hidden`` makes of a patient's number an id that does not show it without the key.
    """

    directory: ClinicDirectory
    visits: ImportedVisits
    hidden: Callable[[str], str]
    source: str
    zone: str
    now: Millis
    made: VisitsMade = field(default_factory=VisitsMade)
    _clinics: dict[str, Clinic | None] = field(default_factory=dict)

    async def run(
        self,
        rows: Iterable[VisitRow],
        reading: RowsRead,
        told: Callable[[int], None] = lambda _done: None,
    ) -> VisitsMade:
        """Import the rows. Raises Unavailable: what was written before stays."""
        for some in _portions(rows):
            await self._find_places({row.place for row in some})
            visits = []
            for row in some:
                try:
                    visits.append(self._visit(row, reading))
                except BadRow as bad:
                    reading.note_bad(row.line, str(bad))
            if visits:
                count = await self.visits.put(visits)
                self.made.new += count.new
                self.made.changed += count.changed
                self.made.same += count.same
            told(reading.rows)
        return self.made

    async def _find_places(self, names: set[str]) -> None:
        """Look up the clinics of places, and make those that may be made."""
        fresh = sorted(names - self._clinics.keys())
        if not fresh or len(self._clinics) >= PLACES_MAX:
            return
        ids = {name: _clinic_id(name) for name in fresh}
        known = await self.directory.clinics(list(ids.values()))
        # By id: one place may be written in several ways.
        missing = {
            clinic: Clinic(clinic, name, self.zone)
            for name, clinic in ids.items()
            if clinic not in known and clinic != name and self.zone
        }
        if missing:
            await self.directory.put_clinics(list(missing.values()))
            self.made.places += len(missing)
        for name, clinic in ids.items():
            self._clinics[name] = known.get(clinic) or missing.get(clinic)

    def _visit(self, row: VisitRow, reading: RowsRead) -> ImportedVisit:
        """Raises BadRow."""
        clinic = self._clinics.get(row.place)
        if clinic is None:
            is_full = row.place not in self._clinics
            raise BadRow(_TOO_MANY_PLACES if is_full else _NO_PLACE)
        zone = zone_named(clinic.time_zone)
        if zone is None:
            raise BadRow("its clinic's time zone is not known any more")
        start = Minute(_instant_s(row.start, zone) // 60)
        booked_s = _instant_s(row.booked_at, zone)
        if start * 60_000 > self.now or booked_s * 1_000 > self.now:
            raise BadRow("it lies ahead: history alone is imported")
        cancelled = row.cancelled_at and _instant_s(row.cancelled_at, zone)
        if zone.day_of(booked_s // 60) > zone.day_of(start):
            reading.note_odd(row.line, "it was booked after its day")
        provider = _provider_id(clinic.clinic_id, row.provider)
        is_cancelled = row.status is BookingStatus.CANCELLED
        return ImportedVisit(
            booking_id=booking_id(provider, _digest(self.source, row.visit, size=16)),
            clinic_id=clinic.clinic_id,
            provider_id=provider,
            provider_name="" if provider == row.provider else row.provider,
            patient_id=self._patient_id(row.patient),
            visit_type=VisitTypeId(row.visit_type),
            start=start,
            end=Minute(start + row.minutes),
            booked_at=Millis(booked_s * 1_000),
            status=row.status,
            cancelled_at=Millis(cancelled * 1_000)
            if cancelled and is_cancelled
            else None,
            by_patient=row.by_patient if is_cancelled else None,
            age=row.age,
            reminded=row.reminded,
            day_only=row.day_only,
        )

    def _patient_id(self, number: str) -> PatientId:
        if is_id(number, "pat"):
            return PatientId(number)
        return PatientId(f"pat_h_{self.hidden(f'{self.source}|{number}')[:32]}")


_NO_PLACE: Final = (
    "its place is no clinic of this site; --time-zone makes clinics of places"
)
_TOO_MANY_PLACES: Final = f"the file has more than {PLACES_MAX:,} places: divide it"


def _portions(rows: Iterable[VisitRow]) -> Iterator[Sequence[VisitRow]]:
    some: list[VisitRow] = []
    for row in rows:
        some.append(row)
        if len(some) == VISITS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _clinic_id(place: str) -> ClinicId:
    """A place that is a clinic's id, or the id of the clinic that it becomes."""
    if is_id(place, "cln"):
        return ClinicId(place)
    plain = unicodedata.normalize("NFC", place).casefold()
    return ClinicId(f"cln_h_{_digest('place', re.sub(r' +', ' ', plain), size=10)}")


def _provider_id(clinic_id: ClinicId, provider: str) -> ProviderId:
    if is_provider_id(provider):
        return ProviderId(provider)
    return ProviderId(f"prv_h_{_digest(clinic_id, provider, size=10)}")


def _digest(*parts: str, size: int) -> str:
    text = "\0".join(parts).encode()
    return hashlib.blake2b(text, digest_size=size).hexdigest()


def _instant_s(wall: datetime, zone: Zone) -> int:
    """The instant (s) of a wall time; one with an offset is an instant already.

    Raises BadRow.
    """
    as_utc = wall if wall.tzinfo is not None else wall.replace(tzinfo=UTC)
    seconds = int(as_utc.timestamp())
    if not FIRST_DAY + 2 <= seconds // _DAY_S < LAST_DAY - 2:
        raise BadRow("a time is before 1970 or after 2199")
    return seconds if wall.tzinfo is not None else zone.begins(seconds)
