"""What readers may ask of the read model: SQL behind, a memory twin in tests.

The read model follows the journal; it never decides who gets a slot. A reader who
must see their own change first waits until the projection has reached its seq.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import (
    BookingId,
    ClinicId,
    Millis,
    Minute,
    PatientId,
    ProviderId,
    ShardId,
)
from actors.domain.messages.answers import BookingStatus, BookingView
from actors.domain.rules import Clinic, Profile, VisitType


class ProviderListing(Struct, frozen=True):
    """A provider as directories show them; visit types are the active ones."""

    provider_id: ProviderId
    profile: Profile
    visit_types: tuple[VisitType, ...]
    distance_km: float | None = None


class ProviderQuery(Struct, frozen=True):
    """What to look for; retired providers are never found.

    Words match the beginnings of words in names, specialties, clinics and cities,
    whatever their case and accents; all words must match.
    """

    words: str = ""
    specialty: str = ""
    clinic_id: ClinicId | None = None
    near: tuple[float, float] | None = None
    within_km: float | None = None


class Directory(Protocol):
    """Who can be visited, and where."""

    async def find(
        self, query: ProviderQuery, *, after: str, limit: int
    ) -> tuple[Sequence[ProviderListing], str | None]:
        """A page in a stable order (by distance if ``near``, else by name, then id).

        ``after`` is "" or the opaque cursor of the page before; the second value is
        the cursor of the next page, None at the end. Raises ValueError on a cursor
        that is not ours.
        """
        ...

    async def ids(self, query: ProviderQuery, *, limit: int) -> Sequence[ProviderId]:
        """All matching ids in the same order, at most ``limit``."""
        ...

    async def listings(
        self,
        provider_ids: Sequence[ProviderId],
        near: tuple[float, float] | None = None,
    ) -> Mapping[ProviderId, ProviderListing]:
        """These providers, those that exist; how far away, when ``near`` is given."""
        ...

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """These clinics, those that exist."""
        ...

    async def find_clinics(
        self, words: str, *, after: str, limit: int
    ) -> tuple[Sequence[Clinic], str | None]:
        """A page by name, then id, of those that have all words; as ``find``."""
        ...

    async def keep_clinic(self, clinic: Clinic) -> Clinic:
        """The clinic of this id as it is known; added if it was not.

        Never changes one that exists: that is ``put_clinics``' part.
        """
        ...

    async def replace_clinic(self, clinic: Clinic, read: Clinic) -> bool:
        """Put a record if the clinic still is as it was ``read``; False if not."""
        ...

    async def clinic_count(self) -> int:
        """How many clinics there are."""
        ...

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add or update clinic records: how many were (new, changed, the same).

        A record stands, whatever providers are registered with, and survives a
        rebuild of the read model.
        """
        ...


class BookingHistory(Protocol):
    """Bookings of patients over all providers, as of the projection."""

    async def of_patient(
        self,
        patient_id: PatientId,
        *,
        first: Minute | None,
        last: Minute | None,
        status: BookingStatus | None,
        after: str,
        limit: int,
    ) -> tuple[Sequence[BookingView], str | None]:
        """A page by start then id; cursors as in Directory.find."""
        ...

    async def booking(self, booking_id: BookingId) -> BookingView | None:
        """One booking, also when its calendar has forgotten it."""
        ...

    async def is_known(self, clinic_id: ClinicId, patient_id: PatientId) -> bool:
        """Whether a patient has ever had a booking at a clinic's providers."""
        ...


class ShardLag(Struct, frozen=True):
    """How far the projection of one shard is behind its journal."""

    shard: ShardId
    epoch: int
    projected_seq: int
    journal_seq: int
    oldest_waiting_at: Millis | None = None

    @property
    def events(self) -> int:
        """Events not yet projected."""
        return max(0, self.journal_seq - self.projected_seq)


class ProjectionProgress(Protocol):
    """Where the projection stands."""

    async def offsets(self) -> Mapping[ShardId, int]:
        """The last projected seq of every shard that has one."""
        ...

    async def reached(self, shard: ShardId, seq: int, *, timeout_s: float) -> bool:
        """Wait until the projection of ``shard`` has reached ``seq``; False if not."""
        ...

    async def conflicts(self) -> int:
        """How many events are parked because a claim was already taken: 0, always."""
        ...
