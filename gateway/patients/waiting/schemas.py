"""What clients send and receive about the waiting list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from actors.domain.ids import ProviderId, provider_of
from actors.domain.messages.answers import HoldView
from care.waiting.entries import (
    DAY_MINUTES,
    OfferStatus,
    SlotOffer,
    WaitingEntry,
    WaitingMove,
    WaitingScope,
)
from gateway.http.features import Answer, Body
from gateway.wire.formats import millis_text, minute_text

PRIORITY_MAX = 3


class WishesBody(Body):
    """Which times are waited for.

    Days are ISO weekdays (1 is Monday); ``opens`` and ``closes`` are minutes since
    midnight, on the wall of the place. ``notice``: the least time in minutes between
    offer and visit.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"days": [1, 2]}})

    visit_type: str = Field("", pattern=r"^[A-Za-z0-9_.\-]{0,64}$")
    days: list[int] = Field([], max_length=7)
    opens: int = Field(0, ge=0, lt=DAY_MINUTES)
    closes: int = Field(DAY_MINUTES, gt=0, le=DAY_MINUTES)
    last_day: str = Field("", max_length=10)
    notice: int = Field(60, ge=0, le=30 * DAY_MINUTES)

    @field_validator("days")
    @classmethod
    def _are_days(cls, days: list[int]) -> list[int]:
        if any(not 1 <= day <= 7 for day in days) or len(set(days)) != len(days):  # noqa: PLR2004
            raise ValueError("must be different numbers from 1 (Monday) to 7")
        return sorted(days)


class WaitingBody(WishesBody):
    """What to wait for.

    ``subject``: the provider, the specialty or the clinic that ``scope`` says.
    ``booking_id``: a visit of one's own, with whatever provider, that an earlier slot
    would take the place of; then only earlier slots are offered.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"scope": "provider", "subject": "prv_1", "days": [1, 2]}
        }
    )

    scope: WaitingScope
    subject: str = Field(min_length=1, max_length=100)
    booking_id: str | None = Field(None, max_length=128)


class PauseBody(Body):
    """Whether an entry is paused. Resumed, declined offers count no more."""

    model_config = ConfigDict(json_schema_extra={"example": {"paused": True}})

    paused: bool


class PriorityBody(Body):
    """Where in the list: higher comes first, equal ones by the time of waiting."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"priority": 1, "reason": "in pain since Friday"}}
    )

    priority: int = Field(ge=-PRIORITY_MAX, le=PRIORITY_MAX)
    reason: str = Field(min_length=3, max_length=500)


class RemovalBody(Body):
    """Why staff take a patient off the list."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"reason": "booked by telephone"}}
    )

    reason: str = Field(min_length=3, max_length=500)


class WaitingAnswer(Answer):
    """What a patient waits for. ``declines``: offers declined since it was resumed."""

    entry_id: str
    scope: WaitingScope
    subject: str
    visit_type: str
    days: list[int]
    opens: int
    closes: int
    last_day: str
    notice: int
    booking_id: str | None
    since: str
    paused: bool
    declines: int

    @classmethod
    def fields_of(cls, one: WaitingEntry, *, hidden: bool = False) -> dict[str, Any]:
        """The fields; ``hidden``: the visit is left out."""
        return {
            "entry_id": one.entry_id,
            "scope": one.scope,
            "subject": one.subject,
            "visit_type": one.visit_type,
            "days": list(one.days),
            "opens": one.opens,
            "closes": one.closes,
            "last_day": one.last_day,
            "notice": one.notice,
            "booking_id": None if hidden else one.booking_id,
            "since": millis_text(one.since),
            "paused": one.paused,
            "declines": one.declines,
        }


class OwnWaitingAnswer(WaitingAnswer):
    """An entry as its patient sees it.

    ``ahead``: how many other patients come before it for times of the provider. None
    for a specialty or a clinic, whose providers have a list each, and while it is not
    known.
    """

    ahead: int | None


class WaitingsAnswer(Answer):
    """A patient's entries, the oldest first."""

    items: list[OwnWaitingAnswer]


class OfferAnswer(Answer):
    """A slot that is kept for the patient until ``expires_at``.

    It is a hold: it can also be booked, or used to move a visit, and released as one.
    ``booking_id``: the visit that accepting moves there; one with another provider is
    cancelled when this slot is booked. None: accepting books a new visit.
    """

    hold_id: str
    provider_id: str
    visit_type: str
    start: str
    end: str
    location_id: str
    expires_at: str
    expires_in_ms: int
    booking_id: str | None

    @classmethod
    def of(
        cls, offer: SlotOffer, hold: HoldView, now: int, *, proxy: bool
    ) -> OfferAnswer:
        """An offer as its calendar has it."""
        return cls(
            hold_id=hold.hold_id,
            provider_id=hold.provider_id,
            visit_type=hold.visit_type,
            start=minute_text(hold.start),
            end=minute_text(hold.end),
            location_id=hold.location_id,
            expires_at=millis_text(hold.expires),
            expires_in_ms=max(0, hold.expires - now),
            booking_id=None if proxy else offer.booking_id,
        )


class OffersAnswer(Answer):
    """A patient's offers that are not answered yet."""

    items: list[OfferAnswer]


class MoveAnswer(Answer):
    """A change of priority, by the account of a person of the staff."""

    by: str
    at: str
    before: int
    after: int
    reason: str


class MadeOfferAnswer(Answer):
    """An offer that an entry got.

    ``rank``: the entry's place in the list then. ``ahead``: why those before it were
    passed over, reason to number.
    """

    provider_id: str
    start: str
    made_at: str
    until: str
    rank: int
    ahead: dict[str, int]
    status: OfferStatus


class RankedAnswer(WaitingAnswer):
    """An entry in its place in the list, with what was changed and offered so far.

    ``name``: empty if the patient told none. ``booking_id``: only of a visit with this
    provider; with whom else a patient has visits is not this clinic's to know.
    """

    rank: int
    patient_id: str
    name: str
    priority: int
    moves: list[MoveAnswer]
    offers: list[MadeOfferAnswer]

    @classmethod
    def of(
        cls,
        one: WaitingEntry,
        provider_id: ProviderId,
        rank: int,
        moves: Sequence[WaitingMove],
        offers: Sequence[SlotOffer],
        name: str,
    ) -> RankedAnswer:
        """An entry as staff of this provider see it."""
        elsewhere = provider_of(one.booking_id or "") != provider_id
        made = [
            MadeOfferAnswer(
                provider_id=offer.provider_id,
                start=minute_text(offer.start),
                made_at=millis_text(offer.made_at),
                until=millis_text(offer.until),
                rank=offer.rank,
                ahead=dict(offer.ahead),
                status=offer.status,
            )
            for offer in offers
        ]
        told = [
            MoveAnswer(
                by=move.by,
                at=millis_text(move.at),
                before=move.before,
                after=move.after,
                reason=move.reason,
            )
            for move in moves
        ]
        return cls(
            **cls.fields_of(one, hidden=elsewhere),
            rank=rank,
            patient_id=one.patient_id,
            name=name,
            priority=one.priority,
            moves=told,
            offers=made,
        )


class WaitingListAnswer(Answer):
    """Who waits for a provider or for the clinic, in order.

    ``others``: how many more wait for the specialty, of whatever clinic.
    """

    items: list[RankedAnswer]
    others: int
