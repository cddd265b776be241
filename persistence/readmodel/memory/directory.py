"""Directory and booking history in memory, by linear scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from actors.domain.ids import BookingId, ClinicId, Millis, Minute, PatientId, ProviderId
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.rules import Clinic, VisitType
from care.directory.words import Point, distance_km, query_words, sort_key
from care.readmodel import ProviderListing, ProviderQuery
from persistence.readmodel.projection.operations import PutProvider
from persistence.readmodel.search_words import (
    UNKNOWN_KM,
    clinic_words,
    placed,
    provider_words,
    read_cursor,
    write_cursor,
)


class ClinicRow(Struct, frozen=True):
    """A clinic and the origin of its row."""

    clinic: Clinic
    imported: bool
    at: Millis
    by: str


class MemoryDirectory:
    """``Directory`` over rows in memory."""

    clinic_table: dict[ClinicId, ClinicRow]
    providers: dict[ProviderId, PutProvider]
    visit_types: dict[ProviderId, tuple[VisitType, ...]]

    async def find(
        self, query: ProviderQuery, *, after: str, limit: int
    ) -> tuple[Sequence[ProviderListing], str | None]:
        """A page of listings and the cursor of the next; see the port."""
        kind, key_type = ("d", float) if query.near else ("n", str)
        found = sorted(self._matching(query))
        if after:
            start = read_cursor(kind, after, (key_type, str))
            found = [one for one in found if one > start]
        page, more = found[:limit], len(found) > limit
        items = [self._listing(ProviderId(i), key) for key, i in page]
        return items, write_cursor(kind, *page[-1]) if more and page else None

    async def ids(self, query: ProviderQuery, *, limit: int) -> Sequence[ProviderId]:
        """All matching ids in the order of ``find``, at most ``limit``."""
        return [ProviderId(i) for _, i in sorted(self._matching(query))[:limit]]

    async def listings(
        self, provider_ids: Sequence[ProviderId], near: Point | None = None
    ) -> Mapping[ProviderId, ProviderListing]:
        """The existing ones of these providers; with ``near``, their distances."""
        return {
            i: placed(self._listing(i, ""), near)
            for i in provider_ids
            if i in self.providers
        }

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """The existing ones of these clinics."""
        return {
            i: self.clinic_table[i].clinic for i in clinic_ids if i in self.clinic_table
        }

    async def find_clinics(
        self, words: str, *, after: str, limit: int
    ) -> tuple[Sequence[Clinic], str | None]:
        """A page by name, then id, and the cursor of the next; see the port."""
        asked = query_words(words)
        found = sorted(
            (row.clinic.name, clinic_id)
            for clinic_id, row in self.clinic_table.items()
            if (asked or not words.strip())
            and all(
                any(word.startswith(one) for word in clinic_words(row.clinic))
                for one in asked
            )
        )
        if after:
            start = read_cursor("c", after, (str, str))
            found = [one for one in found if one > start]
        page, more = found[:limit], len(found) > limit
        clinics = [self.clinic_table[clinic_id].clinic for _, clinic_id in page]
        return clinics, write_cursor("c", *page[-1]) if more and page else None

    async def keep_clinic(self, clinic: Clinic) -> Clinic:
        """The stored clinic of this id; added if it is missing."""
        if clinic.clinic_id not in self.clinic_table:
            await self.put_clinics([clinic])
        return self.clinic_table[clinic.clinic_id].clinic

    async def replace_clinic(self, clinic: Clinic, read: Clinic) -> bool:
        """Replace a record that is still as it was ``read``; False if it is not."""
        row = self.clinic_table.get(clinic.clinic_id)
        if row is None or row.clinic != read:
            return False
        await self.put_clinics([clinic])
        return True

    async def clinic_count(self) -> int:
        """Number of clinics."""
        return len(self.clinic_table)

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add or update clinic records.

        Returns the counts (new, changed, unchanged).
        """
        new = changed = 0
        for clinic in clinics:
            row = self.clinic_table.get(clinic.clinic_id)
            new += row is None
            changed += row is not None and row.clinic != clinic
            at, by = (row.at, row.by) if row else (Millis(0), "")
            imported = ClinicRow(clinic, imported=True, at=at, by=by)
            self.clinic_table[clinic.clinic_id] = imported
        return new, changed, len(clinics) - new - changed

    def _clinic_of(self, provider_id: ProviderId) -> Clinic:
        return self.clinic_table[
            self.providers[provider_id].profile.clinic.clinic_id
        ].clinic

    def _listing(self, provider_id: ProviderId, key: float | str) -> ProviderListing:
        profile = self.providers[provider_id].profile
        types = self.visit_types.get(provider_id, ())
        known = not isinstance(key, str) and key < UNKNOWN_KM
        return ProviderListing(
            provider_id,
            structs.replace(profile, clinic=self._clinic_of(provider_id)),
            tuple(one for one in types if one.active),
            float(key) if known else None,
        )

    def _matching(self, query: ProviderQuery) -> Iterator[tuple[float | str, str]]:
        for provider_id, put in self.providers.items():
            clinic = self._clinic_of(provider_id)
            if not _fits(query, put, clinic):
                continue
            if query.near is None:
                yield sort_key(put.profile.name), provider_id
                continue
            away = UNKNOWN_KM
            if clinic.latitude is not None and clinic.longitude is not None:
                away = distance_km(query.near, (clinic.latitude, clinic.longitude))
            if query.within_km is None or away <= query.within_km:
                yield away, provider_id


def _fits(query: ProviderQuery, put: PutProvider, clinic: Clinic) -> bool:
    if query.resources is not (put.profile.resource is not None):
        return False
    if (put.profile.retired or put.profile.suspended) and not query.with_retired:
        return False
    words = provider_words(put.profile) | clinic_words(clinic)
    asked = query_words(query.words)
    if query.words.strip() and not asked:
        return False
    if not all(any(w.startswith(word) for w in words) for word in asked):
        return False
    if query.specialty and sort_key(query.specialty) != sort_key(put.profile.specialty):
        return False
    return query.clinic_id is None or query.clinic_id == put.profile.clinic.clinic_id


class MemoryHistory:
    """``BookingHistory`` over rows in memory."""

    async def of_patient(  # noqa: PLR0913 - one for each filter
        self,
        patient_id: PatientId,
        *,
        first: Minute | None,
        last: Minute | None,
        status: BookingStatus | None,
        after: str,
        limit: int,
        proxy: bool = False,
    ) -> tuple[Sequence[BookingView], str | None]:
        """A page by start then id, and the cursor of the next; see the port."""
        found = [
            view
            for view in self._views()
            if view.patient_id == patient_id
            and (first is None or view.start >= first)
            and (last is None or view.start < last)
            and (status is None or view.status is status)
            and not (proxy and view.confidential)
        ]
        found.sort(key=_place)
        if after:
            start = read_cursor("b", after, (int, str))
            found = [view for view in found if _place(view) > start]
        page = found[:limit]
        more = len(found) > limit and bool(page)
        return page, write_cursor("b", *_place(page[-1])) if more else None

    async def booking(self, booking_id: BookingId) -> BookingView | None:
        """One booking, also if it is no longer in its calendar's memory."""
        found = [view for view in self._views() if view.booking_id == booking_id]
        return found[0] if found else None

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether a patient has ever had a booking at a clinic; see the port."""
        return any(
            view.patient_id == patient_id
            and self._clinic_of_provider(view.provider_id) == clinic_id
            for view in self._views()
        )

    def _clinic_of_provider(self, provider_id: ProviderId) -> ClinicId | None:
        raise NotImplementedError

    def _views(self) -> list[BookingView]:
        raise NotImplementedError


def _place(view: BookingView) -> tuple[int, str]:
    return view.start, view.booking_id
