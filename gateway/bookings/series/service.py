"""Operations on series of visits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from actors.domain.ids import Minute, PatientId, ProviderId, VisitTypeId
from actors.domain.messages.answers import ProviderView
from actors.domain.messages.refusals import Refusal, RefusalCode
from care.series.ids import series_id, visit_id
from care.series.placing import SeriesPlacing
from care.series.ports import (
    PLACED_MAX,
    Series,
    SeriesLimit,
    SeriesState,
    SeriesStore,
    SeriesVisit,
)
from care.series.preview import (
    AssessedDate,
    assessed,
    due_at,
    zone_of,
)
from care.series.rules import (
    DATES_MAX,
    PlannedDate,
    SeriesRule,
    TooManyDates,
    planned_dates,
)
from gateway.access.rights import Access, Action, acting_patient
from gateway.access.tokens import Caller
from gateway.bookings.series.changing import SeriesChanges
from gateway.bookings.series.reading import SeriesReader, ShownSeries
from gateway.bookings.service import BookingService
from gateway.calendars.commands import Commands
from gateway.calendars.commitments import Commitments, Slot
from gateway.calendars.members.whole import WholeVisits
from gateway.calendars.reasons import sealed_reasons
from gateway.config import GatewayPorts
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    KeyReused,
    Refused,
)
from gateway.wire.formats import minute_text

ALTERNATIVES_MAX: Final = 10
"""Failed visits of a series for which alternatives are looked for."""
_TOO_MANY: Final = Refusal(
    RefusalCode.BOOKING_LIMIT,
    f"A patient may place {PLACED_MAX} series in 30 days, and you have reached that. "
    "Ask the clinic to place it for you.",
)


@dataclass(frozen=True, kw_only=True)
class WantedSeries:
    """A series that is asked for: ``starts``, or the dates of ``rule``."""

    provider_id: ProviderId
    visit_type: VisitTypeId
    rule: SeriesRule | None
    starts: Sequence[Minute] | None
    all_or_nothing: bool
    patient_id: str | None
    reason: str
    confidential: bool
    allow_overlap: bool


class SeriesService:
    """The operations on series.

    Every method may raise Refused, the errors of gateway/wire/errors.py, and
    Unavailable.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what booking itself needs, and the store
        self,
        store: SeriesStore,
        ports: GatewayPorts,
        commands: Commands,
        access: Access,
        commitments: Commitments,
        bookings: BookingService,
        whole: WholeVisits,
        acquainted: Callable[[ProviderId, PatientId], None],
    ) -> None:
        self._store = store
        self._ports = ports
        self._commands = commands
        self._access = access
        self._commitments = commitments
        self._acquainted = acquainted
        self._now = ports.clock.now
        self._reader = SeriesReader(store, ports, commands, access, whole)
        self._placing = SeriesPlacing(store, self._reader.ask, ports.clock)
        self.changes = SeriesChanges(
            self._reader, store, self._placing, bookings, ports.clock
        )
        """What changes several visits of a series."""

    async def preview(
        self,
        caller: Caller,
        provider_id: ProviderId,
        visit_type: VisitTypeId,
        rule: SeriesRule,
    ) -> tuple[str, list[AssessedDate]]:
        """The dates of a rule and what is free of them; with the name of the zone."""
        await self._access.to_provider(caller, Action.BOOK, provider_id)
        view, kind = await self._reader.offered(provider_id, visit_type)
        dates = _dates(rule, view)
        now = self._now()
        return zone_of(view).name, await assessed(
            self._reader.ask, view, kind, dates, now
        )

    async def place(
        self, caller: Caller, key: str | None, wanted: WantedSeries
    ) -> ShownSeries:
        """Book what the horizon reaches, and keep the rest until it does."""
        series = await self._begun(caller, key, wanted)
        if series.state is SeriesState.PLACING:
            refusal = await self._placing.whole(series)
            if refusal is not None:
                raise Refused(refusal)
        else:
            await self._placing.begin_each(series)
        if caller.patient_id is not None and caller.identity is not None:
            self._acquainted(series.provider_id, caller.patient_id)
        return await self._reader.found(caller, series.series_id)

    async def show(self, caller: Caller, name: str) -> ShownSeries:
        """One series."""
        caller, series = await self._reader.of(caller, Action.READ_BOOKING, name)
        await self._access.audit_read(
            caller,
            "read_series",
            series.patient_id,
            series.provider_id,
            series_id=series.series_id,
        )
        return await self._reader.shown(caller, series)

    async def own(self, caller: Caller) -> list[ShownSeries]:
        """The series of the patient whom the caller acts as."""
        assert caller.patient_id is not None, "the route lets in no other"
        found = await self._store.of_patient(caller.patient_id)
        seen = [one for one in found if not (caller.is_proxy and one.confidential)]
        return [await self._reader.shown(caller, one) for one in seen]

    async def unplaced(
        self, caller: Caller, provider_id: ProviderId
    ) -> list[ShownSeries]:
        """A provider's series with visits that could not be booked."""
        found = await self._store.unplaced(provider_id)
        for one in found:
            await self._access.audit_read(
                caller,
                "read_series",
                one.patient_id,
                provider_id,
                series_id=one.series_id,
            )
        return [await self._reader.shown(caller, one) for one in found]

    # --- placing ---------------------------------------------------------------

    async def _begun(
        self, caller: Caller, key: str | None, wanted: WantedSeries
    ) -> Series:
        provider_id = wanted.provider_id
        caller = await self._access.to_provider(caller, Action.BOOK, provider_id)
        patient_id = acting_patient(caller, wanted.patient_id)
        if patient_id is None:
            raise InvalidRequest(
                "", FieldError("patient_id", "is missing: staff name the patient")
            )
        if wanted.confidential and caller.is_proxy:
            message = "is for the patient and the clinic to send"
            raise InvalidRequest("", FieldError("confidential", message))
        await self._access.check_named(caller, patient_id)
        view, kind = await self._reader.offered(provider_id, wanted.visit_type)
        starts = _starts(wanted, view)
        said = self._commands.private(wanted.reason)
        content = (provider_id, patient_id, wanted.visit_type, starts, said)
        how = (wanted.all_or_nothing, wanted.confidential)
        stamp = self._commands.stamp(caller, key, "series", *content, *how)
        now = self._now()
        name = series_id(provider_id, blake2b(stamp["key"].encode()).hexdigest())
        due = [due_at(start, kind) for start in starts]
        reach = sum(at <= now for at in due)
        if caller.patient_id is not None:
            await self._check_limits(caller, patient_id, wanted, starts[:reach])
        names = [visit_id(name, n, len(starts)) for n in range(1, len(starts) + 1)]
        reasons = await sealed_reasons(
            self._ports.persons, stamp["by"], patient_id, names, wanted.reason
        )
        is_whole = wanted.all_or_nothing and reach > 0
        wanted_series = Series(
            series_id=name,
            provider_id=provider_id,
            patient_id=patient_id,
            visit_type=wanted.visit_type,
            visits=tuple(
                SeriesVisit(
                    number=n,
                    start=start,
                    due_at=max(at, now),
                    tried_at=now if at <= now else None,
                    reason=reason,
                )
                for n, (start, at, reason) in enumerate(
                    zip(starts, due, reasons, strict=True), 1
                )
            ),
            created_at=now,
            key=stamp["key"],
            fingerprint=stamp["fingerprint"],
            rule=wanted.rule,
            by=stamp["by"],
            by_staff=caller.is_staff,
            proxy=stamp["proxy"],
            confidential=wanted.confidential,
            state=SeriesState.PLACING if is_whole else SeriesState.ACTIVE,
        )
        series = await self._kept(wanted_series)
        if series.fingerprint != wanted_series.fingerprint:
            raise KeyReused
        return series

    async def _kept(self, series: Series) -> Series:
        """The series as it is kept, now or since an earlier request."""
        try:
            return await self._store.begin(series, now=series.created_at)
        except SeriesLimit:
            raise Refused(_TOO_MANY) from None

    async def _check_limits(
        self,
        caller: Caller,
        patient_id: PatientId,
        wanted: WantedSeries,
        starts: Sequence[Minute],
    ) -> None:
        for start in starts:
            await self._commitments.check_visit(
                patient_id,
                Slot(wanted.provider_id, wanted.visit_type, start),
                allow_overlap=wanted.allow_overlap,
                proxy=caller.is_proxy,
                more=len(starts),
            )

    # --- changes ---------------------------------------------------------------


def _dates(rule: SeriesRule, view: ProviderView) -> list[PlannedDate]:
    try:
        dates = planned_dates(rule, zone_of(view))
    except TooManyDates:
        message = f"makes more than {DATES_MAX} dates: send an earlier one, or count"
        raise InvalidRequest("", FieldError("until", message)) from None
    if not dates:
        message = "leaves no date: send a later one"
        raise InvalidRequest("", FieldError("until", message))
    return dates


def _starts(wanted: WantedSeries, view: ProviderView) -> tuple[Minute, ...]:
    """The starts, as they were chosen or by the rule. Raises InvalidRequest."""
    if wanted.starts is None:
        if wanted.rule is None:
            raise InvalidRequest("", FieldError("starts", "or rule is needed"))
        dates = _dates(wanted.rule, view)
        skipped = [one for one in dates if not one.exists]
        if skipped:
            text = minute_text(skipped[0].start)
            message = f"names a time that the clock skips at {text}: send starts"
            raise InvalidRequest("", FieldError("rule", message))
        return tuple(one.start for one in dates)
    starts = tuple(wanted.starts)
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise InvalidRequest("", FieldError("starts", "must ascend"))
    return starts
