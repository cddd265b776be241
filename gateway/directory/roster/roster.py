"""All providers of a site in memory, by row number.

A provider that changes gets a new row at the end and the old one dies, so that lists of
rows only grow; once too many are dead a new roster is made. One event loop uses it, and
nothing here waits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.domain.ids import ProviderId
from actors.domain.rules import Clinic
from care.directory.ports import RosterRow
from care.directory.specialties import Specialty, SpecialtyIndex
from care.directory.words import Point, sort_key, words_of
from gateway.directory.roster.columns import Column, Mask
from gateway.directory.roster.ordering import TEXT_KEYS, text_keys
from gateway.directory.roster.services import RosterServices
from gateway.directory.roster.words import Field, Vocabulary

DEAD_SHARE: Final = 0.1
DEAD_MIN: Final = 1_000
"""A new roster is made when more than these are dead."""
QUALITY_PRIOR: Final = (3.5, 5)
"""A rating counts as if five people had given 3.5 before: one review is no verdict."""
NO_PHOTOS: Final = ("", "")
_ID_PREFIX: Final = "prv_"


def bare_id(provider_id: str) -> str:
    """What distinguishes an id from others."""
    return provider_id.removeprefix(_ID_PREFIX)


class Tags:
    """Words that rows are marked with, as insurances, and what these are called."""

    def __init__(self) -> None:
        self.titles: dict[str, str] = {}
        self._rows: dict[str, Column] = {}
        self._keys: dict[str, str] = {}

    def add(self, row: int, titles: Iterable[str]) -> None:
        """Mark the next row with these, each once."""
        for key in dict.fromkeys(self._key(title) for title in titles):
            self._rows[key].append(row)

    def _key(self, title: str) -> str:
        """That of a title; many providers have the same ones."""
        key = self._keys.get(title)
        if key is None:
            key = self._keys[title] = sort_key(title)
            if key not in self._rows:
                self.titles[key] = title
                self._rows[key] = Column(np.int32, room=1)
        return key

    def having(self, title: str, size: int) -> Mask:
        """Which of ``size`` rows are marked with this."""
        found = np.zeros(size, np.bool_)
        rows = self._rows.get(sort_key(title))
        if rows is not None:
            found[rows.all] = True
        return found

    def counts(self, rows: Mask) -> dict[str, int]:
        """How many of these rows have each tag, by its title."""
        counted = {
            self.titles[key]: int(np.count_nonzero(rows[marked.all]))
            for key, marked in self._rows.items()
        }
        return {title: count for title, count in counted.items() if count}


class ClinicPlaces:
    """Clinics by number, and where they are, as points on a sphere."""

    def __init__(self) -> None:
        self.clinics: list[Clinic] = []
        self.points = Column(np.float64, 3)
        self._known: dict[str, int] = {}

    def code(self, clinic: Clinic) -> tuple[int, bool]:
        """Its number, and whether that is new; a record that changed gets a new one."""
        code = self._known.get(clinic.clinic_id)
        if code is not None and self.clinics[code] == clinic:
            return code, False
        code = self._known[clinic.clinic_id] = len(self.clinics)
        self.clinics.append(clinic)
        self.points.append(_on_sphere(clinic.latitude, clinic.longitude))
        return code, True

    def distances_km(self, here: Point) -> NDArray[np.float64]:
        """By clinic; not a number where the place is not known."""
        apart: NDArray[np.float64] = np.linalg.norm(
            self.points.all - _on_sphere(*here), axis=1
        )
        return _EARTH_DIAMETER_KM * np.arcsin(np.minimum(apart / 2, 1.0))


class Roster:
    """Rows of providers with all that a search looks at."""

    def __init__(self, of_site: Iterable[Specialty] = ()) -> None:
        self.specialties = SpecialtyIndex(of_site)
        self.words = Vocabulary()
        self.services = RosterServices()
        self.places = ClinicPlaces()
        self.insurances = Tags()
        self.languages = Tags()
        self.ids: list[ProviderId] = []
        self.names: list[str] = []
        """Sort keys."""
        self.row_of: dict[ProviderId, int] = {}
        self.photos: dict[ProviderId, tuple[str, str]] = {}
        """The ids of the provider's photo and the clinic's, where there is either."""
        self.specialty_codes: dict[str, int] = {}
        self.specialty_titles: list[str] = []
        self._specialty_keys: dict[str, str] = {}
        self.changes = 0
        """Rises with each change: rows found before it may be dead."""
        self._alive = Column(np.bool_)
        self._specialty = Column(np.int32)
        self._clinic = Column(np.int32)
        self._accepts_new = Column(np.bool_)
        self._quality = Column(np.int32)
        self._rated = Column(np.float32)
        self._count = Column(np.int32)
        self._name_keys = tuple(Column(np.uint64) for _ in range(TEXT_KEYS))
        self._id_keys = tuple(Column(np.uint64) for _ in range(TEXT_KEYS))

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def size(self) -> int:
        """Rows, the dead ones too."""
        return len(self.ids)

    @property
    def is_worn(self) -> bool:
        """Whether a new roster should be made: too many rows are dead."""
        dead = self.size - len(self)
        return dead > DEAD_MIN + DEAD_SHARE * self.size

    @property
    def nbytes(self) -> int:
        """About how much memory the rows take, the words not counted."""
        columns = [one for one in vars(self).values() if isinstance(one, Column)]
        columns += [*self._name_keys, *self._id_keys]
        texts = sum(map(sys.getsizeof, self.ids)) + sum(map(sys.getsizeof, self.names))
        return self.services.nbytes + texts + sum(one.nbytes for one in columns)

    def photos_of(self, provider_id: ProviderId) -> tuple[str, str]:
        """The ids of a provider's photo and of the clinic's; empty without one."""
        return self.photos.get(provider_id, NO_PHOTOS)

    # --- changes -------------------------------------------------------------------

    def put(self, row: RosterRow) -> int:
        """Add a provider, or replace them; the starts that are known stay known."""
        number = self.size
        former = self.row_of.get(row.provider_id)
        self.remove(row.provider_id)
        self.row_of[row.provider_id] = number
        self.ids.append(row.provider_id)
        self._alive.append(value=True)
        self._put_name(row, number)
        self._specialty.append(self._specialty_code(row.specialty))
        self._clinic.append(self._clinic_code(row.clinic))
        self._accepts_new.append(row.entry.accepts_new)
        self._put_rating(row)
        self.languages.add(number, _with_primary(row.languages))
        insured = (*row.entry.insurances, *row.clinic_insurances)
        self.insurances.add(number, insured)
        self.services.add_row(row)
        if row.photo or row.clinic_photo:
            self.photos[row.provider_id] = row.photo, row.clinic_photo
        if former is not None:
            self.services.keep_starts(number, self.services, former)
        return number

    def take_starts(self, former: Roster, provider_ids: Iterable[ProviderId]) -> None:
        """Keep what a former roster knew of these providers' starts."""
        for provider_id in provider_ids:
            row, known = self.row_of.get(provider_id), former.row_of.get(provider_id)
            if row is not None and known is not None:
                self.services.keep_starts(row, former.services, known)

    def put_all(self, rows: Iterable[RosterRow]) -> None:
        """Add many."""
        for row in rows:
            self.put(row)

    def remove(self, provider_id: ProviderId) -> None:
        """A provider can be found no longer."""
        self.changes += 1
        self.photos.pop(provider_id, None)
        row = self.row_of.pop(provider_id, None)
        if row is not None:
            self._alive.all[row] = False

    def _put_name(self, row: RosterRow, number: int) -> None:
        self.words.add(words_of(row.name), Field.NAME, number)
        name = sort_key(row.name)
        self.names.append(name)
        for column, key in zip(self._name_keys, text_keys(name), strict=True):
            column.append(key)
        bare = text_keys(bare_id(row.provider_id))
        for column, key in zip(self._id_keys, bare, strict=True):
            column.append(key)

    def _put_rating(self, row: RosterRow) -> None:
        rating = row.rating
        prior, weight = QUALITY_PRIOR
        total, count = (rating.total, rating.count) if rating else (0, 0)
        self._count.append(count)
        self._rated.append(total / count if count else np.nan)
        self._quality.append(round(1000 * (total + prior * weight) / (count + weight)))

    def _specialty_code(self, specialty: str) -> int:
        key = self._specialty_keys.get(specialty)
        if key is None:
            key = self._specialty_keys[specialty] = self.specialties.key(specialty)
        code = self.specialty_codes.get(key)
        if code is None:
            code = self.specialty_codes[key] = len(self.specialty_titles)
            self.specialty_titles.append(specialty)
            self.words.add(self.specialties.words(specialty), Field.SPECIALTY, code)
        return code

    def _clinic_code(self, clinic: Clinic) -> int:
        code, is_new = self.places.code(clinic)
        if is_new:
            self.words.add(words_of(clinic.name), Field.PRACTICE, code)
            self.words.add(words_of(clinic.city), Field.TOWN, code)
        return code

    # --- columns -------------------------------------------------------------------

    @property
    def alive(self) -> Mask:
        """Which rows are not dead."""
        return self._alive.all

    @property
    def specialty(self) -> NDArray[np.int32]:
        """The specialty's code."""
        return self._specialty.all

    @property
    def clinic(self) -> NDArray[np.int32]:
        """The clinic's number in ``places``."""
        return self._clinic.all

    @property
    def accepts_new(self) -> Mask:
        """Whether new patients are accepted."""
        return self._accepts_new.all

    @property
    def rated(self) -> NDArray[np.float32]:
        """The mean of the ratings, 1 to 5; not a number if there is none."""
        return self._rated.all

    @property
    def quality(self) -> NDArray[np.int32]:
        """The rating that is expected of them, in thousandths."""
        return self._quality.all

    @property
    def name_keys(self) -> list[NDArray[Any]]:
        """Numbers that sort as names do."""
        return [column.all for column in self._name_keys]

    @property
    def id_keys(self) -> list[NDArray[Any]]:
        """Numbers that sort as ids do."""
        return [column.all for column in self._id_keys]

    def rating_of(self, row: int) -> tuple[float, int] | None:
        """The mean of a row's ratings and their number."""
        count = int(self._count.all[row])
        return (float(self._rated.all[row]), count) if count else None


_EARTH_DIAMETER_KM: Final = 2 * 6371.0088


def _on_sphere(latitude: float | None, longitude: float | None) -> NDArray[np.float64]:
    if latitude is None or longitude is None:
        return np.full(3, np.nan)
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _with_primary(languages: Iterable[str]) -> Iterable[str]:
    """Languages as they are found: ``de-CH`` also as ``de``."""
    lower = [one.casefold() for one in languages]
    return {*lower, *(one.split("-")[0] for one in lower)}
