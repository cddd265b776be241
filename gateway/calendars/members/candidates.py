"""The rooms and equipment of clinics, as the read model knows them.

They are chosen from for each visit that needs some: while the read model does not
answer, as it had them last. What was added at this gateway counts at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

from actors.domain.ids import ClinicId, ProviderId
from actors.domain.rules import Profile
from actors.errors import Unavailable
from care.readmodel import Directory, ProviderQuery
from gateway.access.believed import Believed
from gateway.access.rights import ProviderFacts

RESOURCES_MAX: Final = 200
"""Rooms and equipment of one clinic, retired ones included."""
NOTED_S: Final = 60.0
"""How long what was added here is remembered: the read model has it long before."""
_CLINICS_MAX: Final = 5_000

Known = tuple[ProviderId, Profile]
"""A room or piece of equipment: its calendar, and what it is."""


Facts = Callable[[ProviderId], Awaitable[ProviderFacts | None]]
"""What is known of a provider; None: there is no such one."""


class Candidates:
    """One per process."""

    def __init__(
        self,
        directory: Directory,
        facts: Facts,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._directory = directory
        self._facts = facts
        self._last = Believed[ClinicId, Sequence[Known]](
            float("inf"), _CLINICS_MAX, monotonic_s
        )
        """The last answers, for when the read model does not give another."""
        self._noted = Believed[ProviderId, Known](NOTED_S, _CLINICS_MAX, monotonic_s)

    def note(self, provider_id: ProviderId, profile: Profile) -> None:
        """A room or piece of equipment was added or changed here."""
        self._noted.put(provider_id, (provider_id, profile))

    def changed(self, provider_id: ProviderId) -> None:
        """A calendar was changed here: what was noted may be out of date."""
        self._noted.forget(provider_id)

    async def of_clinic(self, clinic_id: ClinicId) -> list[Known]:
        """All of a clinic, retired ones included, by id.

        Raises:
            Unavailable: the read model does not answer, and never did.
        """
        found = dict(await self._listed(clinic_id))
        for provider_id, profile in self._noted.values():
            if profile.clinic.clinic_id == clinic_id:
                found[provider_id] = profile
        return sorted(found.items())

    async def beside(
        self, provider_id: ProviderId, *, with_retired: bool = False
    ) -> list[Known]:
        """Those that a visit with this provider may take. Raises Unavailable."""
        facts = await self._facts(provider_id)
        if facts is None:
            return []
        return [
            (one, profile)
            for one, profile in await self.of_clinic(facts.clinic_id)
            if with_retired or not (profile.retired or profile.suspended)
        ]

    async def _listed(self, clinic_id: ClinicId) -> Sequence[Known]:
        query = ProviderQuery(clinic_id=clinic_id, with_retired=True, resources=True)
        try:
            page, _ = await self._directory.find(query, after="", limit=RESOURCES_MAX)
        except Unavailable:
            last = self._last.get(clinic_id)
            if last is None:
                raise
            return last
        found = [(one.provider_id, one.profile) for one in page]
        self._last.put(clinic_id, found)
        return found
