"""What the directory needs from its stores. Every method may raise Unavailable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Clinic, VisitType
from care.directory.entries import (
    ClinicEntry,
    KeptClinicEntry,
    KeptProviderEntry,
    ProviderEntry,
    Rating,
)
from care.directory.specialties import Specialty


class EntryChanged(Exception):
    """What is to be replaced has another version than was read."""


class DirectoryEntries(Protocol):
    """The entries of clinics and providers, and the site's own specialties.

    A write and its line in the log of changes are one transaction. ``known`` is the
    version that is replaced, None for any; another one raises EntryChanged.
    """

    async def provider(self, provider_id: ProviderId) -> KeptProviderEntry:
        """A provider's entry; an empty one if there is none."""
        ...

    async def put_provider(
        self, provider_id: ProviderId, entry: ProviderEntry, known: int | None
    ) -> KeptProviderEntry:
        """Replace a provider's entry. Raises EntryChanged."""
        ...

    async def put_rating(self, provider_id: ProviderId, rating: Rating) -> None:
        """Replace what a provider's reviews add up to."""
        ...

    async def clinic(self, clinic_id: ClinicId) -> KeptClinicEntry:
        """A clinic's entry; an empty one if there is none."""
        ...

    async def put_clinic(
        self, clinic_id: ClinicId, entry: ClinicEntry, known: int | None
    ) -> KeptClinicEntry:
        """Replace a clinic's entry. Raises EntryChanged."""
        ...

    async def retired_clinics(
        self, clinic_ids: Collection[ClinicId]
    ) -> Collection[ClinicId]:
        """Which of these clinics are retired."""
        ...

    async def specialties(self) -> Sequence[Specialty]:
        """The specialties that this site added or changed."""
        ...

    async def put_specialty(self, specialty: Specialty) -> None:
        """Add a specialty, or replace the built-in one of this id."""
        ...

    async def drop_specialty(self, specialty_id: str) -> bool:
        """Take back what the site said of a specialty; False if it said nothing."""
        ...


class DirectoryPhotos(Protocol):
    """Which photo a provider or a clinic has; the subject is the id of either.

    A write and its line in the log of changes are one transaction.
    """

    async def photo(self, subject: str) -> str:
        """The id of a subject's photo; empty if there is none."""
        ...

    async def put_photo(self, subject: str, photo: str) -> None:
        """Give a subject this photo."""
        ...

    async def drop_photo(self, subject: str) -> bool:
        """Take the photo of a subject away; False if there was none."""
        ...

    async def used(self, photos: Collection[str]) -> Collection[str]:
        """The ones of these photos that a subject has."""
        ...


class RosterRow(Struct, frozen=True):
    """A provider as a search knows them: profile, clinic, visit types and entries."""

    provider_id: ProviderId
    name: str
    specialty: str
    languages: tuple[str, ...]
    clinic: Clinic
    visit_types: tuple[VisitType, ...] = ()
    """The active ones."""
    entry: ProviderEntry = ProviderEntry()
    clinic_insurances: tuple[str, ...] = ()
    rating: Rating | None = None
    photo: str = ""
    """The id of the provider's photo; empty if there is none."""
    clinic_photo: str = ""


class RosterChanges(Struct, frozen=True):
    """What changed since it was asked last.

    ``is_lost``: changes that are not in the log any more may have been missed, or
    everything changed: read all.
    """

    provider_ids: frozenset[ProviderId] = frozenset()
    clinic_ids: frozenset[ClinicId] = frozenset()
    specialties: bool = False
    is_lost: bool = False


class RosterSource(Protocol):
    """The providers that a search can find, and what changed among them."""

    async def begin(self) -> None:
        """Take the log's present end: ``changes`` tells of what is written from now on.

        What is read afterwards contains all that was written before.
        """
        ...

    async def count(self) -> int:
        """About how many providers there are."""
        ...

    def all(self) -> AsyncIterator[Sequence[RosterRow]]:
        """All providers that can be found, in portions."""
        ...

    async def rows(
        self, provider_ids: Collection[ProviderId], clinic_ids: Collection[ClinicId]
    ) -> Mapping[ProviderId, RosterRow | None]:
        """These providers and those of these clinics; None: cannot be found."""
        ...

    async def changes(self) -> RosterChanges:
        """What changed since ``begin`` or the call before.

        Numbers of concurrent transactions become visible out of order, so the newest
        are looked at again; each change is told of once.
        """
        ...

    async def specialties(self) -> Sequence[Specialty]:
        """The specialties that this site added or changed."""
        ...
