"""Ports of the read model: SQL in production, an in-memory twin in tests.

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
    """A provider as shown in directories, with its active visit types."""

    provider_id: ProviderId
    profile: Profile
    visit_types: tuple[VisitType, ...]
    distance_km: float | None = None


class ProviderQuery(Struct, frozen=True):
    """A search for providers; retired and suspended ones only ``with_retired``.

    ``resources``: for rooms and equipment instead, which no search of people finds.
    Words match the beginnings of words in names, specialties, clinics and cities,
    whatever their case and accents; all words must match.
    """

    words: str = ""
    specialty: str = ""
    clinic_id: ClinicId | None = None
    near: tuple[float, float] | None = None
    within_km: float | None = None
    with_retired: bool = False
    resources: bool = False


class Directory(Protocol):
    """Providers and clinics."""

    async def find(
        self, query: ProviderQuery, *, after: str, limit: int
    ) -> tuple[Sequence[ProviderListing], str | None]:
        """A page in a stable order (by distance if ``near``, else by name, then id).

        ``after`` is "" or the opaque cursor of the page before; the second value is
        the cursor of the next page, None at the end. Raises ValueError on an
        invalid cursor.
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
        """The existing ones of these providers, with distances if ``near`` is given."""
        ...

    async def clinics(
        self, clinic_ids: Sequence[ClinicId]
    ) -> Mapping[ClinicId, Clinic]:
        """The existing ones of these clinics."""
        ...

    async def find_clinics(
        self, words: str, *, after: str, limit: int
    ) -> tuple[Sequence[Clinic], str | None]:
        """A page of the clinics that match all words, by name, then id; as ``find``."""
        ...

    async def keep_clinic(self, clinic: Clinic) -> Clinic:
        """The stored clinic of this id; added if there is none.

        Never changes an existing one; ``put_clinics`` does that.
        """
        ...

    async def replace_clinic(self, clinic: Clinic, read: Clinic) -> bool:
        """Store a record if the clinic is unchanged since ``read``; False if not."""
        ...

    async def clinic_count(self) -> int:
        """The number of clinics."""
        ...

    async def put_clinics(self, clinics: Sequence[Clinic]) -> tuple[int, int, int]:
        """Add or update clinic records; the numbers of (new, changed, unchanged) ones.

        A record takes precedence over the clinics that providers are registered with,
        and survives a rebuild of the read model.
        """
        ...


class BookingHistory(Protocol):
    """Bookings of patients over all providers, as of the projection."""

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
        """A page by start then id; cursors as in Directory.find.

        ``proxy``: confidential ones are left out.
        """
        ...

    async def booking(self, booking_id: BookingId) -> BookingView | None:
        """One booking, even if its calendar has dropped it."""
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
    """How far the projection is."""

    async def offsets(self) -> Mapping[ShardId, int]:
        """The last projected seq of every shard that has one."""
        ...

    async def reached(self, shard: ShardId, seq: int, *, timeout_s: float) -> bool:
        """Wait until the projection of ``shard`` has reached ``seq``; False if not."""
        ...

    async def conflicts(self) -> int:
        """How many events are parked because a claim was already taken: 0, always."""
        ...
