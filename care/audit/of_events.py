"""Audit entries of the journal's events; pure.

Every decision that a person asked for is one entry. What calendars do by themselves
(holds that end, windows that move), refusals and moves between shards are none.
"""

from __future__ import annotations

from typing import Any, Final

from actors.domain.messages import events as ev
from care.audit.entries import Draft

_ACTIONS: Final[dict[type, str]] = {
    ev.ProviderRegistered: "register_provider",
    ev.AvailabilitySet: "set_availability",
    ev.TimeOffAdded: "add_time_off",
    ev.TimeOffRemoved: "remove_time_off",
    ev.HoldPlaced: "place_hold",
    ev.HoldExtended: "extend_hold",
    ev.HoldReleased: "release_hold",
    ev.HoldReturned: "decline_offer",
    ev.SlotBooked: "book",
    ev.BookingCancelled: "cancel_booking",
    ev.BookingRescheduled: "reschedule_booking",
    ev.ConfidentialSet: "set_confidential",
    ev.PatientArrived: "check_in",
    ev.VisitCompleted: "complete",
    ev.NoShowMarked: "mark_no_show",
    ev.OutcomeUndone: "undo",
}
_OWN: Final = frozenset(
    {
        ev.HoldExpired,
        ev.WaitingSet,
        ev.SlotReserved,
        ev.HoldDoubted,
        ev.GroupAborted,
        ev.GroupSettled,
        ev.HoldOffered,
        ev.WindowAdvanced,
        ev.RefusalRecorded,
        ev.ClockTrusted,
        ev.CalendarMovedOut,
        ev.CalendarMovedIn,
    }
)
"""Events that are not a change requested by a person."""
_IDS: Final = ("booking_id", "hold_id", "time_off_id")


def is_audited(event: ev.Event) -> bool:
    """Whether an event is a person's act. Unknown kinds count as one."""
    if isinstance(event, ev.HoldReturned):
        return event.declined  # else its time was over
    if isinstance(event, ev.HoldPlaced | ev.SlotBooked | ev.BookingCancelled):
        group = event.group  # a member of one follows its primary, which is audited
        if group is not None and group.primary != event.provider_id:
            return False
    return type(event) not in _OWN


def draft_of(event: ev.Event, tenant: str, shard: str, seq: int) -> Draft:
    """The entry of an event, which is at ``seq`` of the shard's journal."""
    account, _, grant = event.by.partition(" ")
    body: dict[str, Any] = {
        "outcome": "done",
        "provider_id": event.provider_id,
        "journal": f"{shard}-{seq}",
    }
    for name in _IDS:
        if value := getattr(event, name, None):
            body[name] = value
    if grant:
        body["grant"] = grant
    if isinstance(event, ev.SlotBooked) and event.lane > 0:
        body["overbooked"] = True
    if isinstance(event, ev.BookingCancelled):
        body["by_patient"] = event.by_patient
    return Draft(
        tenant,
        event.at,
        account,
        _ACTIONS.get(type(event), type(event).__name__),
        str(getattr(event, "patient_id", "")),
        body,
    )


def known_events() -> frozenset[type]:
    """Event types that this module knows; a test compares them with the domain's."""
    return frozenset(_ACTIONS) | _OWN
