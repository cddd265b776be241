"""A source of the search's rows over the read model in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Profile
from actors.errors import Unavailable
from care.directory.entries import ProviderEntry, Rating
from care.directory.ports import RosterChanges, RosterRow
from care.directory.specialties import Specialty
from persistence.readmodel.memory.readmodel import MemoryReadModel


def is_listed(profile: Profile) -> bool:
    """Whether patients find a provider, as the read model in SQL says it."""
    return not (profile.retired or profile.suspended or profile.resource)


class MemoryRoster:
    """``RosterSource``: what differs from what was told of has changed."""

    def __init__(self) -> None:
        self.read_model = MemoryReadModel()
        self._told: dict[ProviderId, RosterRow] = {}
        self._own: Sequence[Specialty] = ()
        self.entries: dict[ProviderId, ProviderEntry] = {}
        self.ratings: dict[ProviderId, Rating] = {}
        self.photos: dict[str, str] = {}
        self.own_specialties: list[Specialty] = []
        self.is_away = False
        self.is_lost = False

    def _now(self) -> dict[ProviderId, RosterRow]:
        if self.is_away:
            raise Unavailable("away")
        model = self.read_model
        return {
            provider_id: RosterRow(
                provider_id=provider_id,
                name=row.profile.name,
                specialty=row.profile.specialty,
                languages=row.profile.languages,
                clinic=model.clinic_table[row.profile.clinic.clinic_id].clinic,
                visit_types=model.visit_types.get(provider_id, ()),
                entry=self.entries.get(provider_id, ProviderEntry()),
                rating=self.ratings.get(provider_id),
                photo=self.photos.get(provider_id, ""),
                clinic_photo=self.photos.get(row.profile.clinic.clinic_id, ""),
            )
            for provider_id, row in model.providers.items()
            if is_listed(row.profile)
        }

    async def begin(self) -> None:
        self._told, self._own = self._now(), tuple(self.own_specialties)

    async def count(self) -> int:
        return len(self._now())

    async def all(self) -> AsyncIterator[Sequence[RosterRow]]:
        yield list(self._now().values())

    async def rows(
        self, provider_ids: Collection[ProviderId], clinic_ids: Collection[ClinicId]
    ) -> Mapping[ProviderId, RosterRow | None]:
        found = self._now()
        return {one: found.get(one) for one in provider_ids}

    async def changes(self) -> RosterChanges:
        found, told = self._now(), self._told
        self._told = found
        changed = {
            one for one in found.keys() | told.keys() if found.get(one) != told.get(one)
        }
        own, self._own = self._own, tuple(self.own_specialties)
        is_lost, self.is_lost = self.is_lost, False
        return RosterChanges(
            provider_ids=frozenset(changed),
            specialties=own != self._own,
            is_lost=is_lost,
        )

    async def specialties(self) -> Sequence[Specialty]:
        return list(self.own_specialties)
