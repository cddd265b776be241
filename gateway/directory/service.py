"""Entries of the directory: read by all, edited by whom the table of rights allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from actors.domain.ids import ClinicId, ProviderId, VisitTypeId, is_id, is_provider_id
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import NO_PROVIDER, Refusal, RefusalCode
from actors.errors import SchedulingError, Unavailable
from actors.ports import Calendars
from care.directory.entries import (
    ClinicEntry,
    KeptClinicEntry,
    KeptProviderEntry,
    ProviderEntry,
)
from care.directory.ports import DirectoryEntries, EntryChanged
from care.directory.specialties import (
    BUILT_IN,
    SPECIALTIES_MAX,
    Specialty,
    SpecialtyIndex,
)
from care.readmodel import Directory
from gateway.directory.clinics.service import ClinicService
from gateway.directory.schemas import specialty_tag
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    Refused,
    VersionBehind,
    accepted,
)

PATIENCE_S: Final = 1.0
"""How long an edit waits for the calendar."""
_TRIES: Final = 5
"""Edits of one entry at the same moment, after which the last one is refused."""
_BUILT_IN: Final = {one.specialty_id: one for one in BUILT_IN}


class DirectoryService:
    """The operations on entries and specialties.

    Every method may raise the errors of gateway/wire/errors.py, and Unavailable.
    """

    def __init__(
        self,
        entries: DirectoryEntries,
        calendars: Calendars,
        clinics: ClinicService,
        directory: Directory,
    ) -> None:
        self._entries = entries
        self._calendars = calendars
        self._clinics = clinics
        self._directory = directory

    async def provider(self, provider_id: str) -> KeptProviderEntry:
        """A provider's entry."""
        await self._offered(provider_id)
        return await self._entries.provider(ProviderId(provider_id))

    async def check_provider(self, provider_id: str) -> None:
        """Raises Refused: there is no such provider."""
        await self._offered(provider_id)

    async def check_clinic(self, clinic_id: str) -> None:
        """Raises NotFound: there is no such clinic."""
        await self._clinics.record(_clinic_id(clinic_id))

    async def put_provider(
        self, provider_id: str, entry: ProviderEntry, if_match: str | None
    ) -> KeptProviderEntry:
        """Replace a provider's entry; its services name visit types of the provider."""
        offered = await self._offered(provider_id)
        for number, service in enumerate(entry.services):
            if service.visit_type not in offered:
                field = f"services.{number}.visit_type"
                message = "must be a visit type of the provider"
                raise InvalidRequest("", FieldError(field, message))
        known = _version_in(if_match, provider_id)
        try:
            return await self._entries.put_provider(
                ProviderId(provider_id), entry, known
            )
        except EntryChanged:
            raise VersionBehind from None

    async def clinic(self, clinic_id: str) -> KeptClinicEntry:
        """A clinic's entry."""
        await self._clinics.record(_clinic_id(clinic_id))
        return await self._entries.clinic(ClinicId(clinic_id))

    async def put_clinic(
        self, clinic_id: str, entry: ClinicEntry, if_match: str | None
    ) -> KeptClinicEntry:
        """Replace a clinic's entry."""
        await self._clinics.record(_clinic_id(clinic_id))
        known = _version_in(if_match, clinic_id)
        for _ in range(_TRIES):
            kept = await self._entries.clinic(ClinicId(clinic_id))
            if known not in (None, kept.version):
                break
            # Whether the clinic is retired is no part of what is edited here.
            made = replace(
                entry,
                retired=kept.entry.retired,
                retired_with=kept.entry.retired_with,
            )
            try:
                return await self._entries.put_clinic(
                    ClinicId(clinic_id), made, kept.version
                )
            except EntryChanged:
                continue
        raise VersionBehind

    async def specialties(self, language: str) -> Sequence[tuple[Specialty, bool]]:
        """All specialties by title, and whether each is built in."""
        index = SpecialtyIndex(await self._entries.specialties())
        found = sorted(index.known.values(), key=lambda one: one.title(language))
        return [(one, _BUILT_IN.get(one.specialty_id) == one) for one in found]

    async def put_specialty(self, specialty: Specialty, if_match: str | None) -> None:
        """Add a specialty, or replace it in every language.

        Raises VersionBehind: its names have another tag, or there is none. Two edits
        within milliseconds are not told apart: a handful of people have this right.
        """
        known = await self._entries.specialties()
        if (if_match or "*").strip() != "*":
            kept = SpecialtyIndex(known).known.get(specialty.specialty_id)
            if kept is None or specialty_tag(kept) != (if_match or "").strip():
                raise VersionBehind
        of_site = {one.specialty_id for one in known}
        total = of_site | _BUILT_IN.keys() | {specialty.specialty_id}
        if len(total) > SPECIALTIES_MAX:
            message = f"a site has at most {SPECIALTIES_MAX} specialties"
            raise InvalidRequest("", FieldError("specialty", message))
        await self._entries.put_specialty(specialty)

    async def drop_specialty(self, specialty_id: str) -> None:
        """Take back what the site said; a built-in specialty is as it was."""
        if not await self._entries.drop_specialty(specialty_id):
            raise NotFound(code="specialty_not_found")

    async def _offered(self, provider_id: str) -> set[VisitTypeId]:
        """A provider's visit types; of the directory if the calendar does not answer.

        Entries are no part of the journal, so they can be edited while it is away.
        """
        if not is_provider_id(provider_id):
            raise Refused(Refusal(RefusalCode.PROVIDER_NOT_FOUND))
        known = ProviderId(provider_id)
        try:
            async with asyncio.timeout(PATIENCE_S):
                reply = await self._calendars.ask(ReadProvider(known))
        except (SchedulingError, TimeoutError):
            return await self._listed(known)
        view = accepted(reply, ProviderView)
        if view.profile.resource is not None:  # a room has no entry
            raise Refused(NO_PROVIDER)
        kinds = view.availability.visit_types
        return {kind.visit_type for kind in kinds}

    async def _listed(self, provider_id: ProviderId) -> set[VisitTypeId]:
        listing = (await self._directory.listings([provider_id])).get(provider_id)
        if listing is None:
            raise Unavailable("the calendar does not answer; try again in a moment")
        return {kind.visit_type for kind in listing.visit_types}


def entry_tag(subject: str, version: int) -> str:
    """The ETag of an entry; it changes with every edit."""
    return f'"{subject}.e{version}"'


def _version_in(if_match: str | None, subject: str) -> int | None:
    """The version that If-Match names; None for any. Raises VersionBehind."""
    text = (if_match or "*").strip()
    if text == "*":
        return None
    version = text.removeprefix(f'"{subject}.e').removesuffix('"')
    if not version.isascii() or not version.isdigit() or len(version) > 18:  # noqa: PLR2004
        raise VersionBehind
    return int(version)


def _clinic_id(text: str) -> ClinicId:
    if not is_id(text, "cln"):
        raise NotFound(code="clinic_not_found")
    return ClinicId(text)
