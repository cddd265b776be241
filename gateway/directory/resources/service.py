"""Rooms and equipment: listed, added and renamed.

Each is a calendar of its clinic, registered as what it is. No search finds it, and no
visit takes it but as a member: rules of visit types say what they need.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.ids import ClinicId, ProviderId, is_id, is_provider_id
from actors.domain.messages.answers import Done, ProviderView
from actors.domain.messages.commands import RegisterProvider
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import NO_PROVIDER
from actors.domain.rules import Profile, Resource, ResourceKind
from actors.ports import Calendars
from gateway.access.rights import Access
from gateway.access.tokens import Caller
from gateway.calendars.commands import Commands
from gateway.calendars.members.candidates import RESOURCES_MAX, Candidates
from gateway.directory.clinics.service import ClinicService
from gateway.wire.errors import InvalidRequest, NotFound, Refused, accepted


class ResourceText(Struct, frozen=True):
    """What is said of a room or piece of equipment."""

    name: str
    tags: tuple[str, ...]


class ListedResource(Struct, frozen=True):
    """A room or piece of equipment, by the id of its calendar."""

    resource_id: ProviderId
    kind: ResourceKind
    text: ResourceText
    retired: bool

    @classmethod
    def of(cls, provider_id: ProviderId, profile: Profile) -> Self:
        """What a profile says."""
        assert profile.resource is not None, "of a room or equipment"
        text = ResourceText(profile.name, profile.resource.tags)
        return cls(provider_id, profile.resource.kind, text, profile.retired)


class ClinicResources:
    """The operations on a clinic's rooms and equipment.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable. Rights are the routes'.
    """

    def __init__(
        self,
        candidates: Candidates,
        clinics: ClinicService,
        commands: Commands,
        calendars: Calendars,
        access: Access,
    ) -> None:
        self._candidates = candidates
        self._clinics = clinics
        self._commands = commands
        self._calendars = calendars
        self._access = access

    async def listed(self, clinic_id: str) -> list[ListedResource]:
        """All of a clinic, retired ones included: rooms by name, then equipment."""
        clinic = await self._clinics.record(_clinic_id(clinic_id))
        found = [
            ListedResource.of(provider_id, profile)
            for provider_id, profile in await self._candidates.of_clinic(
                clinic.clinic_id
            )
        ]
        by_kind = {ResourceKind.ROOM: 0, ResourceKind.EQUIPMENT: 1}
        found.sort(key=lambda one: (by_kind[one.kind], one.text.name, one.resource_id))
        return found

    async def add(
        self,
        caller: Caller,
        key: str | None,
        clinic_id: str,
        kind: ResourceKind,
        text: ResourceText,
    ) -> ListedResource:
        """Add one, without hours: until it has some, no visit takes it."""
        clinic = await self._clinics.record(_clinic_id(clinic_id))
        await self._clinics.check_open(clinic.clinic_id)
        if len(await self._candidates.of_clinic(clinic.clinic_id)) >= RESOURCES_MAX:
            raise InvalidRequest(
                f"A clinic has at most {RESOURCES_MAX} rooms and pieces of equipment, "
                "retired ones included. Rename a retired one and reinstate it."
            )
        stamp = self._commands.stamp(
            caller, key, "resource", clinic.clinic_id, kind, text
        )
        # Of the key, so that the same request repeated adds the same one.
        token = blake2b(stamp["key"].encode(), digest_size=12).hexdigest()
        provider_id = ProviderId(f"prv_{token}")
        resource = Resource(kind, text.tags)
        profile = Profile(text.name, "", clinic, resource=resource)
        command = RegisterProvider(provider_id=provider_id, profile=profile, **stamp)
        accepted(await self._commands.send(command), Done)
        self._candidates.note(provider_id, profile)
        return ListedResource.of(provider_id, profile)

    async def change(
        self, caller: Caller, clinic_id: str, resource_id: str, text: ResourceText
    ) -> ListedResource:
        """Rename one, or replace what it is fit for; visits that have it keep it."""
        clinic, provider_id = _clinic_id(clinic_id), ProviderId(resource_id)
        profile = await self._profile(clinic, provider_id)
        assert profile.resource is not None, "_profile refuses others"
        made = replace(
            profile, name=text.name, resource=replace(profile.resource, tags=text.tags)
        )
        if made != profile:
            stamp = self._commands.stamp(caller, None, "resource", resource_id, text)
            command = RegisterProvider(
                provider_id=provider_id, profile=made, based_on=profile, **stamp
            )
            accepted(await self._commands.send(command), Done)
            self._access.forget(provider_id)
        self._candidates.note(provider_id, made)
        return ListedResource.of(provider_id, made)

    async def _profile(self, clinic_id: ClinicId, provider_id: ProviderId) -> Profile:
        missing = Refused(NO_PROVIDER)
        if not is_provider_id(provider_id):
            raise missing
        reply = await self._calendars.ask(ReadProvider(provider_id))
        profile = accepted(reply, ProviderView).profile
        if profile.resource is None or profile.clinic.clinic_id != clinic_id:
            raise missing
        return profile


def _clinic_id(text: str) -> ClinicId:
    if not is_id(text, "cln"):
        raise NotFound(code="clinic_not_found")
    return ClinicId(text)
