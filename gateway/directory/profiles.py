"""What a provider's calendar says of them in the directory: read and replaced.

Name, specialty, languages and a text about them are in the calendar, for every process
that shows a provider has it from there. A change is made on the profile that was read,
and refused if another was set meanwhile.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Self

from msgspec import Struct, json
from msgspec.structs import replace

from actors.domain.ids import ProviderId, is_provider_id
from actors.domain.messages.answers import Done, ProviderView
from actors.domain.messages.commands import RegisterProvider
from actors.domain.messages.reads import ReadProvider
from actors.domain.messages.refusals import NO_PROVIDER, Refusal, RefusalCode
from actors.domain.rules import Profile
from actors.ports import Calendars
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.calendars.commands import Commands
from gateway.wire.errors import Refused, VersionBehind, accepted

_TAG_BYTES: Final = 8


class ProviderText(Struct, frozen=True):
    """The part of a profile that people edit."""

    name: str
    specialty: str
    languages: tuple[str, ...]
    about: str

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """What a profile says."""
        return cls(profile.name, profile.specialty, profile.languages, profile.about)

    @property
    def tag(self) -> str:
        """The ETag; it changes with the text, and with nothing else."""
        digest = blake2b(json.encode(self), digest_size=_TAG_BYTES).hexdigest()
        return f'"p{digest}"'


class ProviderProfiles:
    """The operations on profiles.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(
        self, commands: Commands, calendars: Calendars, access: Access
    ) -> None:
        self._commands = commands
        self._calendars = calendars
        self._access = access

    async def read(self, provider_id: str) -> ProviderText:
        """What is said of a provider."""
        return ProviderText.of(await self._profile(provider_id))

    async def put(
        self, caller: Caller, provider_id: str, text: ProviderText, if_match: str | None
    ) -> ProviderText:
        """Replace it. Another name or specialty needs the right to name providers.

        Raises:
            VersionBehind: the profile has another ETag.
            Refused: it was replaced at this moment.
        """
        profile = await self._profile(provider_id)
        read = ProviderText.of(profile)
        if (if_match or "*").strip() not in ("*", read.tag):
            raise VersionBehind(read.tag.encode())
        if (text.name, text.specialty) != (read.name, read.specialty):
            await self._access.to_provider(
                caller, Action.NAME_PROVIDER, ProviderId(provider_id)
            )
        if text == read:
            return read
        made = replace(
            profile,
            name=text.name,
            specialty=text.specialty,
            languages=text.languages,
            about=text.about,
        )
        stamp = self._commands.stamp(caller, None, "profile", provider_id, text)
        command = RegisterProvider(
            provider_id=ProviderId(provider_id),
            profile=made,
            based_on=profile,
            **stamp,
        )
        accepted(await self._commands.send(command), Done)
        self._access.forget(ProviderId(provider_id))
        return text

    async def _profile(self, provider_id: str) -> Profile:
        if not is_provider_id(provider_id):
            raise Refused(Refusal(RefusalCode.PROVIDER_NOT_FOUND))
        reply = await self._calendars.ask(ReadProvider(ProviderId(provider_id)))
        profile = accepted(reply, ProviderView).profile
        if profile.resource is not None:  # a room says nothing in the directory
            raise Refused(NO_PROVIDER)
        return profile
