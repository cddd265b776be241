"""Bodies and answers of the queue of visits that a leave affects."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from actors.domain.ids import PROVIDER_PATTERN, Millis, Minute, ProviderId
from care.leave.ports import ToldOf
from care.leave.visits import (
    Chooser,
    Equivalent,
    LeaveProgress,
    LeaveVisit,
    RowState,
    VisitOutcome,
)
from care.notices.messages import DeliveryStatus
from gateway.http.features import Answer, Body
from gateway.providers.leave.service import LeaveShown, ProviderFactsShown, VisitShown
from gateway.wire.formats import millis_text, minute_text, parse_minute

ProviderIdText = Annotated[str, StringConstraints(pattern=PROVIDER_PATTERN)]
Providers = Mapping[ProviderId, ProviderFactsShown]


class ChooseBody(Body):
    """One of the times that are proposed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"provider_id": "prv_1", "start": "2026-12-01T09:00:00Z"}
        }
    )

    provider_id: ProviderIdText
    start: str = Field(max_length=64, description="As in the proposed time.")

    def chosen(self) -> tuple[ProviderId, Minute]:
        """Provider and start. Raises FieldError."""
        return ProviderId(self.provider_id), parse_minute(self.start, "start")


class EquivalentAnswer(Answer):
    """A time that stands in for a visit; nothing medical."""

    provider_id: str
    provider: str
    clinic_id: str
    clinic: str
    address: str
    time_zone: str
    start: str
    end: str
    same_provider: bool
    same_clinic: bool


class WaitingState(StrEnum):
    """How far a patient's visit is."""

    UNAFFECTED = "unaffected"
    """No leave affects it."""
    OPEN = "open"
    CHOSEN = "chosen"
    """What was chosen is being carried out."""
    RESOLVED = "resolved"


class EquivalentsAnswer(Answer):
    """A visit that cannot take place, and three times that stand in for it."""

    state: WaitingState
    outcome: VisitOutcome | None
    provider: str
    clinic: str
    address: str
    phone: str
    time_zone: str
    start: str
    end: str
    answer_by: str | None = Field(
        description="If nothing is chosen by then, the practice calls."
    )
    equivalents: list[EquivalentAnswer]
    moved_to: EquivalentAnswer | None

    @classmethod
    def of(cls, shown: VisitShown) -> EquivalentsAnswer:
        """The answer for a visit."""
        view, row, providers = shown.view, shown.row, shown.providers
        mine = providers.get(view.provider_id)
        is_open = row is not None and row.state is RowState.OPEN
        return cls(
            state=WaitingState(row.state.value)
            if row is not None
            else WaitingState.UNAFFECTED,
            outcome=None if row is None else row.outcome,
            provider=mine.name if mine else "",
            clinic=mine.clinic.name if mine else "",
            address=address_of(mine),
            phone=mine.clinic.phone if mine else "",
            time_zone=mine.time_zone if mine else "UTC",
            start=minute_text(view.start if row is None else row.start),
            end=minute_text(view.end if row is None else row.end),
            answer_by=millis_text(row.answer_by) if row is not None else None,
            equivalents=_times(row, providers) if row is not None and is_open else [],
            moved_to=_moved(row, providers) if row is not None else None,
        )


class ToldState(StrEnum):
    """How far the best message about it came."""

    NONE = "none"
    """There is none: the patient has no address, or wants no messages."""
    PENDING = "pending"
    """It is being written: whether there is an address is not known yet."""
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class LeaveVisitState(StrEnum):
    """How far a row of the queue is."""

    PROPOSED = "proposed"
    """Times are proposed, and no message has left yet."""
    TOLD = "told"
    CHOSEN = "chosen"
    RESOLVED = "resolved"


class LeaveVisitAnswer(Answer):
    """A visit that a leave affects."""

    booking_id: str
    patient_id: str
    patient_name: str
    visit_type: str
    start: str
    end: str
    state: LeaveVisitState
    told: ToldState
    told_at: str | None
    answer_by: str
    overdue: bool = Field(description="The patient has not chosen in time: call them.")
    equivalents: list[EquivalentAnswer]
    outcome: VisitOutcome | None
    resolved_by: Chooser | None
    resolved_at: str | None
    moved_to: EquivalentAnswer | None


class LeaveProgressAnswer(Answer):
    """How far a leave is; closed once each patient's visit is resolved."""

    time_off_id: str
    start: str
    end: str
    withdrawn_at: str | None = Field(description="When the leave was given back.")
    total: int
    resolved: int
    overdue: int
    closed: bool

    @classmethod
    def of(cls, one: LeaveProgress) -> LeaveProgressAnswer:
        """The answer for a leave."""
        leave = one.leave
        gone = leave.withdrawn_at
        return cls(
            time_off_id=leave.time_off_id,
            start=minute_text(leave.start),
            end=minute_text(leave.end),
            withdrawn_at=None if gone is None else millis_text(gone),
            total=one.total,
            resolved=one.resolved,
            overdue=one.overdue,
            closed=one.is_closed,
        )


class LeavesAnswer(Answer):
    """Leaves with affected visits, the newest first; at most fifty."""

    items: list[LeaveProgressAnswer]


class LeaveQueueAnswer(LeaveProgressAnswer):
    """All visits that a leave affects, by start."""

    time_zone: str
    visits: list[LeaveVisitAnswer]

    @classmethod
    def shown(cls, shown: LeaveShown) -> LeaveQueueAnswer:
        """The answer for a queue."""
        rows = shown.rows
        progress = LeaveProgress(
            shown.leave,
            len(rows),
            sum(one.is_resolved for one in rows),
            sum(one.is_overdue(shown.at) for one in rows),  # type: ignore[arg-type]
        )
        mine = shown.providers.get(shown.leave.provider_id)
        return cls(
            **LeaveProgressAnswer.of(progress).model_dump(),
            time_zone=mine.time_zone if mine else "UTC",
            visits=[_visit(one, shown) for one in rows],
        )


def _visit(row: LeaveVisit, shown: LeaveShown) -> LeaveVisitAnswer:
    told = shown.told.get(row.booking_id)
    is_open = row.state is RowState.OPEN
    resolved = row.resolved_at
    return LeaveVisitAnswer(
        booking_id=row.booking_id,
        patient_id=row.patient_id,
        patient_name=shown.names.get(row.patient_id, ""),
        visit_type=row.visit_type,
        start=minute_text(row.start),
        end=minute_text(row.end),
        state=_state(row, is_told=told is not None and told.status is not None),
        told=_told(row, told, shown),
        told_at=None if told is None or told.status is None else millis_text(told.at),
        answer_by=millis_text(row.answer_by),
        overdue=row.is_overdue(shown.at),  # type: ignore[arg-type]
        equivalents=_times(row, shown.providers) if is_open else [],
        outcome=row.outcome,
        resolved_by=row.chooser,
        resolved_at=None if resolved is None else millis_text(resolved),
        moved_to=_moved(row, shown.providers),
    )


def _told(row: LeaveVisit, told: ToldOf | None, shown: LeaveShown) -> ToldState:
    if told is None:
        is_coming = row.is_being_told(Millis(shown.at))
        return ToldState.PENDING if is_coming else ToldState.NONE
    return ToldState.NONE if told.status is None else _TOLD[told.status]


_TOLD = {
    DeliveryStatus.QUEUED: ToldState.QUEUED,
    DeliveryStatus.SENT: ToldState.SENT,
    DeliveryStatus.DELIVERED: ToldState.DELIVERED,
    DeliveryStatus.FAILED: ToldState.FAILED,
    DeliveryStatus.SUPERSEDED: ToldState.SUPERSEDED,
}


def _state(row: LeaveVisit, *, is_told: bool) -> LeaveVisitState:
    if row.state is RowState.OPEN:
        return LeaveVisitState.TOLD if is_told else LeaveVisitState.PROPOSED
    return LeaveVisitState(row.state.value)


def _times(row: LeaveVisit, providers: Providers) -> list[EquivalentAnswer]:
    return [_time(row, one, providers) for one in row.proposed]


def _moved(row: LeaveVisit, providers: Providers) -> EquivalentAnswer | None:
    return None if row.moved_to is None else _time(row, row.moved_to, providers)


def _time(row: LeaveVisit, one: Equivalent, providers: Providers) -> EquivalentAnswer:
    found, mine = providers.get(one.provider_id), providers.get(row.provider_id)
    clinic = found.clinic if found else None
    return EquivalentAnswer(
        provider_id=one.provider_id,
        provider=found.name if found else "",
        clinic_id=clinic.clinic_id if clinic else "",
        clinic=clinic.name if clinic else "",
        address=address_of(found),
        time_zone=found.time_zone if found else "UTC",
        start=minute_text(one.start),
        end=minute_text(one.end),
        same_provider=one.provider_id == row.provider_id,
        same_clinic=clinic is not None
        and mine is not None
        and clinic.clinic_id == mine.clinic.clinic_id,
    )


def address_of(one: ProviderFactsShown | None) -> str:
    """The clinic's address in one line."""
    if one is None:
        return ""
    clinic = one.clinic
    town = " ".join(part for part in (clinic.postcode, clinic.city) if part)
    return ", ".join(part for part in (clinic.address, town) if part)
