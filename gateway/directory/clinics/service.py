"""Clinics: find, show and keep their records.

A clinic is a row of the directory. Calendars carry a copy from when their provider was
registered; what is shown is the record, so that every doctor of a clinic and every
search show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Final

from actors.domain.ids import ClinicId
from actors.domain.rules import Clinic
from actors.domain.zone_data import zone_info
from actors.errors import Unavailable
from care.directory.ports import DirectoryEntries
from care.readmodel import Directory, ProviderQuery
from gateway.access.believed import Believed
from gateway.access.rights import Access, Action
from gateway.access.tokens import Caller
from gateway.directory.clinics.schemas import (
    ClinicDetails,
    ClinicList,
    ClinicRequest,
    clinic_of,
    clinic_tag,
    listed_clinic,
)
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    RequestError,
    VersionBehind,
)

BELIEVED_S: Final = 5.0
"""How long a record is cached: another gateway may change it."""
_KNOWN_MAX: Final = 5_000


class ClinicRetired(RequestError):
    """The clinic is retired: reactivate it first."""

    code = "clinic_retired"


class ClinicService:
    """The operations on clinics.

    Every method may raise the errors of gateway/wire/errors.py, and Unavailable.
    """

    def __init__(
        self,
        directory: Directory,
        access: Access,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self.entries: DirectoryEntries | None = None
        """What says which clinics are retired; replaced where there are records."""
        self._directory = directory
        self._access = access
        self._known = Believed[ClinicId, Clinic](BELIEVED_S, _KNOWN_MAX, monotonic_s)

    async def find(
        self, words: str, cursor: str, limit: int, *, with_retired: bool = False
    ) -> ClinicList:
        """A page of clinics that match all words, by name.

        Without the retired ones it may be shorter than ``limit``.
        """
        try:
            clinics, following = await self._directory.find_clinics(
                words, after=cursor, limit=limit
            )
        except ValueError:
            raise InvalidRequest(
                "", FieldError("cursor", "is not valid; start again without one")
            ) from None
        gone = await self._retired([one.clinic_id for one in clinics])
        listed = (listed_clinic(one, retired=one.clinic_id in gone) for one in clinics)
        shown = [one for one in listed if with_retired or not one.retired]
        return ClinicList(shown, following)

    async def check_open(self, clinic_id: ClinicId) -> None:
        """Raises ClinicRetired."""
        if await self._retired([clinic_id]):
            raise ClinicRetired

    async def _retired(self, clinic_ids: Sequence[ClinicId]) -> Collection[ClinicId]:
        if self.entries is None:
            return ()
        return await self.entries.retired_clinics(clinic_ids)

    async def put(
        self,
        caller: Caller | None,
        clinic_id: ClinicId,
        details: ClinicDetails,
        known: str = "",
    ) -> Clinic:
        """Add a clinic, or replace its record.

        ``known`` is the ETag of the record to replace; "*": any existing record, "":
        none is required. Raises VersionBehind: the record has another ETag.
        """
        await self._access.to_clinic(caller, Action.PUT_CLINIC, clinic_id)
        if details.clinic_id not in (None, clinic_id):
            raise InvalidRequest(
                "", FieldError("clinic_id", "must be the one in the address")
            )
        check_zone(details.time_zone, "time_zone")
        clinic = clinic_of(clinic_id, details)
        if not clinic.name:
            raise InvalidRequest("", FieldError("name", "must not be blank"))
        await self._check_zone_stays(clinic)
        if known:
            await self._replace(clinic, known)
        else:
            await self._directory.put_clinics([clinic])
        self._remember(clinic)
        return clinic

    async def _replace(self, clinic: Clinic, known: str) -> None:
        read = (await self._directory.clinics([clinic.clinic_id])).get(clinic.clinic_id)
        if read is None:
            raise VersionBehind(b"")
        tag = clinic_tag(read)
        is_known = known == "*" or known.encode() == tag
        if not is_known or not await self._directory.replace_clinic(clinic, read):
            raise VersionBehind(tag if not is_known else b"")

    async def record(self, clinic_id: ClinicId) -> Clinic:
        """The clinic's present record. Raises NotFound."""
        clinics = await self._directory.clinics([clinic_id])
        if clinic_id not in clinics:
            raise NotFound(code="clinic_not_found")
        self._remember(clinics[clinic_id])
        return clinics[clinic_id]

    async def kept(self, request: ClinicRequest) -> Clinic:
        """The record of a clinic named in a registration; created if new.

        An existing record is not changed by the request.
        """
        check_zone(request.time_zone, "clinic.time_zone")
        clinic = clinic_of(request.clinic_id, request)
        if not clinic.name:
            raise InvalidRequest("", FieldError("clinic.name", "must not be blank"))
        return await self._directory.keep_clinic(clinic)

    async def shown(self, copy: Clinic) -> Clinic:
        """The record of a clinic, at most ``BELIEVED_S`` old.

        This copy if there is none.
        """
        known = self._known.get(copy.clinic_id)
        if known is not None:
            return known
        try:
            found = await self._directory.clinics([copy.clinic_id])
        except Unavailable:
            return copy
        clinic = found.get(copy.clinic_id, copy)
        self._remember(clinic)
        return clinic

    def _remember(self, clinic: Clinic) -> None:
        self._known.put(clinic.clinic_id, clinic)

    async def _check_zone_stays(self, clinic: Clinic) -> None:
        """Refuse another zone.

        Calendars count their days in the zone they were created with.
        """
        known = (await self._directory.clinics([clinic.clinic_id])).get(
            clinic.clinic_id
        )
        if known is None or known.time_zone == clinic.time_zone:
            return
        for resources in (False, True):
            query = ProviderQuery(clinic_id=clinic.clinic_id, resources=resources)
            if await self._directory.ids(query, limit=1):
                what = "rooms or equipment" if resources else "providers"
                message = f"must stay {known.time_zone} while the clinic has {what}"
                raise InvalidRequest("", FieldError("time_zone", message))


def check_zone(name: str, field: str) -> None:
    """Raises InvalidRequest: no zone has this name."""
    if zone_info(name) is None:
        hint = "must be an IANA time zone, as Europe/Berlin"
        raise InvalidRequest("", FieldError(field, hint))
